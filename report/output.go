package report

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

var (
	reRuntime = regexp.MustCompile(`(\S+?):(\d+)(?::\d+)?: runtime error: (.*)`)
	reShell   = regexp.MustCompile(`: line \d+:\s+\d+ (?:` + strings.Join(signals, "|") + `)\b`)
	reSignal9 = regexp.MustCompile(`exited on signal (4|6|7|8|11)\b`)
)

// signals is how shells call those of a crash.
var signals = []string{"Segmentation fault", "Aborted", "Bus error", "Illegal instruction", "Floating point exception", "Trace/breakpoint trap"}

// lastWords are how the lines begin that the C library, LuaJIT and valgrind
// write before they end a process.
var lastWords = []string{
	"double free or corruption", "corrupted size vs. prev_size", "corrupted double-linked list", "free(): ", "malloc(): ", "realloc(): ", "malloc_consolidate(): ",
	"munmap_chunk(): ", "*** stack smashing detected ***", "*** buffer overflow detected ***", "*** Error in `", "PANIC: unprotected error in call to Lua API",
	"valgrind: the 'impossible' happened",
}

// output reads a line of anything that is neither TAP nor a comment: prove's
// file lines, what nginx and the tests print, the wrapper's header, a build.
func (s *scan) output(l line) {
	b := l.b
	if s.status(l) {
		return
	}
	switch b[0] {
	case 'S', 'A', 'B', 'F', 'I', 'T', 'd', 'f', 'm', 'r', 'v', '*', '-':
		s.crash(l)
	case 'P':
		s.core(l)
		s.crash(l)
	case 'c':
		s.facts(b)
		s.crash(l)
	case 'b', 'D':
		s.facts(b)
	}
	if l.plain && s.census == nil {
		return
	}
	if s.summary(b) || s.headerLine(b) {
		return
	}
	fault := bytes.Contains(b, []byte("error: "))
	switch {
	case kernel(b):
		// The kernel's log is the whole machine's: no block can be named.
		s.add(Finding{Kind: kindCrash, Name: s.text(b), Offset: l.off, what: "segfault"})
	case bytes.HasSuffix(b, []byte(" failed.")) && bytes.Contains(b, []byte(": Assertion ")):
		s.died(l, s.text(b))
	case bytes.HasPrefix(b, []byte("nginx")):
		s.nginx(l)
	case bytes.HasPrefix(b, []byte("WARNING: ")):
		s.warning(l, s.text(b[len("WARNING: "):]))
	case fault && s.undefined(l):
	case bytes.Contains(b, []byte(": line ")) && !bytes.HasPrefix(b, []byte("./configure: ")) && reShell.Match(b),
		bytes.Contains(b, []byte("exited on signal ")) && reSignal9.Match(b):
		s.died(l, s.text(b))
	case !s.rec.Proving || bytes.HasPrefix(b, []byte(unitFailed)):
		s.build(l, fault)
	}
}

// kernel reports whether a line is the kernel's about a process that crashed.
func kernel(b []byte) bool {
	i := bytes.IndexByte(b, '[')
	if i < 0 {
		return false
	}
	b = b[i:]
	return bytes.Contains(b, []byte("]: segfault at ")) || bytes.Contains(b, []byte("general protection")) || bytes.Contains(b, []byte("] trap ")) ||
		bytes.Contains(b, []byte("]: unhandled ")) && bytes.Contains(b, []byte(" fault (")) // aarch64
}

// headerLine reads the line that names a block before its output, as the
// valgrind and leak modes print it. Longer lines that begin alike are not it.
func (s *scan) headerLine(b []byte) bool {
	if s.census != nil {
		if !bytes.Contains(b[:min(len(b), maxPath)], []byte("TEST ")) {
			return false
		}
	} else if !headerStart(b) {
		return false
	}
	text := s.text(b)
	i := strings.Index(text, "TEST ")
	if s.census != nil {
		if i, what := s.census.find(text); i < 0 || what != "" {
			return false
		}
	} else if !plainHeader(text, i) {
		return false
	}
	s.rec.Proving = true
	s.header, s.hfile = text, s.here()
	if path := pathBefore(text[:i]); path != "" {
		s.hfile = path
	}
	n, named := splitName(text)
	s.see(text, n, named, func(w *sighting) { w.headers++ })
	return true
}

// headerStart reports whether a line begins as a header: "TEST " or "t/a.t TEST ".
func headerStart(b []byte) bool {
	if i := bytes.IndexByte(b, ' '); i > 2 && i <= maxPath && b[i-1] == 't' && b[i-2] == '.' {
		b = b[i+1:]
	}
	return bytes.HasPrefix(b, []byte("TEST "))
}

