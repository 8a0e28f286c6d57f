package bot

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
)

// goalViews returns the run's own goals as people see them. What was judged
// once is kept, so that a pass over many goals reads only what is new.
func (b *Bot) goalViews(ctx context.Context, r Run) ([]html.GoalView, error) {
	kept, err := b.Store.Results(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	goals := r.goals()
	var done map[string]tally
	if len(kept) < len(goals) {
		if done, err = b.tallies(ctx, r); err != nil {
			return nil, err
		}
	}
	var views []html.GoalView
	for _, goal := range goals {
		g := html.GoalView{Goal: goal, State: "queued", LogURL: b.runURL(r.ID) + "/logs/" + goal}
		for _, p := range r.Pieces {
			if p.Goal.String() == goal {
				g.State = cmp.Or(map[PieceState]string{Assigned: "running", Finished: "running"}[p.State], g.State)
				g.Planned, g.Done = g.Planned+done[p.ID].planned, g.Done+done[p.ID].files
				if p.Attempt > 1 {
					g.Note = fmt.Sprintf("attempt %d", p.Attempt)
				}
			}
		}
		if r.finished(goal) {
			g.State = "done"
			if g.Result, err = b.result(ctx, r, goal, kept[goal]); err != nil {
				return nil, err
			}
			g.Planned, g.Done = g.Result.Planned, g.Result.Files
		}
		views = append(views, g)
	}
	return views, nil
}

// result returns what a finished goal came to, judging it if nobody has yet.
func (b *Bot) result(ctx context.Context, r Run, goal string, kept json.RawMessage) (*report.GoalResult, error) {
	if kept != nil {
		return keptResult(r.ID, goal, kept)
	}
	if why := r.heldBack(goal); why != "" {
		return &report.GoalResult{
			Goal: goal, Verdict: report.Incomplete, Why: []string{why},
			Findings: []report.Finding{{Kind: "not_run", Class: report.NotRun, Name: why}},
		}, nil
	}
	judge := b.judge
	if r.Repeat > 0 {
		judge = b.repeatedResult
	}
	result, err := judge(ctx, r, goal)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("keep result of %s, run %s: %w", goal, r.ID, err)
	}
	return &result, b.Store.PutResult(ctx, r.ID, goal, raw)
}

// keptResult reads what a goal of a run came to.
func keptResult(run, goal string, kept json.RawMessage) (*report.GoalResult, error) {
	g := new(report.GoalResult)
	if err := json.Unmarshal(kept, g); err != nil {
		return nil, fmt.Errorf("read result of %s, run %s: %w", goal, run, err)
	}
	return g, nil
}

// judge weighs what a goal's pieces reported.
func (b *Bot) judge(ctx context.Context, r Run, goal string) (report.GoalResult, error) {
	ev, err := b.Evidence(ctx, r, goal)
	if err != nil {
		return report.GoalResult{}, err
	}
	same, err := b.sameCommit(ctx, r, goal)
	if err != nil {
		return report.GoalResult{}, err
	}
	exps, err := b.expectations(ctx, r, goal)
	if err != nil {
		return report.GoalResult{}, err
	}
	return report.Judge(ev, exps, report.JudgeOptions{Now: b.Now(), Arch: r.Plan.Options.Arch, Same: same}), nil
}

// sameCommit returns what the pull request's earlier runs of the same commits, arch and
// nginx say of a goal: what passed in some and failed in others is flaky.
func (b *Bot) sameCommit(ctx context.Context, r Run, goal string) ([]report.GoalResult, error) {
	runs, err := b.Store.Runs(ctx, r.Repo, r.Pull)
	if err != nil {
		return nil, err
	}
	c, err := b.catalogOf(ctx, r)
	if err != nil {
		return nil, err
	}
	core, err := b.Core(ctx, r)
	if err != nil {
		return nil, err
	}
	var all []report.GoalResult
	for _, o := range runs {
		if o.ID == r.ID || o.Repeat > 0 || o.Head != r.Head || !sameOptions(o, r) || !slices.Contains(o.goals(), goal) || !samePins(c, o, r, goal) {
			continue
		}
		// Of a run whose catalog cannot be read any more, the failures count.
		if was, err := b.Core(ctx, o); err == nil && was != core {
			continue
		}
		kept, err := b.Store.Results(ctx, o.ID)
		if err != nil {
			return nil, err
		}
		if kept[goal] == nil {
			continue
		}
		g, err := keptResult(o.ID, goal, kept[goal])
		if err != nil {
			return nil, err
		}
		all = append(all, *g)
	}
	return all, nil
}

