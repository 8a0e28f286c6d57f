package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
)

// maxGoalChecks is how many goals get a check run of their own.
const maxGoalChecks = 20

// show writes the check runs and the sticky comment as far as they changed,
// and reports whether all that is final was written.
func (b *Bot) show(ctx context.Context, r Run, machines int) (all bool, err error) {
	first := len(r.Checks) == 0
	if r.State == Accepted || r.State == Running {
		if !first && !b.due(&b.wrote, r.ID, b.Hold) {
			return false, nil
		}
	}
	view, err := b.View(ctx, r)
	if err != nil {
		return false, err
	}
	if machines > 0 && r.State == Ended {
		view.Trouble = append(view.Trouble, fmt.Sprintf("%s of this run still to be gone", count(machines, "machine")))
	}
	errs := []error{b.showSticky(ctx, r, view)}
	r.Checks, err = b.checks(ctx, r, view)
	errs = append(errs, err)
	for _, c := range r.Checks {
		if err := b.showCheck(ctx, r, c, view); err != nil {
			errs = append(errs, fmt.Errorf("check run %s: %w", c.Name, err))
		}
	}
	errs = slices.DeleteFunc(errs, func(err error) bool {
		if err == nil {
			return true
		}
		given := r.State == Ended && hopeless(err, r.EndedAt, b.Now())
		if given {
			b.Log.Warn("report given up", "run", r.ID, "err", err)
		}
		return given
	})
	return len(errs) == 0, errors.Join(errs...)
}

// View is a run as people see it.
func (b *Bot) View(ctx context.Context, r Run) (html.RunView, error) {
	v := html.RunView{
		ID: r.ID, Repo: r.Repo.String(), Pull: r.Pull, Head: r.Head, Base: r.Base, Author: r.Author, Command: r.Text,
		Plan: r.Plan, State: map[RunState]string{Accepted: "queued", Running: "running"}[r.State], Cancelled: r.Cancelled,
		Forge: b.Server, URL: b.runURL(r.ID), CreatedAt: r.CreatedAt, EndedAt: r.EndedAt,
	}
	v.State = cmp.Or(v.State, "done")
	for _, p := range r.Pieces {
		for _, t := range p.Trouble {
			v.Trouble = append(v.Trouble, p.String()+", "+t)
		}
	}
	for _, goal := range r.goals() {
		g, err := b.goalView(ctx, r, goal)
		if err != nil {
			return v, err
		}
		v.Goals = append(v.Goals, g)
	}
	return v, nil
}

func (b *Bot) goalView(ctx context.Context, r Run, goal string) (html.GoalView, error) {
	g := html.GoalView{Goal: goal, State: "queued", LogURL: b.runURL(r.ID) + "/logs/" + goal}
	for _, p := range r.Pieces {
		if p.Goal.String() != goal {
			continue
		}
		if p.State == Assigned || p.State == Finished {
			g.State = "running"
		}
		if p.Attempt > 1 {
			g.Note = fmt.Sprintf("attempt %d", p.Attempt)
		}
	}
	if g.State == "queued" {
		return g, nil
	}
	ev, err := b.Evidence(ctx, r, goal)
	if err != nil {
		return g, err
	}
	for _, p := range ev.Pieces {
		for _, e := range p.Entries {
			if e.Manifest != nil {
				g.Planned += len(e.Manifest.Files)
			}
			if e.File != nil {
				g.Done++
			}
		}
	}
	if r.finished(goal) {
		g.State = "done"
		result := report.Judge(ev, b.expectations(r, goal), report.JudgeOptions{Now: cmp.Or(r.EndedAt, b.Now()), Arch: r.Plan.Options.Arch})
		g.Result = &result
	}
	return g, nil
}

// expectations returns those of a goal's project. A list that cannot be read
// waives nothing.
func (b *Bot) expectations(r Run, goal string) []report.Expectation {
	_, project, _ := strings.Cut(goal, "-")
	raw, ok := b.Catalog().Expectations(project)
	if !ok {
		return nil
	}
	exps, err := report.ReadExpectations("expectations/"+project+".yaml", raw)
	if err != nil {
		b.Log.Error("expectations not read", "run", r.ID, "goal", goal, "err", err)
		return nil
	}
	return exps
}

