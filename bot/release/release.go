// Package release tests the branches and tags that the configuration names, without
// anybody asking: a push starts it, and a sweep finds what no webhook told of.
//
// A release is made of the bot's own runs, one for each arch and nginx core, which
// belong to no pull request. They go on in stages as every run does: t of
// everything, then tv and to, then the rest, each only if the one before is
// good, or a maintainer says so. Nothing is stored beside the runs and the buttons
// that were pressed, so that a restart changes nothing. What a branch comes to is a
// table over the newest runs, shown as one check run, "ortest / release".
package release

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
)

// Forge is what of GitHub a release needs.
type Forge interface {
	Repositories(ctx context.Context) ([]bot.Repo, error)
	// Refs returns the branches and tags with their commits.
	Refs(ctx context.Context, repo bot.Repo) ([]Ref, error)
	CheckRuns(ctx context.Context, repo bot.Repo, sha string) ([]bot.CheckRun, error)
	CreateCheckRun(ctx context.Context, repo bot.Repo, sha string, c bot.CheckRun) (int64, error)
	UpdateCheckRun(ctx context.Context, repo bot.Repo, c bot.CheckRun) error
}

// Releases starts and shows what the rules ask for. All fields are required.
type Releases struct {
	Bot   *bot.Bot
	Forge Forge
	Rules func() []Rule // those in force
	// Push reads a push webhook: the repository and the ref that has moved. It says
	// where to look, not what is true.
	Push func(payload []byte) (bot.Repo, string, error)
	// Alone calls do while nobody else, in any process, does something by the same key.
	Alone func(ctx context.Context, key string, do func(ctx context.Context) error) error
	URL   string // of our own pages, without a trailing slash
	Log   *slog.Logger

	mu    sync.Mutex
	shown map[string]showing // per ref: what this process has shown last
}

// starting calls do while nobody else starts or ends runs of a repository's releases:
// whoever does has seen what the one before did, and no older commits than that one.
func (r *Releases) starting(ctx context.Context, repo bot.Repo, do func(ctx context.Context) error) error {
	return r.Alone(ctx, "release "+strings.ToLower(repo.String()), do)
}

// author is who a release's runs are of.
const author = "release"

// HandleDelivery acts on a push and on the release's own buttons, and leaves the
// rest to the bot.
func (r *Releases) HandleDelivery(ctx context.Context, guid string) error {
	if len(r.Rules()) == 0 {
		return r.Bot.HandleDelivery(ctx, guid)
	}
	d, err := r.Bot.Store.Delivery(ctx, guid)
	if err != nil || d.Outcome != "" {
		return r.Bot.HandleDelivery(ctx, guid)
	}
	switch d.Event {
	case "push", "create":
		repo, _, err := r.Push(d.Payload)
		if err != nil {
			return r.Bot.Store.FinishDelivery(ctx, guid, "ignored: "+err.Error())
		}
		if err := r.repository(ctx, repo); err != nil {
			return err
		}
		return r.Bot.Store.FinishDelivery(ctx, guid, "looked at the releases")
	case "check_run":
		ev, err := r.Bot.Decode(d.Event, d.Payload)
		if err == nil && ev.Button != nil && ev.Button.Check == CheckName {
			outcome, err := r.press(ctx, *ev.Button, guid)
			if err != nil {
				return err
			}
			return r.Bot.Store.FinishDelivery(ctx, guid, outcome)
		}
	}
	return r.Bot.HandleDelivery(ctx, guid)
}

