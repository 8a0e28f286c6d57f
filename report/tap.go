package report

import (
	"bytes"
	"strconv"
	"strings"
)

// The kinds of findings.
const (
	kindAssert   = "assert"
	kindPlan     = "plan"
	kindExit     = "exit"
	kindSignal   = "signal"
	kindTimeout  = "timeout"
	kindBailout  = "bailout"
	kindCrash    = "crash"
	kindMemcheck = "memcheck"
	kindAsan     = "asan"
	kindLsan     = "lsan"
	kindUbsan    = "ubsan"
	kindLeak     = "rss_leak"
	kindBuild    = "build"
	kindCut      = "cut"
	kindNotRun   = "not_run"
	kindInfra    = "infrastructure"
	kindXPass    = "unexpected_pass"
	kindWarning  = "warning"
)

// kinds are those that an expectation may name.
var kinds = map[string]bool{
	kindAssert: true, kindPlan: true, kindExit: true, kindTimeout: true, kindBailout: true, kindCrash: true,
	kindMemcheck: true, kindAsan: true, kindLsan: true, kindUbsan: true, kindLeak: true,
}

// bailedOut is how Test::Builder tells of a bail-out, beside TAP's "Bail out!".
const bailedOut = "Bailout called.  Further testing stopped:"

// tap reads a TAP line: an assertion, a plan or a bail-out.
func (s *scan) tap(l line) bool {
	b := l.b
	switch {
	case bytes.HasPrefix(b, []byte("ok ")), bytes.Equal(b, []byte("ok")):
		return s.assertion(l, b[2:], true)
	case bytes.HasPrefix(b, []byte("not ok")):
		return s.assertion(l, b[6:], false)
	case bytes.HasPrefix(b, []byte("1..")):
		return s.plan(l, b[3:])
	case bytes.HasPrefix(b, []byte(bailedOut)):
		s.bailout(l, s.text(bytes.TrimSpace(b[len(bailedOut):])))
		return true
	case bytes.HasPrefix(b, []byte("Bail out!")):
		s.bailout(l, s.text(bytes.TrimSpace(b[len("Bail out!"):])))
		return true
	}
	return false
}

func (s *scan) plan(l line, b []byte) bool {
	digits, rest, _ := bytes.Cut(b, []byte(" "))
	n, err := strconv.Atoi(string(digits))
	if err != nil || n < 0 {
		return false
	}
	f := s.current()
	f.Planned = n
	if n == 0 {
		_, why, says := bytes.Cut(rest, []byte("#"))
		if !says && s.census != nil {
			// Who skips itself says so: this had tests to make and made none.
			s.add(Finding{Kind: kindPlan, File: s.cur, Name: "it planned no test, and does not say that it is skipped", Offset: l.off, what: "no test"})
		}
		f.State, f.Why = fileSkipped, oneLine(strings.TrimSpace(string(why)), maxName)
	}
	s.rec.Proving = true
	return true
}

// assertion reads what follows "ok" or "not ok": " 7 - NAME # TODO why".
func (s *scan) assertion(l line, b []byte, ok bool) bool {
	if len(b) == 0 && ok {
		// Under -v prove closes a good file with a bare "ok".
		s.closeFile(fileOK)
		return true
	}
	if len(b) > 0 && b[0] != ' ' {
		return false
	}
	digits, rest, _ := bytes.Cut(bytes.TrimLeft(b, " "), []byte(" "))
	if len(digits) == 0 || !allDigits(digits) {
		if rest = bytes.TrimLeft(b, " "); len(rest) > 0 && rest[0] != '-' && rest[0] != '#' {
			return false
		}
		// TAP lets a test go without a number.
	}
	if ok && s.again(rest) {
		return true
	}
	s.rec.Proving = true
	text, directive := cutDirective(s.text(rest))
	skip := hasWord(directive, "skip") || strings.HasPrefix(strings.ToUpper(directive), "TODO & SKIP")
	todo := hasWord(directive, "todo")
	if skip && text == "" {
		text = skipReason(directive)
	}
	n, named := splitName(text)
	s.nameFile(text, n)
	f := s.current()
	f.Tests++
	if skip {
		f.Skipped++
	}
	s.last = text
	w := s.see(text, n, named, func(w *sighting) {
		if skip {
			w.skipped++
		} else {
			w.ran++
		}
	})
	s.remember(text, n, w)
	switch {
	case !ok && !todo && !skip:
		s.current().Failed++
		s.failed(l, text)
	case ok && todo && !skip:
		s.warn("TODO passed: "+text, "", l.off)
	}
	return true
}

