package result

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/report"
)

// The elements of the JUnit format as Jenkins's schema has them, in its order.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr,omitempty"`
	Hostname   string          `xml:"hostname,attr,omitempty"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []*junitCase    `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	File    string       `xml:"file,attr,omitempty"`
	Line    int          `xml:"line,attr,omitempty"`
	Skipped *junitReason `xml:"skipped"`
	Error   *junitReason `xml:"error"`
	Failure *junitReason `xml:"failure"`
}

type junitReason struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// JUnit writes a suite for each cell and a case for each block: under its
// title, which stays when blocks are renumbered. What did not run is an error,
// an expected failure is skipped, and a cell that is not good has at least one
// failure or error.
func JUnit(w io.Writer, cells []Cell) error {
	all := junitSuites{Name: "ortest"}
	seconds := 0.0
	for _, c := range cells {
		s := suiteOf(c)
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
		seconds += c.Result.Seconds
		all.Suites = append(all.Suites, s)
	}
	all.Time = fmt.Sprintf("%.3f", seconds)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", " ")
	if err := enc.Encode(all); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func suiteOf(c Cell) junitSuite {
	s := junitSuite{
		Name: strings.Join(slices.DeleteFunc([]string{c.Result.Goal, c.Arch, prefixed("nginx ", c.Nginx)}, func(x string) bool { return x == "" }), ", "),
		Time: fmt.Sprintf("%.3f", c.Result.Seconds),
	}
	if t, err := time.Parse(TimeFormat, c.Tested); err == nil {
		s.Timestamp = t.Format("2006-01-02T15:04:05")
	}
	property := func(name, v string) {
		if v != "" {
			s.Properties = append(s.Properties, junitProperty{name, v})
		}
	}
	property("verdict", string(c.Result.Verdict))
	property("repository", c.Result.Repo)
	property("commit", c.Result.Commit)
	property("run", c.Run)
	for _, d := range deps(c.Result) {
		property(d.Name, d.Version)
	}
	s.Cases = casesOf(c.Goal)
	for _, x := range s.Cases {
		s.Tests++
		switch {
		case x.Failure != nil:
			s.Failures++
		case x.Error != nil:
			s.Errors++
		case x.Skipped != nil:
			s.Skipped++
		}
	}
	return s
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// casesOf makes the cases of files and blocks and hangs the findings on them.
func casesOf(g Goal) []*junitCase {
	var cases []*junitCase
	at := make(map[[2]string]*junitCase)
	put := func(class, name, file string, line int) *junitCase {
		key := [2]string{class, name}
		if at[key] == nil {
			at[key] = &junitCase{Class: class, Name: name, File: file, Line: line}
			cases = append(cases, at[key])
		}
		return at[key]
	}
	ordinals := make(map[blockID]int) // a log tells blocks of one title apart by their numbers
	for _, f := range g.Files {
		for _, b := range f.Blocks {
			ordinals[blockID{f.Path, b.Number, b.Title}] = b.Ordinal
			x := put(f.Path, caseName(b.Title, b.Ordinal), f.Path, b.Line)
			if b.State == "skipped" {
				x.Skipped = &junitReason{Message: "skipped"}
			}
		}
		if len(f.Blocks) == 0 && !slices.ContainsFunc(g.Result.Findings, func(x report.Finding) bool { return x.File == f.Path && x.Block != "" }) {
			if x := put(f.Path, wholeFile, f.Path, 0); f.State == "skipped" {
				x.Skipped = &junitReason{Message: cmp.Or(f.Why, "skipped")}
			}
		}
	}
	for _, f := range g.Result.Findings {
		name := caseName(f.Block, cmp.Or(f.Ordinal, ordinals[of(f)]))
		if f.Block == "" && f.File != "" {
			name = wholeFile
		} else if f.Block == "" {
			name = f.Kind
		}
		hang(put(cmp.Or(f.File, g.Result.Goal), name, f.File, f.Line), f)
	}
	if len(cases) == 0 {
		put(g.Result.Goal, "goal", "", 0)
	}
	return cases
}

// wholeFile is the case of what belongs to no block.
const wholeFile = "(file)"

func caseName(title string, ordinal int) string {
	if ordinal > 1 {
		return fmt.Sprintf("%s #%d", title, ordinal)
	}
	return cmp.Or(title, "(no title)")
}

// hang adds a finding to its case. Of several the first, which is of the worst
// class, gives the message.
func hang(x *junitCase, f report.Finding) {
	r := &junitReason{Message: f.Name, Type: f.Kind, Text: strings.Trim(f.Detail+"\n\n"+string(f.Class)+": "+f.Why, "\n")}
	if old := cmp.Or(x.Failure, x.Error); old != nil {
		old.Text += "\n\n" + f.Name + "\n" + r.Text
		return
	}
	switch f.Class {
	case report.Expected:
		if x.Skipped == nil {
			r.Message = "expected failure: " + f.Name
			x.Skipped = r
		}
		return
	case report.NotRun, report.Infrastructure:
		x.Error = r
	default:
		x.Failure = r
	}
	x.Skipped = nil
}
