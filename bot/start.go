package bot

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
)

// start is a request that somebody may make, on its way to become a run.
type start struct {
	at        commit
	words     []string            // of the request, without the verb
	goals     []string            // of a repeat: those of its goals; none means all
	of        string              // of a repeat: the run
	files     map[string][]string // of new failures that are repeated: their files by goal
	author    string
	approved  string // who with write permission let it run
	grants    string // the offer that is taken up
	confirmed bool   // no budget is asked
	trail     []string
}

func (s *start) say(format string, args ...any) {
	s.trail = append(s.trail, fmt.Sprintf(format, args...))
}

// decideRun fixes the commit and starts the run, if the sender may.
func (b *Bot) decideRun(ctx context.Context, c comment, words []string) error {
	if _, err := b.plan(ctx, words); err != nil {
		return b.answer(ctx, c, refusal(b.explain(ctx, verbRun, words, err)))
	}
	at, ok, err := b.fix(ctx, c)
	if err != nil || !ok {
		return err
	}
	return b.startTrusted(ctx, c, start{at: at, words: words})
}

// startTrusted starts what the command's sender may start at the head, and
// offers what waits for an approval.
func (b *Bot) startTrusted(ctx context.Context, c comment, s start) error {
	role, by, how, err := b.trusted(ctx, c, s.at.Head)
	if err != nil {
		return b.refuseRole(ctx, c, "", err)
	}
	s.author, s.approved = c.Sender, by
	if by == "" {
		a := stranger(c, role)
		a.Body += "\n\nOr, having read what the commit does, they let it run with:\n\n" + fence(Prefix+" approve "+s.at.Head)
		a.Offer = &offer{Words: s.words, Goals: s.goals, Of: s.of, Files: s.files, Head: s.at.Head, Author: c.Sender, Wants: verbApprove}
		return b.answer(ctx, c, a)
	}
	s.say("%s", how)
	return b.start(ctx, c, s)
}

// start plans what was asked and stores the run, unless it runs already, costs
// more than it may, or nothing starts at all now.
func (b *Bot) start(ctx context.Context, c comment, s start) error {
	if why := b.settings().closed(); why != "" {
		return b.answer(ctx, c, refusal(why))
	}
	p, err := b.planOf(ctx, s)
	if err != nil {
		return b.answer(ctx, c, refusal(b.explain(ctx, verbRun, s.words, err)))
	}
	return b.inTurn(ctx, func(ctx context.Context) error { return b.startOne(ctx, c, s, p) })
}

// inTurn calls do while no other start is under way, here or in another process: each
// counts what the ones before took of the budgets, and sees what they began.
func (b *Bot) inTurn(ctx context.Context, do func(ctx context.Context) error) error {
	b.starts.Lock()
	defer b.starts.Unlock()
	if b.Alone == nil {
		return do(ctx)
	}
	return b.Alone(ctx, "start", do)
}

// startOne stores the run, unless it runs already or is over a budget.
func (b *Bot) startOne(ctx context.Context, c comment, s start, p planned) error {
	r := b.newRun(c, s, p)
	same, err := b.same(ctx, r)
	if err != nil {
		return err
	}
	if same != nil {
		return b.answerSame(ctx, c, same)
	}
	if !s.confirmed {
		over, err := b.overBudget(ctx, r)
		if err != nil {
			return err
		}
		if over != "" {
			a := refusal(fmt.Sprintf("%s. If it is worth it, somebody who may write confirms:\n\n%s", over, fence(Prefix+" confirm")))
			a.Offer = &offer{Words: s.words, Goals: s.goals, Of: s.of, Files: s.files, Head: s.at.Head, Author: s.author, Approved: s.approved, Wants: verbConfirm}
			return b.answer(ctx, c, a)
		}
	}
	if err := b.Keep(ctx, p.catalog); err != nil {
		return err
	}
	r, err = b.Store.AddRun(ctx, r)
	if err != nil {
		return err
	}
	b.Log.Info("run accepted", "run", r.ID, "pull", fmt.Sprintf("%s#%d", r.Repo, r.Pull), "by", r.Author)
	return nil
}

func (b *Bot) planOf(ctx context.Context, s start) (planned, error) {
	if s.files != nil {
		return b.planRepeats(ctx, s.words, s.files)
	}
	return b.planGoals(ctx, s.words, s.goals)
}

