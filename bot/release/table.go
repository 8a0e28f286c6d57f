package release

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

// Row is one required goal on one arch and nginx core.
type Row struct {
	Goal    string `json:"goal"`
	Arch    string `json:"arch"`
	Nginx   string `json:"nginx"`             // core
	Verdict string `json:"verdict"`           // pass, known, fail, incomplete; held: its stage was not started; "" before the first
	State   string `json:"state"`             // of the head's run: queued, running, done
	Commit  string `json:"commit,omitempty"`  // that the verdict is of
	Run     string `json:"run,omitempty"`     // that the verdict is of
	At      string `json:"at,omitempty"`      // when that was, RFC 3339
	Stale   bool   `json:"stale"`             // the branch has moved since
	By      string `json:"by,omitempty"`      // who overrode it
	Until   string `json:"until,omitempty"`   // and until when
	Minutes int    `json:"minutes,omitempty"` // age of the verdict
}

// good reports whether a row stands in nobody's way at a time.
func (w Row) good() bool {
	return !w.Stale && (w.Verdict == string(report.Pass) || w.Verdict == string(report.Known) || w.By != "")
}

// Table is what a branch comes to.
type Table struct {
	Repository string `json:"repository"`
	Ref        string `json:"ref"`
	Head       string `json:"head"`
	State      string `json:"state"` // running, good, bad, stale
	Rows       []Row  `json:"rows"`
	Trouble    string `json:"trouble,omitempty"` // why the rule cannot be followed

	runs    []tested // of the ref, newest first
	refused []string // buttons of the head that did nothing, and why; the newest first
}

// refusal is a button that did nothing, kept as the answer to it.
type refusal struct {
	Ref    string `json:"ref"`
	Head   string `json:"head"`
	Button string `json:"button"`
	Why    string `json:"why"`
}

const (
	refusedButton = "release button refused:"
	mostRefused   = 3 // that are shown
)

// override is a failure that somebody lets pass for a time: it is kept as the answer
// to the button that was pressed.
type override struct {
	Ref   string    `json:"ref"`
	Rows  []string  `json:"rows"`
	Until time.Time `json:"until"`
}

const overridden = "release override"

func (w Row) key() string { return w.Goal + "|" + w.Arch + "|" + w.Nginx }

// Table makes the table of a repository's ref; bot.ErrNotFound: no rule is about
// it, or nothing was run yet.
func (r *Releases) Table(ctx context.Context, repo bot.Repo, name string) (Table, error) {
	rule, ref, ok := r.of(repo, Ref{Name: name})
	if !ok {
		return Table{}, bot.ErrNotFound
	}
	runs, err := r.newest(ctx, repo, name)
	if err != nil {
		return Table{}, err
	}
	if len(runs) == 0 {
		return Table{}, bot.ErrNotFound
	}
	ref.Head = runs[0].Head
	return r.table(ctx, repo, rule, ref)
}

func (r *Releases) table(ctx context.Context, repo bot.Repo, rule Rule, ref Ref) (Table, error) {
	t := Table{Repository: repo.String(), Ref: ref.Name, Head: ref.Head}
	c := r.Bot.Catalog()
	for _, at := range rule.cells() {
		_, goals, err := rule.request(c, repo.String(), at)
		if err != nil {
			t.Trouble = err.Error()
			continue
		}
		for _, g := range goals {
			t.Rows = append(t.Rows, Row{Goal: g.String(), Arch: at.Arch, Nginx: c.Core(at.Nginx)})
		}
	}
	var err error
	if t.runs, err = r.newest(ctx, repo, ref.Name); err != nil {
		return t, err
	}
	for _, o := range t.runs {
		if err := r.take(ctx, &t, o); err != nil {
			return t, err
		}
	}
	if err := r.overrides(ctx, repo, &t); err != nil {
		return t, err
	}
	t.settle()
	return t, nil
}

// take fills the rows that no newer run has filled.
func (r *Releases) take(ctx context.Context, t *Table, o tested) error {
	open := func(i int) bool {
		w := t.Rows[i]
		return w.Verdict == "" && cell{w.Arch, w.Nginx} == o.at()
	}
	if !slices.ContainsFunc(o.Pieces, func(p bot.Piece) bool {
		return slices.ContainsFunc(t.Rows, func(w Row) bool { return w.Goal == p.Goal.String() && w.Verdict == "" })
	}) {
		return nil
	}
	view, err := r.Bot.View(ctx, o.Run)
	if err != nil {
		return err
	}
	held := heldGoals(o.Run)
	for _, g := range view.Goals {
		if !slices.ContainsFunc(o.Pieces, func(p bot.Piece) bool { return p.Goal.String() == g.Goal }) {
			continue // of a run before: that one fills its row
		}
		for i := range t.Rows {
			if w := &t.Rows[i]; w.Goal == g.Goal && open(i) {
				if o.Head == t.Head && w.State == "" {
					w.State = g.State
				}
				switch {
				case held[g.Goal] && o.Head == t.Head:
					w.Verdict, w.Commit, w.Run = "held", o.Head, o.ID
				case g.Result != nil && !held[g.Goal] && (o.Cancelled == "" || g.Result.Verdict == report.Fail):
					at := cmp.Or(o.EndedAt, r.Bot.Now())
					w.Verdict, w.Commit, w.Run, w.Stale = string(g.Result.Verdict), o.Head, o.ID, o.Head != t.Head
					w.At, w.Minutes = at.UTC().Format(time.RFC3339), int(r.Bot.Now().Sub(at)/time.Minute)
				}
			}
		}
	}
	return nil
}

