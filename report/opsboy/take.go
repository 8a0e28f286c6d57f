package opsboy

import "bytes"

// versions are what is known of the libraries when a goal begins: its record
// gets what was found before it.
type versions struct {
	makingLuajit         bool
	luajitVer, luajitRev *string
	opensslVer           *string
}

// take gives a line to the rule it belongs to. Their order is the old tool's:
// the first that knows the line has it.
func (p *Parser) take(line []byte) {
	text := bytes.TrimSuffix(line, []byte("\n"))
	if p.open.inValgrind && p.valgrindGoesOn(line) {
		return
	}
	if !bytes.HasPrefix(text, []byte("# ")) {
		p.open.inTest = false
	}
	p.findVersions(text)
	if p.findDate(text) {
		return
	}
	p.findArch(text)
	switch {
	case p.making(text):
	case p.rec != nil && (p.commit(text) || p.nginx(text) || p.build(text) || p.warning(text) || p.builtNginx(text)):
	case p.rec != nil && (p.success(text) || p.leak(line) || p.bailout(line) || p.planned(text) || p.totals(text)):
	case p.header(text):
	case p.rec != nil && (p.valgrind(line) || p.failedTest(text) || p.diagnostic(text) || p.fileDone(text) || p.segfault(text)):
	}
}

func (p *Parser) findVersions(text []byte) {
	v := &p.versions
	if v.makingLuajit {
		if m := luajitUpdated.in(text); m != nil {
			v.luajitRev = p.texts.keep(m[1])
		}
		if v.luajitRev == nil {
			if m := luajitHead.in(text); m != nil {
				v.luajitRev = p.texts.keep(m[1])
			}
		}
	}
	if v.luajitVer == nil {
		if m := luajitVersion.in(text); m != nil {
			v.luajitVer = p.texts.keep(m[1])
		}
	}
	if v.opensslVer == nil {
		if m := opensslVersion.in(text); m != nil {
			v.opensslVer = p.texts.keep(m[1])
		}
	}
}

func (p *Parser) findDate(text []byte) bool {
	if p.date != nil {
		return false
	}
	m := dated.in(text)
	if m == nil {
		return false
	}
	p.date = p.texts.keep(m[1])
	return true
}

func (p *Parser) findArch(text []byte) {
	switch {
	case p.arch != nil:
	case archI386.in(text) != nil:
		p.arch = p.texts.keep([]byte("linux i386"))
	case archAMD64.in(text) != nil:
		p.arch = p.texts.keep([]byte("linux x86_64"))
	}
}

// making begins a goal, or something that a goal needs: what goes wrong there
// belongs to no goal.
func (p *Parser) making(text []byte) bool {
	what, ok := after("making ", text)
	what, goesOn := bytes.CutSuffix(what, []byte(" ..."))
	if !ok || !goesOn || len(what) == 0 || bytes.ContainsAny(what, spaces) {
		return false
	}
	p.versions.makingLuajit = bytes.HasPrefix(what, []byte("luajit"))
	g := goalName.in(what)
	if g == nil {
		p.rec = nil
		return true
	}
	p.closeFailure()
	if p.rec != nil {
		p.rec.dropRepeated()
	}
	p.rec = &record{
		Mode: string(g[1]), Module: string(g[2]), Line: p.line, ValgrindPass: 1,
		Failures: []*failure{}, ValgrindWarn: []string{}, Warns: []*string{}, CompErrors: []*string{}, Segfaults: []*string{},
		LuajitVer: p.versions.luajitVer, LuajitRev: p.versions.luajitRev, OpensslVer: p.versions.opensslVer,
	}
	p.versions.opensslVer = nil
	p.records = append(p.records, p.rec)
	return true
}
