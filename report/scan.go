package report

import (
	"bytes"
	"fmt"
)

// What is kept of one record. A log that has more is counted, not stored.
const (
	maxFindings = 5000
	maxWarnings = 500
	maxLeaks    = 5000
	maxKept     = 6 << 20 // bytes of all these together
	maxDetail   = 8 << 10
	maxName     = 1 << 10
	maxRecords  = 2000  // files of a record
	maxSeen     = 40000 // blocks of a record
)

// scan reads the lines of one goal, or of one test file's own prove, into a
// record. Each line is looked at once: its first byte chooses who reads it.
type scan struct {
	rec    Record
	census *TestFile            // of the only file there is; nil when a log holds several
	tests  map[string]*TestFile // by path, where they are at hand
	paths  map[string]int       // index of each file of the record
	row    int                  // number of the line that was read last
	cur    string               // the file that prove has open
	header string               // text of the last header line, such as "TEST 1: title"
	hfile  string               // file of that header
	last   string               // text of the block that TAP named last
	same   sameBlock            // that block, to know it again

	open  *capture            // a finding whose lines are still coming
	mem   map[string]*capture // reports of memory checkers, by process
	xml   *xmlError
	tail  int  // number of the finding that comments of plain TAP go on with; 0 is none
	vg    bool // valgrind has reported something
	brace bool // inside of a suppression that valgrind offers

	loose         int    // findings from here on have no file yet
	looseWarnings int    // so have warnings
	told          bool   // prove has named a file
	ended         bool   // prove's summary has begun
	closed        int    // number of the last line of prove, or of plain TAP whose plan is met
	worst         string // of the results of the proves that ended

	kept    int    // bytes of findings
	blocks  int    // that were seen
	unit    string // of the preparation, when it is no goal
	broke   bool   // the wrapper says that a command failed
	dir     string // where make works
	damaged bool   // a finding says that bytes are lost
	garbled int    // texts that hold bytes which are no UTF-8
}

func newScan(goal string) *scan {
	return &scan{rec: Record{Goal: goal}}
}

// newFileScan reads the output of one test file's own prove, or, with no
// path, a build's.
func newFileScan(goal string, f *TestFile) *scan {
	s := newScan(goal)
	if f != nil {
		s.census, s.cur, s.hfile = f, f.Path, f.Path
		s.file(f.Path)
	}
	return s
}

func (s *scan) line(l line) {
	s.row = l.n
	if (s.brace || s.open != nil || s.xml != nil) && s.inside(l) || len(l.b) == 0 {
		return
	}
	if !l.plain {
		s.damage(l)
		if l.b = bytes.TrimLeft(l.b, "\x00"); len(l.b) == 0 {
			return
		}
	}
	if s.rec.Proving && s.split(l) {
		return
	}
	if s.tail != 0 && s.more(l) {
		return
	}
	switch l.b[0] {
	case '#':
		s.diagnostic(l)
	case 'o', 'n', '1', 'B':
		if !s.tap(l) {
			s.output(l)
		}
	case '=':
		s.memory(l)
	case '{':
		s.brace = len(l.b) == 1 && s.vg
	case 'L':
		s.leak(l)
	case '<':
		s.openXML(l)
	case ' ', '\t':
		s.indented(l)
	case 'D', 'F', 'R', 'A', 'N', 'T':
		if !s.prove(l) {
			s.output(l)
		}
	default:
		s.output(l)
	}
}

// inside gives a line to the finding that is being read. It reports whether
// the line was that finding's.
func (s *scan) inside(l line) bool {
	if s.brace {
		// The suppression that valgrind offers: indented lines and a brace.
		// Nothing else is taken, or a lone brace would hide a log.
		s.brace = bytes.HasPrefix(l.b, []byte("   "))
		if s.brace || string(l.b) == "}" {
			return true
		}
	}
	if s.xml != nil && s.insideXML(l) {
		return true
	}
	if s.open == nil {
		return false
	}
	if s.open.f.Kind == kindAsan || s.open.f.Kind == kindLsan {
		return s.insideAsan(l)
	}
	if len(l.b) > 0 && l.b[0] == '#' && !bytes.HasPrefix(l.b, []byte("#   Failed ")) {
		s.moreDiagnostics(l.b)
		return true
	}
	s.closeOpen()
	return false
}

