package report

import (
	"bytes"
	"path"
	"regexp"
	"strconv"
	"strings"
)

var (
	reCompile = regexp.MustCompile(`^(\S+?):(\d+):(?:\d+:)? (?:fatal )?error: (.*)`)
	reFailed  = regexp.MustCompile(`^(?:make(?:\[\d+\])?: \*\*\* (?:\[.*\] (?:Error \d+|\S.*)|Waiting for unfinished jobs\.+)$|collect2: error: ld returned )`)
	reEnter   = regexp.MustCompile(`^make(?:\[\d+\])?: Entering directory '(/[^']*)'`)
)

// build reads what compilers, linkers, configure and make say of a failure; fault
// tells that the line has "error: ".
func (s *scan) build(l line, fault bool) {
	b := l.b
	switch {
	case bytes.HasPrefix(b, []byte("ortest: ")):
		return // it repeats what was said
	case bytes.HasPrefix(b, []byte("make")) && bytes.Contains(b, []byte("Entering directory")):
		if m := reEnter.FindSubmatch(b); m != nil {
			s.dir = s.text(m[1])
		}
		return
	case fault, bytes.HasPrefix(b, []byte("fatal: ")), bytes.Contains(b, []byte("undefined reference to ")):
	case bytes.HasPrefix(b, []byte("make")) && bytes.Contains(b, []byte(" *** ")):
	case missingCommand(b):
	case bytes.HasPrefix(b, []byte(unitFailed)):
		s.broke = true
		if s.unit == "" && len(s.rec.Findings) > 0 {
			return // what failed has said so itself
		}
	default:
		return
	}
	text := s.text(b)
	if reFailed.MatchString(text) && s.sums(text) {
		return
	}
	f := Finding{Kind: kindBuild, Name: text, Offset: l.off, what: text}
	if m := reCompile.FindStringSubmatch(text); m != nil {
		if n, err := strconv.Atoi(m[2]); err == nil && n > 0 && s.inTree(&f, m[1]) {
			f.Line, f.EndLine, f.Name = n, n, "error: "+m[3]
		}
	}
	s.add(f)
}

// sums puts a line that only says that something failed to the failure before it, if
// there is one: make repeats it once for each make above.
func (s *scan) sums(text string) bool {
	n := len(s.rec.Findings) - 1
	if n < 0 || s.rec.Findings[n].Kind != kindBuild {
		return false
	}
	f := &s.rec.Findings[n]
	if s.kept+len(text) < maxKept {
		s.kept += len(text)
		f.Detail = clip(f.Detail+text+"\n", maxDetail)
	}
	return true
}

// missingCommand reports whether a shell or make did not find a program.
func missingCommand(b []byte) bool {
	return bytes.HasSuffix(b, []byte(": not found")) && bytes.Contains(b, []byte("sh: ")) ||
		bytes.HasSuffix(b, []byte(": command not found")) || bytes.HasSuffix(b, []byte(": Command not found"))
}

// inTree names a source file from the project's root, if it is below that. A
// module is compiled in a tree of nginx below its own, and the compiler names
// its files from there.
func (s *scan) inTree(f *Finding, file string) bool {
	root, _, _ := strings.Cut(s.dir, "/buildroot/")
	if !path.IsAbs(file) && s.dir != root {
		file = path.Join(s.dir, file)
	}
	if path.IsAbs(file) {
		below := strings.TrimPrefix(path.Clean(file), root+"/")
		if root == "" || below == file || strings.HasPrefix(below, "buildroot/") {
			return false
		}
		file = below
	}
	if testPath(file) != nil {
		return false
	}
	f.File = file
	return true
}