// showSticky keeps the pull request's one comment: it shows the newest run.
func (b *Bot) showSticky(ctx context.Context, r Run, view html.RunView) error {
	runs, err := b.Store.Runs(ctx, r.Repo, r.Pull)
	if err != nil {
		return err
	}
	if len(runs) == 0 || runs[0].ID != r.ID {
		return nil
	}
	body := stickyMarker + "\n" + html.Sticky(view)
	shown := digest(body)
	if r.Sticky != 0 && r.Shown == shown {
		return nil
	}
	id, oldest := r.Sticky, r.CreatedAt
	for _, o := range runs {
		id, oldest = cmp.Or(id, o.Sticky), o.CreatedAt
	}
	if id == 0 {
		if id, err = b.findComment(ctx, r.Repo, r.Pull, oldest.Add(-time.Hour), stickyMarker); err != nil {
			return err
		}
	}
	if id != 0 {
		err = b.Forge.UpdateComment(ctx, r.Repo, id, body)
	}
	if id == 0 || errors.Is(err, ErrGone) {
		id, err = b.Forge.CreateComment(ctx, r.Repo, r.Pull, body)
	}
	if err != nil {
		return fmt.Errorf("sticky comment: %w", err)
	}
	return b.update(ctx, r.ID, func(r *Run) bool { r.Sticky, r.Shown = id, shown; return true })
}

// checks returns the run's check runs and creates those that are missing.
func (b *Bot) checks(ctx context.Context, r Run, view html.RunView) ([]Check, error) {
	want := []Check{{Name: "ortest / verdict"}}
	if goals := r.goals(); len(goals) <= maxGoalChecks {
		for _, g := range goals {
			want = append(want, Check{Name: "ortest / " + g, Goal: g})
		}
	}
	if len(r.Checks) == len(want) {
		return r.Checks, nil
	}
	there, err := b.Forge.CheckRuns(ctx, r.Repo, r.Head)
	if err != nil {
		return nil, err
	}
	for i := range want {
		c := &want[i]
		for _, t := range there {
			if t.Name == c.Name && t.External == r.ID {
				c.ID = t.ID
			}
		}
		if c.ID == 0 {
			if c.ID, err = b.Forge.CreateCheckRun(ctx, r.Repo, r.Head, b.checkRun(r, *c, view)); err != nil {
				return nil, fmt.Errorf("check run %s: %w", c.Name, err)
			}
		}
	}
	return want, b.update(ctx, r.ID, func(r *Run) bool { r.Checks = want; return true })
}

func (b *Bot) showCheck(ctx context.Context, r Run, c Check, view html.RunView) error {
	check := b.checkRun(r, c, view)
	shown := digest(fmt.Sprintf("%+v", check))
	if shown == c.Shown {
		return nil
	}
	if err := b.Forge.UpdateCheckRun(ctx, r.Repo, check); err != nil {
		return err
	}
	return b.update(ctx, r.ID, func(r *Run) bool {
		for i := range r.Checks {
			if r.Checks[i].ID == c.ID {
				r.Checks[i].Shown = shown
			}
		}
		return true
	})
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
	switch {
	case c.Goal == "" && view.State == "done":
		var results []report.GoalResult
		for _, g := range view.Goals {
			if g.Result != nil {
				results = append(results, *g.Result)
			}
		}
		out = html.VerdictCheck(view, results)
	case c.Goal != "" && goal.Result != nil:
		out = html.CheckRun(view, *goal.Result)
	default:
		out = html.Progress(view, c.Goal)
		if goal.State == "running" {
			check.Status = "in_progress"
		}
	}
	if out.Conclusion != "" {
		check.Status, check.Conclusion, check.CompletedAt = "completed", out.Conclusion, r.finishedAt(c.Goal)
	}
	check.Title, check.Summary, check.Text = out.Title, out.Summary, out.Text
	for _, a := range out.Annotations {
		check.Annotations = append(check.Annotations, Annotation(a))
	}
	return check
}

// finishedAt returns when the last piece of a goal was final, or of all goals for "".
func (r *Run) finishedAt(goal string) time.Time {
	last := r.CreatedAt
	for _, p := range r.Pieces {
		if (goal == "" || p.Goal.String() == goal) && p.FinishedAt.After(last) {
			last = p.FinishedAt
		}
	}
	return last
}
