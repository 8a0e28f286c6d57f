package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/report"
)

// listed is how many rows a page of a list has.
const listed = 50

// row is what lists show of a run. That of a closed run stays what it is.
type row struct {
	id, state, verdict string // verdict is "" while there is none
	place              string // whose run it is
	text, author, head string
	at                 time.Time
	machine            time.Duration // as the plan estimates it, all machines together
	usd                float64       // the same at on-demand prices
	perHour            float64       // of one machine
}

// placeOf names the pull request of a run, or the branch of one that has none: a release's.
func placeOf(repo string, pull int, branch string) string {
	if pull == 0 {
		return strings.TrimSpace(repo + " " + branch)
	}
	return fmt.Sprintf("%s #%d", repo, pull)
}

// rowOf returns a run's row; it reads a closed run once.
func (p *pages) rowOf(ctx context.Context, id string) (row, error) {
	if r, ok := p.rows.get(id); ok {
		return r, nil
	}
	run, err := p.Store.Run(ctx, id)
	if err != nil {
		return row{}, err
	}
	r := row{
		id: id, state: run.Word(), place: placeOf(run.Repo.String(), run.Pull, run.Base), text: run.Text, author: run.Author,
		head: run.Head, at: run.CreatedAt, perHour: run.Plan.Price.OnDemand,
	}
	for _, b := range run.Plan.Buckets {
		r.machine += max(b.Estimate, time.Minute) // machines are paid a minute at least
	}
	r.usd = r.machine.Hours() * r.perHour
	if run.State == bot.Closed || run.State == bot.Ended {
		if r.verdict, err = p.verdict(ctx, run); err != nil {
			return row{}, err
		}
	}
	if run.State == bot.Closed {
		p.rows.put(id, r)
	}
	return r, nil
}

// verdict is the worst of what a run's goals came to.
func (p *pages) verdict(ctx context.Context, run bot.Run) (string, error) {
	view, err := p.Bot.View(ctx, run)
	if err != nil {
		return "", err
	}
	var results []report.GoalResult
	for _, g := range view.Goals {
		if g.Result == nil {
			return string(report.Incomplete), nil
		}
		results = append(results, *g.Result)
	}
	return string(report.Overall(results)), nil
}

func (p *pages) runs(r *http.Request, a *answer) error {
	before := r.URL.Query().Get("before")
	ids, err := p.Store.RunIDs(r.Context(), before, listed+1)
	if err != nil {
		return err
	}
	s := section{
		Empty:   "Nothing was run yet. A comment on a pull request starts a run: /ortest help says how.",
		Columns: columnsOf("#Run", "State", "Verdict", "Pull request", "Command", "By", "#Commit", "#Asked (UTC)"),
	}
	page := sheet{Title: "Runs"}
	if before != "" {
		s.Empty, page.Newest = "There are no older runs.", "/runs"
	}
	if len(ids) > listed {
		ids = ids[:listed]
		page.Older = "/runs?before=" + ids[listed-1]
	}
	for _, id := range ids {
		run, err := p.rowOf(r.Context(), id)
		if err != nil {
			return err
		}
		s.Rows = append(s.Rows, []cell{
			{Text: id, Link: "/runs/" + id, Number: true}, {Word: run.state}, verdictCell(run.verdict), text(run.place),
			{Text: run.text, Code: true}, text(run.author), {Text: fmt.Sprintf("%.12s", run.head), Code: true, Number: true}, moment(run.at),
		})
	}
	page.Sections = []section{s}
	return p.write(r, a, page)
}

func verdictCell(verdict string) cell {
	if verdict == "" {
		return cell{}
	}
	return cell{Word: verdict}
}