// heldGoals are those whose stage was not started.
func heldGoals(o bot.Run) map[string]bool {
	held := make(map[string]bool)
	for _, p := range o.Pieces {
		if p.Held {
			held[p.Goal.String()] = true
		}
	}
	return held
}

// overrides marks what somebody let pass, as long as that holds.
func (r *Releases) overrides(ctx context.Context, repo bot.Repo, t *Table) error {
	all, err := r.Bot.Store.Answers(ctx, repo, 0)
	if err != nil {
		return err
	}
	for _, a := range all {
		if t.refuse(a); len(t.refused) > mostRefused {
			t.refused = t.refused[:mostRefused]
		}
		var o override
		if !strings.HasPrefix(a.Text, overridden) || json.Unmarshal([]byte(a.Body), &o) != nil || o.Ref != t.Ref || !r.Bot.Now().Before(o.Until) {
			continue
		}
		for i := range t.Rows {
			if w := &t.Rows[i]; w.By == "" && slices.Contains(o.Rows, w.key()) {
				w.By, w.Until = a.Author, o.Until.UTC().Format(time.RFC3339)
			}
		}
	}
	return nil
}

// refuse takes an answer that says why a button of the head did nothing.
func (t *Table) refuse(a bot.Answer) {
	var no refusal
	if !strings.HasPrefix(a.Text, refusedButton) || json.Unmarshal([]byte(a.Body), &no) != nil || no.Ref != t.Ref || no.Head != t.Head {
		return
	}
	t.refused = append(t.refused, fmt.Sprintf("`%s`, pressed by `%s` at %s, did nothing: %s.", no.Button, a.Author, a.At.UTC().Format(time.DateTime), inLine(no.Why)))
}

// inLine shows a sentence that may hold a person's words as one line of code.
func inLine(s string) string {
	return "`" + strings.NewReplacer("`", "'", "\n", " ", "\r", " ").Replace(s) + "`"
}

func (t *Table) settle() {
	live := slices.ContainsFunc(t.runs, func(o tested) bool {
		return o.Head == t.Head && (o.State == bot.Accepted || o.State == bot.Running)
	})
	t.State = "good"
	for _, w := range t.Rows {
		switch {
		case w.Stale || w.Verdict == "":
			if t.State == "good" {
				t.State = "stale"
			}
		case !w.good():
			t.State = "bad"
		}
	}
	if t.Trouble != "" || len(t.Rows) == 0 {
		t.State = "bad"
	}
	if live {
		t.State = "running"
	}
}

// goalsOf returns the goals of rows of one cell, for a request.
func goalsOf(rows []Row) (goals []plan.Goal) {
	for _, w := range rows {
		if g, err := plan.ParseGoal(w.Goal); err == nil {
			goals = append(goals, g)
		}
	}
	return goals
}

// Markdown is the table as a check run shows it.
func (t Table) Markdown() string {
	var s strings.Builder
	if t.Trouble != "" {
		fmt.Fprintf(&s, "The rule cannot be followed: %s.\n\n", t.Trouble)
	}
	s.WriteString("| Goal | Arch | nginx | Verdict | Commit | Age | Overridden |\n|---|---|---|---|---|--:|---|\n")
	for i, w := range t.Rows {
		if i == 500 {
			fmt.Fprintf(&s, "\n%d more; the page has all of them.\n", len(t.Rows)-i)
			break
		}
		over := ""
		if w.By != "" {
			over = fmt.Sprintf("by %s until %s", w.By, w.Until)
		}
		fmt.Fprintf(&s, "| `%s` | %s | %s | %s | `%.12s` | %s | %s |\n", w.Goal, w.Arch, w.Nginx, w.Word(), w.Commit, w.Age(), over)
	}
	return s.String()
}

// Word is the row's verdict for people: also that it is stale, or still to come.
func (w Row) Word() string {
	word := cmp.Or(w.Verdict, "none yet")
	if w.Verdict == "held" {
		word = "held: the stage before is not good"
	}
	if w.Stale {
		word += ", stale"
	}
	if w.State == "running" || w.State == "queued" {
		word += ", " + w.State
	}
	return word
}

// Age is how old the verdict is, for people.
func (w Row) Age() string {
	switch {
	case w.At == "":
		return ""
	case w.Minutes < 60: // finer would have the check run written again each minute
		return "under 1 h"
	case w.Minutes < 72*60:
		return fmt.Sprintf("%d h", w.Minutes/60)
	}
	return fmt.Sprintf("%d days", w.Minutes/60/24)
}
