package report

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

var (
	reMemory = regexp.MustCompile(`^(?:Invalid (?:read|write) of size |Invalid free\(\)|Mismatched free\(\)|Mismatched new/delete|Use of uninitialised value |` +
		`Conditional jump or move depends on uninitialised |Syscall param |Source and destination overlap |Jump to the invalid address |` +
		`Argument '|Possible data race during |Conflicting (?:load|store) by thread |Illegal memory pool address|(?:Unaddressable|Uninitialised) byte\(s\) found |realloc\(\) with size 0|Stack overflow in thread|Uninitialised byte)|` +
		` (?:are|is) (?:definitely|indirectly|possibly) lost in loss record `)
	reFatal    = regexp.MustCompile(`^Process terminating with default action of signal (4|6|7|8|11)\b`)
	reLoss     = regexp.MustCompile(` in loss record [0-9,]+ of [0-9,]+$`)
	reSanitize = regexp.MustCompile(`^==(\d+)==(?:ERROR|WARNING): (\w*Sanitizer)[: ]+(.*)`)
	reSummary  = regexp.MustCompile(`^(?:ERROR SUMMARY|definitely lost): [1-9]`)
)

// memory reads the lines of valgrind and of the address sanitizer. Each process
// has its own report open, since the lines of two may alternate.
func (s *scan) memory(l line) {
	id, text, ok := processLine(l.b)
	if !ok {
		return
	}
	pid := string(id)
	if sanitizerHead(text) {
		s.sanitizer(l)
		return
	}
	text = bytes.TrimPrefix(text, []byte(" "))
	c := s.mem[pid]
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		s.closeProcess(pid)
	case c != nil && text[0] == ' ':
		c.write(text)
	case reMemory.Match(text):
		s.closeProcess(pid)
		s.openMemory(pid, kindMemcheck, text, l.off)
	case reFatal.Match(text):
		s.closeProcess(pid)
		s.openMemory(pid, kindCrash, text, l.off)
	case !s.vg && reSummary.Match(bytes.TrimSpace(text)):
		// It counts what it does not show.
		s.openMemory(pid, kindMemcheck, bytes.TrimSpace(text), l.off)
	case c != nil:
		c.write(text)
	}
}

// sanitizerHead reports whether what follows a process's number is the head of a
// sanitizer's report. Other warnings of theirs are about themselves.
func sanitizerHead(text []byte) bool {
	return bytes.HasPrefix(text, []byte("ERROR: ")) || bytes.HasPrefix(text, []byte("WARNING: MemorySanitizer: ")) || bytes.HasPrefix(text, []byte("WARNING: ThreadSanitizer: "))
}

// processLine takes "==123== text" apart.
func processLine(b []byte) (pid, text []byte, ok bool) {
	b, ok = bytes.CutPrefix(b, []byte("=="))
	if !ok {
		return nil, nil, false
	}
	i := bytes.Index(b[:min(len(b), 13)], []byte("=="))
	if i < 1 || !allDigits(b[:i]) {
		return nil, nil, false
	}
	return b[:i], b[i+2:], true
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func (s *scan) openMemory(pid, kind string, text []byte, off int64) {
	if len(s.mem) > 256 {
		s.closeMemory()
	}
	s.vg, s.rec.Proving = true, true
	name := s.text(text)
	c := &capture{f: Finding{Kind: kind, Offset: off}}
	s.locateRunning(&c.f)
	c.f.Name = reLoss.ReplaceAllString(name, "")
	c.write(text)
	if s.mem == nil {
		s.mem = make(map[string]*capture)
	}
	s.mem[pid] = c
}

func (s *scan) closeProcess(pid string) {
	c := s.mem[pid]
	if c == nil {
		return
	}
	delete(s.mem, pid)
	c.f.Detail = c.detail.String()
	c.f.what = frames(c.f.Detail)
	s.add(c.f)
}

func (s *scan) closeMemory() {
	pids := make([]string, 0, len(s.mem))
	for pid := range s.mem {
		pids = append(pids, pid)
	}
	// In the order of the log, so that one log always gives one record.
	for len(pids) > 0 {
		first := 0
		for i := range pids {
			if s.mem[pids[i]].f.Offset < s.mem[pids[first]].f.Offset {
				first = i
			}
		}
		s.closeProcess(pids[first])
		pids = append(pids[:first], pids[first+1:]...)
	}
}

// frames returns what identifies a report: its kind and the first functions of
// its stack, without sizes and addresses.
func frames(detail string) string {
	head, stack, _ := strings.Cut(detail, "\n")
	key := []string{strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == ',' {
			return -1
		}
		return r
	}, reLoss.ReplaceAllString(head, ""))}
	for _, frame := range strings.Split(stack, "\n") {
		_, fn, ok := strings.Cut(frame, ": ")
		if !ok || len(key) == 6 {
			break
		}
		fn, _, _ = strings.Cut(fn, " (")
		key = append(key, fn)
	}
	return strings.Join(key, "|")
}

