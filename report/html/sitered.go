package html

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/result"
)

// indexProject is what is red of a project.
type indexProject struct {
	Name, Word, Sign, Tally string
	First, Folded           []indexCause
	More                    int
	rank                    int
}

// indexCause is one finding in all the cells that have it.
type indexCause struct {
	Class, Kind, At, Address, Block, Name, Where, Page, Brief string
	Goals                                                     []indexLink
	More                                                      int
}

type indexLink struct{ Name, Page string }

// cause is a finding and the cells that have it.
type cause struct {
	report.Finding
	cells []result.Cell
}

// red fills in what needs attention, each cause once however many cells show
// it, and returns their count in words.
func (s Site) red(d *indexData) string {
	count := make(map[report.Class]int)
	left := max(leastCauses, mostCauses-len(s.Cells)/30)
	for _, causes := range s.causes() {
		p := indexProject{Name: clean(causes[0].cells[0].Project()), rank: classRank(causes[0].Class)}
		own := make(map[report.Class]int)
		var results []report.GoalResult
		for i, c := range causes {
			count[c.Class]++
			own[c.Class]++
			for _, x := range c.cells {
				results = append(results, x.Result)
			}
			switch {
			case left > 0 && i < shownFirst:
				p.First = append(p.First, s.cause(c, i == 0))
			case left > 0 && i < shownFirst+shownFolded:
				p.Folded = append(p.Folded, s.cause(c, false))
			default:
				p.More++
			}
			left--
		}
		p.Tally = tallied(own)
		p.Word = string(report.Overall(results))
		p.Sign = Mark(p.Word)
		d.Red = append(d.Red, p)
	}
	slices.SortStableFunc(d.Red, func(a, b indexProject) int { return cmp.Compare(a.rank, b.rank) })
	if d.MoreRed = len(d.Red) - shownProjects; d.MoreRed > 0 {
		d.Red = d.Red[:shownProjects]
	}
	return tallied(count)
}

// causes are those of each project, the worst class first and then what most
// cells show.
func (s Site) causes() [][]cause {
	var projects []string
	byProject := make(map[string][]cause)
	at := make(map[string]int)
	for _, c := range s.Cells {
		project := c.Project()
		for _, f := range c.Result.Findings {
			if f.Class == report.Expected || f.Class == report.Old && c.Result.Verdict == report.Known {
				continue
			}
			key := project + "\x00" + string(f.Class) + "\x00" + f.Fingerprint()
			i, ok := at[key]
			if !ok {
				if byProject[project] == nil {
					projects = append(projects, project)
				}
				i = len(byProject[project])
				at[key] = i
				byProject[project] = append(byProject[project], cause{Finding: f})
			}
			g := &byProject[project][i]
			if n := len(g.cells); n == 0 || g.cells[n-1].Name != c.Name {
				g.cells = append(g.cells, c)
			}
		}
	}
	slices.Sort(projects)
	all := make([][]cause, 0, len(projects))
	for _, p := range projects {
		causes := byProject[p]
		slices.SortStableFunc(causes, func(a, b cause) int {
			return cmp.Or(cmp.Compare(classRank(a.Class), classRank(b.Class)), cmp.Compare(len(b.cells), len(a.cells)))
		})
		all = append(all, causes)
	}
	return all
}

func classRank(c report.Class) int {
	for i, h := range headings {
		if h.class == c {
			return i
		}
	}
	return len(headings)
}

func (s Site) cause(c cause, brief bool) indexCause {
	first := c.cells[0]
	x := indexCause{
		Class: string(c.Class), Kind: kindName(c.Kind), At: place(c.Finding), Address: s.runOf().permalink(first.Result, c.File, c.Line),
		Block: clip(clean(c.BlockName()), 200), Name: clip(clean(c.Name), 300), Where: s.where(c.cells), Page: pageName(first) + "#" + anchor(c.Finding),
	}
	if brief {
		x.Brief = excerpt(c.Detail, briefLines, briefBytes)
	}
	for i, cell := range c.cells {
		if i == shownLinks {
			x.More = len(c.cells) - i
			break
		}
		x.Goals = append(x.Goals, indexLink{cmp.Or(clean(cell.Mode()), "goal"), pageName(cell) + "#" + anchor(c.Finding)})
	}
	return x
}

// where says what the cells of a cause have in common and the others of the
// project have not: the smallest condition on arch or nginx that explains it.
func (s Site) where(cells []result.Cell) string {
	project := cells[0].Project()
	var parts []string
	for _, dim := range []struct{ of func(result.Cell) string }{
		{func(c result.Cell) string { return archName(c.Arch) }},
		{func(c result.Cell) string { return coreName(c.Nginx) }},
	} {
		var in, all []string
		for _, c := range s.Cells {
			if v := dim.of(c); c.Project() == project && !slices.Contains(all, v) {
				all = append(all, v)
			}
		}
		for _, c := range cells {
			if v := dim.of(c); !slices.Contains(in, v) {
				in = append(in, v)
			}
		}
		switch {
		case len(all) == 1:
		case len(in) == len(all):
			parts = append(parts, "all of "+strings.Join(in, ", "))
		default:
			parts = append(parts, "only "+strings.Join(in, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// place is a finding's file and line.
func place(f report.Finding) string {
	if f.Line > 0 {
		return fmt.Sprintf("%s:%d", clean(f.File), f.Line)
	}
	return clean(f.File)
}

// anchor is a finding's place on its page.
func anchor(f report.Finding) string { return "f-" + escapeID(f.Fingerprint()) }

// escapeID keeps what an identifier and an address take as it is.
func escapeID(s string) string {
	return strings.Map(func(r rune) rune {
		if unsafe(r) || r == '/' {
			return -1
		}
		return r
	}, clip(s, 64))
}

// kindName is a finding's kind in words.
func kindName(kind string) string {
	switch kind {
	case "assert":
		return "assertion"
	case "memcheck":
		return "valgrind"
	case "asan", "lsan", "ubsan":
		return strings.ToUpper(kind[:len(kind)-2]) + "an"
	case "rss_leak":
		return "leak"
	}
	return clean(strings.ReplaceAll(kind, "_", " "))
}
