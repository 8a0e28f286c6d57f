package bot

import (
	"context"
	"fmt"
	"time"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/runnerfleet"
)

// durations is where the bot keeps how long things take: plans rest on it, and
// each run that ended adds to it. Observe may be called again with the same.
type durations interface {
	History(ctx context.Context) (*plan.History, error)
	Observe(ctx context.Context, all []plan.Observation) error
}

// learn adds what a run that has ended took to the history. It may be repeated.
// A history that cannot be written costs later estimates, never the run's end.
func (b *Bot) learn(ctx context.Context, r Run) error {
	if b.History == nil {
		return nil
	}
	c, err := b.catalogOf(ctx, r)
	if err != nil {
		return err
	}
	o := observer{run: r, core: c.Core(r.Plan.Options.Nginx)}
	for _, p := range r.Pieces {
		stored, err := b.Store.Entries(ctx, r.ID, p.ID)
		if err != nil {
			return err
		}
		if err := o.piece(p, stored); err != nil {
			return fmt.Errorf("piece %s of run %s: %w", p.ID, r.ID, err)
		}
	}
	instances, err := b.Instances.Instances(ctx)
	if err != nil {
		return fmt.Errorf("list instances of run %s: %w", r.ID, err)
	}
	for _, in := range instances {
		o.boot(in)
	}
	if err := b.History.Observe(ctx, o.seen); err != nil {
		b.Log.Error("durations are not kept", "run", r.ID, "err", err)
	}
	return nil
}

// estimates prepares planning with what is known of durations; a history that
// cannot be read costs the estimates their basis and nothing else.
func (b *Bot) estimates(ctx context.Context, c *catalog.Catalog, req plan.Request, goals []plan.Goal) plan.Input {
	if b.History == nil {
		return c.Input(req, goals)
	}
	h, err := b.History.History(ctx)
	if err != nil {
		b.Log.Error("history is not used", "err", err)
		return c.Input(req, goals)
	}
	return c.InputFrom(req, goals, h)
}

// observer turns what a run left behind into durations.
type observer struct {
	run  Run
	core string // nginx core
	seen []plan.Observation
}

// piece observes each test file that a piece reported. Files of an attempt that
// was lost count too: they were handed over when they ended.
func (o *observer) piece(p Piece, stored []StoredEntry) error {
	at := p.FinishedAt
	if at.IsZero() {
		at = o.run.EndedAt
	}
	for _, s := range stored {
		e, err := report.DecodeEntry(s.Meta)
		if err != nil {
			return err
		}
		if f := e.File; f != nil {
			o.seen = append(o.seen, plan.Observation{
				Arch: o.run.Plan.Options.Arch, Nginx: o.core, Goal: p.Goal.String(), File: f.Path, Seconds: f.Seconds, CPU: f.CPUSeconds,
				At: at, Run: fmt.Sprintf("%s/%d", o.run.ID, s.Attempt), Outcome: outcome(*f),
			})
		}
	}
	return nil
}

// outcome keeps durations apart that say less: a file that was killed did not
// take that long, and one that failed may have taken longer than it will.
func outcome(f report.FileResult) string {
	switch {
	case f.TimedOut || f.Signal != "":
		return "interrupted"
	case f.Exit != 0:
		return "failed"
	}
	return ""
}

// boot observes how long an instance of the run took from its launch to its
// first word.
func (o *observer) boot(in runnerfleet.Instance) {
	run, _, err := parseBucketID(in.Bucket)
	if err != nil || run != o.run.ID || in.LaunchedAt.IsZero() || in.EnrolledAt.Before(in.LaunchedAt) {
		return
	}
	o.seen = append(o.seen, plan.Observation{
		Arch: in.Arch, Phase: "boot", Seconds: in.EnrolledAt.Sub(in.LaunchedAt).Round(time.Millisecond).Seconds(), At: in.EnrolledAt, Run: in.ID,
	})
}