// plainHeader reports whether a line is a block's name, as far as that can be
// told without the test file.
func plainHeader(text string, at int) bool {
	if n, rest := splitTitle(text[at:]); n == 0 && rest == text[at:] {
		return false
	}
	for _, other := range []string{" - Can't connect to ", " - waiting ", " - timeout when ", " - WARNING: ", " - Cannot ", " - unexpected ", " - response body "} {
		if strings.Contains(text, other) {
			return false
		}
	}
	return true
}

func (s *scan) nginx(l line) {
	text := s.text(l.b)
	switch {
	case strings.HasPrefix(text, "nginx version: "):
		s.version("nginx", oneLine(text[len("nginx version: "):], maxVersion))
	case strings.HasPrefix(text, "nginx: ["):
		// A block that must die prints this and passes; what failed says so itself.
		s.warn(text, s.hfile, l.off)
	}
}

// warning reads Test::Nginx's "WARNING: NAME - text", which is where the death
// of a worker shows.
func (s *scan) warning(l line, text string) {
	if !reSignal9.MatchString(text) {
		s.warn(text, "", l.off)
		return
	}
	f := Finding{Kind: kindCrash, Offset: l.off, said: text}
	f.Name = s.locate(&f, text)
	s.add(f)
}

// crash reads the lines by which shells, the C library, LuaJIT and valgrind
// tell that a process died; and what a sanitizer sums up, if it is all there is.
func (s *scan) crash(l line) {
	b := l.b
	switch {
	case bytes.HasSuffix(b, []byte("(core dumped)")), bytes.HasPrefix(b, []byte("Segmentation fault")), slices.Contains(signals, string(b)),
		begins(b, lastWords),
		b[0] == '-' && bytes.Contains(b, []byte("-- VALGRIND INTERNAL ERROR")):
		s.died(l, s.text(b))
	case bytes.HasPrefix(b, []byte("SUMMARY: ")) && bytes.Contains(b, []byte("Sanitizer: ")):
		if !slices.ContainsFunc(s.rec.Findings, func(f Finding) bool { return f.Kind == kindAsan || f.Kind == kindLsan || f.Kind == kindUbsan }) {
			f := Finding{Kind: kindAsan, Offset: l.off}
			s.locateRunning(&f)
			f.Name = s.text(b[len("SUMMARY: "):])
			s.add(f)
		}
	}
}

// begins reports whether a line starts with one of the words.
func begins(b []byte, words []string) bool {
	for _, w := range words {
		if b[0] == w[0] && len(b) >= len(w) && string(b[:len(w)]) == w {
			return true
		}
	}
	return false
}

// died keeps what a shell says of a process that a signal ended.
func (s *scan) died(l line, text string) {
	f := Finding{Kind: kindCrash, Offset: l.off, what: "died"}
	s.locateRunning(&f)
	f.Name = text
	s.add(f)
}

// core reads how gdb tells of a core: the signal, and below it the stack.
func (s *scan) core(l line) {
	if !bytes.HasPrefix(l.b, []byte("Program terminated with signal ")) && !bytes.HasPrefix(l.b, []byte("Program received signal SIG")) {
		return
	}
	s.closeOpen()
	c := &capture{kept: true, named: true, f: Finding{Kind: kindCrash, Offset: l.off, what: "core"}}
	s.locateRunning(&c.f)
	c.f.Name = s.text(l.b)
	s.open = c
}

// facts reads the wrapper's commit, and versions.
func (s *scan) facts(b []byte) {
	switch {
	case bytes.HasPrefix(b, []byte("commit ")):
		if sha := string(b[len("commit "):]); s.rec.Commit == "" && sha != "" && reCommit.MatchString(sha) {
			s.rec.Commit = sha
		}
	case bytes.HasPrefix(b, []byte("Date:   ")):
		if s.rec.Date == "" {
			s.rec.Date = oneLine(string(b[len("Date:   "):]), maxWord)
		}
	case bytes.HasPrefix(b, []byte("built with OpenSSL ")):
		v := string(b[len("built with OpenSSL "):])
		v, _, _ = strings.Cut(v, " (running with")
		s.version("openssl", oneLine(v, maxVersion))
	}
}

// undefined reads a line of the undefined behaviour sanitizer.
func (s *scan) undefined(l line) bool {
	if !bytes.Contains(l.b, []byte("runtime error: ")) {
		return false
	}
	m := reRuntime.FindSubmatch(l.b)
	if m == nil {
		return false
	}
	f := Finding{Kind: kindUbsan, Offset: l.off, what: string(m[3])}
	s.locateRunning(&f)
	f.Name = string(m[3])
	f.Detail = s.text(l.b)
	s.add(f)
	return true
}