// file returns the record of a test file, made when it is not there. The
// pointer is valid until the next call.
func (s *scan) file(path string) *FileRecord {
	if n := len(s.rec.Files); n > 0 && s.rec.Files[n-1].Path == path {
		return &s.rec.Files[n-1]
	}
	if i, ok := s.paths[path]; ok {
		return &s.rec.Files[i]
	}
	if len(s.rec.Files) == maxRecords {
		s.rec.Dropped++
		return &FileRecord{Path: path, Planned: -1}
	}
	if s.paths == nil {
		s.paths = make(map[string]int)
	}
	s.paths[path] = len(s.rec.Files)
	s.rec.Files = append(s.rec.Files, FileRecord{Path: path, Planned: -1})
	return &s.rec.Files[len(s.rec.Files)-1]
}

// current returns the file whose TAP is being read; an unnamed one when prove
// has not said.
func (s *scan) current() *FileRecord { return s.file(s.cur) }

// here returns the file that what is printed now belongs to: the one that prove
// has open. Between two files it is "", and the next one whose end prove tells
// claims it: without --merge a file's diagnostics come before its name.
func (s *scan) here() string {
	if s.census != nil || s.cur == "" || s.current().State == "" {
		return s.cur
	}
	return ""
}

// add keeps a finding.
func (s *scan) add(f Finding) {
	f.Name, f.Detail = oneLine(f.Name, maxName), clip(f.Detail, maxDetail)
	if len(s.rec.Findings) == maxFindings || !s.keep(f) {
		s.rec.Dropped++
		return
	}
	s.rec.Findings = append(s.rec.Findings, f)
}

func (s *scan) warn(text, file string, off int64) {
	if len(s.rec.Warnings) == maxWarnings {
		s.rec.Dropped++
		return
	}
	f := Finding{Kind: kindWarning, Name: oneLine(text, maxName), File: file, Offset: off}
	if file == "" {
		s.locate(&f, text)
	}
	if n := len(s.rec.Warnings); n > 0 && s.rec.Warnings[n-1].Name == f.Name && s.rec.Warnings[n-1].File == f.File {
		s.rec.Warnings[n-1].again()
		return
	}
	if !s.keep(f) {
		s.rec.Dropped++
		return
	}
	s.rec.Warnings = append(s.rec.Warnings, f)
}

// keep reports whether there is room for one more finding, and takes it.
func (s *scan) keep(f Finding) bool {
	size := 400 + len(f.File) + len(f.Block) + len(f.Name) + len(f.Detail) + len(f.said) + len(f.what) + 8*len(f.Samples)
	if s.kept+size > maxKept {
		return false
	}
	s.kept += size
	return true
}

// again counts one more of a warning that is printed with each retry.
func (f *Finding) again() {
	var n int
	if _, err := fmt.Sscanf(f.Detail, "%d times", &n); err != nil {
		n = 1
	}
	f.Detail = fmt.Sprintf("%d times", n+1)
}

func (s *scan) version(k, v string) {
	if s.rec.Versions == nil {
		s.rec.Versions = make(map[string]string)
	}
	if _, ok := s.rec.Versions[k]; !ok && len(s.rec.Versions) < maxVersions {
		s.rec.Versions[k] = v
	}
}

// finish ends whatever is still being read.
func (s *scan) finish() Record {
	s.closeOpen()
	s.closeXML()
	s.closeMemory()
	s.plainTAP()
	s.count()
	if s.garbled > 0 {
		s.warn(fmt.Sprintf("%s of bytes that are no UTF-8, shown as \uFFFD", plural(s.garbled, "line")), s.cur, s.rec.Offset)
	}
	return s.rec
}
