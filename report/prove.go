package report

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// What prove says of a test file.
const (
	fileOK      = "ok"
	fileFailed  = "failed"
	fileSkipped = "skipped"
)

var (
	reFiles = regexp.MustCompile(`^Files=(\d+), Tests=(\d+), (?:Fails=\d+, )?\s*([0-9.]+) wallclock secs`)
	reWait  = regexp.MustCompile(`^(\S.*?)\s+\(Wstat: (\d+)(?: \(([^)]*)\))? Tests: (\d+) Failed: (\d+)\)`)
	reDied  = regexp.MustCompile(`^Dubious, test returned (\d+) \(wstat (\d+), 0x[0-9a-f]+\)`)
)

// prove reads a line of prove's own that begins with a capital letter.
func (s *scan) prove(l line) bool {
	b := l.b
	switch {
	case bytes.HasPrefix(b, []byte("Dubious, test returned ")):
		if m := reDied.FindSubmatch(b); m != nil {
			f := s.current()
			f.Exit, _ = strconv.Atoi(string(m[1]))
			f.Wait, _ = strconv.Atoi(string(m[2]))
			s.closeFile(fileFailed)
		}
	case bytes.HasPrefix(b, []byte("Failed ")) && bytes.Contains(b, []byte(" subtests")),
		bytes.HasPrefix(b, []byte("No subtests run")):
		s.closeFile(fileFailed)
	case bytes.HasPrefix(b, []byte("All ")) && bytes.Contains(b, []byte(" subtests passed")):
		s.closeFile(fileFailed)
	case bytes.HasPrefix(b, []byte("Test Summary Report")):
		s.ended = true
	case bytes.HasPrefix(b, []byte("Files=")):
		return s.files(b)
	case bytes.HasPrefix(b, []byte("Result: ")):
		if result := string(bytes.TrimSpace(b[len("Result: "):])); result == "PASS" || result == "FAIL" || result == "NOTESTS" {
			s.result(result)
			s.closed = l.n
		}
	case bytes.HasPrefix(b, []byte("FAILED--Further testing stopped")):
		_, text, _ := strings.Cut(s.text(b), ": ")
		s.bailout(l, strings.TrimSpace(text))
		s.closed = l.n
	default:
		return false
	}
	return true
}

func (s *scan) files(b []byte) bool {
	m := reFiles.FindSubmatch(b)
	if m == nil {
		return false
	}
	files, _ := strconv.Atoi(string(m[1]))
	tests, _ := strconv.Atoi(string(m[2]))
	seconds, _ := strconv.ParseFloat(string(m[3]), 64)
	s.rec.Result = ""
	if s.ended && files == s.rec.Tested && tests == s.rec.Tests && files > 1 {
		// No prove began since the last summary: this is the sum of them all,
		// which a log of several proves ends with for tools that read one. Each
		// of those tells whole seconds.
		s.rec.Seconds = max(s.rec.Seconds, seconds)
		return true
	}
	s.rec.Tested += files
	s.rec.Tests += tests
	s.rec.Seconds += seconds
	s.ended = true
	return true
}

// result takes in how one prove ended. A log may hold a prove for each file:
// what failed once stays so, and a file that is skipped whole hides no other.
func (s *scan) result(r string) {
	if s.worst == "" || s.worst == "NOTESTS" || r == "FAIL" {
		s.worst = r
	}
	s.rec.Result = s.worst
}

// anotherProve notes that a prove began after the summary of one: until its own
// summary comes the record has no result.
func (s *scan) anotherProve() {
	if s.ended && s.census == nil {
		s.ended = false
		s.rec.Result = ""
	}
}

// closeFile notes how prove ended the file it had open. A failure stays one.
func (s *scan) closeFile(state string) {
	s.rec.Proving = true
	f := s.current()
	if f.State == "" || state == fileFailed {
		f.State = state
	}
	s.loose, s.looseWarnings = len(s.rec.Findings), len(s.rec.Warnings)
}

// statusLine takes "[12:00:00] t/a.t .. ok" apart.
func statusLine(b []byte) (path, rest []byte, ok bool) {
	if len(b) > 0 && b[0] == '[' {
		i := bytes.IndexByte(b, ' ')
		if i < 0 || b[i-1] != ']' {
			return nil, nil, false
		}
		b = b[i+1:]
	}
	i := bytes.IndexByte(b, ' ')
	if i < 1 || len(b) < i+3 || b[i+1] != '.' || b[i+2] != '.' {
		return nil, nil, false
	}
	path, rest = b[:i], bytes.TrimLeft(b[i+1:], ".")
	if len(rest) > 0 && rest[0] != ' ' {
		return nil, nil, false
	}
	return path, bytes.TrimPrefix(rest, []byte(" ")), true
}

