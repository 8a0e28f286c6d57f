package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/plan"
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
		return b.handleComment(ctx, *ev.Comment)
	case ev.Pull != nil:
		p := ev.Pull
		return "head noted", b.Store.AddHead(ctx, p.Repo, p.Number, Head{SHA: p.Head, At: p.At})
	case ev.Job != nil:
		return "looked at its run", b.handleJob(ctx, *ev.Job)
	}
	return "ignored: not used", nil
}

func (b *Bot) handleComment(ctx context.Context, c CommentEvent) (outcome string, err error) {
	switch {
	case c.Ours:
		return "ignored: our own comment", nil
	case c.SenderBot:
		return "ignored: written by a bot", nil
	case c.Action != "created":
		return "ignored: comment " + c.Action, nil
	}
	lines := FindCommands(c.Body)
	if len(lines) == 0 {
		return "ignored: no command", nil
	}
	cmd := comment{CommentEvent: c}
	if len(lines) > maxCommands {
		cmd.line = lines[0]
		why := fmt.Sprintf("the comment holds %d commands, the limit is %d. Nothing was started; put fewer into one comment", len(lines), maxCommands)
		return "refused: too many commands", b.answer(ctx, cmd, refusal(why))
	}
	for i, line := range lines {
		cmd.index, cmd.line = i, line
		if err := b.decide(ctx, cmd); err != nil && !errors.Is(err, ErrSeen) {
			return "", fmt.Errorf("command %d: %w", i, err)
		}
	}
	return count(len(lines), "command"), nil
}

// handleJob looks at the run whose workflow job has ended. Nothing that the
// event says is believed.
func (b *Bot) handleJob(ctx context.Context, e JobEvent) error {
	if e.Action != "completed" {
		return nil
	}
	runs, err := b.Store.LiveRuns(ctx)
	if err != nil {
		return err
	}
	for _, r := range runs {
		for _, d := range r.Dispatch {
			if r.Repo == e.Repo && d.WorkflowRun == e.WorkflowRun {
				b.forget(r.ID)
				return b.update(ctx, r.ID, func(*Run) bool { return true })
			}
		}
	}
	return nil
}

// comment is one command line of a comment.
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
	verb, words, err := ParseCommand(c.line)
	if err != nil {
		return b.answer(ctx, c, refusal(err.Error()))
	}
	if verb.starts() {
		role, err := b.Forge.Permission(ctx, c.Repo, c.Sender)
		if final(err) {
			return b.answer(ctx, c, refusal("GitHub does not tell this bot what you may do here; ask who installed it to check its permissions"))
		}
		if err != nil {
			return fmt.Errorf("permission of %s: %w", c.Sender, err)
		}
		if !mayStart(role) {
			return b.answer(ctx, c, stranger(c, role))
		}
	}
	switch verb {
	case VerbHelp:
		return b.answer(ctx, c, understood(help()))
	case VerbStatus:
		return b.decideStatus(ctx, c)
	case VerbCancel:
		return b.decideCancel(ctx, c)
	case VerbPlan, VerbRun:
		return b.decideRun(ctx, c, verb, words)
	}
	return fmt.Errorf("verb %q has no meaning", verb)
}

// mayStart says which roles may start and stop runs. A custom role is not
// known to carry write permission, so it is refused.
func mayStart(role string) bool {
	return role == "admin" || role == "maintain" || role == "write"
}

func (b *Bot) decideStatus(ctx context.Context, c comment) error {
	runs, err := b.Store.Runs(ctx, c.Repo, c.Number)
	if err != nil {
		return err
	}
	return b.answer(ctx, c, understood(b.statusText(runs)))
}

func (b *Bot) decideCancel(ctx context.Context, c comment) error {
	runs, err := b.Store.Runs(ctx, c.Repo, c.Number)
	if err != nil {
		return err
	}
	var stopped []string
	for _, r := range runs {
		if r.State != Accepted && r.State != Running && r.Cancelled != c.Sender {
			continue
		}
		if r.State == Closed {
			continue
		}
		if err := b.advance(ctx, r.ID, Occurrence{Kind: CancelAsked, Why: c.Sender}); err != nil {
			return err
		}
		stopped = append(stopped, r.ID)
	}
	return b.answer(ctx, c, understood(cancelText(stopped)))
}