// samePins reports whether two runs of one head took what a goal tests and builds
// with at the same commits. What other goals of theirs took does not matter.
func samePins(c *catalog.Catalog, a, b Run, goal string) bool {
	g, err := plan.ParseGoal(goal)
	p, ok := c.Project(g.Project)
	if err != nil || !ok {
		return maps.Equal(a.Commits, b.Commits)
	}
	for _, s := range sources(p) {
		if a.pinned(s) != b.pinned(s) {
			return false
		}
	}
	return true
}

// heldBack says why a goal was never started, or "".
func (r *Run) heldBack(goal string) string {
	for _, p := range r.Pieces {
		if p.Held && p.Goal.String() == goal {
			return p.Reason
		}
	}
	return ""
}

// tally counts a piece's test files over all its attempts.
type tally struct{ planned, files int }

func (b *Bot) tallies(ctx context.Context, r Run) (map[string]tally, error) {
	metas, err := b.Store.Metas(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	counts, seen := make(map[string]tally), make(map[string]bool)
	for _, m := range metas {
		e, err := report.DecodeEntry(m.Meta)
		if err != nil {
			return nil, fmt.Errorf("piece %s of run %s: %w", m.Piece, r.ID, err)
		}
		t := counts[m.Piece]
		switch {
		case e.Manifest != nil:
			t.planned = max(t.planned, len(e.Manifest.Files))
		case e.File != nil && !seen[m.Piece+" "+e.File.Path]:
			seen[m.Piece+" "+e.File.Path] = true
			t.files++
		}
		counts[m.Piece] = t
	}
	return counts, nil
}

// overall is the worst of what goals came to; one that came to nothing yet is incomplete.
func overall(goals []html.GoalView) report.Verdict {
	var results []report.GoalResult
	for _, g := range goals {
		if g.Result == nil {
			return report.Incomplete
		}
		results = append(results, *g.Result)
	}
	return report.Overall(results)
}

// expectations returns those of a goal's project: the catalog's, and those that
// the repository has on its default branch, unless they are kept elsewhere for
// all. A list that cannot be read waives nothing.
func (b *Bot) expectations(ctx context.Context, r Run, goal string) ([]report.Expectation, error) {
	_, project, _ := strings.Cut(goal, "-")
	exps, err := b.listed(ctx, r, goal, project)
	if err != nil {
		return nil, err
	}
	if b.settings().Expectations != "" {
		return exps, nil
	}
	path := ownExpectations + "/" + project + ".yaml"
	raw, err := b.Forge.File(ctx, r.Repo, r.Repo.String(), path)
	if final(err) {
		return exps, nil
	}
	if err != nil {
		return nil, err
	}
	own, err := report.ReadExpectations(path, raw)
	if err != nil {
		b.Log.Error("expectations not read", "run", r.ID, "goal", goal, "err", err)
		return exps, nil
	}
	return append(own, exps...), nil
}

// listed returns the catalog's, read once for each of its revisions: those in
// force, since they may have changed for good reason, but where -b said which.
func (b *Bot) listed(ctx context.Context, r Run, goal, project string) (exps []report.Expectation, err error) {
	c := b.Catalog()
	if r.Plan.Options.Revision != "" {
		if c, err = b.catalogOf(ctx, r); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listsOf != c {
		b.lists, b.listsOf = make(map[string][]report.Expectation), c
	}
	if exps, ok := b.lists[project]; ok {
		return exps, nil
	}
	raw, ok := c.Expectations(project)
	if !ok {
		return nil, nil
	}
	exps, err = report.ReadExpectations("expectations/"+project+".yaml", raw)
	if err != nil {
		b.Log.Error("expectations not read", "run", r.ID, "goal", goal, "err", err)
		return nil, nil
	}
	b.lists[project] = exps
	return exps, nil
}
