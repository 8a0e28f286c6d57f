package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ortest/ortest/report/html"
)

// maxGoalChecks is how many goals get a check run of their own.
const maxGoalChecks = 20

// longestHold bounds how long progress is left as it is shown: nobody should
// wonder whether a run is still alive.
const longestHold = 30 * time.Minute

// hold is how long a run's progress is left as it is shown. It grows with the
// run's age, so that the whole conversation stays within a few dozen writes
// however long it takes.
func (b *Bot) hold(r Run) time.Duration {
	share := 4
	if len(r.goals()) > maxGoalChecks {
		share = 2
	}
	return max(b.Hold, b.Now().Sub(r.CreatedAt)/time.Duration(share))
}

// show writes the check runs and the sticky comment as far as they changed,
// and reports whether all that is final was written.
func (b *Bot) show(ctx context.Context, r Run, machines int) (all bool, err error) {
	if r.live() && len(r.Checks) > 0 {
		if due, err := b.due(ctx, r, shownAt, min(b.hold(r), b.Hold+longestHold)); err != nil || !due {
			return false, err
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

// View is a run as people see it, with the goals of the runs that it repeats
// a part of.
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
	lines, err := b.lineage(ctx, r)
	if err != nil {
		return v, err
	}
	for _, o := range slices.Backward(lines) { // the newest has the last word on a goal
		goals, err := b.goalViews(ctx, o)
		if err != nil {
			return v, err
		}
		for _, g := range goals {
			if o.ID != r.ID {
				g.Note = "of run " + o.ID
			}
			if i := slices.IndexFunc(v.Goals, func(h html.GoalView) bool { return h.Goal == g.Goal }); i >= 0 {
				v.Goals[i] = g
			} else {
				v.Goals = append(v.Goals, g)
			}
		}
	}
	return v, b.elsewhere(ctx, r, &v)
}

// showSticky keeps the pull request's one comment: it shows the newest run.
func (b *Bot) showSticky(ctx context.Context, r Run, view html.RunView) error {
	if r.Pull == 0 {
		return nil // of a release: it has no conversation
	}
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
		id, err = b.createSticky(ctx, r, body)
	}
	if err != nil {
		return fmt.Errorf("sticky comment: %w", err)
	}
	return b.update(ctx, r.ID, func(r *Run) bool { r.Sticky, r.Shown = id, shown; return true })
}

// createSticky creates the comment. Two runs of a pull request may do so at the
// same moment: the older comment stays, and the other one's maker removes it.
func (b *Bot) createSticky(ctx context.Context, r Run, body string) (int64, error) {
	id, err := b.Forge.CreateComment(ctx, r.Repo, r.Pull, body)
	if err != nil {
		return 0, err
	}
	first, err := b.findComment(ctx, r.Repo, r.Pull, r.CreatedAt.Add(-time.Hour), stickyMarker)
	if err != nil || first == 0 || first >= id {
		return id, err
	}
	if err := b.Forge.DeleteComment(ctx, r.Repo, id); err != nil {
		return 0, err
	}
	return first, b.Forge.UpdateComment(ctx, r.Repo, first, body)
}

// restoreSticky writes the pull request's comment again after somebody deleted it.
func (b *Bot) restoreSticky(ctx context.Context, c CommentEvent) error {
	runs, err := b.Store.Runs(ctx, c.Repo, c.Number)
	if err != nil || len(runs) == 0 {
		return err
	}
	for i, r := range runs {
		if r.Sticky != c.ID {
			continue
		}
		runs[i], err = b.Store.UpdateRun(ctx, r.ID, func(r *Run) bool { r.Sticky, r.Shown = 0, ""; return true })
		if err != nil {
			return err
		}
	}
	view, err := b.View(ctx, runs[0])
	if err != nil {
		return err
	}
	return b.showSticky(ctx, runs[0], view)
}
