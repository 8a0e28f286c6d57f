// Package html renders what package report judged: check runs, the sticky
// comment, the page of a run, and plain text.
//
// It is pure, and deterministic: the same run gives the same bytes. Whatever
// comes from a log, a pull request or a test file is hostile. It is stripped of
// what a terminal or a reader's eye could be deceived with and shown only inside
// of code, where neither Markdown nor GitHub's mentions reach it; html/template
// escapes the page. Every output is within GitHub's limits by construction:
// sections that do not fit are dropped whole, and what was dropped is said.
package html

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

// RunView is a run as it is shown. The zero value of any field leaves out what
// depends on it.
type RunView struct {
	ID        string
	Repo      string // OWNER/NAME of the pull request
	Pull      int
	Head      string // commit under test, full SHA
	Base      string // branch
	Author    string // login of who asked
	Command   string // as written
	Plan      plan.Plan
	State     string // queued, running, done
	Cancelled string // login of who cancelled it
	Goals     []GoalView
	Trouble   []string // what went wrong outside of the tests, sentences
	Withheld  bool     // good results make no success, since Trouble names others at the commit
	Forge     string   // "https://github.com"
	URL       string   // of the run's page
	CreatedAt time.Time
	EndedAt   time.Time

	// Of a page on a server, which says the policy itself:
	Top    template.HTML // above the header, such as the way to its other pages; "" is a page that stands alone
	Script template.JS   // keeps the page up to date
}

// GoalView is one goal of a run. Done and Planned count test files while it runs.
type GoalView struct {
	Goal    string
	State   string // queued, running, done
	Done    int
	Planned int
	Note    string             // such as "again on a new machine"
	Result  *report.GoalResult // nil until it is judged
	LogURL  string
}

// sign is what a state or a verdict looks like. The word is always beside it.
func sign(word string) string {
	switch word {
	case string(report.Pass):
		return "🟢"
	case string(report.Known):
		return "🟠"
	case string(report.Fail):
		return "🔴"
	case string(report.Incomplete):
		return "🟣"
	case "running":
		return "🔵"
	case "cancelled":
		return "⛔"
	}
	return "⚪"
}

// word says where a goal is: its verdict, once there is one.
func (g GoalView) word() string {
	if g.Result != nil {
		return string(g.Result.Verdict)
	}
	if g.State == "" {
		return "queued"
	}
	return g.State
}

// word says where the run is: its verdict once it is done.
func (r RunView) word() string {
	switch {
	case r.Cancelled != "" && r.State == "done":
		return "cancelled"
	case r.State == "done":
		return string(report.Overall(r.results()))
	case r.State == "":
		return "queued"
	}
	return r.State
}

// results returns those of every goal. A goal without one counts as incomplete.
func (r RunView) results() []report.GoalResult {
	var all []report.GoalResult
	for _, g := range r.Goals {
		if g.Result != nil {
			all = append(all, r.news(*g.Result))
		} else {
			all = append(all, report.GoalResult{Goal: g.Goal, Verdict: report.Incomplete, Why: []string{"The goal has no result."}})
		}
	}
	return all
}

// news leaves out of a cancelled goal what only repeats that it was cancelled:
// what did not run, and what went wrong around it. A failure seen before stays.
func (r RunView) news(g report.GoalResult) report.GoalResult {
	if r.Cancelled == "" || g.Verdict != report.Incomplete {
		return g
	}
	g.Findings = slices.DeleteFunc(slices.Clone(g.Findings), func(f report.Finding) bool {
		return f.Class == report.NotRun || f.Class == report.Infrastructure
	})
	return g
}

// permalink returns the address of a line at the commit that was tested, or "".
func (r RunView) permalink(g report.GoalResult, file string, line int) string {
	repo := g.Repo
	if repo == "" {
		repo = r.Repo
	}
	if r.Forge == "" || repo == "" || g.Commit == "" || file == "" {
		return ""
	}
	at := strings.TrimSuffix(r.Forge, "/") + "/" + escapePath(repo) + "/blob/" + escapePath(g.Commit) + "/" + escapePath(file)
	if line > 0 {
		at += fmt.Sprintf("#L%d", line)
	}
	return at
}

// pullURL returns the address of the pull request, or "".
func (r RunView) pullURL() string {
	if r.Forge == "" || r.Repo == "" || r.Pull == 0 {
		return ""
	}
	return fmt.Sprintf("%s/%s/pull/%d", strings.TrimSuffix(r.Forge, "/"), escapePath(r.Repo), r.Pull)
}

// escapePath encodes all of a path but letters, digits and "-_./", so that it
// means nothing to Markdown either. url.URL leaves more as it is.
func escapePath(path string) string {
	var s strings.Builder
	for _, c := range []byte(path) {
		if unsafe(rune(c)) {
			fmt.Fprintf(&s, "%%%02X", c)
		} else {
			s.WriteByte(c)
		}
	}
	return s.String()
}

// ofOwnRepo reports whether a goal's files are those of the pull request.
func (r RunView) ofOwnRepo(g report.GoalResult) bool {
	return (g.Repo == "" || strings.EqualFold(g.Repo, r.Repo)) && (r.Head == "" || g.Commit == "" || g.Commit == r.Head)
}

// tally is the short form of what goals found: "1 new · 2 expected". What
// several goals show counts once, as in the lists of findings.
func tally(gs ...report.GoalResult) string {
	count := make(map[report.Class]int)
	for _, c := range clusters(gs) {
		count[c.Class]++
	}
	return tallied(count)
}

func tallied(count map[report.Class]int) string {
	var parts []string
	for _, c := range []struct {
		class report.Class
		word  string
	}{
		{report.New, "new"}, {report.UnexpectedPass, "passing unexpectedly"}, {report.Flaky, "flaky"}, {report.NotRun, "not run"},
		{report.Infrastructure, "infrastructure"}, {report.Old, "old"}, {report.Expected, "expected"},
	} {
		if n := count[c.class]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, c.word))
		}
	}
	if len(parts) == 0 {
		return "no findings"
	}
	return strings.Join(parts, " · ")
}

// minutes writes a duration as a person plans it, rounded up.
func minutes(d time.Duration) string {
	return fmt.Sprintf("%d min", int((d+time.Minute-1)/time.Minute))
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
