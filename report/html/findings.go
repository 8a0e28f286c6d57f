package html

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ortest/ortest/report"
)

// cluster is one finding in all the goals that have it: a cause is one row,
// however many modes show it.
type cluster struct {
	report.Finding
	in    report.GoalResult // the first that has it
	goals []string
}

// clusters joins equal findings of several goals, in the order of the classes.
func clusters(gs []report.GoalResult) []cluster {
	var all []cluster
	at := make(map[string]int)
	for _, g := range gs {
		for _, f := range g.Findings {
			key := g.Repo + "\x00" + string(f.Class) + "\x00" + f.Fingerprint()
			i, ok := at[key]
			if !ok {
				i = len(all)
				at[key] = i
				all = append(all, cluster{Finding: f, in: g})
			}
			if !slices.Contains(all[i].goals, g.Goal) {
				all[i].goals = append(all[i].goals, g.Goal)
			}
		}
	}
	return all
}

// names are the goals that have it. A log may have made them up.
func (c cluster) names() string {
	var names []string
	for i, g := range c.goals {
		if i == 20 {
			names = append(names, fmt.Sprintf("and %d more", len(c.goals)-i))
			break
		}
		names = append(names, code(g, 100))
	}
	return strings.Join(names, ", ")
}

// headings of the classes in the order in which they are shown. What needs
// nobody's attention is folded.
var headings = []struct {
	class  report.Class
	title  string
	folded bool
}{
	{report.New, "New failures", false},
	{report.UnexpectedPass, "Passing although expected to fail", false},
	{report.Flaky, "Flaky: the same commit passed and failed", false},
	{report.NotRun, "Did not run", false},
	{report.Infrastructure, "Infrastructure", false},
	{report.Old, "Also on the base branch", true},
	{report.Expected, "Expected failures", true},
}

// findings writes what the goals found, class by class.
func (r RunView) findings(s *sheet, gs []report.GoalResult, most int) {
	all := clusters(gs)
	for _, h := range headings {
		var in []cluster
		for _, c := range all {
			if c.Class == h.class {
				in = append(in, c)
			}
		}
		heading, end := fmt.Sprintf("#### %s: %d\n\n", h.title, len(in)), ""
		if h.folded {
			heading, end = fmt.Sprintf("<details><summary>%s: %d</summary>\n\n", h.title, len(in)), "</details>\n\n"
		}
		if s.list(heading, len(in), most, func(i int) string { return r.item(in[i], h.folded, len(gs) > 1) }) {
			s.end(end)
		}
	}
}

// item is a finding as an entry of a list, with an excerpt unless it is folded.
func (r RunView) item(c cluster, short, several bool) string {
	head := "- " + headOf(r, c.in, c.Finding)
	if several {
		head += " — " + c.names()
	}
	if c.Rule != "" || c.Class == report.Old {
		head += " — " + code(c.Why, 300)
	}
	if short || c.Detail == "" {
		return head + "\n"
	}
	return head + "\n\n" + indent(fence(c.Detail, excerptLines, excerptBytes)) + "\n"
}

// indent moves a block into a list entry.
func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n  ") + "\n"
}

// headOf says where a finding is and what it is, on one line of Markdown.
func headOf(r RunView, g report.GoalResult, f report.Finding) string {
	var parts []string
	if f.File != "" {
		at := f.File
		if f.Line > 0 {
			at = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		parts = append(parts, link(at, r.permalink(g, f.File, f.Line)))
	}
	if b := f.BlockName(); b != "" {
		parts = append(parts, code(b, 300))
	}
	parts = append(parts, code(f.Name, 500))
	return strings.Join(parts, " ")
}

// resultTable is a row a goal, the worst first.
func resultTable(r RunView, gs []report.GoalResult) string {
	views := make([]GoalView, 0, len(gs))
	for i := range gs {
		v := GoalView{Goal: gs[i].Goal, State: "done", Result: &gs[i]}
		for _, g := range r.Goals {
			if g.Goal == v.Goal {
				v.LogURL = g.LogURL
			}
		}
		views = append(views, v)
	}
	return table(views)
}

func goalTable(r RunView) string {
	views := slices.Clone(r.Goals)
	for i, v := range views {
		if v.Result != nil {
			g := r.news(*v.Result)
			views[i].Result = &g
		}
	}
	return table(views)
}

func table(views []GoalView) string {
	if len(views) == 0 {
		return ""
	}
	var s strings.Builder
	s.WriteString("| Goal | State | Test files | Blocks | Findings | Seconds |\n|---|---|--:|--:|---|--:|\n")
	for i, v := range views {
		if i == 200 {
			fmt.Fprintf(&s, "\n…and %s more.\n", plural(len(views)-i, "goal"))
			break
		}
		s.WriteString(v.row())
	}
	return s.String() + "\n"
}

func (g GoalView) row() string {
	name := cell(g.Goal, 100)
	if g.LogURL != "" && !strings.ContainsAny(g.LogURL, " <>()|\n") {
		name = "[" + name + "](" + g.LogURL + ")"
	}
	state := sign(g.word()) + " " + g.word()
	if g.Note != "" {
		state += " (" + cell(g.Note, 200) + ")"
	}
	if res := g.Result; res != nil {
		return fmt.Sprintf("| %s | %s | %d of %d | %d of %d | %s | %.0f |\n", name, state, res.Files, res.Planned, res.Blocks, res.Expected, tally(*res), res.Seconds)
	}
	files := ""
	if g.Planned > 0 {
		files = fmt.Sprintf("%d of %d", g.Done, g.Planned)
	}
	return fmt.Sprintf("| %s | %s | %s | | | |\n", name, state, files)
}
