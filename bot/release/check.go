package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/plan"
)

// CheckName is the check run to require on release branches.
const CheckName = "ortest / release"

// The buttons. GitHub takes labels of 20 characters and descriptions of 40.
const (
	refreshStale  = "release_refresh"
	startStage    = "release_stage"
	overrideFails = "release_override"
)

// pageOf is where a ref's table is.
func (r *Releases) pageOf(repo bot.Repo, ref string) string {
	return r.URL + "/releases/" + repo.String() + "/" + url.PathEscape(ref)
}

// showing is what a process has shown of a ref, and the mark that it left with that.
type showing struct {
	check string
	mark  int64
}

// show keeps the head's check run up to date. It is alone with that: two that see no
// check run would make two.
func (r *Releases) show(ctx context.Context, repo bot.Repo, rule Rule, ref Ref) error {
	return r.Alone(ctx, shownMark(repo, ref.Name), func(ctx context.Context) error { return r.showAlone(ctx, repo, rule, ref) })
}

// showAlone writes the check run unless this process was the last to show anything, and
// has shown the same. It looks for it before it makes one.
func (r *Releases) showAlone(ctx context.Context, repo bot.Repo, rule Rule, ref Ref) error {
	t, err := r.table(ctx, repo, rule, ref)
	if err != nil {
		return err
	}
	if len(t.runs) == 0 && t.Trouble == "" {
		return nil
	}
	check := r.check(repo, t)
	name := shownMark(repo, ref.Name)
	last, err := r.Bot.Store.Mark(ctx, name)
	if err != nil {
		return err
	}
	shown := showing{fmt.Sprintf("%+v", check), last.UnixMicro()}
	r.mu.Lock()
	same := r.shown[name] == shown
	r.mu.Unlock()
	if same {
		return nil
	}
	now := r.Bot.Now()
	if err := r.Bot.Store.SetMark(ctx, name, now); err != nil { // at first: what is cut off after it is shown again
		return err
	}
	shown.mark = now.UnixMicro()
	there, err := r.Forge.CheckRuns(ctx, repo, ref.Head)
	if err != nil {
		return err
	}
	for _, c := range there {
		if c.Name == CheckName && c.External == check.External {
			check.ID = c.ID
		}
	}
	if check.ID == 0 {
		_, err = r.Forge.CreateCheckRun(ctx, repo, ref.Head, check)
	} else {
		err = r.Forge.UpdateCheckRun(ctx, repo, check)
	}
	if err != nil {
		return fmt.Errorf("check run of release %s: %w", ref.Name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shown == nil {
		r.shown = make(map[string]showing)
	}
	r.shown[name] = shown
	return nil
}

// shownMark says when a ref was shown last, by whichever process.
func shownMark(repo bot.Repo, ref string) string {
	return "release shown " + strings.ToLower(repo.String()) + " " + ref
}

func (r *Releases) check(repo bot.Repo, t Table) bot.CheckRun {
	counts := make(map[string]int)
	for _, w := range t.Rows {
		switch {
		case w.good():
			counts["good"]++
		case w.Stale:
			counts["stale"]++
		case w.Verdict == "held":
			counts["held"]++
		case w.Verdict == "":
			counts["to come"]++
		default:
			counts["bad"]++
		}
	}
	var said []string
	for _, k := range []string{"bad", "held", "stale", "to come", "good"} {
		if counts[k] > 0 {
			said = append(said, fmt.Sprintf("%d %s", counts[k], k))
		}
	}
	c := bot.CheckRun{
		Name: CheckName, External: "release " + t.Ref, Details: r.pageOf(repo, t.Ref), Status: "in_progress",
		Title: fmt.Sprintf("%s: %s of %d", t.Ref, strings.Join(said, ", "), len(t.Rows)), Text: t.Markdown(),
		Summary: fmt.Sprintf("Every goal that a release of `%s` requires, at `%.12s`. [The page](%s) and its [JSON](%s.json) say the same.\n", t.Ref, t.Head, r.pageOf(repo, t.Ref), r.pageOf(repo, t.Ref)),
	}
	for _, said := range t.refused {
		c.Summary += "\n- " + said
	}
	if len(t.runs) > 0 {
		c.StartedAt = t.runs[len(t.runs)-1].CreatedAt
		for _, o := range t.runs {
			if o.Head == t.Head {
				c.StartedAt = o.CreatedAt
			}
		}
	}
	if t.State == "running" {
		return c
	}
	c.Status, c.Conclusion, c.CompletedAt = "completed", "failure", c.StartedAt
	for _, o := range t.runs {
		if o.EndedAt.After(c.CompletedAt) {
			c.CompletedAt = o.EndedAt
		}
	}
	if t.State == "good" {
		c.Conclusion = "success"
		return c
	}
	c.Buttons = append(c.Buttons, struct{ ID, Label, Does string }{refreshStale, "Refresh stale", "Test what is stale, missing or bad again"})
	if counts["held"] > 0 {
		c.Buttons = append(c.Buttons, struct{ ID, Label, Does string }{startStage, "Start next stages", "Start what the stage before holds up"})
	}
	if counts["bad"] > 0 || counts["held"] > 0 {
		c.Buttons = append(c.Buttons, struct{ ID, Label, Does string }{overrideFails, "Override failures", "Let what is bad now pass for some days"})
	}
	return c
}

// press does what a button of the check run asks for, once for each delivery. Why it
// does not is said on the check run: a release has no conversation.
func (r *Releases) press(ctx context.Context, e bot.ButtonEvent, guid string) (outcome string, err error) {
	if e.SenderBot {
		return "ignored: pressed by a bot", nil
	}
	name := strings.TrimPrefix(e.Run, "release ")
	rule, ref, ok := r.of(e.Repo, Ref{Name: name, Head: e.Head})
	if !ok {
		return "ignored: no rule is about " + name, nil
	}
	p := pressed{e, guid, ref}
	why, err := r.forbidden(ctx, p)
	if err == nil && why == "" {
		err = r.starting(ctx, e.Repo, func(ctx context.Context) error {
			why, err = r.obey(ctx, p, rule)
			return err
		})
	}
	if err == nil && why != "" {
		err = r.refuse(ctx, p, why)
	}
	if err != nil {
		return "", err
	}
	if outcome = "release " + e.Action; why != "" {
		outcome = "refused: " + why
	}
	return outcome, r.show(ctx, e.Repo, rule, ref)
}

// forbidden says why whoever pressed a button may not, or why nothing starts now; "" if neither.
func (r *Releases) forbidden(ctx context.Context, p pressed) (why string, err error) {
	switch role, may, err := r.Bot.May(ctx, p.Repo, p.Sender); {
	case errors.Is(err, bot.ErrGone) || errors.Is(err, bot.ErrRefused):
		return "GitHub does not tell this bot what " + p.Sender + " may do", nil
	case err != nil:
		return "", err
	case !may:
		return p.Sender + " has the role " + role + ", and only who may write to the repository may do this", nil
	}
	if why := r.closed(); why != "" {
		return "nothing starts now: " + why, nil
	}
	return "", nil
}

// obey does what a button of the one who may press it asks for, or says why not.
func (r *Releases) obey(ctx context.Context, p pressed, rule Rule) (refused string, err error) {
	t, err := r.table(ctx, p.Repo, rule, p.ref)
	if err != nil {
		return "", err
	}
	switch {
	case t.State == "running" && !slices.ContainsFunc(t.runs, p.began):
		return "the release is running", nil
	case len(t.runs) > 0 && t.runs[0].Head != p.Head:
		return "the branch has moved", nil
	}
	switch p.Action {
	case overrideFails:
		return "", r.override(ctx, p, rule, t)
	case startStage:
		return "", r.again(ctx, p, t, func(w Row) bool { return w.Verdict == "held" })
	default:
		return "", r.again(ctx, p, t, func(w Row) bool { return !w.good() && w.Verdict != "held" || w.Stale })
	}
}

// refuse remembers why a button did nothing, and shows it for a while.
func (r *Releases) refuse(ctx context.Context, p pressed, why string) error {
	no := refusal{Ref: p.ref.Name, Head: p.Head, Button: p.Action, Why: why}
	return r.note(ctx, p, no, bot.Answer{Text: fmt.Sprintf("%s %s of %s", refusedButton, p.Action, p.ref.Name)})
}

// note keeps what became of a button as an answer that is posted nowhere: the store
// keeps it, and the audit log shows it.
func (r *Releases) note(ctx context.Context, p pressed, what any, a bot.Answer) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	a.Repo, a.Place, a.Comment, a.Author = p.Repo, bot.InButton, deliveryID(p.guid), p.Sender
	a.Body, a.Posted, a.At = string(body), -1, r.Bot.Now()
	if err := r.Bot.Store.AddAnswer(ctx, a); !errors.Is(err, bot.ErrSeen) {
		return err
	}
	return nil
}

// pressed is a button, and the delivery that told of it.
type pressed struct {
	bot.ButtonEvent
	guid string
	ref  Ref
}

func (p pressed) start() start {
	return start{repo: p.Repo, ref: p.ref, why: "the button " + p.Action + ", pressed by " + p.Sender, key: p.guid, by: p.Sender}
}

// began reports whether a run is of this very press, which is then handled once more.
func (p pressed) began(o tested) bool { return o.Comment == p.start().id(o.Plan.Options) }

// override remembers who lets what is bad now pass, and until when.
func (r *Releases) override(ctx context.Context, p pressed, rule Rule, t Table) error {
	o := override{Ref: t.Ref, Until: r.Bot.Now().Add(rule.Override).UTC().Truncate(time.Second)}
	if rule.Override == 0 {
		o.Until = r.Bot.Now().Add(7 * 24 * time.Hour).UTC().Truncate(time.Second)
	}
	for _, w := range t.Rows {
		if w.Verdict != "" && !w.good() && !w.Stale { // of what has none nobody has seen how it fails
			o.Rows = append(o.Rows, w.key())
		}
	}
	return r.note(ctx, p, o, bot.Answer{Text: fmt.Sprintf("%s of %s until %s", overridden, t.Ref, o.Until.Format(time.RFC3339)), Understood: true})
}

// again runs the rows that are wanted, all at once: who presses a button has seen
// the stages.
func (r *Releases) again(ctx context.Context, p pressed, t Table, wanted func(Row) bool) error {
	byCell := make(map[cell][]Row)
	for _, w := range t.Rows {
		if wanted(w) {
			byCell[cell{w.Arch, w.Nginx}] = append(byCell[cell{w.Arch, w.Nginx}], w)
		}
	}
	var errs []error
	for at, rows := range byCell {
		req := plan.Request{Split: "auto", Limit: time.Hour, AllAtOnce: true, Options: plan.Options{Arch: at.Arch, Nginx: r.asked(t, at)}}
		for _, w := range rows {
			req.Targets = append(req.Targets, w.Goal)
		}
		s := p.start()
		s.of = t.before(at)
		errs = append(errs, r.begin(ctx, s, req, [][]plan.Goal{goalsOf(rows)}))
	}
	return errors.Join(errs...)
}

// before returns the head's newest run on a cell that has fixed the commits of what it
// builds with, or "". What is tested again takes the same: with others a failure that
// comes and goes would be forgotten.
func (t Table) before(at cell) string {
	for _, o := range t.runs {
		if o.Head == t.Head && o.at() == at && o.Commits != nil {
			return o.ID
		}
	}
	return ""
}

// asked is the core as the rule writes it, which may be "" for the newest.
func (r *Releases) asked(t Table, at cell) string {
	for _, o := range t.runs {
		if o.Plan.Options.Arch == at.Arch && r.Bot.Catalog().Core(o.Plan.Options.Nginx) == at.Nginx {
			return o.Plan.Options.Nginx
		}
	}
	return at.Nginx
}

// deliveryID makes a delivery's GUID an id.
func deliveryID(guid string) int64 {
	h := fnv.New64a()
	h.Write([]byte(guid))
	return int64(h.Sum64() >> 1)
}
