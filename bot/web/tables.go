package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/runnerfleet"
)

// queue shows the runs that are not over, and how far each stage is.
func (p *pages) queue(r *http.Request, a *answer) error {
	runs, err := p.Store.LiveRuns(r.Context())
	if err != nil {
		return err
	}
	s := section{
		Empty:   "Nothing is queued or running.",
		Columns: columnsOf("#Run", "Pull request", "By", "State", "#Stage", "#Waiting", "#Dispatched", "#Running", "#Done", "#Ends before (UTC)"),
	}
	for _, run := range runs {
		count := make(map[bot.PieceState]int)
		for _, piece := range run.Pieces {
			count[piece.State]++
		}
		s.Rows = append(s.Rows, []cell{
			{Text: run.ID, Link: "/runs/" + run.ID, Number: true}, text(placeOf(run.Repo.String(), run.Pull, run.Base)), text(run.Author), {Word: run.Word()},
			number("%d", run.Stage+1), number("%d", count[bot.Waiting]), number("%d", count[bot.Dispatched]), number("%d", count[bot.Assigned]),
			number("%d", count[bot.Finished]), moment(run.Deadline),
		})
	}
	page := sheet{Title: "Queue", Note: p.closed(), Sections: []section{s}}
	if p.refused() { // it may have been to end or hold the runs; what it says is not for everybody
		page.Sections = append([]section{{
			Title: "The configuration that was saved last does not count", Text: "It is not valid; the server's log and ortest doctor say why. What was in force before still is.",
		}}, page.Sections...)
	}
	return p.write(r, a, page)
}

func (p *pages) refused() bool { return p.Refused != nil && p.Refused() }

// closed says why nothing starts now, or "".
func (p *pages) closed() string {
	if p.Settings == nil {
		return ""
	}
	switch s := p.Settings(); {
	case s.Kill != "":
		return "Every run ends now, and none starts: " + s.Kill
	case s.Maintenance != "":
		return "In maintenance, no new run starts: " + s.Maintenance
	}
	return ""
}

// days is how far back the money goes, and moneyRuns how many runs.
const (
	days      = 30
	moneyRuns = 5000
)

func (p *pages) machines(r *http.Request, a *answer) error {
	all, err := p.Instances(r.Context())
	if err != nil {
		return err
	}
	s := section{
		Title: "Now", Empty: "No instance lives, and no live run has had one.",
		Note:    "The instances that live, and those of live runs that are gone.",
		Columns: columnsOf("Instance", "State", "Bucket", "Arch", "Type", "Paid as", "#Minutes", "#USD", "#Launched (UTC)", "#Heard (UTC)", "#Must be gone by (UTC)", "Why it left"),
	}
	for _, in := range all {
		lived, usd, err := p.cost(r.Context(), in)
		if err != nil {
			return err
		}
		paid := "spot"
		if in.OnDemand {
			paid = "on demand"
		}
		s.Rows = append(s.Rows, []cell{
			text(in.ID), {Word: string(in.State)}, text(in.Bucket), text(in.Arch), text(in.Type), text(paid),
			number("%.0f", lived.Minutes()), number("%.2f", usd), moment(in.LaunchedAt), moment(in.SeenAt), moment(in.Deadline), text(in.Reason),
		})
	}
	money, err := p.money(r.Context(), time.Now())
	if err != nil {
		return err
	}
	return p.write(r, a, sheet{Title: "Machines and money", Sections: []section{s, money}})
}

// cost is how long an instance has lived, and what that is at its plan's
// on-demand price.
func (p *pages) cost(ctx context.Context, in runnerfleet.Instance) (time.Duration, float64, error) {
	if in.LaunchedAt.IsZero() {
		return 0, 0, nil
	}
	end := in.EndedAt
	if end.IsZero() {
		end = time.Now()
	}
	lived := max(end.Sub(in.LaunchedAt), 0)
	id, _, _ := strings.Cut(in.Bucket, "/")
	run, err := p.rowOf(ctx, id)
	if err != nil {
		return lived, 0, ignoreGone(err)
	}
	return lived, lived.Hours() * run.perHour, nil
}