// decideRun fixes the commit, plans, and stores the run; a plan alone is an answer.
func (b *Bot) decideRun(ctx context.Context, c comment, verb Verb, words []string) error {
	p, err := b.plan(words)
	if err != nil {
		return b.answer(ctx, c, refusal(b.explain(words, err)))
	}
	if verb == VerbPlan {
		return b.answer(ctx, c, understood(planText(p, c)))
	}
	pr, err := b.Forge.PullRequest(ctx, c.Repo, c.Number)
	if final(err) {
		return b.answer(ctx, c, refusal("GitHub does not show this bot the pull request; ask who installed it to check its permissions"))
	}
	if err != nil {
		return fmt.Errorf("pull request %s#%d: %w", c.Repo, c.Number, err)
	}
	if !pr.Open {
		return b.answer(ctx, c, refusal("the pull request is closed; open it again to run something on it"))
	}
	seen, err := b.Store.HeadAt(ctx, c.Repo, c.Number, c.CreatedAt)
	switch {
	case errors.Is(err, ErrNotFound) && pr.Fork:
		// Somebody without any right may have pushed since; from now on it is known.
		if err := b.Store.AddHead(ctx, c.Repo, c.Number, Head{SHA: pr.Head, At: b.Now()}); err != nil {
			return err
		}
		return b.answer(ctx, c, unseen(c, pr.Head))
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return err
	case seen.SHA != pr.Head:
		return b.answer(ctx, c, moved(c, seen.SHA, pr.Head))
	}
	r := b.newRun(c, pr, p)
	if same, err := b.sameLive(ctx, r); err != nil {
		return err
	} else if same != "" {
		return b.answer(ctx, c, refusal(fmt.Sprintf("[run %s](%s) is already running just this on just this commit; its results will do", same, b.runURL(same))))
	}
	r, err = b.Store.AddRun(ctx, r)
	if err != nil {
		return err
	}
	b.Log.Info("run accepted", "run", r.ID, "pull", fmt.Sprintf("%s#%d", r.Repo, r.Pull), "by", r.Author)
	return nil
}

func (b *Bot) newRun(c comment, pr PullRequest, p planned) Run {
	now := b.Now()
	r := Run{
		Repo: c.Repo, Pull: c.Number, Head: pr.Head, Base: pr.Base,
		Comment: c.ID, Index: c.index, Text: c.line, Author: c.Sender,
		Plan: p.Plan, Catalog: p.revision, State: Accepted,
		Lost: make([]int, len(p.Buckets)), CreatedAt: now,
	}
	r.Plan.Warnings = append(r.Plan.Warnings, b.elsewhere(r.Repo, p.Plan)...)
	longest := time.Duration(0)
	for i, bucket := range p.Buckets {
		work := time.Duration(0)
		for _, piece := range bucket.Pieces {
			next := Piece{
				Piece: piece, ID: fmt.Sprintf("p%d", len(r.Pieces)+1), Bucket: i,
				State: Waiting, Attempt: 1, Nonce: newNonce(),
			}
			work += next.timeout()
			r.Pieces = append(r.Pieces, next)
		}
		longest = max(longest, work)
	}
	r.Deadline = now.Add(time.Hour + MaxAttempts*longest)
	return r
}

// elsewhere names the goals that test another repository than the pull
// request's: their verdicts say nothing about the pull request's own suite.
func (b *Bot) elsewhere(repo Repo, p plan.Plan) []string {
	var said []string
	for _, piece := range p.Pieces() {
		project, ok := b.Catalog().Project(piece.Goal.Project)
		if !ok || strings.EqualFold(repository(project), repo.String()) {
			continue
		}
		note := fmt.Sprintf("%s tests %s at its default branch, not this pull request", piece.Goal, repository(project))
		if !slices.Contains(said, note) {
			said = append(said, note)
		}
	}
	return said
}

// repository returns a project's OWNER/NAME.
func repository(p plan.Project) string { return strings.TrimPrefix(p.Repo, "https://github.com/") }

// sameLive returns the live run that tests the same goals with the same options on the same commit, or "".
func (b *Bot) sameLive(ctx context.Context, r Run) (string, error) {
	runs, err := b.Store.Runs(ctx, r.Repo, r.Pull)
	if err != nil {
		return "", err
	}
	for _, o := range runs {
		twice := o.Comment == r.Comment && o.Index == r.Index
		if (o.State == Accepted || o.State == Running) && !twice && o.Head == r.Head &&
			o.Plan.Options == r.Plan.Options && sameGoals(o, r) {
			return o.ID, nil
		}
	}
	return "", nil
}

func sameGoals(a, b Run) bool {
	goals := make(map[string]int)
	for _, p := range a.Pieces {
		goals[p.Goal.String()] |= 1
	}
	for _, p := range b.Pieces {
		goals[p.Goal.String()] |= 2
	}
	for _, in := range goals {
		if in != 3 {
			return false
		}
	}
	return true
}

func (b *Bot) answer(ctx context.Context, c comment, a Answer) error {
	a.Repo, a.Pull, a.Comment, a.Index = c.Repo, c.Number, c.ID, c.index
	a.Text, a.Author, a.At = c.line, c.Sender, c.CreatedAt
	return b.Store.AddAnswer(ctx, a)
}
