package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Expectation is a reviewed claim that a failure is known. It covers only what
// it names: a crash or a memory error needs an entry of that kind.
type Expectation struct {
	ID      string `yaml:"id" json:"id"`                     // short and permanent; shown wherever it applies
	Broad   bool   `yaml:"broad" json:"broad,omitempty"`     // test may be a pattern and block "any"; never strict
	Test    string `yaml:"test" json:"test"`                 // t/043-shdict.t; where broad also t/**, with * and ? for what is no slash
	Block   string `yaml:"block" json:"block,omitempty"`     // title, exact; "" for a plain TAP script or what belongs to no block
	Number  int    `yaml:"number" json:"number,omitempty"`   // of the block when the entry was written; tells blocks of one title apart where the test file is not at hand
	Ordinal int    `yaml:"ordinal" json:"ordinal,omitempty"` // among blocks of one title; 0 is each of them
	Kind    string `yaml:"kind" json:"kind"`                 // of the finding; assert when left out
	Match   []struct {
		Field    string `yaml:"field" json:"field"` // name, assertion (block and name), got, want, stack (all diagnostics), message (name and diagnostics)
		Equals   string `yaml:"equals" json:"equals,omitempty"`
		Contains string `yaml:"contains" json:"contains,omitempty"`
		Regex    string `yaml:"regex" json:"regex,omitempty"` // RE2, anchored at both ends
	} `yaml:"match" json:"match,omitempty"` // all of them
	When struct {
		Mode  []string `yaml:"mode" json:"mode,omitempty"` // t, tv, …; none is all
		Arch  []string `yaml:"arch" json:"arch,omitempty"`
		Nginx string   `yaml:"nginx" json:"nginx,omitempty"` // core, such as ">=1.27 <1.29"
	} `yaml:"when" json:"when,omitzero"`
	Outcome string  `yaml:"outcome" json:"outcome"`             // fails, flaky, leak
	MaxRate float64 `yaml:"max_rate" json:"max_rate,omitempty"` // of failing runs, of what is flaky
	MaxK    float64 `yaml:"max_k" json:"max_k,omitempty"`       // slope in KiB a sample, of a leak
	Budget  int     `yaml:"budget" json:"budget"`               // different failures of a goal that it covers; 1 when left out
	Strict  *bool   `yaml:"strict" json:"strict,omitempty"`     // a pass is news; the default for fails
	Class   string  `yaml:"class" json:"class"`                 // why: timing, valgrind-slow, upstream-bug, env, design, imported
	Reason  string  `yaml:"reason" json:"reason"`               // a sentence
	Issue   string  `yaml:"issue" json:"issue,omitempty"`       // URL; may be left out in class design only
	Owner   string  `yaml:"owner" json:"owner"`                 // GitHub user or team
	Since   string  `yaml:"since" json:"since"`                 // date
	Expires string  `yaml:"expires" json:"expires,omitempty"`   // date, the first on which it covers nothing; never in class design only

	regexes []*regexp.Regexp
	files   *regexp.Regexp // of Test, where broad
	nginx   []bound
	expires time.Time // zero: never
}

const anyBlock = "any"