// money adds up what plans estimated and what machines took, day by day.
func (p *pages) money(ctx context.Context, now time.Time) (section, error) {
	s := section{
		Title: "Money", Empty: "Nothing was planned in these days.",
		Note: fmt.Sprintf("What the plans of the last %d days estimated, which is what budgets count, and what their machines took so far. "+
			"Both are at on-demand prices; spot costs less.", days),
		Columns: columnsOf("Day (UTC)", "#Runs", "#Planned minutes", "#Planned USD", "#Minutes so far", "#USD so far"),
	}
	ids, err := p.Store.RunIDs(ctx, "", moneyRuns)
	if err != nil {
		return s, err
	}
	type sum struct {
		runs         int
		planned, was time.Duration
		usd, wasUSD  float64
	}
	since, byDay := now.UTC().AddDate(0, 0, -days), make(map[string]*sum)
	lived, err := p.Store.Lived(ctx, since, now)
	if err != nil {
		return s, err
	}
	var order []string
	for _, id := range ids {
		run, err := p.rowOf(ctx, id)
		if err != nil {
			return s, err
		}
		if run.at.Before(since) {
			break
		}
		day := run.at.UTC().Format(time.DateOnly)
		if byDay[day] == nil {
			byDay[day], order = new(sum), append(order, day)
		}
		d := byDay[day]
		d.runs, d.planned, d.usd = d.runs+1, d.planned+run.machine, d.usd+run.usd
		d.was, d.wasUSD = d.was+lived[id], d.wasUSD+lived[id].Hours()*run.perHour
	}
	for _, day := range order {
		d := byDay[day]
		s.Rows = append(s.Rows, []cell{
			text(day), number("%d", d.runs), number("%.0f", d.planned.Minutes()), number("%.2f", d.usd),
			number("%.0f", d.was.Minutes()), number("%.2f", d.wasUSD),
		})
	}
	return s, nil
}

// catalog shows which revision is in force, and why a newer one is not.
func (p *pages) catalog(r *http.Request, a *answer) error {
	if p.Catalog == nil {
		return bot.ErrNotFound
	}
	c := p.Catalog()
	s := section{Title: "In force", Columns: columnsOf("Revision", "From", "Holds", "#Since (UTC)"), Rows: [][]cell{{
		{Text: c.Revision, Code: true}, text(c.Source), text(c.Summary), moment(c.TakenAt),
	}}}
	page := sheet{Title: "Catalog", Note: "Projects, modes, arches, releases and known failures. A change counts without a restart, once it is valid as a whole."}
	if c.Refused == "" {
		page.Sections = []section{s}
		return p.write(r, a, page)
	}
	no := section{Title: "Not taken", Text: c.Refused, Note: fmt.Sprintf("%s at %s UTC; the revision above stays in force.", c.RefusedOf, clock(c.RefusedAt))}
	page.Sections = []section{no, s}
	return p.write(r, a, page)
}

func (p *pages) audit(r *http.Request, a *answer) error {
	if err := p.mayAudit(r); err != nil {
		return err
	}
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64) // anything else is the newest page
	lines, err := p.Store.AuditBefore(r.Context(), before, listed+1)
	if err != nil {
		return err
	}
	page := sheet{Title: "Audit", Note: "Who asked, approved, confirmed and cancelled, and how runs ended. /audit.jsonl has all of it."}
	if before > 0 {
		page.Newest = "/audit"
	}
	if len(lines) > listed {
		lines = lines[:listed]
		page.Older = fmt.Sprintf("/audit?before=%d", lines[listed-1].ID)
	}
	s := section{Empty: "Nothing was decided yet.", Columns: columnsOf("#Line", "#At (UTC)", "Who", "Did", "Pull request", "#Run", "#Commit", "Note")}
	for _, l := range lines {
		run := cell{Number: true}
		if l.Run != "" {
			run = cell{Text: l.Run, Link: "/runs/" + l.Run, Number: true}
		}
		s.Rows = append(s.Rows, []cell{
			number("%d", l.ID), moment(l.At), text(l.Who), text(l.Did), text(placeOf(l.Repo, l.Pull, "")), run,
			{Text: fmt.Sprintf("%.12s", l.Commit), Code: true, Number: true}, text(l.Note),
		})
	}
	page.Sections = []section{s}
	return p.write(r, a, page)
}

// auditChunk is how many lines of the audit log are read at once.
const auditChunk = 1000

// auditLines is the whole audit log, a JSON object a line.
func (p *pages) auditLines(w http.ResponseWriter, r *http.Request) {
	if err := p.mayAudit(r); err != nil {
		p.send(w, r, func(*http.Request, *answer) error { return err })
		return
	}
	protect(w.Header(), p.policy)
	w.Header().Set("Content-Type", "application/jsonl; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	enc := json.NewEncoder(w)
	for after := int64(0); ; {
		lines, err := p.Store.AuditLog(r.Context(), after, auditChunk)
		if err != nil {
			p.Log.Error("audit log not read", "err", err)
			panic(http.ErrAbortHandler) // half a log must not look whole
		}
		if len(lines) == 0 {
			return
		}
		for _, a := range lines {
			if err := enc.Encode(a); err != nil {
				return // nobody listens any more
			}
			after = a.ID
		}
	}
}