// failed keeps a "not ok" line unless its diagnostics came before it.
func (s *scan) failed(l line, text string) {
	for i := len(s.rec.Findings) - 1; i >= 0 && i >= len(s.rec.Findings)-maxRecords; i-- {
		f := &s.rec.Findings[i]
		if f.Kind == kindAssert && f.tap == tapWanted && sameName(f.said, text) {
			f.tap = tapSeen
			return
		}
	}
	f := Finding{Kind: kindAssert, Name: text, Offset: l.off, said: text, tap: tapOnly}
	s.name(&f, text)
	if text == "" {
		f.Name = unnamedTest
	}
	s.add(f)
	if n := len(s.rec.Findings); s.rec.Findings[n-1].Offset == l.off {
		s.tail = n
	}
}

// more reads what plain TAP tells of a failure below it: comments, or YAML.
func (s *scan) more(l line) bool {
	b := l.b
	switch {
	case bytes.HasPrefix(b, []byte("#   Failed ")), bytes.HasPrefix(b, []byte("# Looks like ")), b[0] != '#' && !bytes.HasPrefix(b, []byte("  ")):
		s.tail = 0
		return false
	case b[0] == '#':
		b = bytes.TrimPrefix(b[1:], []byte(" "))
	}
	f := &s.rec.Findings[s.tail-1]
	if len(f.Detail)+len(b) < maxDetail && s.kept+len(b) < maxKept {
		s.kept += len(b) + 1
		f.Detail += strings.ToValidUTF8(string(b), "\uFFFD") + "\n"
	}
	return true
}

// name sets what an assertion is called and where it stands.
func (s *scan) name(f *Finding, text string) {
	what := s.locate(f, text)
	f.Name, f.what = what, what
	if what == "" {
		f.Name = text
	}
	if strings.HasPrefix(what, "the nginx process ") || what == "nginx core dumped" || strings.Contains(what, "Assertion") && strings.Contains(what, "failed") {
		f.Kind = kindCrash
	}
}

// Whether a failure's "not ok" line was seen beside its diagnostics; under
// prove without -v it never is.
const (
	tapWanted = iota
	tapSeen
	tapOnly
)

// sameName compares a diagnostic's name with a TAP line's: the first may hold
// line breaks, where TAP puts a comment on lines of its own.
func sameName(diag, tap string) bool {
	return diag == tap || strings.HasPrefix(diag, tap+"\n")
}

// cutDirective splits "- NAME # SKIP why" and undoes TAP's escapes.
func cutDirective(s string) (text, directive string) {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), " ")
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '#':
			if rest := strings.TrimSpace(s[i+1:]); (i == 0 || s[i-1] == ' ') && (hasWord(rest, "skip") || hasWord(rest, "todo")) {
				return unescapeTAP(strings.TrimRight(s[:i], " ")), strings.TrimSpace(s[i+1:])
			}
		}
	}
	return unescapeTAP(s), ""
}

func unescapeTAP(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return strings.NewReplacer(`\#`, `#`, `\\`, `\`).Replace(s)
}

// hasWord reports whether a directive begins with a word, in any case.
func hasWord(directive, word string) bool {
	if len(directive) < len(word) || !strings.EqualFold(directive[:len(word)], word) {
		return false
	}
	return len(directive) == len(word) || directive[len(word)] == ' ' || directive[len(word)] == ':'
}

// skipReason returns what a skip says, which under Test::Nginx is the block's name.
func skipReason(directive string) string {
	_, reason, _ := strings.Cut(directive, " ")
	return strings.TrimPrefix(reason, "& SKIP ")
}

// bailout keeps the first of the two places where a bail-out is printed.
func (s *scan) bailout(l line, text string) {
	s.rec.Proving = true
	for i := range s.rec.Findings {
		if f := &s.rec.Findings[i]; f.Kind == kindBailout && (f.said == text || text == "" || strings.HasPrefix(f.said, text)) {
			return
		}
	}
	f := Finding{Kind: kindBailout, Offset: l.off, said: text}
	f.what = s.locate(&f, text)
	f.Name = "bailed out: " + f.what
	if f.what == "" {
		f.Name = "bailed out"
	}
	s.add(f)
}

const unnamedTest = "a test without a name"
