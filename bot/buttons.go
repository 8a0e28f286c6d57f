package bot

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
)

// What a button asks for, beside GitHub's own "rerequested".
const (
	pressedAgain = "rerequested"
	rerunNew     = "rerun_new"
	repeatNew    = "repeat_new"
	proposeNew   = "propose_expect"
)

// buttons of a check run that failed. GitHub takes labels of 20 characters and
// descriptions of 40.
var buttons = []button{
	{rerunNew, "Re-run new failures", "Run the goals with new failures again"},
	{repeatNew, "Repeat new ones ×5", "Run the files that newly failed 5 times"},
	{proposeNew, "Propose expectation", "Open a pull request that expects them"},
}

// handleButton makes a pressed button a command of whoever pressed it. The
// delivery is the command's name, so that pressing twice is two commands and a
// delivery that comes twice is one.
func (b *Bot) handleButton(ctx context.Context, e ButtonEvent, d Delivery) (outcome string, err error) {
	if e.SenderBot {
		return "ignored: pressed by a bot", nil
	}
	r, err := b.buttonRun(ctx, e)
	if errors.Is(err, ErrNotFound) {
		return "ignored: of no run", nil
	}
	if err != nil {
		return "", err
	}
	c := comment{
		CommentEvent: CommentEvent{
			Repo: r.Repo, Number: r.Pull, OnPull: true, Place: InButton, ID: buttonID(d.GUID), Sender: e.Sender, Author: e.Sender,
			At: e.At, Source: "webhook " + d.GUID,
		},
		line: buttonLine(e),
	}
	if c.At.IsZero() {
		c.At = d.ReceivedAt
	}
	if e.WorkflowRun != 0 {
		// Its jobs wait for runners that nobody will mint again.
		if err := b.Forge.CancelWorkflowRun(ctx, r.Repo, e.WorkflowRun); err != nil && !errors.Is(err, ErrGone) {
			return "", err
		}
	}
	if err := b.press(ctx, c, r, e); err != nil && !errors.Is(err, ErrSeen) {
		return "", err
	}
	return "button " + c.line, nil
}

// buttonID makes a delivery's GUID an id within InButton.
func buttonID(guid string) int64 {
	h := fnv.New64a()
	h.Write([]byte(guid))
	return int64(h.Sum64() >> 1)
}

// buttonLine is what the button stands for, as a command line.
func buttonLine(e ButtonEvent) string {
	_, goal, _ := strings.Cut(e.Check, "ortest / ")
	for _, known := range buttons[1:] {
		if e.Action == known.ID {
			return "button " + known.Label
		}
	}
	if goal == "" || goal == "verdict" || e.Action != pressedAgain {
		return Prefix + " retry failed"
	}
	return Prefix + " retry " + goal
}

// buttonRun returns the run that a button belongs to: the one it names, else
// the one whose workflow run it is, else the newest of its commit.
func (b *Bot) buttonRun(ctx context.Context, e ButtonEvent) (Run, error) {
	if e.Run != "" {
		r, err := b.Store.Run(ctx, e.Run)
		if err == nil && !strings.EqualFold(r.Repo.String(), e.Repo.String()) {
			err = ErrNotFound
		}
		return r, err
	}
	runs, err := b.Store.RecentRuns(ctx, 200)
	if err != nil {
		return Run{}, err
	}
	for _, r := range runs {
		if !strings.EqualFold(r.Repo.String(), e.Repo.String()) {
			continue
		}
		if e.WorkflowRun == 0 && r.Head == e.Head {
			return r, nil
		}
		for _, d := range r.Dispatch {
			if e.WorkflowRun != 0 && d.WorkflowRun == e.WorkflowRun {
				return r, nil
			}
		}
	}
	return Run{}, ErrNotFound
}

func (b *Bot) press(ctx context.Context, c comment, r Run, e ButtonEvent) error {
	if role, may, err := b.May(ctx, c.Repo, c.Sender); err != nil || !may {
		return b.refuseRole(ctx, c, role, err)
	}
	view, err := b.View(ctx, r)
	if err != nil {
		return err
	}
	of := ofCheck(view.Goals, e.Check)
	if r.Pull == 0 && (e.Action == proposeNew || e.Action == repeatNew) {
		return b.answer(ctx, c, refusal("a release has no button for that"))
	}
	if e.Action == proposeNew {
		return b.pressPropose(ctx, c, r, e.Check, of)
	}
	runs, err := b.Store.Runs(ctx, r.Repo, r.Pull)
	if err != nil {
		return err
	}
	for _, o := range append([]Run{r}, runs...) {
		if o.live() && (r.Pull != 0 || o.Base == r.Base) {
			return b.answer(ctx, c, refusal(fmt.Sprintf("[run %s](%s) is not over yet", o.ID, b.runURL(o.ID))))
		}
	}
	if e.Action == repeatNew {
		return b.pressRepeat(ctx, c, r, of)
	}
	var failed, all []string
	for _, g := range of {
		all = append(all, g.Goal)
		if g.Result == nil || g.Result.Verdict == report.Fail || g.Result.Verdict == report.Incomplete {
			failed = append(failed, g.Goal)
		}
	}
	if len(failed) == 0 {
		failed = all // somebody wants a good check run again
	}
	if r.Pull == 0 {
		return b.repeatRelease(ctx, c, r, failed)
	}
	return b.repeat(ctx, c, r, failed)
}

// repeatRelease starts goals of a release's run again, as another run of that release.
func (b *Bot) repeatRelease(ctx context.Context, c comment, of Run, goals []string) error {
	runs, err := b.Store.Runs(ctx, of.Repo, 0)
	if err != nil {
		return err
	}
	newest := runs[slices.IndexFunc(runs, func(r Run) bool { return r.Base == of.Base })]
	if newest.Head != of.Head {
		return b.answer(ctx, c, refusal(fmt.Sprintf("%s is at %s now", code(of.Base), code(newest.Head))))
	}
	c.line = of.Text // which makes it one of the release's
	at := commit{PullRequest{Open: true, Head: of.Head, Base: of.Base}, "that of the release"}
	return b.startTrusted(ctx, c, start{at: at, words: of.Words, goals: goals, of: of.ID, confirmed: true})
}

// ofCheck returns the goals that a check run is about: one, a project's, or all.
func ofCheck(goals []html.GoalView, check string) []html.GoalView {
	_, name, _ := strings.Cut(check, "ortest / ")
	return slices.DeleteFunc(slices.Clone(goals), func(g html.GoalView) bool {
		_, project, _ := strings.Cut(g.Goal, "-")
		return name != "" && name != "verdict" && g.Goal != name && project != name
	})
}
