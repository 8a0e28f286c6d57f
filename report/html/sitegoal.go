package html

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/result"
)

// What a goal's page shows of long lists; its data have all.
const (
	shownItems   = 200
	shownHistory = 20
	detailLines  = 200
	detailBytes  = 8 << 10
)

// goalData is what the template of a goal's page reads.
type goalData struct {
	chrome
	Title, Goal, Mode, Word, Sign, Meaning, Tally, Arch, Core string
	Why                                                       []string
	Facts                                                     []fact
	Versions                                                  []fact
	Unexpected                                                []goalGroup
	Expected                                                  []goalItem
	MoreExpected                                              int
	Warnings                                                  []goalItem
	MoreWarnings                                              int
	Leaks                                                     []leak
	History                                                   []goalRun
	Near                                                      template.HTML
	Commands                                                  []fact
	Data                                                      string
}

type fact struct{ Name, Value, Address string }

type goalGroup struct {
	Title string
	N     int
	Items []goalItem
	More  int
}

type goalItem struct {
	ID, Kind, At, Address, Block, Name, Why, Detail, Log, Bundle string
	Chart                                                        template.HTML
}

// goalRun is an earlier result of the same cell.
type goalRun struct {
	Tested, Word, Sign, Tally, Commit, Address, Run string
	Tests                                           int
	Seconds                                         float64
	This                                            bool
}

type nearRow struct {
	Name  string
	Cells []nearCell
}

type nearCell struct{ Mode, Page, Word, Sign string }

func (s Site) page(ch chrome, c result.Cell, near map[string]template.HTML) goalData {
	r, word := c.Result, string(c.Result.Verdict)
	d := goalData{
		chrome: ch, Goal: clean(r.Goal), Word: word, Sign: Mark(word), Meaning: meaning(word), Tally: tally(r),
		Arch: archName(c.Arch), Core: coreName(c.Nginx), Data: "../" + DataName(c), Leaks: leaks(1, r), Mode: s.modeTitle(c.Mode()),
	}
	d.Title = fmt.Sprintf("%s: %s, %s, %s", word, d.Goal, d.Arch, d.Core)
	for _, why := range r.Why {
		d.Why = append(d.Why, clip(clean(why), 500))
	}
	d.Facts, d.Versions = s.facts(c), versions(r)
	s.items(&d, c)
	d.History = s.history(c)
	d.Near = near[c.Project()]
	d.Commands = commands(r)
	return d
}

func (s Site) modeTitle(mode string) string {
	i := slices.IndexFunc(s.Modes, func(m plan.Mode) bool { return m.Name == mode })
	if i < 0 {
		return ""
	}
	return s.Modes[i].Title
}

// facts is the summary: all that the old report's had, and the census.
func (s Site) facts(c result.Cell) []fact {
	r := c.Result
	expected := r.Count(report.Expected)
	var tree string
	if url := s.repoURL(c.Goal); url != "" && r.Commit != "" {
		tree = url + "/tree/" + escapePath(r.Commit) + "/t"
	}
	all := []fact{
		{"Project", clean(r.Repo), s.repoURL(c.Goal)},
		{"Commit", clean(r.Commit), s.commitURL(c.Goal)},
		{"Committed", clean(c.CommitDate), ""},
		{"Tested", utc(c.Tested), ""},
		{"Unexpected failures", fmt.Sprint(len(r.Findings) - expected), "#unexpected"},
		{"Expected failures", fmt.Sprint(expected), "#expected"},
		{"Test files", outOf(r.Files, r.Planned), tree},
		{"Blocks", outOf(r.Blocks, r.Expected), ""},
		{"Tests", fmt.Sprint(r.Tests), ""},
		{"Elapsed", fmt.Sprintf("%.0f s", r.Seconds), ""},
		{"Run", clean(c.Run), ""},
		{"Log", logPlace(c.Log), ""},
	}
	return slices.DeleteFunc(all, func(f fact) bool { return f.Value == "" })
}

