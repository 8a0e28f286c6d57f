package web

import (
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/ortest/ortest/report/html"
)

// sheet is a page of tables. What comes from outside is plain strings, which
// the template escapes; only our own charts are markup.
type sheet struct {
	Style, Charts template.CSS
	Top           top
	Title, Note   string
	Sections      []section
	Newest, Older string // addresses of other parts of the list
}

type section struct {
	Title, Note, Text string
	Chart             template.HTML
	Columns           []column
	Rows              [][]cell
	Empty             string // said instead of a table without rows
}

type column struct {
	Name   string
	Number bool
}

// cell is text, or text with an address, or a word that is a verdict or a state.
// The first cell of a row names it.
type cell struct {
	Text, Link, Word string
	Number, Code     bool
}

// Sign stands beside a word for whoever does not tell colours apart.
func (c cell) Sign() string { return html.Mark(c.Word) }

func text(s string) cell { return cell{Text: s} }
func number(format string, args ...any) cell {
	return cell{Text: fmt.Sprintf(format, args...), Number: true}
}
func moment(t time.Time) cell { return cell{Text: clock(t), Number: true} }

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// columnsOf makes columns of names; one that begins with # holds numbers.
func columnsOf(names ...string) (all []column) {
	for _, n := range names {
		if n[0] == '#' {
			all = append(all, column{n[1:], true})
		} else {
			all = append(all, column{Name: n})
		}
	}
	return all
}

func (p *pages) write(r *http.Request, a *answer, s sheet) error {
	s.Style, s.Charts, s.Top = html.Style(), charts(), p.top(r, false)
	if err := p.templates.ExecuteTemplate(a, "page.gohtml", s); err != nil {
		return fmt.Errorf("render %s: %w", r.URL.Path, err)
	}
	return nil
}
