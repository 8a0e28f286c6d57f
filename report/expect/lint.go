package expect

import (
	"fmt"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/ortest/ortest/report"
)

// Linting is what a file of expectations is held against.
type Linting struct {
	Now   time.Time
	Modes []string          // that the project has
	Files []report.TestFile // its test files; nil when they are not at hand
	Runs  []Run             // judged logs of the project; without any, nothing is called unused
}

// Problem is what is wrong with an entry, at its place in the file.
type Problem struct {
	Place   string `json:"place"` // FILE:LINE:COLUMN
	ID      string `json:"id,omitempty"`
	Cause   string `json:"cause"` // dead file, dead title, moved, duplicate, shadowed, too broad, expired, expires soon, unused, no such mode, invalid
	Text    string `json:"text"`
	Warning bool   `json:"warning,omitempty"` // worth knowing, and no reason to fail
}

const soonDays = 14 // before an entry expires it is told

// Lint says what is wrong with a file of expectations. One that cannot be read
// has only problems of the cause invalid.
func Lint(name string, text []byte, in Linting) []Problem {
	exps, err := report.ReadExpectations(name, text)
	if err != nil {
		return invalid(err)
	}
	l := linter{name: name, in: in, exps: exps, nodes: entries(text)}
	for i := range exps {
		l.at = i
		l.expiry()
		l.matrix()
		l.breadth()
		l.place()
		l.others()
		l.use()
	}
	return l.out
}

// invalid makes a problem of each error of a file.
func invalid(err error) []Problem {
	var out []Problem
	for _, line := range strings.Split(err.Error(), "\n") {
		place, text := line, ""
		if m := rePlace.FindStringSubmatch(line); m != nil {
			place, text = m[1], m[2]
		}
		out = append(out, Problem{Place: place, Cause: "invalid", Text: text})
	}
	return out
}

var rePlace = regexp.MustCompile(`^(.*?:\d+:\d+): (.*)$`)

type linter struct {
	name  string
	in    Linting
	exps  []report.Expectation
	nodes []*ast.MappingNode
	at    int // index of the entry
	out   []Problem
}

// entries returns the node of each entry. The text has been read once already.
func entries(text []byte) []*ast.MappingNode {
	file, err := parser.ParseBytes(text, 0)
	if err != nil || len(file.Docs) == 0 {
		return nil
	}
	seq, ok := file.Docs[0].Body.(*ast.SequenceNode)
	if !ok {
		return nil
	}
	var all []*ast.MappingNode
	for _, v := range seq.Values {
		m, _ := v.(*ast.MappingNode)
		all = append(all, m)
	}
	return all
}

// say adds a problem at a field of the entry, or where the entry begins.
func (l *linter) say(field, cause, format string, args ...any) *Problem {
	line, column := 1, 1
	if l.at < len(l.nodes) && l.nodes[l.at] != nil {
		for i, v := range l.nodes[l.at].Values {
			t := v.Key.GetToken()
			if i == 0 || t.Value == field {
				line, column = t.Position.Line, t.Position.Column
			}
			if t.Value == field {
				break
			}
		}
	}
	e := l.exps[l.at]
	l.out = append(l.out, Problem{Place: fmt.Sprintf("%s:%d:%d", l.name, line, column), ID: e.ID, Cause: cause, Text: fmt.Sprintf(format, args...)})
	return &l.out[len(l.out)-1]
}

func (l *linter) expiry() {
	e := l.exps[l.at]
	end, err := time.Parse(time.DateOnly, e.Expires)
	switch {
	case err != nil: // never
	case !l.in.Now.Before(end):
		l.say("expires", "expired", "it expired on %s and covers nothing any more; %s owns it: renew or remove it", e.Expires, e.Owner)
	case !l.in.Now.Before(end.AddDate(0, 0, -soonDays)):
		l.say("expires", "expires soon", "it expires on %s; %s owns it", e.Expires, e.Owner).Warning = true
	}
}

func (l *linter) matrix() {
	for _, m := range l.exps[l.at].When.Mode {
		if !slices.Contains(l.in.Modes, m) {
			l.say("when", "no such mode", "the project has no mode %s", m)
		}
	}
}

// breadth finds what covers whatever fails. The old list's are only told of:
// they were as wide before, and expire.
func (l *linter) breadth() {
	e := l.exps[l.at]
	old := e.Class == "imported"
	if e.Broad && e.Block == "any" && len(e.Match) == 0 {
		l.say("broad", "too broad", "it covers whatever fails in %s; name a block or say what the failure looks like", e.Test).Warning = old
	}
	for _, m := range e.Match {
		if m.Regex != "" && matchesAll(m.Regex) {
			l.say("match", "too broad", "the regex %q matches every text", m.Regex).Warning = old
		}
	}
}