// outOf writes what ran of what was planned; a log without a census knows only the first.
func outOf(n, of int) string {
	if of == 0 {
		if n == 0 {
			return ""
		}
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d of %d", n, of)
}

func utc(t string) string {
	if t == "" {
		return ""
	}
	return clean(t) + " UTC"
}

func logPlace(l result.Log) string {
	if l.Name == "" {
		return ""
	}
	if l.Bytes == 0 {
		return clean(l.Name)
	}
	return fmt.Sprintf("%s, bytes %d to %d", clean(l.Name), l.Offset, l.Offset+l.Bytes)
}

// versionNames are how people write them.
var versionNames = map[string]string{"luajit": "LuaJIT", "openssl": "OpenSSL", "pcre": "PCRE"}

// revisions are where a version's commit is looked at.
var revisions = map[string]string{"luajit": "https://github.com/openresty/luajit2/commit/"}

func versions(r report.GoalResult) []fact {
	var all []fact
	for k, v := range r.Versions {
		f := fact{Name: cmp.Or(versionNames[k], clean(k)), Value: clean(v)}
		if name, ok := strings.CutSuffix(k, "_commit"); ok {
			f.Name = cmp.Or(versionNames[name], clean(name)) + " commit"
			if at := revisions[name]; at != "" {
				f.Address = at + escapePath(v)
			}
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b fact) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return all
}

// items fills in the findings, the expected ones apart, and the warnings.
func (s Site) items(d *goalData, c result.Cell) {
	seen := make(map[string]bool)
	for _, h := range headings {
		g := goalGroup{Title: h.title}
		for _, f := range c.Result.Findings {
			if f.Class != h.class {
				continue
			}
			g.N++
			if len(g.Items) == shownItems {
				g.More++
				continue
			}
			it := s.item(c, f, len(seen))
			if seen[it.ID] {
				it.ID = ""
			}
			seen[it.ID] = true
			g.Items = append(g.Items, it)
		}
		switch {
		case g.N == 0:
		case h.class == report.Expected:
			d.Expected, d.MoreExpected = g.Items, g.More
		default:
			d.Unexpected = append(d.Unexpected, g)
		}
	}
	for i, w := range c.Result.Warnings {
		if i == shownItems {
			d.MoreWarnings = len(c.Result.Warnings) - i
			break
		}
		d.Warnings = append(d.Warnings, goalItem{At: clean(w.File), Name: clip(clean(w.Name), 1000)})
	}
}

func (s Site) item(c result.Cell, f report.Finding, n int) goalItem {
	it := goalItem{
		ID: anchor(f), Kind: kindName(f.Kind), At: place(f), Address: s.runOf().permalink(c.Result, f.File, f.Line),
		Block: clean(f.BlockName()), Name: clip(clean(f.Name), 2000), Why: clip(clean(f.Why), 500),
		Detail: excerpt(f.Detail, detailLines, detailBytes), Chart: chart(fmt.Sprintf("c%d", n), f.Samples),
	}
	if f.Offset > 0 {
		it.Log = fmt.Sprintf("byte %d of the log", f.Offset)
	}
	if s.Bundle != nil {
		if at := s.Bundle(c, f.Fingerprint()); at != "" {
			it.Bundle = "../" + at
		}
	}
	return it
}

// history is this result and those before it, the newest first.
func (s Site) history(c result.Cell) []goalRun {
	var all []goalRun
	for i, g := range append([]result.Goal{c.Goal}, c.Earlier...) {
		if i == shownHistory {
			break
		}
		word := string(g.Result.Verdict)
		all = append(all, goalRun{
			Tested: cmp.Or(utc(g.Tested), "unknown"), Word: word, Sign: Mark(word), Tally: tally(g.Result), Commit: short(g.Result.Commit),
			Address: s.commitURL(g), Run: clean(g.Run), Tests: g.Result.Tests, Seconds: g.Result.Seconds, This: i == 0,
		})
	}
	return all
}

// near renders for each project its cells, a row for each arch and nginx core,
// once for all of its pages: with ten modes on three arches and nginx cores
// that would be most of the work.
func (s Site) near() (map[string]template.HTML, error) {
	rows := make(map[string][]nearRow)
	var last result.Cell
	for _, c := range s.Cells {
		p, word := c.Project(), string(c.Result.Verdict)
		if last.Arch != c.Arch || last.Nginx != c.Nginx || last.Project() != p || len(rows[p]) == 0 {
			rows[p] = append(rows[p], nearRow{Name: archName(c.Arch) + ", " + coreName(c.Nginx)})
		}
		row := &rows[p][len(rows[p])-1]
		row.Cells = append(row.Cells, nearCell{clean(c.Mode()), c.Name + ".html", word, Mark(word)})
		last = c
	}
	all := make(map[string]template.HTML, len(rows))
	for p, r := range rows {
		b, err := render("near", r)
		if err != nil {
			return nil, err
		}
		all[p] = template.HTML(b)
	}
	return all, nil
}

// commands are how to see it again.
func commands(g report.GoalResult) []fact {
	args := []string{"ortest run", shellWord(g.Goal)}
	var files []string
	for _, f := range g.Findings {
		if strings.HasSuffix(f.File, ".t") && f.Class != report.Expected && !slices.Contains(files, f.File) {
			files = append(files, f.File)
		}
	}
	all := []fact{{Name: "The goal", Value: strings.Join(args, " ")}}
	for i, f := range files {
		if i == 3 {
			break
		}
		all = append(all, fact{Name: "Only " + clean(f), Value: strings.Join(append(slices.Clone(args), "--files", shellWord(f)), " ")})
	}
	return all
}

// shellWord quotes foreign text for a shell line that a person copies.
func shellWord(s string) string {
	s = strings.Join(strings.Fields(clean(s)), " ")
	if s != "" && !strings.HasPrefix(s, "-") && strings.IndexFunc(s, unsafe) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