var (
	reID    = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{1,63}$`)
	reOwner = regexp.MustCompile(`^@?[A-Za-z0-9][A-Za-z0-9/_.-]{0,99}$`)

	matchFields = []string{"name", "assertion", "got", "want", "stack", "message"}
	outcomes    = []string{"fails", "flaky", "leak"}
	classes     = []string{"timing", "valgrind-slow", "upstream-bug", "env", "design", "imported"}
	modes       = []string{"t", "tr", "tw", "tv", "trv", "twv", "th", "thv", "tl", "to"}
	arches      = []string{"linux x86_64", "linux i386", "linux aarch64"}
)

const (
	maxRegex   = 1000
	minReason  = 20
	failsDays  = 180
	flakyDays  = 90
	maxEntries = 10_000

	maxExpectations = 8 << 20
)

// ReadExpectations reads a project's known failures, a list of entries. It is
// strict: an unknown key, a missing field or a bad value is an error that begins
// with NAME:LINE:COLUMN, and all of them are returned, joined. On an error
// nothing may be waived.
func ReadExpectations(name string, text []byte) ([]Expectation, error) {
	all, file, err := decodeExpectations(name, text)
	if err != nil {
		return nil, err
	}
	if len(all) > maxEntries {
		return nil, fmt.Errorf("%s:1:1: %d entries, more than %d", name, len(all), maxEntries)
	}
	var bad []error
	ids := make(map[string]int)
	for i := range all {
		complain := func(field, format string, args ...any) {
			bad = append(bad, fmt.Errorf("%s: %s", place(name, file, fmt.Sprintf("$[%d]", i), field), fmt.Sprintf(format, args...)))
		}
		all[i].settle(complain)
		if first, ok := ids[all[i].ID]; ok {
			complain("id", "id %q is also that of entry %d", all[i].ID, first+1)
		}
		ids[all[i].ID] = i
	}
	if len(bad) > 0 {
		return nil, errors.Join(bad...)
	}
	return all, nil
}

// decodeExpectations reads the YAML. The library panics on some malformed input
// (a tag before a scalar where a list is wanted), which is an error here too.
func decodeExpectations(name string, text []byte) (all []Expectation, file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			all, file, err = nil, nil, fmt.Errorf("%s:1:1: malformed YAML: %v", name, r)
		}
	}()
	if len(text) > maxExpectations {
		return nil, nil, fmt.Errorf("%s:1:1: %d bytes, more than %d", name, len(text), maxExpectations)
	}
	if file, err = parser.ParseBytes(text, 0); err != nil {
		return nil, nil, positioned(name, err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err = d.Decode(&all); err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, positioned(name, err)
	}
	return all, file, nil
}

// settle fills in defaults and complains about each bad field.
func (e *Expectation) settle(complain func(field, format string, args ...any)) {
	e.Kind = cmp.Or(e.Kind, kindAssert)
	e.Budget = cmp.Or(e.Budget, 1)
	if !reID.MatchString(e.ID) {
		complain("id", "id %q: want 2 to 64 of a-z, 0-9, '.', '_' and '-'", e.ID)
	}
	if err := testPath(e.Test); err != nil {
		complain("test", "test: %v", err)
	} else if strings.ContainsAny(e.Test, "*?[") && !e.Broad {
		complain("test", "test %q: patterns are not allowed, name one file (or say broad: true)", e.Test)
	}
	for i, field := range []string{"ordinal", "number", "budget"} {
		if n := []int{e.Ordinal, e.Number, e.Budget}[i]; n < 0 {
			complain(field, "%s %d is negative", field, n)
		}
	}
	if !kinds[e.Kind] {
		complain("kind", "kind %q is unknown", e.Kind)
	}
	e.settleOutcome(complain)
	if n, _ := splitTitle(e.Block); n != 0 {
		complain("block", "block %q: want the title alone; the number changes whenever a block is inserted", e.Block)
	}
	if e.Class != "" && !slices.Contains(classes, e.Class) {
		complain("class", "class %q: want one of %s", e.Class, strings.Join(classes, ", "))
	}
	if len(e.Reason) < minReason {
		complain("reason", "reason: want a sentence of at least %d characters", minReason)
	}
	if !reOwner.MatchString(e.Owner) {
		complain("owner", "owner %q is no GitHub user or team", e.Owner)
	}
	if u, err := url.Parse(e.Issue); e.Issue == "" && e.Class != "design" || e.Issue != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		complain("issue", "issue %q: want an https URL (it may be left out in class design)", e.Issue)
	}
	e.settleDates(complain)
	e.settleWhen(complain)
	e.settleMatch(complain)
}

// settleOutcome checks what the entry expects, and compiles where.
func (e *Expectation) settleOutcome(complain func(field, format string, args ...any)) {
	strict := e.Strict != nil && *e.Strict
	switch {
	case !slices.Contains(outcomes, e.Outcome):
		complain("outcome", "outcome %q: want one of %s", e.Outcome, strings.Join(outcomes, ", "))
	case e.Outcome != "fails" && strict:
		complain("strict", "what is %s cannot be strict", e.Outcome)
	case e.Broad && strict:
		complain("strict", "what is broad cannot be strict")
	case e.Outcome == "leak" && e.Kind != kindLeak:
		complain("kind", "outcome leak is for kind %s", kindLeak)
	}
	if e.Outcome == "flaky" && !(e.MaxRate > 0 && e.MaxRate < 1) {
		complain("max_rate", "max_rate %g: what is flaky needs one between 0 and 1", e.MaxRate)
	}
	if e.Outcome == "leak" && !(e.MaxK > 0) {
		complain("max_k", "max_k %g: a leak needs a slope above 0", e.MaxK)
	}
	if e.Outcome != "flaky" && e.MaxRate != 0 {
		complain("max_rate", "max_rate is for outcome flaky")
	}
	if e.Outcome != "leak" && e.MaxK != 0 {
		complain("max_k", "max_k is for outcome leak")
	}
	if e.Broad {
		e.files = globRegexp(e.Test)
	}
	var err error
	if e.nginx, err = parseBounds(e.When.Nginx); err != nil {
		complain("when", "nginx %q: %v", e.When.Nginx, err)
	}
}

func (e *Expectation) settleDates(complain func(field, format string, args ...any)) {
	since, err := time.Parse(time.DateOnly, e.Since)
	if err != nil {
		complain("since", "since %q: want a date such as 2026-01-31", e.Since)
		return
	}
	if e.Expires == "never" && e.Class == "design" {
		return
	}
	e.expires, err = time.Parse(time.DateOnly, e.Expires)
	days := failsDays
	if e.Outcome == "flaky" {
		days = flakyDays
	}
	switch {
	case err != nil:
		complain("expires", "expires %q: want a date such as 2026-01-31 (never only in class design)", e.Expires)
	case !e.expires.After(since):
		complain("expires", "expires %s is not after since", e.Expires)
	case e.expires.After(since.AddDate(0, 0, days)):
		complain("expires", "expires %s is more than %d days after since; renew it when it is due", e.Expires, days)
	}
}

func (e *Expectation) settleWhen(complain func(field, format string, args ...any)) {
	for _, m := range e.When.Mode {
		if !slices.Contains(modes, m) {
			complain("when", "mode %q: want one of %s", m, strings.Join(modes, " "))
		}
	}
	for _, a := range e.When.Arch {
		if !slices.Contains(arches, a) {
			complain("when", "arch %q: want one of %s", a, strings.Join(arches, ", "))
		}
	}
}

func (e *Expectation) settleMatch(complain func(field, format string, args ...any)) {
	e.regexes = make([]*regexp.Regexp, len(e.Match))
	for i, m := range e.Match {
		if !slices.Contains(matchFields, m.Field) {
			complain("match", "match field %q: want one of %s", m.Field, strings.Join(matchFields, ", "))
		}
		given := 0
		for _, s := range []string{m.Equals, m.Contains, m.Regex} {
			if s != "" {
				given++
			}
		}
		if given != 1 {
			complain("match", "match: want one of equals, contains and regex, not %d", given)
		}
		if m.Regex == "" {
			continue
		}
		re, err := regexp.Compile(`(?s)^(?:` + m.Regex + `)$`)
		switch {
		case len(m.Regex) > maxRegex:
			complain("match", "regex has %d bytes, more than %d", len(m.Regex), maxRegex)
		case err != nil:
			complain("match", "regex: %v", err)
		case re.MatchString(""):
			complain("match", "regex %q matches nothing at all, so it matches everything", m.Regex)
		}
		e.regexes[i] = re
	}
}

// place returns NAME:LINE:COLUMN of an entry's field, or of the entry.
func place(name string, file *ast.File, paths ...string) string {
	path := strings.Join(paths, ".")
	for {
		if p, err := yaml.PathString(path); err == nil {
			if node, err := p.FilterFile(file); err == nil && node.GetToken() != nil {
				at := node.GetToken().Position
				return fmt.Sprintf("%s:%d:%d", name, at.Line, at.Column)
			}
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			return name + ":1:1"
		}
		path = path[:i]
	}
}

// positioned rewrites a YAML error as NAME:LINE:COLUMN: message.
func positioned(name string, err error) error {
	var ye yaml.Error
	if !errors.As(err, &ye) || ye.GetToken() == nil {
		return fmt.Errorf("%s:1:1: %w", name, err)
	}
	at := ye.GetToken().Position
	return fmt.Errorf("%s:%d:%d: %s", name, at.Line, at.Column, ye.GetMessage())
}
