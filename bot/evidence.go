package bot

import (
	"context"
	"fmt"
	"slices"

	"github.com/ortest/ortest/report"
)

// Evidence gathers what a goal's pieces reported over all their attempts.
func (b *Bot) Evidence(ctx context.Context, r Run, goal string) (report.Evidence, error) {
	ev := report.Evidence{Goal: goal}
	for _, p := range r.Pieces {
		if p.Goal.String() != goal {
			continue
		}
		stored, err := b.Store.Entries(ctx, r.ID, p.ID)
		if err != nil {
			return ev, err
		}
		got, err := assemble(stored)
		if err != nil {
			return ev, fmt.Errorf("piece %s of run %s: %w", p.ID, r.ID, err)
		}
		ev.Pieces = append(ev.Pieces, got)
		if p.Reason != "" {
			ev.Trouble = append(ev.Trouble, p.Reason)
			ev.Trouble = append(ev.Trouble, p.Trouble...)
		}
	}
	return ev, nil
}

// assemble merges a piece's attempts: the first manifest, which names all of
// its files, each file's first result, and the last attempt's end. What an
// earlier attempt said about its end is void; what it said about a file stays,
// so that a repeat never hides a failure.
func assemble(stored []StoredEntry) (report.PieceEvidence, error) {
	type item struct {
		report.Entry
		log []byte
	}
	var manifest, end *item
	var files []item
	last := 0
	for _, s := range stored {
		e, err := report.DecodeEntry(s.Meta)
		if err != nil {
			return report.PieceEvidence{}, err
		}
		if s.Attempt != last {
			last, end = s.Attempt, nil
		}
		it := item{e, s.Log}
		switch {
		case e.Manifest != nil && (manifest == nil || len(e.Manifest.Files) >= len(manifest.Manifest.Files)):
			manifest = &it
		case e.File != nil:
			if !slices.ContainsFunc(files, func(f item) bool { return f.File.Path == e.File.Path }) {
				files = append(files, it)
			}
		case e.End != nil:
			end = &it
		}
	}
	var all []item
	if manifest != nil {
		all = append(all, *manifest)
	}
	all = append(all, files...)
	if end != nil {
		all = append(all, *end)
	}
	var got report.PieceEvidence
	for i, it := range all {
		it.Seq = i
		got.Entries, got.Logs = append(got.Entries, it.Entry), append(got.Logs, it.log)
	}
	return got, nil
}

// goals returns the run's goals, each once, in plan order.
func (r *Run) goals() []string {
	var names []string
	for _, p := range r.Pieces {
		if g := p.Goal.String(); !slices.Contains(names, g) {
			names = append(names, g)
		}
	}
	return names
}

// finished reports whether every piece of a goal has its final result.
func (r *Run) finished(goal string) bool {
	return !slices.ContainsFunc(r.Pieces, func(p Piece) bool {
		return p.Goal.String() == goal && p.State != Finished
	})
}