func (b *Bot) newRun(c comment, s start, p planned) Run {
	now := b.Now()
	r := Run{
		Repo: c.Repo, Pull: c.Number, Head: s.at.Head, Base: s.at.Base,
		Place: c.Place, Comment: c.ID, Index: c.index, Text: c.line, Author: s.author, Approved: s.approved,
		Grants: s.grants, Words: s.words, Of: s.of,
		Plan: p.Plan, Catalog: p.catalog.Revision, State: Accepted,
		Lost: make([]int, len(p.Buckets)), AskedAt: c.At, CreatedAt: now,
	}
	if s.files != nil {
		r.Repeat = repeats
	}
	r.Plan.Warnings = append(r.Plan.Warnings, elsewhereIn(p.catalog, r.Repo, p.Plan)...)
	longest := make([]time.Duration, p.stages())
	for i, bucket := range p.Buckets {
		work := time.Duration(0)
		for _, piece := range bucket.Pieces {
			next := Piece{
				Piece: piece, ID: fmt.Sprintf("p%d", len(r.Pieces)+1), Bucket: i, Stage: p.stage[i],
				State: Waiting, Attempt: 1, Nonce: newNonce(),
			}
			work += next.timeout()
			r.Pieces = append(r.Pieces, next)
		}
		longest[p.stage[i]] = max(longest[p.stage[i]], work)
	}
	r.Deadline = now.Add(time.Hour)
	for _, d := range longest {
		r.Deadline = r.Deadline.Add(MaxAttempts * d)
	}
	r.Trail = b.trailOf(c, s, r)
	return r
}

// trailOf tells how a run came about.
func (b *Bot) trailOf(c comment, s start, r Run) []string {
	trail := []string{fmt.Sprintf("command %d, written at %s, known by %s", c.index+1, clock(c.At), cmp.Or(c.Source, "a button"))}
	trail = append(trail, s.trail...)
	trail = append(trail, fmt.Sprintf("commit %s: %s", s.at.Head, s.at.how))
	switch {
	case r.Repeat > 0:
		trail = append(trail, fmt.Sprintf("repeats the new failures of run %s in %s, %d times", s.of, count(len(r.goals()), "goal"), r.Repeat))
	case s.of != "":
		trail = append(trail, fmt.Sprintf("repeats %s of run %s", count(len(r.goals()), "goal"), s.of))
	default:
		trail = append(trail, "no other run of this commit does the same")
	}
	if s.confirmed {
		trail = append(trail, "no budget was asked, since it was confirmed")
	} else {
		trail = append(trail, "within every budget")
	}
	cost := spent{}.plus(r.Plan)
	return append(trail, fmt.Sprintf("catalog %s; %s on %s, %d machine minutes, at most %.2f USD", r.Catalog,
		count(len(r.Pieces), "piece"), count(len(r.Plan.Buckets), "machine"), minutes(cost.machine), cost.usd))
}

// elsewhere names the goals that test another repository than the pull
// request's: their verdicts say nothing about the pull request's own suite.
func elsewhereIn(c *catalog.Catalog, repo Repo, p plan.Plan) []string {
	var said []string
	for _, piece := range p.Pieces() {
		project, ok := c.Project(piece.Goal.Project)
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

// repository returns OWNER/NAME of a project.
func repository(p plan.Project) string {
	return strings.TrimSuffix(strings.TrimPrefix(p.Repo, "https://github.com/"), ".git")
}

// same returns another run that does or did just this on just this commit, or
// nil. One that was cut short did not, nor one that ended with another catalog. Of
// a repeat, and of what somebody granted, it is one that was begun a moment ago.
func (b *Bot) same(ctx context.Context, r Run) (*Run, error) {
	runs, err := b.Store.Runs(ctx, r.Repo, r.Pull)
	if err != nil {
		return nil, err
	}
	for _, o := range runs {
		if o.Place == r.Place && o.Comment == r.Comment && o.Index == r.Index {
			continue
		}
		granted := r.Grants != "" && o.Grants == r.Grants
		repeated := r.Of != "" && o.Of == r.Of && o.live()
		// What a stranger asked for does not stand in for whom the last word belongs to.
		stands := o.trusted() || !r.trusted()
		if granted || repeated || r.Of == "" && stands && o.does(r) {
			return &o, nil
		}
	}
	return nil, nil
}

// does reports whether a run does what another one would do first.
func (r *Run) does(o Run) bool {
	return r.Of == "" && r.Head == o.Head && r.Plan.Options == o.Plan.Options && (r.live() || r.Catalog == o.Catalog) && sameGoals(*r, o) && !r.cut()
}

// cut reports whether a piece of the run ended without being complete, other
// than by its own stages.
func (r *Run) cut() bool {
	return r.Cancelled != "" || slices.ContainsFunc(r.Pieces, func(p Piece) bool { return p.State == Finished && p.Reason != "" && !p.Held })
}

func (b *Bot) answerSame(ctx context.Context, c comment, o *Run) error {
	a := understood(fmt.Sprintf("[run %s](%s) is already running just this on just this commit; its results will do.", o.ID, b.runURL(o.ID)))
	if !o.live() {
		a = understood(fmt.Sprintf("[run %s](%s) has already run just this on just this commit; its results stand. To run all of it again:\n\n%s",
			o.ID, b.runURL(o.ID), fence(Prefix+" retry "+strings.Join(short(o.goals()), " "))))
	}
	a.Run = o.ID
	return b.answer(ctx, c, a)
}

// short keeps a list of names that fits a line to paste.
func short(names []string) []string {
	if len(names) > 60 {
		return []string{"failed"}
	}
	return names
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

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