func (s *scan) sanitizer(l line) {
	m := reSanitize.FindSubmatch(l.b)
	if m == nil {
		return
	}
	s.rec.Proving = true
	c := &capture{kept: true, named: true, f: Finding{Kind: kindAsan, Offset: l.off}}
	if string(m[2]) == "LeakSanitizer" {
		c.f.Kind = kindLsan
	}
	s.locateRunning(&c.f)
	text := s.text(m[3])
	c.f.Name, _, _ = strings.Cut(string(m[2])+": "+text, " on address ")
	c.f.what = c.f.Name
	c.write(l.b)
	s.open = c
}

// insideAsan takes the lines that a sanitizer's report consists of.
func (s *scan) insideAsan(l line) bool {
	b := l.b
	if bytes.HasPrefix(b, []byte("SUMMARY: ")) {
		s.open.write(b)
		s.closeOpen()
		return true
	}
	for _, p := range []string{" ", "READ of ", "WRITE of ", "0x", "freed by ", "previously allocated ", "allocated by ", "Direct leak ", "Indirect leak ", "Address ", "Hint: ", "The signal is "} {
		if bytes.HasPrefix(b, []byte(p)) {
			s.open.write(b)
			return true
		}
	}
	if len(b) == 0 || b[0] == '=' && bytes.HasSuffix(b, []byte("ABORTING")) {
		return true
	}
	s.closeOpen()
	return false
}

// leak reads the two lines of a leak check: the samples and their slope.
func (s *scan) leak(l line) {
	text, ok := bytes.CutPrefix(l.b, []byte("LeakTest: "))
	if !ok {
		return
	}
	s.rec.Proving = true
	if slope, ok := bytes.CutPrefix(text, []byte("k=")); ok {
		n := len(s.rec.Leaks)
		if n == 0 || s.rec.Leaks[n-1].Detail != "" {
			s.samples(l, nil) // the line before it is lost
			n = len(s.rec.Leaks)
		}
		if n > 0 && s.rec.Leaks[n-1].Detail == "" {
			s.rec.Leaks[n-1].Detail = oneLine(string(slope), 32)
		}
		return
	}
	if inner, ok := bytes.CutPrefix(text, []byte("[")); ok {
		s.samples(l, bytes.TrimSuffix(inner, []byte("]")))
	}
}

// samples keeps those of one leak check.
func (s *scan) samples(l line, inner []byte) {
	r := Finding{Kind: kindLeak, Offset: l.off, Samples: []Sample{}}
	s.locateRunning(&r)
	for _, w := range bytes.Fields(inner) {
		v, err := strconv.ParseFloat(string(w), 64)
		if err != nil || !(v >= 0 && v < 1e12) || len(r.Samples) == 10_000 {
			break
		}
		r.Samples = append(r.Samples, Sample{KiB: v})
	}
	if len(s.rec.Leaks) == maxLeaks || !s.keep(r) {
		s.rec.Dropped++
		return
	}
	s.rec.Leaks = append(s.rec.Leaks, r)
}