// status reads "t/a.t .. ok", "t/a.t .. skipped: why" and, of a file that fails
// or is shown in full, "t/a.t .. ".
func (s *scan) status(l line) bool {
	name, after, ok := statusLine(l.b)
	if !ok {
		return false
	}
	path := strings.TrimPrefix(s.text(name), "./")
	if !s.ours(&path) {
		return false
	}
	s.closeOpen()
	s.rec.Proving, s.told = true, true
	if s.census != nil {
		// A test may run a prove of its own; only what follows is of this one.
		s.rec.Result, s.rec.Tests, s.rec.Tested, s.rec.Seconds, s.worst = "", 0, 0, 0, ""
	}
	s.anotherProve()
	s.cur = path
	s.claim(path)
	f := s.current()
	if i := bytes.LastIndexByte(after, '\r'); i >= 0 {
		// On a terminal prove counts, and writes the last word over it.
		_, after, _ = statusLine(bytes.TrimLeft(after[i+1:], " "))
	}
	rest := s.text(after)
	switch {
	case strings.HasPrefix(rest, "skipped: "):
		f.State, f.Why = fileSkipped, oneLine(rest[len("skipped: "):], maxName)
		s.closeFile(fileSkipped)
	case rest == "skipped":
		s.closeFile(fileSkipped)
	case rest == "ok" || strings.HasPrefix(rest, "ok "):
		s.closeFile(fileOK)
	case rest != "":
		// Without a terminal, what a test prints at once may follow on the line.
		l.b = after
		s.line(l)
	}
	return true
}

// ours reports whether prove's line is about a file that the record can be
// about, and makes its path that of the census.
func (s *scan) ours(path *string) bool {
	if s.census == nil {
		return testPath(*path) == nil
	}
	if *path != s.census.Path && !strings.HasSuffix(*path, "/"+s.census.Path) {
		return false
	}
	*path = s.census.Path
	return true
}

// claim gives the findings that named no file to the file whose end prove tells.
func (s *scan) claim(path string) {
	for i := s.loose; i < len(s.rec.Findings); i++ {
		if f := &s.rec.Findings[i]; f.File == "" && f.Kind != kindBuild {
			f.File = path
		}
	}
	for i := s.looseWarnings; i < len(s.rec.Warnings); i++ {
		if f := &s.rec.Warnings[i]; f.File == "" {
			f.File = path
		}
	}
	if f := s.unnamed(); f != nil {
		if _, taken := s.paths[path]; !taken {
			s.paths[path] = s.paths[""]
		}
		delete(s.paths, "")
		f.Path = path
	}
}

// unnamed returns the record of TAP that came before prove named its file.
func (s *scan) unnamed() *FileRecord {
	for i := range s.rec.Files {
		if s.rec.Files[i].Path == "" {
			return &s.rec.Files[i]
		}
	}
	return nil
}

// summary reads the head of a file's part of the summary report.
func (s *scan) summary(b []byte) bool {
	if !s.ended || !bytes.Contains(b, []byte("(Wstat: ")) {
		return false
	}
	m := reWait.FindSubmatch(b)
	if m == nil {
		return false
	}
	path := strings.TrimPrefix(s.text(m[1]), "./")
	if !s.ours(&path) {
		return false
	}
	s.cur = path
	f := s.current()
	f.Wait, _ = strconv.Atoi(string(m[2]))
	f.told, _ = strconv.Atoi(string(m[4]))
	f.toldFailed, _ = strconv.Atoi(string(m[5]))
	if f.Wait&0x7f == 0 {
		f.Exit = f.Wait >> 8
	}
	return true
}

// indented reads the lines below a file in the summary report.
func (s *scan) indented(l line) {
	b := bytes.TrimSpace(l.b)
	switch {
	case !s.ended:
	case bytes.HasPrefix(b, []byte("Parse errors: ")):
		text := string(b[len("Parse errors: "):])
		s.current().State = fileFailed
		s.add(Finding{Kind: kindPlan, File: s.cur, Name: text, Offset: l.off, what: text})
	case bytes.HasPrefix(b, []byte("TODO passed:")):
		s.warn(string(b), s.cur, l.off)
	}
}
