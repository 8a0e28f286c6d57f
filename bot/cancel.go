package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// decideCancel ends the live runs of the pull request, or goals of them. The
// answer's last word comes when nothing of them is left. The answer is stored first:
// it says what is to end, whatever becomes of this process.
func (b *Bot) decideCancel(ctx context.Context, c comment, targets []string) error {
	runs, err := b.Store.Runs(ctx, c.Repo, c.Number)
	if err != nil {
		return err
	}
	runs = slices.DeleteFunc(runs, func(r Run) bool {
		return r.State == Closed || !r.live() && r.Cancelled != c.Sender
	})
	if len(runs) == 0 {
		return b.answer(ctx, c, understood("no run is live on this pull request; there is nothing to cancel."))
	}
	var all []string
	for _, r := range runs {
		all = append(all, r.goals()...)
	}
	goals, why := b.among(ctx, verbCancel, targets, all)
	if why != "" {
		return b.answer(ctx, c, refusal(why))
	}
	a := understood("")
	for _, r := range runs {
		mine := slices.DeleteFunc(r.goals(), func(g string) bool { return !slices.Contains(goals, g) || r.over(g) })
		if len(targets) > 0 && len(mine) == 0 {
			continue
		}
		a.Cancels = append(a.Cancels, cancel{Run: r.ID, Goals: mine})
	}
	if len(a.Cancels) == 0 {
		return b.answer(ctx, c, understood(code(strings.Join(goals, " "))+" is over already; there is nothing to cancel."))
	}
	if err := b.answer(ctx, c, a); err != nil {
		return err
	}
	return b.endCancelled(ctx, a.Cancels, c.Sender)
}

// endCancelled ends what somebody cancelled. What has ended stays as it is.
func (b *Bot) endCancelled(ctx context.Context, all []cancel, by string) error {
	for _, c := range all {
		if err := b.advance(ctx, c.Run, Occurrence{Kind: CancelAsked, Why: by, Goals: c.Goals}); err != nil {
			return err
		}
	}
	return nil
}

// cancelled says how far a cancelling is, and whether that is the last word.
func (b *Bot) cancelled(ctx context.Context, a Answer) (body string, last bool, err error) {
	if a.Posted == 0 {
		if err := b.endCancelled(ctx, a.Cancels, a.Author); err != nil {
			return "", false, err
		}
	}
	var done, going []string
	for _, c := range a.Cancels {
		r, err := b.Store.Run(ctx, c.Run)
		if err != nil {
			return "", false, err
		}
		what := "run " + c.Run
		if len(c.Goals) > 0 {
			what = code(strings.Join(c.Goals, " ")) + " of " + what
		}
		if r.State == Closed || len(c.Goals) > 0 && r.left(c.Goals) {
			done = append(done, what)
		} else {
			going = append(going, what)
		}
	}
	if len(going) > 0 {
		return fmt.Sprintf("%s being cancelled: what has not begun will not, and this comment changes when nothing runs any more.", isAre(append(going, done...))), false, nil
	}
	return fmt.Sprintf("%s cancelled: nothing of that runs on any machine any more.", isAre(done)), true, nil
}

func isAre(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names, " and ") + " are"
}

// left reports whether no instance works on pieces of goals any more.
func (r *Run) left(goals []string) bool {
	return !slices.ContainsFunc(r.Pieces, func(p Piece) bool {
		return slices.Contains(goals, p.Goal.String()) && (p.State != Finished || p.Reason != "" && p.Instance != "" && !p.Left)
	})
}

// over reports whether a goal has its end, and no instance works on it.
func (r *Run) over(goal string) bool { return r.finished(goal) && r.left([]string{goal}) }

// leave notes that an instance is rid of a piece that was not complete.
func (b *Bot) leave(ctx context.Context, run string, is func(Piece) bool) error {
	return b.update(ctx, run, func(r *Run) bool {
		changed := false
		for i := range r.Pieces {
			if p := &r.Pieces[i]; p.State == Finished && p.Reason != "" && !p.Left && is(*p) {
				p.Left, changed = true, true
			}
		}
		return changed
	})
}
