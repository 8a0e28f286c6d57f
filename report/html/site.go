package html

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"regexp"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report/result"
)

//go:embed site.gohtml
var siteText string

//go:embed site.css
var siteCSS string

//go:embed site.js
var siteJS string

var siteTemplates = template.Must(template.New("site").Parse(siteText))

// Site is a static report of many goals: an index and a page for each cell. It
// needs no server and no script, and has the same bytes for the same input.
type Site struct {
	Cells      []result.Cell // as result.Cells sorted them
	Trouble    []string      // what was wrong with the logs themselves; with any the report is not good
	Modes      []plan.Mode   // what a mode's letters stand for
	Forge      string        // "https://github.com"; no links when empty
	Since      string        // results that are newer are marked, in result.TimeFormat; none when empty
	Archive    string        // address of older reports, for the foot of the index
	Maintainer string        // whom to ask, for the foot of the index
	// Bundle returns the address of the repro bundle of the finding with a
	// fingerprint, relative to the index, or "". It may be nil.
	Bundle func(c result.Cell, print string) string
}

// Write hands over each file by its name: index.html, and g/NAME.html for each
// cell. put may be called by several goroutines at once; its first error ends
// the writing.
func (s Site) Write(put func(name string, content []byte) error) error {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	chrome := newChrome()
	group.Go(func() error {
		b, err := render("index", s.index(chrome))
		if err != nil {
			return err
		}
		return put("index.html", b)
	})
	near, err := s.near()
	if err != nil {
		return errors.Join(err, group.Wait())
	}
	for _, c := range s.Cells {
		group.Go(func() error {
			b, err := render("goal", s.page(chrome, c, near))
			if err != nil {
				return err
			}
			return put(pageName(c), b)
		})
	}
	return group.Wait()
}

func pageName(c result.Cell) string { return "g/" + c.Name + ".html" }

// DataName is the name of a cell's JSON beside the index.
func DataName(c result.Cell) string { return "data/" + c.Name + ".json" }

func render(name string, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := siteTemplates.ExecuteTemplate(&b, name, data); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// chrome is what every page of a site holds.
type chrome struct {
	Policy       string
	ScriptPolicy string
	Style        template.CSS
	Script       template.JS
}

func newChrome() chrome {
	css := compact(pageCSS + siteCSS)
	policy := "default-src 'none'; style-src '" + hashOf(css) + "'; base-uri 'none'; form-action 'none'"
	return chrome{
		Policy: policy, ScriptPolicy: policy + "; script-src '" + hashOf(siteJS) + "'",
		Style: template.CSS(css), Script: template.JS(siteJS),
	}
}

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// compact drops from a style sheet of ours, which every page repeats, the blanks
// that mean nothing. It knows no strings and no comments; ours has none.
func compact(css string) string {
	return reBlank.ReplaceAllString(strings.Join(strings.Fields(css), " "), "$1$2")
}

var reBlank = regexp.MustCompile(` ?([{};,]) ?|(:) `)

// runOf is the view that links and headings need.
func (s Site) runOf() RunView { return RunView{Forge: s.Forge, State: "done"} }

// commitURL returns the address of the commit that was tested, or "".
func (s Site) commitURL(g result.Goal) string {
	if s.Forge == "" || g.Result.Repo == "" || g.Result.Commit == "" {
		return ""
	}
	return s.repoURL(g) + "/commit/" + escapePath(g.Result.Commit)
}

func (s Site) repoURL(g result.Goal) string {
	if s.Forge == "" || g.Result.Repo == "" {
		return ""
	}
	return strings.TrimSuffix(s.Forge, "/") + "/" + escapePath(g.Result.Repo)
}

func short(commit string) string { return clean(commit[:min(8, len(commit))]) }

// coreName is what a section of nginx is called.
func coreName(nginx string) string {
	if nginx == "" {
		return "without nginx"
	}
	return "nginx " + clean(nginx)
}

func archName(arch string) string {
	if arch == "" {
		return "unknown arch"
	}
	return clean(arch)
}
