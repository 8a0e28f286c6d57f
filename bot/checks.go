package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
)

// wantedChecks returns the check runs that a run is to have now: one for the
// verdict, and one a goal; with many goals, one for each project that is over
// and has news.
func (r *Run) wantedChecks(view html.RunView) []Check {
	want := []Check{{Name: "ortest / verdict"}}
	goals := r.goals()
	if len(goals) <= maxGoalChecks {
		for _, g := range goals {
			want = append(want, Check{Name: "ortest / " + g, Goal: g})
		}
		return want
	}
	var projects []string
	for _, goal := range goals {
		if _, p, _ := strings.Cut(goal, "-"); !slices.Contains(projects, p) {
			projects = append(projects, p)
		}
	}
	for _, p := range projects {
		mine := ofProject(view.Goals, p)
		over := !slices.ContainsFunc(mine, func(g html.GoalView) bool { return g.Result == nil })
		if v := overall(mine); over && v != report.Pass && v != report.Known {
			want = append(want, Check{Name: "ortest / " + p, Project: p})
		}
	}
	return want
}

func ofProject(goals []html.GoalView, project string) []html.GoalView {
	return slices.DeleteFunc(slices.Clone(goals), func(g html.GoalView) bool {
		_, p, _ := strings.Cut(g.Goal, "-")
		return p != project
	})
}

// checks returns the run's check runs and creates those that are missing.
func (b *Bot) checks(ctx context.Context, r Run, view html.RunView) ([]Check, error) {
	have := slices.Clone(r.Checks)
	var missing []Check
	for _, c := range r.wantedChecks(view) {
		if !slices.ContainsFunc(have, func(h Check) bool { return h.Name == c.Name }) {
			missing = append(missing, c)
		}
	}
	if len(missing) == 0 {
		return have, nil
	}
	there, err := b.Forge.CheckRuns(ctx, r.Repo, r.Head)
	if err != nil {
		return have, err
	}
	for _, c := range missing {
		for _, t := range there {
			if t.Name == c.Name && t.External == r.ID {
				c.ID = t.ID
			}
		}
		if c.ID == 0 {
			check := b.checkRun(r, c, view)
			if c.ID, err = b.Forge.CreateCheckRun(ctx, r.Repo, r.Head, check); err != nil {
				return r.Checks, fmt.Errorf("check run %s: %w", c.Name, err)
			}
			c.Shown = shownAs(check)
		}
		have = append(have, c)
	}
	return have, b.update(ctx, r.ID, func(r *Run) bool { r.Checks = have; return true })
}

// shownAs names what a check run shows, whatever its id.
func shownAs(c CheckRun) string {
	c.ID = 0
	return digest(fmt.Sprintf("%+v", c))
}

func (b *Bot) showCheck(ctx context.Context, r Run, c Check, view html.RunView) error {
	check := b.checkRun(r, c, view)
	shown := shownAs(check)
	if shown == c.Shown {
		return nil
	}
	id, err := c.ID, b.Forge.UpdateCheckRun(ctx, r.Repo, check)
	if errors.Is(err, ErrGone) {
		id, err = b.showAgain(ctx, r, check)
	}
	if err != nil && (id == 0 || id == c.ID) {
		return err
	}
	if err != nil {
		shown = "" // it exists, but not all of it
	}
	return errors.Join(err, b.update(ctx, r.ID, func(r *Run) bool {
		for i := range r.Checks {
			if r.Checks[i].ID == c.ID {
				r.Checks[i].ID, r.Checks[i].Shown = id, shown
			}
		}
		return true
	}))
}

// showAgain makes a check run that is gone once more, unless that was done already:
// GitHub drops the oldest where a commit has very many.
func (b *Bot) showAgain(ctx context.Context, r Run, check CheckRun) (id int64, err error) {
	there, err := b.Forge.CheckRuns(ctx, r.Repo, r.Head)
	if err != nil {
		return 0, err
	}
	for _, t := range there {
		if t.Name == check.Name && t.External == r.ID && t.ID != check.ID {
			check.ID = t.ID
			return t.ID, b.Forge.UpdateCheckRun(ctx, r.Repo, check)
		}
	}
	return b.Forge.CreateCheckRun(ctx, r.Repo, r.Head, check)
}

// checkRun renders one check run as it should be now.
func (b *Bot) checkRun(r Run, c Check, view html.RunView) CheckRun {
	check := CheckRun{
		ID: c.ID, Name: c.Name, External: r.ID, Details: view.URL, Status: "queued", StartedAt: r.CreatedAt,
	}
	var out html.CheckOutput
	goal := html.GoalView{State: view.State}
	for _, g := range view.Goals {
		if c.Goal != "" && g.Goal == c.Goal {
			goal = g
		}
	}
	if by := r.cancelledBy(c.Goal); by != "" {
		view.Cancelled = by
	}
	switch {
	case c.Project != "":
		view.Goals, view.Trouble, view.Withheld, view.EndedAt, view.State = ofProject(view.Goals, c.Project), nil, false, time.Time{}, "done"
		out = html.VerdictCheck(view, resultsOf(view.Goals))
	case c.Goal == "" && view.State == "done":
		out = html.VerdictCheck(view, resultsOf(view.Goals))
	case c.Goal == "" && len(view.Goals) > maxGoalChecks:
		// Not how far it is: the comment says that, and each is a write.
		out = html.CheckOutput{Title: view.State, Summary: "The run's page and the comment on the pull request show how far it is.\n"}
		if goal.State == "running" {
			check.Status = "in_progress"
		}
	case c.Goal != "" && goal.Result != nil:
		out = html.CheckRun(view, *goal.Result)
	default:
		out = html.Progress(view, c.Goal)
		if goal.State == "running" {
			check.Status = "in_progress"
		}
	}
	if out.Conclusion != "" {
		check.Status, check.Conclusion, check.CompletedAt = "completed", out.Conclusion, r.finishedAt(c)
		if out.Conclusion == "failure" {
			check.Buttons = buttons
			if r.Pull == 0 {
				check.Buttons = buttons[:1] // the others lead to a conversation
			}
		}
	}
	check.Title, check.Summary, check.Text = out.Title, out.Summary, out.Text
	if out.Conclusion != "" {
		mine := view.Goals
		if c.Goal != "" {
			mine = []html.GoalView{goal}
		}
		check.Summary = stable(mine) + check.Summary
	}
	if c.Proposed != "" {
		check.Summary = "Proposed to be expected: " + c.Proposed + "\n\n" + check.Summary
	}
	for _, a := range out.Annotations {
		check.Annotations = append(check.Annotations, Annotation(a))
	}
	return check
}

// finishedAt returns when the last piece was final that a check run is about: what
// others do later must not write it again.
func (r *Run) finishedAt(c Check) time.Time {
	last := r.CreatedAt
	for _, p := range r.Pieces {
		mine := (c.Goal == "" || p.Goal.String() == c.Goal) && (c.Project == "" || p.Goal.Project == c.Project)
		if mine && p.FinishedAt.After(last) {
			last = p.FinishedAt
		}
	}
	return last
}

func resultsOf(goals []html.GoalView) (results []report.GoalResult) {
	for _, g := range goals {
		if g.Result != nil {
			results = append(results, *g.Result)
		}
	}
	return results
}

// cancelledBy returns who cancelled a goal that was not over, or "".
func (r *Run) cancelledBy(goal string) string {
	for _, p := range r.Pieces {
		if by, ok := strings.CutPrefix(p.Reason, "cancelled by "); ok && p.Goal.String() == goal {
			return by
		}
	}
	return ""
}
