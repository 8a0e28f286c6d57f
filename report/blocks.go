package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// source takes the test files that are at hand.
func (s *scan) source(files []TestFile) {
	s.tests = make(map[string]*TestFile, len(files))
	for i := range files {
		s.tests[files[i].Path] = &files[i]
	}
}

// count compares the blocks that the log tells of with those of the test files.
func (s *scan) count() {
	if s.tests == nil {
		return
	}
	seen := make(map[string]bool, len(s.rec.Files))
	for i := range s.rec.Files {
		f := &s.rec.Files[i]
		seen[f.Path] = true
		if tf := s.tests[f.Path]; tf != nil && f.State != fileSkipped {
			f.count(*tf, s.vouched(f))
		}
	}
	for path := range s.tests {
		if !seen[path] {
			s.rec.NotRun = append(s.rec.NotRun, path)
		}
	}
	slices.Sort(s.rec.NotRun)
}

// vouched reports whether prove tells of a file, without showing its assertions,
// that all which were planned came.
func (s *scan) vouched(f *FileRecord) bool {
	if f.Tests > 0 || f.Planned > 0 || f.State == "" || f.Wait&0x7f != 0 || f.Exit == 255 {
		return false
	}
	return !slices.ContainsFunc(s.rec.Findings, func(x Finding) bool {
		return x.File == f.Path && (x.Kind == kindPlan || x.Kind == kindBailout)
	})
}

// count names the blocks of a test file that did not run. That its author left
// one out is not missed.
func (f *FileRecord) count(tf TestFile, vouched bool) {
	for _, b := range tf.Blocks {
		if b.Skip == skipSkip {
			continue
		}
		f.Blocks++
		w := f.seen[blockKey(b.Number, b.Title)]
		if vouched && b.Skip == "" || w != nil && w.ran+w.skipped > 0 {
			f.Ran++
		} else {
			f.NotRun = append(f.NotRun, Finding{Block: b.Title, Number: b.Number}.BlockName())
		}
	}
}

// Told returns the blocks that assertions of a file name, by their numbers. Which
// of several with one title is meant is counted by that; Skip tells that a block
// was only skipped.
func (f *FileRecord) Told() []Block {
	var all []Block
	for key, w := range f.seen {
		if w.ran+w.skipped == 0 {
			continue // its header is no sign that it came to its end
		}
		digits, title, _ := strings.Cut(key, ":")
		b := Block{Title: title}
		b.Number, _ = strconv.Atoi(digits)
		if w.ran == 0 {
			b.Skip = skipSkip
		}
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b Block) int { return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Title, b.Title)) })
	titles := make(map[string]int)
	for i := range all {
		titles[all[i].Title]++
		all[i].Ordinal = titles[all[i].Title]
	}
	return all
}

// nameFile makes the file that an assertion names the current one, where no prove does.
func (s *scan) nameFile(text string, n name) {
	if s.told || s.census != nil || n.file != "" && n.file == s.cur {
		return
	}
	var f Finding
	s.spec(&f, text)
	if testPath(n.file) == nil {
		f.File = n.file
	}
	if f.File != "" {
		s.cur = f.File
	}
}

// plainTAP ends TAP that no prove sums up: when its plan is met, that is its end.
func (s *scan) plainTAP() {
	if s.told || s.census != nil || s.ended || s.rec.Result != "" {
		return
	}
	tests, failed, planned := 0, 0, -1
	for _, f := range s.rec.Files {
		tests += f.Tests
		failed += f.Failed
		planned = max(planned, f.Planned)
	}
	if planned < 0 || planned != tests {
		return
	}
	s.closed = s.row
	s.rec.Tests, s.rec.Result = tests, "PASS"
	switch {
	case failed > 0 || slices.ContainsFunc(s.rec.Findings, func(f Finding) bool { return f.Kind == kindBailout }):
		s.rec.Result = "FAIL"
	case tests == 0:
		s.rec.Result = "NOTESTS"
	}
	s.rec.Files = slices.DeleteFunc(s.rec.Files, func(f FileRecord) bool { return f.Path == "" && f.Tests == 0 && tests > 0 })
	for i := range s.rec.Files {
		s.rec.Files[i].endPlain()
	}
	for i := range s.rec.Findings {
		if f := &s.rec.Findings[i]; f.File == "" {
			f.File = Suite
		}
	}
	s.rec.Tested = len(s.rec.Files)
}

// endPlain closes a file of plain TAP whose plan is met.
func (f *FileRecord) endPlain() {
	if f.Path == "" {
		f.Path = Suite
	}
	f.Planned = f.Tests
	switch {
	case f.State == fileSkipped:
	case f.Failed > 0:
		f.State = fileFailed
	default:
		f.State = fileOK
	}
}
