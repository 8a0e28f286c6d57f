package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// HandleDelivery reads a stored delivery and acts on it. An error means that it
// should be tried again; what the payload itself rules out is an outcome.
func (b *Bot) HandleDelivery(ctx context.Context, guid string) error {
	d, err := b.Store.Delivery(ctx, guid)
	if err != nil {
		return fmt.Errorf("read delivery %s: %w", guid, err)
	}
	if d.Outcome != "" {
		return nil
	}
	outcome, err := b.handle(ctx, d)
	if err != nil {
		return fmt.Errorf("handle delivery %s (%s): %w", guid, d.Event, err)
	}
	b.Log.Info("delivery handled", "delivery", guid, "event", d.Event, "outcome", outcome)
	return b.Store.FinishDelivery(ctx, guid, outcome)
}

func (b *Bot) handle(ctx context.Context, d Delivery) (outcome string, err error) {
	ev, err := b.Decode(d.Event, d.Payload)
	if err != nil {
		return "ignored: " + err.Error(), nil
	}
	switch {
	case ev.Comment != nil:
		ev.Comment.Source = "webhook " + d.GUID
		return b.handleComment(ctx, *ev.Comment)
	case ev.Pull != nil:
		return "head noted", b.handlePull(ctx, *ev.Pull)
	case ev.Job != nil:
		return "looked at its run", b.handleJob(ctx, *ev.Job)
	case ev.Button != nil:
		return b.handleButton(ctx, *ev.Button, d)
	}
	return "ignored: not used", nil
}

// handleComment decides the commands of a text that have no run or answer yet.
func (b *Bot) handleComment(ctx context.Context, c CommentEvent) (outcome string, err error) {
	switch {
	case c.Ours && c.Action == "deleted" && strings.HasPrefix(c.Body, stickyMarker):
		return "our comment was deleted and is there again", b.restoreSticky(ctx, c)
	case c.Ours:
		return "ignored: our own comment", nil
	case c.SenderBot:
		return "ignored: written by a bot", nil
	case c.Action != "created" && c.Action != "edited":
		return "ignored: comment " + c.Action, nil
	}
	lines := FindCommands(c.Body)
	if len(lines) == 0 {
		return "ignored: no command", nil
	}
	known, err := b.Store.Commands(ctx, c.Repo, c.Place, c.ID)
	if err != nil {
		return "", err
	}
	if n := len(lines); n > maxCommands {
		return "refused: too many commands", b.refuseMany(ctx, c, n, known)
	}
	fresh := unhandled(c, lines, known)
	for _, cmd := range fresh {
		if flooded, err := b.flooded(ctx, cmd); err != nil {
			return "", err
		} else if flooded {
			return "ignored: too many commands of " + c.Sender, nil
		}
		if err := b.decide(ctx, cmd); err != nil && !errors.Is(err, ErrSeen) {
			return "", fmt.Errorf("command %d: %w", cmd.index, err)
		}
	}
	return count(len(fresh), "command"), nil
}

// refuseMany answers a text with more commands than there may be, once.
func (b *Bot) refuseMany(ctx context.Context, c CommentEvent, n int, known map[int]string) error {
	cmd := comment{CommentEvent: c, line: count(n, "command")}
	for i, line := range known {
		if line == cmd.line {
			return nil
		}
		cmd.index = max(cmd.index, i+1)
	}
	return b.answer(ctx, cmd, refusal(fmt.Sprintf("the comment holds %d commands, the limit is %d. Nothing was started; put fewer into one comment", n, maxCommands)))
}

// unhandled returns the commands of a text that are new: not those that have a
// run or an answer, nor those that an edit left as they were. What is new gets
// an index that none had.
func unhandled(c CommentEvent, lines []string, known map[int]string) []comment {
	next := 0
	var old []string
	for i, line := range known {
		next, old = max(next, i+1), append(old, line)
	}
	if c.Action == "edited" {
		for _, line := range FindCommands(c.Was) {
			if n := countOf(old, line); n < countOf(FindCommands(c.Was), line) {
				old = append(old, line)
			}
		}
	}
	var fresh []comment
	for _, line := range lines {
		if i := slices.Index(old, line); i >= 0 {
			old = slices.Delete(old, i, i+1)
			continue
		}
		fresh = append(fresh, comment{CommentEvent: c, index: next, line: line})
		next++
	}
	return fresh
}

func countOf(all []string, s string) (n int) {
	for _, one := range all {
		if one == s {
			n++
		}
	}
	return n
}

// handlePull remembers a head; by setting it ends the runs of older ones.
func (b *Bot) handlePull(ctx context.Context, p PullEvent) error {
	if err := b.Store.AddHead(ctx, p.Repo, p.Number, Head{SHA: p.Head, At: p.At}); err != nil {
		return err
	}
	if p.Action != "synchronize" || !b.settings().Supersede {
		return nil
	}
	newest, err := b.Store.HeadAt(ctx, p.Repo, p.Number, b.Now().Add(time.Hour), "")
	if err != nil || newest.SHA != p.Head {
		return err
	}
	runs, err := b.Store.Runs(ctx, p.Repo, p.Number)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.live() && r.Head != p.Head && r.CreatedAt.Before(b.Now()) {
			why := fmt.Sprintf("the push of %.12s", p.Head)
			if err := b.advance(ctx, r.ID, Occurrence{Kind: CancelAsked, Why: why}); err != nil {
				return err
			}
		}
	}
	return nil
}

