package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/report"
)

// outcome is what lists show of a goal's result; the rest of the document is
// not decoded.
type outcome struct {
	run     string
	at      time.Time
	Verdict report.Verdict `json:"verdict"`
	Seconds float64        `json:"seconds"`
	Commit  string         `json:"commit"`
	Files   int            `json:"files"`
	Planned int            `json:"planned_files"`
	Tests   int            `json:"tests"`
}

func outcomeOf(run string, at time.Time, result json.RawMessage) (outcome, error) {
	o := outcome{run: run, at: at}
	if err := json.Unmarshal(result, &o); err != nil {
		return o, fmt.Errorf("decode result of run %s: %w", run, err)
	}
	return o, nil
}

// goals lists every goal that ever had a result, with the newest one.
func (p *pages) goals(r *http.Request, a *answer) error {
	s := section{Empty: "No goal has a result yet.", Columns: columnsOf("Goal", "Newest verdict", "#Run", "#Seconds", "#Results")}
	err := p.Store.Goals(r.Context(), func(goal, run string, n int, result json.RawMessage) error {
		o, err := outcomeOf(run, time.Time{}, result)
		s.Rows = append(s.Rows, []cell{
			{Text: goal, Link: "/goals/" + goal}, verdictCell(string(o.Verdict)), {Text: run, Link: "/runs/" + run, Number: true},
			number("%.0f", o.Seconds), number("%d", n),
		})
		return err
	})
	if err != nil {
		return err
	}
	return p.write(r, a, sheet{Title: "Goals", Note: "Each goal that has a result; its page shows them over time.", Sections: []section{s}})
}

// goal shows one goal's results over time, the newest first, and draws them.
func (p *pages) goal(r *http.Request, a *answer) error {
	name, before := r.PathValue("goal"), r.URL.Query().Get("before")
	var all []outcome
	err := p.Store.GoalResults(r.Context(), name, before, listed+1, func(run string, at time.Time, result json.RawMessage) error {
		o, err := outcomeOf(run, at, result)
		all = append(all, o)
		return err
	})
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return bot.ErrNotFound
	}
	page := sheet{Title: name, Note: "Verdicts and durations over time."}
	if before != "" {
		page.Newest = "/goals/" + name
	}
	if len(all) > listed {
		all = all[:listed]
		page.Older = "/goals/" + name + "?before=" + all[listed-1].run
	}
	s := section{Columns: columnsOf("#Run", "Verdict", "#Seconds", "#Test files", "#Assertions", "#Commit", "#Asked (UTC)")}
	for _, o := range all {
		s.Rows = append(s.Rows, []cell{
			{Text: o.run, Link: "/runs/" + o.run, Number: true}, verdictCell(string(o.Verdict)), number("%.0f", o.Seconds),
			number("%d of %d", o.Files, o.Planned), number("%d", o.Tests), {Text: fmt.Sprintf("%.12s", o.Commit), Code: true, Number: true}, moment(o.at),
		})
	}
	slices.Reverse(all)
	s.Chart = bars(all)
	page.Sections = []section{s}
	return p.write(r, a, page)
}
