package html

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/result"
)

// What the index tells of what is red; a reader fixes it from the top.
const (
	shownProjects = 15
	shownFirst    = 3  // causes of a project
	shownFolded   = 10 // more of them, folded
	shownLinks    = 6  // of a cause
	mostCauses    = 80 // of all projects; fewer the larger the table below is
	leastCauses   = 15
	briefLines    = 4
	briefBytes    = 400
)

// indexData is what the template of the index reads.
type indexData struct {
	chrome
	Word, Sign, Tally string
	Counts            []indexCount
	Tested            string
	Trouble           []string
	Red               []indexProject
	MoreRed           int
	Arches            []indexArch
	Modes             []indexMode
	Projects          []fact
	Archive           string
	Maintainer        string
}

type indexCount struct {
	Word, Sign string
	N          int
}

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

type indexArch struct {
	Name, ID string
	Cores    []indexCore
}

type indexCore struct {
	Name, ID, Tally, Tested string
	Modes                   []string
	Rows                    []indexRow
}

type indexRow struct {
	Project, Commit, Tested string
	Cells                   []indexCell
}

type indexCell struct {
	Page, Class, Sign, Word, Note string
	New                           bool
}

type indexMode struct{ Name, Title string }

func (s Site) index(ch chrome) indexData {
	d := indexData{chrome: ch, Archive: s.Archive, Maintainer: clean(s.Maintainer)}
	var results []report.GoalResult
	for _, c := range s.Cells {
		results = append(results, c.Result)
		d.Tested = max(d.Tested, clean(c.Tested))
	}
	for _, t := range s.Trouble {
		d.Trouble = append(d.Trouble, clip(clean(t), 500))
		results = append(results, report.GoalResult{Verdict: report.Incomplete})
	}
	d.Word = string(report.Overall(results))
	d.Sign = mark(d.Word)
	d.Counts = countsOf(s.Cells)
	d.Tally = s.red(&d)
	for i, c := range s.Cells {
		if i == 0 || c.Arch != s.Cells[i-1].Arch {
			d.Arches = append(d.Arches, indexArch{Name: archName(c.Arch), ID: fmt.Sprintf("a%d", len(d.Arches)+1)})
		}
		arch := &d.Arches[len(d.Arches)-1]
		if len(arch.Cores) == 0 || c.Nginx != s.Cells[i-1].Nginx {
			arch.Cores = append(arch.Cores, s.core(s.Cells[i:], fmt.Sprintf("%s-%d", arch.ID, len(arch.Cores)+1)))
		}
	}
	used, told := make(map[string]bool), make(map[string]bool)
	for _, c := range s.Cells {
		used[c.Mode()] = true
		if url := s.repoURL(c.Goal); url != "" && !told[url] {
			told[url] = true
			d.Projects = append(d.Projects, fact{Name: clean(c.Project()), Value: clean(c.Result.Repo), Address: url + "#readme"})
		}
	}
	slices.SortStableFunc(d.Projects, func(a, b fact) int { return strings.Compare(a.Name, b.Name) })
	for _, m := range s.Modes {
		if used[m.Name] {
			d.Modes = append(d.Modes, indexMode{m.Name, m.Title})
		}
	}
	return d
}

// verdictOrder is that of attention.
var verdictOrder = []report.Verdict{report.Fail, report.Incomplete, report.Known, report.Pass}

func countsOf(cells []result.Cell) []indexCount {
	var all []indexCount
	for _, v := range verdictOrder {
		n := 0
		for _, c := range cells {
			if c.Result.Verdict == v {
				n++
			}
		}
		if n > 0 {
			all = append(all, indexCount{string(v), mark(string(v)), n})
		}
	}
	return all
}

// core is the table that begins at the first of some cells: a row a project, a
// column a mode.
func (s Site) core(cells []result.Cell, id string) indexCore {
	n := len(cells)
	for i, c := range cells {
		if c.Arch != cells[0].Arch || c.Nginx != cells[0].Nginx {
			n = i
			break
		}
	}
	cells = cells[:n]
	core := indexCore{Name: coreName(cells[0].Nginx), ID: id}
	var parts []string
	for _, x := range countsOf(cells) {
		parts = append(parts, fmt.Sprintf("%d %s", x.N, x.Word))
	}
	core.Tally = strings.Join(parts, ", ")
	core.Modes = s.columns(cells)
	for _, c := range cells {
		core.Tested = max(core.Tested, clean(c.Tested))
	}
	for len(cells) > 0 {
		n := 1
		for n < len(cells) && cells[n].Project() == cells[0].Project() {
			n++
		}
		row := s.row(cells[:n], core.Modes)
		if row.Tested == core.Tested {
			row.Tested = "" // the caption has it
		}
		core.Rows = append(core.Rows, row)
		cells = cells[n:]
	}
	return core
}

// columns are the modes that some cells have, in the order of the catalog.
func (s Site) columns(cells []result.Cell) []string {
	rank := func(mode string) int {
		for i, m := range s.Modes {
			if m.Name == mode {
				return i
			}
		}
		return len(s.Modes)
	}
	var modes []string
	for _, c := range cells {
		if !slices.Contains(modes, c.Mode()) {
			modes = append(modes, c.Mode())
		}
	}
	slices.SortFunc(modes, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	return modes
}

// row is a project's. What all of its cells share stands once, at its head.
func (s Site) row(cells []result.Cell, modes []string) indexRow {
	first := cells[0]
	r := indexRow{Project: clean(first.Project()), Cells: make([]indexCell, len(modes))}
	for _, c := range cells {
		r.Tested = max(r.Tested, clean(c.Tested))
	}
	commit := first.Result.Commit
	r.Commit = short(commit)
	for _, c := range cells {
		x := s.cell(c)
		if c.Result.Commit != commit {
			x.Note += " at " + cmp.Or(short(c.Result.Commit), "no commit")
		}
		if day(c.Tested) != day(r.Tested) {
			x.Note += ", " + cmp.Or(day(clean(c.Tested)), "no date")
		}
		r.Cells[slices.Index(modes, c.Mode())] = x
	}
	return r
}

func day(t string) string { return t[:min(len("2006-01-02"), len(t))] }

func (s Site) cell(c result.Cell) indexCell {
	v := string(c.Result.Verdict)
	x := indexCell{Page: pageName(c), Class: v[:1], Sign: mark(v), Word: v, New: s.Since != "" && c.Tested > s.Since}
	switch bad := len(c.Result.Findings) - c.Result.Count(report.Expected); {
	case bad > 0:
		x.Note = fmt.Sprintf(" %d", bad)
	case c.Result.Verdict == report.Known:
		x.Note = fmt.Sprintf(" %d", c.Result.Count(report.Expected))
	case c.Result.Verdict == report.Pass:
		x.Note = fmt.Sprintf(" %d", c.Result.Tests)
	}
	if c.Result.Seconds > 0 {
		x.Note += fmt.Sprintf(" %.0fs", c.Result.Seconds)
	}
	if len(c.Earlier) > 0 && c.Earlier[0].Result.Verdict != c.Result.Verdict {
		x.Note += ", was " + string(c.Earlier[0].Result.Verdict)
	}
	return x
}

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
		p.Sign = mark(p.Word)
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
