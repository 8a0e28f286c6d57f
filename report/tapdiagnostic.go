package report

import (
	"bytes"
	"strconv"
	"strings"
)

// diagnostic reads a comment line: the head of a failure, or a note about a file.
func (s *scan) diagnostic(l line) {
	b := l.b
	rest, ok := bytes.CutPrefix(b, []byte("#   Failed test"))
	if ok {
		s.open = &capture{kept: true, f: Finding{Kind: kindAssert, Offset: l.off}}
		s.rec.Proving = true
		s.headline(rest)
		return
	}
	if bytes.HasPrefix(b, []byte("#   Failed (TODO) test")) {
		s.open = &capture{named: true}
		return
	}
	if bytes.HasPrefix(b, []byte("# Looks like you planned ")) || bytes.HasPrefix(b, []byte("# Looks like your test ")) ||
		bytes.HasPrefix(b, []byte("# I found ONLY")) {
		s.warn(string(b[2:]), "", l.off)
	}
	if s.census == nil && bytes.HasPrefix(b, []byte("# I found ONLY")) {
		s.add(Finding{Kind: kindNotRun, Name: "only a block that is marked ONLY ran, and none of the file's others", File: s.here(), Offset: l.off})
	}
}

// headline reads " 'NAME'", " 'NAME" of several lines, " at FILE line N." or "".
func (s *scan) headline(b []byte) {
	c := s.open
	text := s.text(b)
	quoted, ok := strings.CutPrefix(text, " '")
	if !ok {
		c.named = true
		s.name(&c.f, "")
		c.f.Name = unnamedTest
		s.at(text)
		return
	}
	whole, closed := strings.CutSuffix(quoted, "'")
	c.f.said = whole
	if closed {
		c.named = true
		s.name(&c.f, whole)
	}
}

// moreDiagnostics reads the comment lines after a failure's head.
func (s *scan) moreDiagnostics(b []byte) {
	c := s.open
	at := bytes.HasPrefix(b, []byte("#   at ")) && c.detail.Len() == 0
	switch {
	case !c.named && at:
		c.named = true
		s.name(&c.f, c.f.said)
		s.at(string(b[1:]))
	case !c.named:
		more := s.text(bytes.TrimPrefix(b[1:], []byte(" ")))
		whole, closed := strings.CutSuffix(more, "'")
		if len(c.f.said) < maxDetail {
			c.f.said += "\n" + whole
		}
		if closed {
			c.named = true
			s.name(&c.f, c.f.said)
		}
	case at:
		s.at(string(b[1:]))
	case bytes.HasPrefix(b, []byte("# Looks like you")):
		s.closeOpen()
		s.diagnostic(line{b: b})
	default:
		c.write(bytes.TrimPrefix(b[1:], []byte(" ")))
	}
}

// at reads where a failure was raised. For a plain script that is the line to
// point at; a block's failure is raised in the library that runs it.
func (s *scan) at(text string) {
	f := &s.open.f
	path, number, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(text), "at "), " line ")
	n, err := strconv.Atoi(strings.TrimSuffix(number, "."))
	if !ok || err != nil || n < 1 || f.Number != 0 || f.Block != "" {
		return
	}
	path = strings.TrimPrefix(path, "./")
	switch {
	case f.File == "" && testPath(path) == nil && strings.HasSuffix(path, ".t"):
		f.File, f.Line, f.EndLine = path, n, n
	case f.File == path:
		f.Line, f.EndLine = n, n
	}
}
