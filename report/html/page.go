package html

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/report"
)

//go:embed page.gohtml
var pageText string

//go:embed page.css
var pageCSS string

var page = template.Must(template.New("page").Parse(pageText))

// Policy is the Content-Security-Policy under which a page is to be served: no
// script, nothing from elsewhere, and the one style sheet that the page holds,
// by its hash. The page says the same itself, for when it is opened from a file.
func Policy() string {
	return filePolicy() + "; frame-ancestors 'none'"
}

// Style is the style sheet that Policy allows, for pages that belong to these.
func Style() template.CSS { return template.CSS(pageCSS) }

// filePolicy leaves out what a page cannot say of itself.
func filePolicy() string {
	sum := sha256.Sum256([]byte(pageCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// pageData is what the template reads. Foreign text is plain strings; only what
// this package made itself is typed as markup.
type pageData struct {
	Policy   string
	Style    template.CSS
	Run      RunView
	Word     string
	Sign     string
	Meaning  string
	Tally    string
	Head     string
	PullURL  string
	Took     string
	Trouble  []string
	Goals    []pageGoal
	Groups   []pageGroup
	Buckets  []pageBucket
	Warnings []string
}

type pageGoal struct {
	GoalView
	ID       string
	Word     string
	Sign     string
	Tally    string
	Progress string
	Result   *report.GoalResult
	Why      []string
	Versions [][2]string
	Leaks    []leak
	Warnings []report.Finding
}

type pageGroup struct {
	Title  string
	Folded bool
	Items  []pageItem
}

type pageItem struct {
	At, Address, Block, Name, Why, Detail, Kind string
	Goals                                       []string
	Chart                                       template.HTML
}

type pageBucket struct {
	Number   int
	Pieces   string
	Estimate string
}

// Page writes a run as one HTML page that needs nothing else: no script, no
// other file. It has the same bytes for the same run.
func Page(w io.Writer, run RunView) error {
	d := pageData{
		Policy: filePolicy(), Style: Style(), Run: run, Word: run.word(), Sign: Mark(run.word()), Meaning: meaning(run.word()),
		Head: run.Head[:min(12, len(run.Head))], PullURL: run.pullURL(),
	}
	d.Run.Command, d.Run.Author, d.Run.Cancelled = clean(run.Command), clean(run.Author), clean(run.Cancelled)
	for _, t := range run.Trouble {
		d.Trouble = append(d.Trouble, clean(t))
	}
	if run.State == "done" {
		d.Tally = tally(run.results()...)
		d.Groups = groups(run, run.results())
		if !run.EndedAt.IsZero() {
			d.Took = run.EndedAt.Sub(run.CreatedAt).Round(time.Second).String()
		}
	}
	for i, g := range run.Goals {
		d.Goals = append(d.Goals, pageGoalOf(i, g))
	}
	for i, b := range run.Plan.Buckets {
		var pieces []string
		for _, p := range b.Pieces {
			pieces = append(pieces, p.String())
		}
		d.Buckets = append(d.Buckets, pageBucket{i + 1, strings.Join(pieces, " "), minutes(b.Estimate)})
	}
	for _, x := range run.Plan.Warnings {
		d.Warnings = append(d.Warnings, clean(x))
	}
	var b bytes.Buffer
	if err := page.Execute(&b, d); err != nil {
		return fmt.Errorf("render page of run %s: %w", run.ID, err)
	}
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("write page of run %s: %w", run.ID, err)
	}
	return nil
}

// Mark is the sign of a verdict or a state in characters that every font has; GitHub's comments
// have pictures for them, a machine that opens the page may not.
func Mark(word string) string {
	switch word {
	case string(report.Pass):
		return "✓"
	case string(report.Known):
		return "~"
	case string(report.Fail):
		return "✗"
	case string(report.Incomplete):
		return "!"
	case "running":
		return "»"
	}
	return "·"
}

func pageGoalOf(i int, g GoalView) pageGoal {
	p := pageGoal{GoalView: g, ID: fmt.Sprintf("goal-%d", i+1), Word: g.word(), Sign: Mark(g.word()), Progress: g.progress(), Result: g.Result}
	p.Note = clean(g.Note)
	if g.Result == nil {
		return p
	}
	p.Tally = tally(*g.Result)
	p.Leaks = leaks(i+1, *g.Result)
	for _, why := range g.Result.Why {
		p.Why = append(p.Why, clean(why))
	}
	for k, v := range g.Result.Versions {
		p.Versions = append(p.Versions, [2]string{clean(k), clean(v)})
	}
	slices.SortFunc(p.Versions, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	for _, w := range g.Result.Warnings {
		w.Name, w.File = clean(w.Name), clean(w.File)
		p.Warnings = append(p.Warnings, w)
	}
	return p
}

// groups are the findings of all goals, class by class.
func groups(run RunView, gs []report.GoalResult) []pageGroup {
	all := clusters(gs)
	var out []pageGroup
	for _, h := range headings {
		g := pageGroup{Title: h.title, Folded: h.folded}
		for i, c := range all {
			if c.Class == h.class {
				g.Items = append(g.Items, itemOf(run, i, c))
			}
		}
		if len(g.Items) > 0 {
			out = append(out, g)
		}
	}
	return out
}

func itemOf(run RunView, i int, c cluster) pageItem {
	it := pageItem{
		At: clean(c.File), Address: run.permalink(c.in, c.File, c.Line), Block: clean(c.BlockName()), Name: clean(c.Name),
		Why: clean(c.Why), Detail: strings.Trim(clean(c.Detail), "\n"), Kind: c.Kind,
		Chart: chart(fmt.Sprintf("finding-%d", i+1), c.Samples),
	}
	for _, g := range c.goals {
		it.Goals = append(it.Goals, clean(g))
	}
	if c.Line > 0 {
		it.At = fmt.Sprintf("%s:%d", it.At, c.Line)
	}
	return it
}
