package report

import (
	"bytes"
	"regexp"
)

// logParser cuts a whole log into its goals.
type logParser struct {
	log   *Log
	emit  func(Record) error
	err   error             // of emit
	ended int               // number of the wrapper's last line
	scan  *scan             // of the goal being read
	base  map[string]string // versions that the machine's preparation showed
}

// A goal's target has a mode's letters before its project; all other targets
// are units of the machine's preparation.
var reGoal = regexp.MustCompile(`^making (t(?:r|w|v|rv|wv|h|hv|l|o)?-\S+) \.\.\.$`)

func (p *logParser) line(l line) {
	b := l.b
	if len(b) > 0 {
		switch b[0] {
		case 'm':
			if bytes.HasPrefix(b, []byte("making ")) && bytes.HasSuffix(b, []byte(" ...")) {
				p.target(l)
				return
			}
		case 'F':
			if bytes.HasPrefix(b, []byte("For total ")) && bytes.HasSuffix(b, []byte(" sec elapsed.")) && l.whole {
				p.ended = l.n
				return
			}
		case 'D':
			if rest, ok := bytes.CutPrefix(b, []byte("DATE ")); ok && p.log.Date == "" {
				p.log.Date = oneLine(string(rest), maxWord)
			}
		case 'A':
			if rest, ok := bytes.CutPrefix(b, []byte("ARCH ")); ok && p.log.Arch == "" {
				p.log.Arch = archOf(rest)
			}
		}
	}
	if p.scan != nil {
		p.scan.line(l)
		return
	}
	p.prepare(b)
}

// idle reports whether a line that says nothing by itself says nothing at all.
func (p *logParser) idle() bool { return p.scan == nil || p.scan.open == nil && !p.scan.brace }

// target ends the goal before and, if the target is a goal, begins it.
func (p *logParser) target(l line) {
	p.end(l.off)
	if m := reGoal.FindSubmatch(l.b); m != nil {
		p.scan = newScan(string(m[1]))
		p.scan.rec.Line, p.scan.rec.Offset = l.n, l.off
		for k, v := range p.base {
			p.scan.version(k, v)
		}
	}
}

func (p *logParser) end(off int64) {
	p.log.Bytes = off
	if p.scan == nil {
		return
	}
	rec := p.scan.finish()
	rec.Bytes = off - rec.Offset
	p.scan = nil
	if p.err == nil {
		p.err = p.emit(rec)
	}
}

// prepare reads the versions of what all goals share.
func (p *logParser) prepare(b []byte) {
	if rest, ok := bytes.CutPrefix(b, []byte("==== Installing LuaJIT ")); ok {
		v, _, _ := bytes.Cut(rest, []byte(" "))
		if p.base == nil {
			p.base = make(map[string]string)
		}
		p.base["luajit"] = oneLine(string(v), maxWord)
	}
}

// archOf reads "uname -a".
func archOf(uname []byte) string {
	for _, a := range []string{"x86_64", "aarch64", "i386", "i586", "i686"} {
		if bytes.Contains(uname, []byte(" "+a+" ")) || bytes.HasSuffix(uname, []byte(" "+a)) {
			if a[0] == 'i' {
				a = "i386"
			}
			return "linux " + a
		}
	}
	return ""
}