// matchesAll tries a regex on texts that have nothing to do with each other.
func matchesAll(re string) bool {
	r, err := regexp.Compile(`(?s)^(?:` + re + `)$`)
	return err == nil && r.MatchString("x") && r.MatchString("response_body - is 17") && r.MatchString("\n[ü]\n")
}

// place holds file and title against the test files.
func (l *linter) place() {
	if l.in.Files == nil {
		return
	}
	e := l.exps[l.at]
	if e.Broad {
		if !slices.ContainsFunc(l.in.Files, func(f report.TestFile) bool { return e.In(f.Path) }) {
			l.say("test", "dead file", "no test file matches %s", e.Test)
		}
		return
	}
	i := slices.IndexFunc(l.in.Files, func(f report.TestFile) bool { return f.Path == e.Test })
	if i < 0 {
		text := ""
		if moved := byName(l.in.Files, path.Base(e.Test)); len(moved) == 1 {
			text = "; did you mean " + moved[0] + "?"
		}
		l.say("test", "dead file", "%s does not exist%s", e.Test, text)
		return
	}
	l.title(e, l.in.Files[i])
}

func (l *linter) title(e report.Expectation, f report.TestFile) {
	if e.Block == "" {
		return
	}
	b, place := Locate(f, e.Block, e.Number)
	switch place {
	case Found, Moved:
		if place == Moved && e.Number > 0 && same(f, e.Block) == 1 {
			l.say("number", "moved", "its block is TEST %d now, not %d", b.Number, e.Number).Warning = true
		}
		if n := same(f, e.Block); e.Ordinal > n {
			l.say("ordinal", "dead title", "%s has %d blocks of this title, none is number %d", e.Test, n, e.Ordinal)
		}
		if b.Skip == "SKIP" {
			l.say("block", "dead title", "TEST %d is marked SKIP: it never runs", b.Number)
		}
	case Renamed, Similar:
		l.say("block", "dead title", "%s has no block %q; did you mean %q (TEST %d, line %d)?", e.Test, e.Block, b.Title, b.Number, b.Line)
	case Gone:
		l.say("block", "dead title", "%s has no block %q", e.Test, e.Block)
	}
}

// others looks for an entry that makes this one needless.
func (l *linter) others() {
	e := l.exps[l.at]
	for i, o := range l.exps {
		if i == l.at {
			continue
		}
		wider, narrower := covers(o, e), covers(e, o)
		switch {
		case wider && narrower && i < l.at:
			l.say("id", "duplicate", "it covers the same as %s", o.ID)
			return
		case wider && !narrower:
			l.say("id", "shadowed", "all that it covers is covered by %s too", o.ID)
			return
		}
	}
}

// covers reports whether all that b covers is covered by a, as far as it can be
// told without trying every text.
func covers(a, b report.Expectation) bool {
	return a.Kind == b.Kind && a.Outcome == b.Outcome && a.MaxRate >= b.MaxRate && a.MaxK >= b.MaxK &&
		(a.Test == b.Test || a.Broad && (a.Test == "**" || a.In(b.Test))) &&
		(a.Block == b.Block || a.Broad && a.Block == "any") &&
		(a.Ordinal == 0 || a.Ordinal == b.Ordinal) && matchWithin(a, b) &&
		within(a.When.Mode, b.When.Mode) && within(a.When.Arch, b.When.Arch) && (a.When.Nginx == "" || a.When.Nginx == b.When.Nginx)
}

// matchWithin reports whether each condition of a is one of b's, or follows from one.
func matchWithin(a, b report.Expectation) bool {
	for _, m := range a.Match {
		implied := false
		for _, o := range b.Match {
			implied = implied || reflect.DeepEqual(m, o) || m.Field == o.Field && m.Contains != "" && strings.Contains(o.Contains+o.Equals, m.Contains)
			implied = implied || m.Field == "assertion" && o.Field == "name" && m.Contains != "" && strings.Contains(" - "+o.Contains, m.Contains) && o.Contains != ""
		}
		if !implied {
			return false
		}
	}
	return true
}

// within reports whether what is said of b's values holds for a's: none is all.
func within(a, b []string) bool {
	if len(a) == 0 {
		return true
	}
	for _, v := range b {
		if !slices.Contains(a, v) {
			return false
		}
	}
	return len(b) > 0
}

// use finds what no log needs, and what covers more than it may.
func (l *linter) use() {
	if len(l.in.Runs) == 0 {
		return
	}
	u := UseOf(&l.exps[l.at], l.in.Runs)
	switch {
	case u.Eligible > 0 && len(u.Hits) == 0:
		l.say("id", "unused", "it covers nothing in %d goals that it speaks of", u.Eligible)
	case u.Different > l.exps[l.at].Budget:
		l.say("budget", "too broad", "it covers %d different failures of one goal, its budget is %d", u.Different, l.exps[l.at].Budget)
	}
}
