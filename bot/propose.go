package bot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
)

// Proposal is a pull request that the bot opens. Branch is named by what is
// meant, so that the same is proposed once; Files are whole, by path.
type Proposal struct {
	Branch string
	Title  string
	Body   string
	Files  map[string][]byte
}

// A proposed expectation is short-lived, and one pull request holds so many.
const (
	proposedFor  = 14 * 24 * time.Hour
	proposedRate = 0.2 // of failing runs, of what failed and passed at one commit
	mostProposed = 20
)

// Where a repository has expectations of its own, on its default branch, and
// where a catalog has them.
const (
	ownExpectations     = ".ortest/expectations"
	catalogExpectations = "expectations"
)

// entry is one proposed expectation.
type entry struct{ id, project, yaml string }

// entries would expect the new and the flaky failures of goals.
func (b *Bot) entries(c comment, r Run, goals []html.GoalView) []entry {
	var all []entry
	for _, g := range goals {
		if g.Result == nil {
			continue
		}
		mode, project, _ := strings.Cut(g.Goal, "-")
		for _, f := range g.Result.Findings {
			id := entryID(g.Goal, f)
			flaky := f.Class == report.Flaky && f.Rule == ""
			if f.Class != report.New && !flaky || f.File == "" || len(all) == mostProposed ||
				slices.ContainsFunc(all, func(e entry) bool { return e.id == id }) {
				continue
			}
			outcome := "fails"
			if flaky {
				outcome = fmt.Sprintf("flaky\n  max_rate: %g", proposedRate)
			}
			var s strings.Builder
			fmt.Fprintf(&s, "- id: %s\n  test: %s\n", id, quoted(f.File))
			if f.Block != "" {
				fmt.Fprintf(&s, "  block: %s\n", quoted(f.Block))
			}
			fmt.Fprintf(&s, "  kind: %s\n  when: {mode: [%s]}\n  outcome: %s\n  class: upstream-bug\n", f.Kind, mode, outcome)
			fmt.Fprintf(&s, "  reason: %s\n", quoted(fmt.Sprintf("Seen in run %s at %.12s; to be looked into before it expires.", r.ID, r.Head)))
			fmt.Fprintf(&s, "  issue: %s\n  owner: %s\n  since: %s\n  expires: %s\n", quoted(fmt.Sprintf("https://%s/%s/pull/%d", hostOf(b.Server), r.Repo, r.Pull)),
				quoted(c.Sender), b.Now().UTC().Format(time.DateOnly), b.Now().Add(proposedFor).UTC().Format(time.DateOnly))
			all = append(all, entry{id, project, s.String()})
		}
	}
	return all
}

// hostOf is what an address has behind its scheme: expectations take https only,
// which a GitHub on this machine has not.
func hostOf(server string) string {
	_, host, _ := strings.Cut(server, "://")
	return host
}

// entryID names an entry by the failure it expects, so that two proposals of
// the same one have the same.
func entryID(goal string, f report.Finding) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(goal))
	if len(name) > 48 {
		name = name[:48]
	}
	return strings.Trim(name, ".-") + "-" + digest(f.File, f.Block, f.Name, f.Kind)[:8]
}

// quoted is a text as YAML and JSON both write it.
func quoted(s string) string {
	raw, err := json.Marshal(strings.ToValidUTF8(s, "?"))
	if err != nil {
		return `""` // strings are always encoded
	}
	return string(raw)
}

// with returns a file of expectations with the entries that it lacks. What
// nobody could read afterwards is an error.
func with(path string, old []byte, add []entry) ([]byte, error) {
	have, err := report.ReadExpectations(path, old)
	if err != nil && len(bytes.TrimSpace(old)) > 0 {
		return nil, fmt.Errorf("%s cannot be read as it is: %w", path, err)
	}
	text := bytes.TrimRight(old, "\n")
	if len(have) == 0 {
		text = nil
	}
	for _, e := range add {
		if !slices.ContainsFunc(have, func(h report.Expectation) bool { return h.ID == e.id }) {
			if len(text) > 0 {
				text = append(text, "\n\n"...)
			}
			text = append(text, strings.TrimRight(e.yaml, "\n")...)
		}
	}
	text = append(text, '\n')
	if _, err := report.ReadExpectations(path, text); err != nil {
		return nil, fmt.Errorf("entries do not fit into %s: %w", path, err)
	}
	return text, nil
}

