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
	d.Sign = Mark(d.Word)
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
			all = append(all, indexCount{string(v), Mark(string(v)), n})
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
	x := indexCell{Page: pageName(c), Class: v[:1], Sign: Mark(v), Word: v, New: s.Since != "" && c.Tested > s.Since}
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
