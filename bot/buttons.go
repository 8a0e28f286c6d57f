package bot

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/ortest/ortest/report"
)

// What a button asks for, beside GitHub's own "rerequested".
const (
	pressedAgain = "rerequested"
	rerunNew     = "rerun_new"
	repeatNew    = "repeat_new"
	proposeNew   = "propose_expect"
)

// buttons of a check run that failed. GitHub takes three, with labels of 20
// characters and descriptions of 40.
var buttons = []button{
	{rerunNew, "Re-run new failures", "Run the goals with new failures again"},
	{repeatNew, "Repeat new ones x5", "Run their failed files five times"},
	{proposeNew, "Propose expectation", "Show the entries that would expect them"},
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
	if role, err := b.role(ctx, c); err != nil || !mayWrite(role) {
		return b.refuseRole(ctx, c, role, err)
	}
	if r.live() {
		return b.answer(ctx, c, refusal(fmt.Sprintf("[run %s](%s) is not over yet", r.ID, b.runURL(r.ID))))
	}
	newest, err := b.Store.Runs(ctx, r.Repo, r.Pull)
	if err != nil {
		return err
	}
	if len(newest) > 0 && newest[0].live() {
		return b.answer(ctx, c, refusal(fmt.Sprintf("[run %s](%s) of this pull request is not over yet", newest[0].ID, b.runURL(newest[0].ID))))
	}
	view, err := b.View(ctx, r)
	if err != nil {
		return err
	}
	_, name, _ := strings.Cut(e.Check, "ortest / ")
	var failed, all []string
	for _, g := range view.Goals {
		_, project, _ := strings.Cut(g.Goal, "-")
		if name != "" && name != "verdict" && g.Goal != name && project != name {
			continue
		}
		all = append(all, g.Goal)
		if g.Result == nil || g.Result.Verdict == report.Fail || g.Result.Verdict == report.Incomplete {
			failed = append(failed, g.Goal)
		}
	}
	if len(failed) == 0 {
		failed = all // somebody wants a good check run again
	}
	return b.repeat(ctx, c, r, failed)
}
