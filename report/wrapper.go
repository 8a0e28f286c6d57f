package report

import (
	"bytes"
	"regexp"
	"strings"
)

// logParser cuts a whole log into its goals.
type logParser struct {
	log   *Log
	emit  func(Record) error
	err   error             // of emit
	scan  *scan             // of what is being read
	goal  bool              // that is a goal, not a unit of the machine's preparation
	made  bool              // some target was named: the log is a wrapper's
	ended int               // number of the wrapper's last line
	base  map[string]string // versions that the machine's preparation showed
}

const (
	maxTrouble = 200                     // findings outside of goals
	unitFailed = "failed to run command" // the wrapper's word for it
)

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
	if !p.goal {
		p.prepare(b)
	}
	p.scan.line(l)
}

// idle reports whether a line that says nothing by itself says nothing at all.
// While tests run, lines of several writers may stand in one.
func (p *logParser) idle() bool {
	return !p.scan.rec.Proving && p.scan.open == nil && !p.scan.brace && p.scan.xml == nil
}

// target ends what was made before and begins what is made now.
func (p *logParser) target(l line) {
	p.end(l.off)
	m := reGoal.FindSubmatch(l.b)
	p.made, p.goal = true, m != nil
	name := ""
	if p.goal {
		name = string(m[1])
	}
	p.begin(name, l)
	if !p.goal {
		p.scan.unit = oneLine(string(l.b[len("making "):len(l.b)-len(" ...")]), maxWord)
	}
}

// begin starts a record at a line.
func (p *logParser) begin(goal string, l line) {
	p.scan = newScan(goal)
	p.scan.rec.Line, p.scan.rec.Offset = l.n, l.off
	if p.log.Source != nil && (p.goal || !p.made) {
		p.scan.source(p.log.Source(goal))
	}
	if p.goal {
		for k, v := range p.base {
			p.scan.version(k, v)
		}
	}
}

// end hands on what was read of a goal, or of prove where no goal is named. Of
// all else only what failed is kept.
func (p *logParser) end(off int64) {
	p.log.Bytes = off
	rec := p.scan.finish()
	rec.Bytes = off - rec.Offset
	if p.goal && p.scan.broke && rec.Proving {
		rec.Findings = append(rec.Findings, Finding{Kind: kindNotRun, Offset: rec.Offset,
			Name: "the wrapper says that a command of this goal failed: the tests may be of an older build"})
	}
	switch {
	case p.goal, !p.made && (rec.Proving || len(rec.Findings) > 0):
		if p.err == nil {
			p.err = p.emit(rec)
		}
	case p.scan.broke:
		for _, f := range rec.Findings {
			if f.Kind == kindBuild {
				f.Kind = kindInfra
			}
			f.Name = oneLine("making "+p.scan.unit+": "+f.Name, maxName)
			p.trouble(f)
		}
	}
}

func (p *logParser) trouble(f Finding) {
	if len(p.log.Findings) < maxTrouble {
		p.log.Findings = append(p.log.Findings, f)
	}
}

// finish ends the log and says what is wrong with it as a whole.
func (p *logParser) finish(lr *lineReader) {
	last := p.scan
	p.end(lr.off)
	ended := p.ended
	if !p.made {
		ended = last.closed
	}
	p.log.Complete = ended > 0 && ended == lr.n && lr.failed() == nil
	f := Finding{Kind: kindCut, Offset: lr.off}
	switch {
	case lr.off == 0:
		f.Name = "the log is empty"
	case !p.made && !last.rec.Proving && len(last.rec.Findings) == 0:
		f.Name = "the log tells of no goal and of no test"
	case p.log.Complete:
		return
	case p.made:
		f.Name = "the log ends without the wrapper's last line"
	default:
		f.Name = "the log ends without prove's last line"
	}
	p.trouble(f)
}

// prepare reads what goals share from the preparation of the machine.
func (p *logParser) prepare(b []byte) {
	if rest, ok := bytes.CutPrefix(b, []byte("==== Installing LuaJIT ")); ok {
		v, _, _ := bytes.Cut(rest, []byte(" "))
		p.share("luajit", oneLine(string(v), maxWord))
	}
	if rest, ok := bytes.CutPrefix(b, []byte("HEAD is now at ")); ok && strings.HasPrefix(p.scan.unit, "luajit") {
		// It stands there twice, before and after the pull.
		v, _, _ := bytes.Cut(rest, []byte(" "))
		p.share("luajit_commit", oneLine(string(v), maxWord))
	}
}

func (p *logParser) share(name, v string) {
	if p.base == nil {
		p.base = make(map[string]string)
	}
	p.base[name] = v
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
