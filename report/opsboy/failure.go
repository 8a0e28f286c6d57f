package opsboy

import (
	"bytes"
	"slices"
)

// failure is one failure of a goal.
type failure struct {
	*leak
	Details *string `json:"details,omitempty"`
	File    *string `json:"file,omitempty"`
	Name    *string `json:"name"`
}

func (f *failure) equals(g *failure) bool {
	return same(f.File, g.File) && same(f.Name, g.Name) && same(f.Details, g.Details)
}

// failing is the last failure, while lines may still be added to its details.
type failing struct {
	*failure
	details    []byte
	detailed   bool
	inTest     bool // the diagnostics of a failed test follow
	inValgrind bool // a report of valgrind goes on
}

// fail adds a failure, closing the one before; nil details are none, not empty
// ones. It leaves inTest as it is: the old tool adds to the newest failure
// whatever diagnostics follow.
func (p *Parser) fail(name, details []byte) { p.failNamed(p.texts.keep(name), details) }

func (p *Parser) failNamed(name *string, details []byte) *failure {
	p.closeFailure()
	f := &failure{Name: name}
	p.open.failure = f
	p.open.detailed = details != nil
	p.open.details = append(p.open.details[:0], details...)
	p.rec.Failures = append(p.rec.Failures, f)
	return f
}

func (p *Parser) closeFailure() {
	if p.open.failure != nil && p.open.detailed {
		p.open.failure.Details = p.texts.keep(p.open.details)
	}
	p.open.failure = nil
}

// addDetails adds as much as there is room for.
func (p *Parser) addDetails(b ...[]byte) {
	for _, b := range b {
		p.open.details = append(p.open.details, b[:min(len(b), max(0, longest-len(p.open.details)))]...)
	}
	p.open.detailed = true
}

func (p *Parser) bailout(line []byte) bool {
	m := bailout.in(line)
	if m == nil {
		return false
	}
	p.fail(m[0], bytes.TrimSuffix(line[len(m[0]):], []byte("\n")))
	return true
}

func (p *Parser) planned(text []byte) bool {
	m := planned.in(text)
	if m == nil {
		return false
	}
	p.fail(m[0], []byte{})
	return true
}

func (p *Parser) valgrind(line []byte) bool {
	if !p.rec.inMode('v') || valgrind.in(line) == nil {
		return false
	}
	p.failNamed(p.test, line)
	p.open.inValgrind = true
	p.rec.ValgrindPass = 0
	return true
}

// valgrindGoesOn tells whether a line belongs to the report before it: the
// frames, and the suppression in braces, which ends it.
func (p *Parser) valgrindGoesOn(line []byte) bool {
	last := string(bytes.TrimSuffix(line, []byte("\n"))) == "}"
	if last || line[0] == '{' || isSpace(line[0]) || valgrindMore.in(line) != nil {
		p.addDetails(line)
		p.open.inValgrind = !last
		return true
	}
	p.open.inValgrind = false
	return false
}

func (p *Parser) failedTest(text []byte) bool {
	name, ok := failedName(text)
	if !ok || p.rec.inMode('l') && processGone.in(text) == nil {
		return false
	}
	if !bytes.HasPrefix(name, []byte("TEST")) {
		name = withoutFile(name)
	}
	p.fail(name, nil)
	p.open.inTest = true
	return true
}

// failedName returns what Test::More says has failed.
func failedName(text []byte) (name []byte, ok bool) {
	rest, ok := after("#", text)
	what := bytes.TrimLeft(rest, spaces)
	name, failed := after("Failed test '", what)
	return bytes.TrimSuffix(name, []byte("'")), ok && failed && len(what) < len(rest)
}

// withoutFile takes the file out of a name, where one stands before the block.
func withoutFile(name []byte) []byte {
	for dot := range name {
		block, ok := after(".t ", name[dot:])
		if !ok || !isBlock(block) || dot == 0 || isSpace(name[dot-1]) {
			continue
		}
		start := bytes.LastIndexAny(name[:dot], spaces) + 1
		return slices.Concat(name[:start], block)
	}
	return name
}

func (p *Parser) diagnostic(text []byte) bool {
	said, ok := bytes.CutPrefix(text, []byte("# "))
	if !ok || p.rec.inMode('l') || !p.open.inTest {
		return false
	}
	if !isPlace(said) && failedOf.in(said) == nil {
		p.addDetails(said, []byte("\n"))
	}
	return true
}

// isPlace tells whether a diagnostic only says where in a Perl module a test
// was asked for.
func isPlace(said []byte) bool {
	place, ok := after("at ", bytes.TrimLeft(said, spaces))
	place, ends := bytes.CutSuffix(place, []byte("."))
	file := bytes.TrimRight(place, "0123456789")
	numbered := len(file) < len(place)
	file, isModule := bytes.CutSuffix(file, []byte(".pm line "))
	return ok && ends && numbered && isModule && len(file) > 0 && isWord(file[len(file)-1])
}

// fileDone gives a file's failures their file: when it is done, and so the
// ones since the last.
func (p *Parser) fileDone(text []byte) bool {
	name, result, ok := bytes.Cut(text, []byte(" "))
	name, inT := after("t/", name)
	dots := bytes.TrimLeft(result, ".")
	if !ok || !inT || !bytes.HasPrefix(dots, []byte(" ")) || len(dots) == len(result) ||
		len(name) <= len(".t") || !bytes.HasSuffix(name, []byte(".t")) || bytes.ContainsAny(name, spaces) {
		return false
	}
	file := p.texts.keep(name)
	for i := len(p.rec.Failures) - 1; i >= 0 && p.rec.Failures[i].File == nil; i-- {
		p.rec.Failures[i].File = file
	}
	return true
}
