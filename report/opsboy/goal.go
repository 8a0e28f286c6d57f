package opsboy

import "bytes"

// record is what the old tool says of one goal. Its fields stand in the order
// of their names in JSON, as in everything that is written.
type record struct {
	Commit       *string    `json:"commit,omitempty"`
	Date         *stamp     `json:"commit_date,omitempty"`
	CompErrors   []*string  `json:"comp_errors"`
	ConfigError  *string    `json:"config_error,omitempty"`
	Expected     []*failure `json:"expected_fails"`
	Failures     []*failure `json:"failures,omitzero"`
	Files        *string    `json:"files,omitempty"`
	Line         int        `json:"line"`
	LuajitRev    *string    `json:"luajit_rev"`
	LuajitVer    *string    `json:"luajit_ver"`
	Mode         string     `json:"mode"`
	Module       string     `json:"module"`
	NginxVersion *string    `json:"nginx_version,omitempty"`
	OpensslVer   *string    `json:"openssl_ver"`
	Result       string     `json:"result"`
	Secs         *string    `json:"secs,omitempty"`
	Segfaults    []*string  `json:"segfaults"`
	Tests        *string    `json:"tests,omitempty"`
	TestsPass    int        `json:"tests_pass"`
	True         []*failure `json:"true_fails"`
	ValgrindPass int        `json:"valgrind_pass"`
	ValgrindWarn []string   `json:"valgrind_warnings"` // always empty
	Warns        []*string  `json:"warns"`
}

func (r *record) inMode(letter byte) bool { return bytes.IndexByte([]byte(r.Mode), letter) >= 0 }

// dropRepeated forgets the last failure where the one before says the same. The
// old tool does so when the next goal follows at once, and only then.
func (r *record) dropRepeated() {
	n := len(r.Failures)
	if n >= 2 && r.Failures[n-1].equals(r.Failures[n-2]) {
		r.Failures = r.Failures[:n-1]
	}
}

func (p *Parser) commit(text []byte) bool {
	r := p.rec
	if r.Commit == nil {
		if m := commit.in(text); m != nil {
			r.Commit = p.texts.keep(m[1])
			return true
		}
	}
	if r.Commit != nil && !r.Date.isKnown() {
		if m := commitDate.in(text); m != nil {
			r.Date = readStamp(string(m[1]))
			return true
		}
	}
	if bytes.Contains(text, []byte(notARepository)) {
		r.Commit = p.texts.keep([]byte(noCommit))
		r.Date = &noDate
		return true
	}
	return false
}

// What the old tool says of a goal without a commit.
const (
	notARepository = "fatal: not a git repository (or any of the parent directories): .git"
	noCommit       = "8afc69da875d6619c228ea1f564d6367b5293d52"
)

func (p *Parser) nginx(text []byte) bool {
	if p.rec.NginxVersion == nil {
		if version, ok := after("nginx version: ", text); ok {
			p.rec.NginxVersion = p.texts.keep(bytes.Replace(version, []byte("without pool"), []byte("no pool"), 1))
			return true
		}
	}
	m := nginxError.in(text)
	if m == nil {
		return false
	}
	level, details := bytes.TrimSuffix(m[0], []byte(" ")), text[len(m[0]):]
	if string(level) != "nginx: [alert]" || !bytes.Contains(details, []byte("lua_code_cache is off")) {
		p.fail(level, details)
	}
	return true
}

func (p *Parser) build(text []byte) bool {
	r := p.rec
	if why, ok := after("./configure: error: ", text); ok && len(why) > 0 {
		r.ConfigError = p.texts.keep(why)
		return true
	}
	for _, kind := range []rule{compiler, shell} {
		if m := kind.in(text); m != nil {
			r.CompErrors = append(r.CompErrors, p.texts.keep(m[0]))
			return true
		}
	}
	return false
}

func (p *Parser) warning(text []byte) bool {
	m := warning.in(text)
	if m != nil {
		p.rec.Warns = p.appendNew(p.rec.Warns, m[1])
	}
	return m != nil
}

func (p *Parser) segfault(text []byte) bool {
	what, ok := after("Segmentation Fault: ", text)
	if !ok || len(what) == 0 {
		return false
	}
	p.rec.Segfaults = p.appendNew(p.rec.Segfaults, what)
	return true
}

// appendNew appends what is not the same as the last.
func (p *Parser) appendNew(list []*string, b []byte) []*string {
	s := p.texts.keep(b)
	if n := len(list); n > 0 && same(list[n-1], s) {
		return list
	}
	return append(list, s)
}

func (p *Parser) builtNginx(text []byte) bool {
	m := built.in(text)
	if m != nil {
		p.rec.NginxVersion = p.texts.keep([]byte("nginx/" + string(m[1]) + " (no pool)"))
	}
	return m != nil
}

func (p *Parser) success(text []byte) bool {
	if p.rec.inMode('l') || !bytes.HasPrefix(text, []byte("All tests successful")) {
		return false
	}
	p.rec.TestsPass = 1
	return true
}

func (p *Parser) totals(text []byte) bool {
	m := totals.in(text)
	if m != nil {
		p.rec.Files, p.rec.Tests, p.rec.Secs = p.texts.keep(m[1]), p.texts.keep(m[2]), p.texts.keep(m[3])
	}
	return m != nil
}

func (p *Parser) header(text []byte) bool {
	block, ok := header(text)
	if ok {
		p.test = p.texts.keep(block)
	}
	return ok
}
