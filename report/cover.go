package report

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Misses says why an entry does not cover a finding: the first condition that
// does not hold. It is "" when the entry covers it, expired or not. nginx is the
// core's version as a log has it; a condition on one that is not known does not hold.
func (e *Expectation) Misses(f Finding, mode, arch, nginx string) string {
	if why := e.absent(mode, arch, nginx); why != "" {
		return why
	}
	switch {
	case e.Kind != f.Kind:
		return fmt.Sprintf("it names the kind %s, this is %s", e.Kind, f.Kind)
	case !e.In(f.File):
		return fmt.Sprintf("it names %s, this is in %s", e.Test, f.File)
	case !(e.Broad && e.Block == anyBlock) && e.Block != f.Block:
		return fmt.Sprintf("it names the block %q, this is %q", e.Block, f.Block)
	case e.Ordinal != 0 && e.Ordinal != f.Ordinal && (f.Ordinal != 0 || e.Number == 0 || e.Number != f.Number):
		return fmt.Sprintf("it names the block's ordinal %d, this is %d", e.Ordinal, f.Ordinal)
	case e.Outcome == "leak" && leastSquares(kib(f.Samples)) > e.MaxK:
		return fmt.Sprintf("it allows a slope of %g KiB a sample, this is %.1f", e.MaxK, leastSquares(kib(f.Samples)))
	}
	for i, m := range e.Match {
		got := f.field(m.Field)
		switch {
		case m.Equals != "" && got != m.Equals:
			return fmt.Sprintf("its %s is not %q", m.Field, m.Equals)
		case m.Contains != "" && !strings.Contains(got, m.Contains):
			return fmt.Sprintf("its %s does not contain %q", m.Field, m.Contains)
		case m.Regex != "" && !e.regexes[i].MatchString(got):
			return fmt.Sprintf("its %s does not match %q", m.Field, m.Regex)
		}
	}
	return ""
}

// absent says why an entry does not speak of a cell, or "" when it does.
func (e *Expectation) absent(mode, arch, nginx string) string {
	switch {
	case len(e.When.Mode) > 0 && !slices.Contains(e.When.Mode, mode):
		return fmt.Sprintf("it holds in the modes %s, this is %s", strings.Join(e.When.Mode, " "), mode)
	case len(e.When.Arch) > 0 && !slices.Contains(e.When.Arch, arch):
		return fmt.Sprintf("it holds on %s, this is %s", strings.Join(e.When.Arch, ", "), arch)
	case len(e.nginx) > 0 && !within(nginx, e.nginx):
		return fmt.Sprintf("it holds for nginx %s, this is %q", e.When.Nginx, nginx)
	}
	return ""
}

// In reports whether an entry speaks of a test file.
func (e *Expectation) In(file string) bool {
	if e.files != nil {
		return e.files.MatchString(file)
	}
	return e.Test == file
}

// strict reports whether a pass of the block is news.
func (e *Expectation) strict() bool {
	if e.Strict != nil {
		return *e.Strict
	}
	return e.Outcome == "fails" && !e.Broad
}

// expired reports whether the entry covers nothing any more.
func (e *Expectation) expired(now time.Time) bool {
	return !e.expires.IsZero() && !now.Before(e.expires)
}

// specific orders entries that cover the same finding: more conditions win.
func (e *Expectation) specific() int {
	n := 2 * len(e.Match)
	for _, given := range []bool{len(e.When.Mode) > 0, len(e.When.Arch) > 0, e.When.Nginx != "", e.Ordinal > 0} {
		if given {
			n++
		}
	}
	if !e.Broad {
		n += 100
	}
	return n
}

// tooOften reports whether what failed k times in n runs fails more often than
// the entry allows: fewer than one in a hundred series of its rate are as bad.
func (e *Expectation) tooOften(k, n int) bool {
	tail, choose := 0.0, 1.0
	for i := range n + 1 {
		if i > 0 {
			choose = choose * float64(n-i+1) / float64(i)
		}
		if i >= k {
			tail += choose * math.Pow(e.MaxRate, float64(i)) * math.Pow(1-e.MaxRate, float64(n-i))
		}
	}
	return tail < 0.01
}

// Named returns the finding with the block and the name that an assertion's
// text has, as printed: "TEST 3: title - response_body - response is expected".
func (f Finding) Named(text string) Finding {
	n, ok := splitName(text)
	f.Name = n.what
	if ok {
		f.Block, f.Number = n.title, n.number
	}
	return f
}

// field returns the part of a finding that a match speaks of.
func (f Finding) field(name string) string {
	switch name {
	case "name":
		return f.Name
	case "assertion":
		return strings.TrimPrefix(f.BlockName()+" - "+f.Name, " - ")
	case "stack":
		return f.Detail
	case "got":
		_, rest, _ := strings.Cut(f.Detail, "got: ")
		got, _, _ := strings.Cut(rest, "\n    expected: ")
		return strings.TrimSpace(got)
	case "want":
		_, want, _ := strings.Cut(f.Detail, "    expected: ")
		return strings.TrimSpace(want)
	}
	return f.Name + "\n" + f.Detail
}

// globRegexp compiles a pattern of paths: ** is anything, * and ? are not a slash.
func globRegexp(glob string) *regexp.Regexp {
	var s strings.Builder
	s.WriteString(`(?s)^`)
	for i := 0; i < len(glob); i++ {
		switch {
		case strings.HasPrefix(glob[i:], "**"):
			s.WriteString(`.*`)
			i++
		case glob[i] == '*':
			s.WriteString(`[^/]*`)
		case glob[i] == '?':
			s.WriteString(`[^/]`)
		default:
			s.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		}
	}
	re, err := regexp.Compile(s.String() + `$`)
	if err != nil {
		return regexp.MustCompile(`[^\s\S]`) // a path that is no UTF-8 names no file
	}
	return re
}

// bound is one condition on a version, such as >=1.27.
type bound struct {
	op      string
	version []int
}

var (
	reBound = regexp.MustCompile(`^(>=|<=|>|<|=)(\d{1,6}(?:\.\d{1,6}){0,3})$`)
	reCore  = regexp.MustCompile(`\d{1,6}(?:\.\d{1,6})+`)
)

func parseBounds(s string) ([]bound, error) {
	var all []bound
	for _, word := range strings.Fields(s) {
		m := reBound.FindStringSubmatch(word)
		if m == nil {
			return nil, errors.New("want conditions such as >=1.27 <1.29")
		}
		all = append(all, bound{m[1], numbers(m[2])})
	}
	return all, nil
}

func numbers(version string) []int {
	var all []int
	for _, word := range strings.Split(version, ".") {
		n, _ := strconv.Atoi(word)
		all = append(all, n)
	}
	return all
}

// within reports whether a version meets all conditions. What is left out of a
// condition counts as 0: >1.27 holds for 1.27.1.
func within(version string, all []bound) bool {
	core := reCore.FindString(version)
	if core == "" {
		return false
	}
	got := numbers(core)
	for _, b := range all {
		want := b.version
		for len(want) < len(got) {
			want = append(want[:len(want):len(want)], 0)
		}
		c := slices.Compare(got, want)
		if ok := map[string]bool{">=": c >= 0, "<=": c <= 0, ">": c > 0, "<": c < 0, "=": c == 0}[b.op]; !ok {
			return false
		}
	}
	return true
}