// handleJob looks at the run whose workflow job has begun or ended. Nothing that
// the event says is believed.
func (b *Bot) handleJob(ctx context.Context, e JobEvent) error {
	if e.Action != "completed" && e.Action != "in_progress" {
		return nil
	}
	run, err := b.Store.RunOf(ctx, e.Repo, e.WorkflowRun)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := b.foreignJob(ctx, run, e); err != nil || run == "" {
		return err
	}
	return b.update(ctx, run, func(r *Run) bool {
		again := !r.LookedAt.IsZero() && r.State != Closed
		r.LookedAt = time.Time{}
		return again
	})
}

// foreignJob ends the attempt of a piece whose runner GitHub gave a job of another
// run, or of nobody's: the machine refuses that, and the runner takes no other.
func (b *Bot) foreignJob(ctx context.Context, run string, e JobEvent) error {
	of := runOfRunner(e.Job.RunnerName)
	if of == "" || of == run {
		return nil
	}
	r, err := b.Store.Run(ctx, of)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, p := range r.Pieces {
		if r.State == Closed || r.Repo != e.Repo || p.State != Assigned || r.runnerName(p) != e.Job.RunnerName || r.workflowRun(p) == e.WorkflowRun {
			continue
		}
		jobs, err := b.Forge.Jobs(ctx, r.Repo, e.WorkflowRun)
		if err != nil && !final(err) {
			return err
		}
		if !slices.ContainsFunc(jobs, func(j Job) bool { return j.RunnerName == e.Job.RunnerName }) {
			continue
		}
		why := fmt.Sprintf("its runner was given a job of workflow run %d, which is not ours, and refused it", e.WorkflowRun)
		if err := b.again(ctx, r.ID, p.ID, p.Attempt, why); err != nil {
			return err
		}
	}
	return nil
}

// comment is one command line of a text.
type comment struct {
	CommentEvent
	index int
	line  string
}

// decide makes a command into a run or an answer, stored in one transaction.
// Whatever cannot be known now (GitHub does not answer) is an error, so that
// the delivery is tried again; it never opens a door.
func (b *Bot) decide(ctx context.Context, c comment) error {
	if !c.OnPull {
		return b.answer(ctx, c, refusal("this is an issue; runs belong to pull requests"))
	}
	v, words, err := parseCommand(c.line)
	if err != nil {
		return b.answer(ctx, c, refusal(err.Error()))
	}
	if docOf(v).signed() && c.Unsigned {
		return b.answer(ctx, c, unsigned(c, v))
	}
	if docOf(v).writes {
		if role, may, err := b.May(ctx, c.Repo, c.Sender); err != nil || !may {
			return b.refuseRole(ctx, c, role, err)
		}
	}
	switch v {
	case verbHelp:
		return b.answer(ctx, c, understood(help()))
	case verbStatus:
		return b.decideStatus(ctx, c)
	case verbWhy:
		return b.decideWhy(ctx, c, words)
	case verbCancel:
		return b.decideCancel(ctx, c, words)
	case verbApprove:
		return b.decideApprove(ctx, c, words[0])
	case verbConfirm:
		return b.decideConfirm(ctx, c)
	case verbRollback:
		return b.decideRollback(ctx, c, words[0])
	case verbRetry:
		return b.decideRetry(ctx, c, words)
	case verbPlan:
		return b.decidePlan(ctx, c, words)
	case verbRun:
		return b.decideRun(ctx, c, words)
	}
	return fmt.Errorf("verb %q has no meaning", v)
}

func (b *Bot) decideStatus(ctx context.Context, c comment) error {
	runs, err := b.Store.Runs(ctx, c.Repo, c.Number)
	if err != nil {
		return err
	}
	return b.answer(ctx, c, understood(b.statusText(runs)))
}

func (b *Bot) decidePlan(ctx context.Context, c comment, words []string) error {
	p, err := b.plan(ctx, words)
	if err != nil {
		return b.answer(ctx, c, refusal(b.explain(ctx, verbPlan, words, err)))
	}
	return b.answer(ctx, c, understood(planText(p, c)))
}

func (b *Bot) answer(ctx context.Context, c comment, a Answer) error {
	a.Repo, a.Pull, a.Place, a.Comment, a.Index = c.Repo, c.Number, c.Place, c.ID, c.index
	a.Text, a.Author, a.At = c.line, c.Sender, c.At
	if c.Number == 0 {
		a.Posted = nowhere // a release has no conversation; the audit log has it
	}
	return b.Store.AddAnswer(ctx, a)
}