// Sweep looks at every repository that a rule may be about, as if all of its
// branches had been pushed now.
func (r *Releases) Sweep(ctx context.Context) error {
	if len(r.Rules()) == 0 {
		return nil
	}
	repos, err := r.Forge.Repositories(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, repo := range repos {
		errs = append(errs, r.repository(ctx, repo))
	}
	return errors.Join(errs...)
}

// Driven shows a release again after one of its runs was driven on.
func (r *Releases) Driven(ctx context.Context, run string) error {
	one, err := r.Bot.Store.Run(ctx, run)
	if err != nil || !ours(one) {
		return err
	}
	rule, ref, ok := r.of(one.Repo, Ref{Name: one.Base, Head: one.Head})
	if !ok {
		return nil
	}
	newest, err := r.newest(ctx, one.Repo, one.Base)
	if err != nil || len(newest) == 0 {
		return err
	}
	ref.Head = newest[0].Head
	return r.show(ctx, one.Repo, rule, ref)
}

// ours reports whether a run is of a release.
func ours(r bot.Run) bool {
	return r.Pull == 0 && r.Author != "" && strings.HasPrefix(r.Text, "release ")
}

// of returns the rule about a ref, by its name as branch or tag.
func (r *Releases) of(repo bot.Repo, ref Ref) (Rule, Ref, bool) {
	for _, rule := range r.Rules() {
		for _, tag := range []bool{false, true} {
			if ref.Tag = tag; rule.covers(repo.String(), ref) {
				return rule, ref, true
			}
		}
	}
	return Rule{}, ref, false
}

// repository starts what is due in one.
func (r *Releases) repository(ctx context.Context, repo bot.Repo) error {
	about := slices.ContainsFunc(r.Rules(), func(rule Rule) bool {
		return rule.Repository == "" || strings.EqualFold(rule.Repository, repo.String())
	})
	if !about {
		return nil
	}
	return r.starting(ctx, repo, func(ctx context.Context) error { return r.refs(ctx, repo) })
}

func (r *Releases) refs(ctx context.Context, repo bot.Repo) error {
	refs, err := r.Forge.Refs(ctx, repo)
	if err != nil {
		return fmt.Errorf("releases of %s: %w", repo, err)
	}
	first, err := r.first(ctx, repo, refs)
	if err != nil || first {
		return err
	}
	var errs []error
	for _, ref := range refs {
		for _, rule := range r.Rules() {
			if rule.covers(repo.String(), ref) {
				errs = append(errs, r.look(ctx, repo, rule, ref))
				break
			}
		}
	}
	return errors.Join(errs...)
}

// known is the mark of a commit that a ref had before anybody looked at it.
func known(repo bot.Repo, ref Ref) string {
	return "release " + strings.ToLower(repo.String()) + " " + ref.Name + " " + ref.Head
}

// first notes what is there when a repository is looked at for the first time: all
// of its old branches at once are nobody's wish. The schedule or a push starts them.
func (r *Releases) first(ctx context.Context, repo bot.Repo, refs []Ref) (bool, error) {
	born := "release " + strings.ToLower(repo.String())
	at, err := r.Bot.Store.Mark(ctx, born)
	if err != nil || !at.IsZero() {
		return false, err
	}
	for _, ref := range refs {
		if _, _, ok := r.of(repo, ref); !ok {
			continue
		}
		if err := r.Bot.Store.SetMark(ctx, known(repo, ref), r.Bot.Now()); err != nil {
			return true, err
		}
	}
	return true, r.Bot.Store.SetMark(ctx, born, r.Bot.Now())
}

// look starts the runs of a ref that are due, ends those of older commits, and
// shows what it comes to.
func (r *Releases) look(ctx context.Context, repo bot.Repo, rule Rule, ref Ref) error {
	if why := r.closed(); why != "" {
		return nil // the sweep after it will look again
	}
	runs, err := r.newest(ctx, repo, ref.Name)
	if err != nil {
		return err
	}
	for _, o := range runs {
		if o.Head != ref.Head && (o.State == bot.Accepted || o.State == bot.Running) {
			if _, err := r.Bot.Store.UpdateRun(ctx, o.ID, func(o *bot.Run) bool {
				return o.Advance(bot.Occurrence{Kind: bot.CancelAsked, Why: fmt.Sprintf("the push of %.12s", ref.Head)}, r.Bot.Now())
			}); err != nil {
				return err
			}
		}
	}
	seen, err := r.Bot.Store.Mark(ctx, known(repo, ref))
	if err != nil {
		return err
	}
	var errs []error
	c := r.Bot.Catalog()
	for _, at := range rule.cells() {
		core := c.Core(at.Nginx)
		why := due(rule, ref, cell{at.Arch, core}, history{r.Bot.Now(), seen, runs})
		if why == "" {
			continue
		}
		req, goals, err := rule.request(c, repo.String(), at)
		if err == nil {
			err = r.begin(ctx, start{repo: repo, ref: ref, why: why, key: why + ", nginx " + core, by: author}, req, stages(goals))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("release %s of %s: %w", ref.Name, repo, err))
		}
	}
	return errors.Join(append(errs, r.show(ctx, repo, rule, ref))...)
}

func (r *Releases) closed() string {
	if r.Bot.Settings == nil {
		return ""
	}
	s := r.Bot.Settings()
	return s.Kill + s.Maintenance
}

// history is what counts of the past: when the commit was found at the first look
// (zero: it came later), and the ref's runs.
type history struct {
	now, seen time.Time
	runs      []tested
}

// due says why a cell of a ref, with the core that it means now, is to be tested, or "".
// The same reason is never acted on twice: with the core it names the run.
func due(rule Rule, ref Ref, at cell, h history) string {
	newest, tested := h.seen, false
	for _, o := range h.runs {
		if o.Head != ref.Head || o.at() != at {
			continue
		}
		if o.State == bot.Accepted || o.State == bot.Running {
			return ""
		}
		tested = true
		if o.CreatedAt.After(newest) {
			newest = o.CreatedAt
		}
	}
	switch {
	case h.seen.IsZero() && !tested:
		return "push of " + ref.Head
	case rule.Every > 0 && h.now.Sub(newest) >= rule.Every:
		return "the schedule, after the results of " + newest.UTC().Format(time.RFC3339)
	}
	return ""
}

