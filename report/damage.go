package report

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// text makes a string of what a log says, in which whatever is no UTF-8 is
// marked, and counted.
func (s *scan) text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	s.garbled++
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// lostNULs in a row are no text that a test had in mind.
const lostNULs = 32

// damage looks for lines that are not as they were written: a machine that loses
// power leaves NUL bytes, and a line without end hides what it swallowed. In a
// comment a test may print anything; it decides nothing. Nor do single ones in
// an assertion's name, such as that of a test that expects an image.
func (s *scan) damage(l line) {
	if s.damaged || l.b[0] == '#' {
		return
	}
	named := bytes.HasPrefix(l.b, []byte("ok ")) || bytes.HasPrefix(l.b, []byte("not ok "))
	if named && !bytes.Contains(l.b, make([]byte, lostNULs)) && len(l.b) < maxText {
		return
	}
	f := Finding{Kind: kindCut, File: s.here(), Offset: l.off}
	switch i := bytes.IndexByte(l.b, 0); {
	case i >= 0:
		f.Offset += int64(i)
		f.Name = "the log is damaged: NUL bytes stand in it"
	case len(l.b) >= maxText:
		f.Name = fmt.Sprintf("a line has %d bytes or more, of which no more are read", maxText)
	default:
		return
	}
	s.damaged = true
	s.add(f)
}

// split takes a line apart that several writers share: what one printed without
// ending its line stands before what another says.
func (s *scan) split(l line) bool {
	at := failedTest(l.b)
	if i := valgrindIn(l.b); i > 0 && (at < 1 || i < at) {
		at = i
	}
	if at < 1 && l.b[0] != '#' && !l.plain {
		at = bytes.Index(l.b, []byte(bailedOut))
	}
	if at < 1 {
		return false
	}
	first, second := l, l
	first.b, second.b = l.b[:at], l.b[at:]
	second.off += int64(at)
	s.line(first)
	s.line(second)
	return true
}

// failedTest returns where the head of a failure's diagnostics stands inside of a line, or -1.
func failedTest(b []byte) int {
	for from := 1; ; {
		i := bytes.IndexByte(b[from:], '#')
		if i < 0 {
			return -1
		}
		if bytes.HasPrefix(b[from+i:], []byte("#   Failed test ")) && b[0] != '#' {
			return from + i
		}
		if from += i + 1; from >= len(b) {
			return -1
		}
	}
}

// valgrindIn returns where a report of a memory checker begins inside of a line, or -1.
func valgrindIn(b []byte) int {
	for from := 1; from < len(b); {
		i := bytes.IndexByte(b[from:], '=')
		if i < 0 {
			return -1
		}
		from += i
		pid, text, ok := processLine(b[from:])
		if ok && b[0] != '#' && len(pid) > 1 && (sanitizerHead(text) || reMemory.Match(bytes.TrimPrefix(text, []byte(" "))) || reFatal.Match(bytes.TrimPrefix(text, []byte(" ")))) {
			return from
		}
		from++
	}
	return -1
}
