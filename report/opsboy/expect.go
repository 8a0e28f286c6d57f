package opsboy

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// expectationLines is the old tool's white list, an entry a line and in its
// order. BSD-2-Clause, (c) Yichun Zhang, OpenResty Inc.
//
//go:embed expectations.jsonl
var expectationLines []byte

// expectation is an entry of the white list: a failure is expected that fits
// all it says. What it does not say fits everything.
type expectation struct {
	Mode    *string // letters that stand together in the goal's mode
	File    *string
	Name    *pattern
	Details *pattern
	Arch    *string
}

// pattern is a text to be found as it stands, or a Perl regular expression.
type pattern struct {
	text       *string
	expression string
	compiled   *regexp.Regexp
}

// UnmarshalJSON takes a text, or an expression: {"regex": "…"}.
func (p *pattern) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		p.text = new(string)
		return json.Unmarshal(b, p.text)
	}
	var is struct{ Regex string }
	err := json.Unmarshal(b, &is)
	p.expression = is.Regex
	return err
}

// expectationsOf returns a project's entries.
func expectationsOf(project string) (list []*expectation, err error) {
	mark := []byte(`{"project":"` + project + `",`)
	for line := range bytes.Lines(expectationLines) {
		if !bytes.HasPrefix(line, mark) {
			continue
		}
		e := new(expectation)
		if err := json.Unmarshal(line, e); err != nil {
			return nil, fmt.Errorf("read white list: %w", err)
		}
		list = append(list, e)
	}
	return list, nil
}

// says tells whether the pattern is found in s. The old tool takes a name's
// text for an expression as well, and that of details where no file is given.
func (p *pattern) says(s string, alsoExpression bool) bool {
	if p.text != nil {
		if strings.Contains(s, *p.text) {
			return true
		}
		if !alsoExpression || !strings.ContainsAny(*p.text, `\.+*?()|[]{}^$`) {
			return false
		}
		p.expression = *p.text
	}
	if p.compiled == nil {
		p.compiled = perlExpression(p.expression)
	}
	return p.compiled.MatchString(s)
}

// perlExpression compiles what Perl writes. Where RE2 cannot (one text has a
// repeat above its limit) nothing is found, as that text is only meant as such.
func perlExpression(s string) *regexp.Regexp {
	s = strings.ReplaceAll(s, "(?^:", "(?-ims:")
	s = strings.ReplaceAll(s, "(?-xism:", "(?-ims:")
	re, err := regexp.Compile(strings.ReplaceAll(s, `\s`, `[\t-\r ]`))
	if err != nil {
		return regexp.MustCompile(`[^\s\S]`)
	}
	return re
}

// fits tells whether the entry covers a failure in a goal of its mode.
func (e *expectation) fits(f *failure, arch *string) bool {
	if e.File != nil && !same(e.File, f.File) {
		return false
	}
	if e.Name != nil {
		if !e.Name.says(or(f.Name), true) {
			return false
		}
		// Details count only where the name does.
		if e.Details != nil && !(isTrue(f.Details) && e.Details.says(*f.Details, e.File == nil)) {
			return false
		}
	}
	return e.Arch == nil || or(e.Arch) == or(arch)
}
