package opsboy

import "strings"

// judge gives each record the old tool's result.
func (p *Parser) judge() error {
	lists := map[string][]*expectation{}
	leaked := false // a goal of leak mode came before
	for _, r := range p.records {
		leaked = leaked || r.inMode('l')
		r.CompErrors = distinct(r.CompErrors)
		r.Expected, r.True = []*failure{}, []*failure{}
		if r.passes() {
			r.Result = "PASS"
			continue
		}
		if lists[r.Module] == nil {
			list, err := expectationsOf(r.Module)
			if err != nil {
				return err
			}
			lists[r.Module] = list
		}
		r.sort(r.covered(lists[r.Module], leaked), p.arch)
		r.Result = "FAIL"
		if len(r.True)+len(r.Segfaults) == 0 && isTrue(r.Tests) {
			r.Result = "~PASS"
		}
	}
	return nil
}

func (r *record) passes() bool {
	return r.TestsPass+r.ValgrindPass == 2 || r.inMode('l') && len(r.Failures)+len(r.Segfaults) == 0
}

// covered returns the entries for the goal's mode. One without letters is for
// all modes, but not after a goal of leak mode: Perl takes an empty expression
// for the last that matched, and that is then the one for leak mode.
func (r *record) covered(list []*expectation, leaked bool) (entries []*expectation) {
	for _, e := range list {
		switch {
		case e.Mode != nil && *e.Mode == "" && leaked && !r.inMode('v') && !r.inMode('l'):
		case e.Mode == nil || strings.Contains(r.Mode, *e.Mode):
			entries = append(entries, e)
		}
	}
	return entries
}

// sort moves each failure to the expected or to the true ones.
func (r *record) sort(entries []*expectation, arch *string) {
	var steady []*failure // of leak tests, expected after all
	for _, f := range r.Failures {
		switch {
		case f.expected(entries, arch):
			r.expect(f)
		case r.inMode('l') && f.isSteady():
			steady = append(steady, f)
		default:
			r.True = append(r.True, f)
		}
	}
	r.Expected = append(r.Expected, steady...)
	r.Failures = nil
}

func (f *failure) expected(entries []*expectation, arch *string) bool {
	for _, e := range entries {
		if e.fits(f, arch) {
			return true
		}
	}
	return false
}

// expect adds an expected failure, in the place of the last if it says the same.
func (r *record) expect(f *failure) {
	if n := len(r.Expected); n > 0 {
		last := r.Expected[n-1]
		if (last.File == nil || same(last.File, f.File)) && or(last.Name) == or(f.Name) && or(last.Details) == or(f.Details) {
			r.Expected = r.Expected[:n-1]
		}
	}
	r.Expected = append(r.Expected, f)
}

// steady is below how many up-edges memory is not said to leak.
const steady = 10

func (f *failure) isSteady() bool {
	return f.leak != nil && (isTrue(f.Stable) || f.edges < steady)
}

// distinct drops what was said before.
func distinct(list []*string) []*string {
	seen := make(map[string]bool, len(list))
	out := list[:0]
	for _, s := range list {
		if !seen[*s] {
			seen[*s] = true
			out = append(out, s)
		}
	}
	return out
}