// pressPropose opens a pull request that expects the new failures of a check
// run, and links it there. Pressed again, it finds that pull request.
func (b *Bot) pressPropose(ctx context.Context, c comment, r Run, check string, goals []html.GoalView) error {
	all := b.entries(c, r, goals)
	if len(all) == 0 {
		return b.answer(ctx, c, understood("nothing new failed here in a test file, so there is nothing to expect."))
	}
	to, dir := r.Repo.String(), ownExpectations
	if set := b.settings(); set.Expectations != "" {
		to, dir = set.Expectations, catalogExpectations
	}
	p, err := b.proposal(ctx, r, to, dir, all)
	at := ""
	switch {
	case err == nil && len(p.Files) == 0:
		return b.answer(ctx, c, understood(fmt.Sprintf("%s expects all of this already; it counts from the next run.", code(to))))
	case err == nil:
		at, err = b.Forge.OpenPull(ctx, r.Repo, to, p)
	}
	if final(err) || errors.Is(err, errUnfit) {
		return b.answer(ctx, c, unproposed(to, err, all))
	}
	if err != nil {
		return err
	}
	if err := b.linkProposal(ctx, r, check, at); err != nil {
		return err
	}
	return b.answer(ctx, c, understood(fmt.Sprintf("%s proposes to expect %s for %d days. Review it before it is merged: an expectation hides a failure.",
		at, count(len(all), "failure"), int(proposedFor.Hours()/24))))
}

// errUnfit says that a file of expectations is not one that entries can be added to.
var errUnfit = errors.New("no entry can be added")

// proposal is the pull request with the entries that the default branch lacks.
func (b *Bot) proposal(ctx context.Context, r Run, to, dir string, all []entry) (Proposal, error) {
	byPath, ids := make(map[string][]entry), make([]string, 0, len(all))
	for _, e := range all {
		path := dir + "/" + e.project + ".yaml"
		byPath[path], ids = append(byPath[path], e), append(ids, e.id)
	}
	slices.Sort(ids)
	p := Proposal{
		Branch: "ortest/expect-" + digest(ids...)[:12],
		Title:  fmt.Sprintf("Expect %s for %d days", count(len(all), "failure"), int(proposedFor.Hours()/24)),
		Files:  make(map[string][]byte),
	}
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		old, err := b.Forge.File(ctx, r.Repo, to, path)
		if err != nil && !errors.Is(err, ErrGone) {
			return p, err
		}
		text, err := with(path, old, byPath[path])
		if err != nil {
			return p, fmt.Errorf("%w: %w", errUnfit, err)
		}
		if !bytes.Equal(text, old) {
			p.Files[path] = text
		}
	}
	p.Body = fmt.Sprintf("[Run %s](%s) of %s at %s failed newly. Each entry expects one of its failures until it expires; look into it before, and delete the entry then.\n\n",
		r.ID, b.runURL(r.ID), code(fmt.Sprintf("%s pull %d", r.Repo, r.Pull)), code(r.Head))
	for _, e := range all {
		p.Body += "- " + code(e.id) + "\n"
	}
	return p, nil
}

// linkProposal shows on a check run where its failures are proposed to be expected.
func (b *Bot) linkProposal(ctx context.Context, r Run, check, at string) error {
	err := b.update(ctx, r.ID, func(r *Run) bool {
		for i := range r.Checks {
			if r.Checks[i].Name == check {
				r.Checks[i].Proposed = at
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	if r, err = b.Store.Run(ctx, r.ID); err != nil {
		return err
	}
	view, err := b.View(ctx, r)
	if err != nil {
		return err
	}
	for _, c := range r.Checks {
		if c.Name != check || c.ID == 0 {
			continue
		}
		// Somebody may have removed the commit, or asked for the check run again.
		if err := b.showCheck(ctx, r, c, view); err != nil && !final(err) {
			return err
		}
	}
	return nil
}

// unproposed shows the entries where no pull request can be opened.
func unproposed(to string, why error, all []entry) Answer {
	mark, text := "```", ""
	for _, e := range all {
		text += "# " + e.project + ".yaml\n" + e.yaml
	}
	for strings.Contains(text, mark) {
		mark += "`"
	}
	return refusal(fmt.Sprintf("no pull request could be opened in %s: %s. The App needs to write contents and pull requests there. These are the entries:\n\n%syaml\n%s%s",
		code(to), plain(why.Error()), mark, text, mark))
}