// kept is how many runs of a ref are looked at: the older ones tell nothing that is
// not told by newer ones, or is long stale.
const kept = 30

// tested is a run, and the nginx core that it is on: what "the newest" meant to it does
// not change with the catalog.
type tested struct {
	bot.Run
	core string
}

func (o tested) at() cell { return cell{o.Plan.Options.Arch, o.core} }

// newest returns a ref's runs, newest first.
func (r *Releases) newest(ctx context.Context, repo bot.Repo, ref string) (runs []tested, err error) {
	all, err := r.Bot.Store.Runs(ctx, repo, 0)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(o bot.Run) bool { return !ours(o) || o.Base != ref })
	for _, o := range all[:min(len(all), kept)] {
		core, err := r.Bot.Core(ctx, o)
		if err != nil {
			return nil, err
		}
		runs = append(runs, tested{o, core})
	}
	return runs, nil
}

// start is a run that is about to be.
type start struct {
	repo bot.Repo
	ref  Ref
	why  string // a sentence's end
	key  string // what makes it this run and no other
	by   string // who asked
	of   string // run whose other results count too, and whose commits of other repositories it takes; "": none
}

// begin stores a run. It is the bot's from then on.
func (r *Releases) begin(ctx context.Context, s start, req plan.Request, stages [][]plan.Goal) error {
	c := r.Bot.Catalog()
	run := bot.Run{
		Repo: s.repo, Head: s.ref.Head, Base: s.ref.Name, Place: bot.InButton, Comment: s.id(req.Options), Text: "release " + s.ref.Name,
		Author: s.by, Of: s.of, Words: req.Words(), Catalog: c.Revision, State: bot.Accepted, CreatedAt: r.Bot.Now(),
	}
	run.Deadline = run.CreatedAt.Add(time.Hour)
	for i, goals := range stages {
		made, err := r.pack(ctx, c, req, goals)
		if err != nil {
			return err
		}
		run.Deadline = run.Deadline.Add(add(&run, made, i))
	}
	run.Lost = make([]int, len(run.Plan.Buckets))
	run.Trail = []string{
		fmt.Sprintf("release %s: %s", s.ref.Name, s.why),
		fmt.Sprintf("%d stages, %d pieces on %d machines; no budget is asked of a release", len(stages), len(run.Pieces), len(run.Plan.Buckets)),
	}
	if err := r.Bot.Keep(ctx, c); err != nil {
		return err
	}
	_, err := r.Bot.Store.AddRun(ctx, run)
	if errors.Is(err, bot.ErrSeen) {
		return nil
	}
	if err == nil {
		r.Log.Info("release begins", "repo", s.repo.String(), "ref", s.ref.Name, "reason", s.why)
	}
	return err
}

func (r *Releases) pack(ctx context.Context, c *catalog.Catalog, req plan.Request, goals []plan.Goal) (plan.Plan, error) {
	h := new(plan.History)
	if r.Bot.History != nil {
		known, err := r.Bot.History.History(ctx)
		if err != nil {
			return plan.Plan{}, err
		}
		h = known
	}
	return plan.Pack(c.InputFrom(req, goals, h))
}

// add appends a stage's plan and pieces to a run, and returns how long the stage
// may take.
func add(run *bot.Run, made plan.Plan, stage int) time.Duration {
	first := len(run.Plan.Buckets)
	if stage == 0 {
		run.Plan = made
	} else {
		run.Plan.Buckets = append(run.Plan.Buckets, made.Buckets...)
		run.Plan.Lower += made.Lower
		run.Plan.EndLower += made.EndLower
		run.Plan.Builds += made.Builds
		run.Plan.Optimal = run.Plan.Optimal && made.Optimal
		run.Plan.Warnings = append(run.Plan.Warnings, made.Warnings...)
	}
	longest := time.Duration(0)
	for i, bucket := range made.Buckets {
		work := time.Duration(0)
		for _, p := range bucket.Pieces {
			run.Pieces = append(run.Pieces, bot.Piece{
				Piece: p, ID: fmt.Sprintf("p%d", len(run.Pieces)+1), Bucket: first + i, Stage: stage, State: bot.Waiting, Attempt: 1, Nonce: nonce(),
			})
			work += max(2*p.Estimate, 30*time.Minute)
		}
		longest = max(longest, work)
	}
	return bot.MaxAttempts * longest
}

func nonce() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}

// id names the run, so that a second start of the same is seen.
func (s start) id(o plan.Options) int64 {
	h := fnv.New64a()
	for _, part := range []string{s.repo.String(), s.ref.Name, s.ref.Head, o.Arch, o.Nginx, s.key} {
		h.Write([]byte(part + "\x00"))
	}
	return int64(h.Sum64() >> 1)
}
