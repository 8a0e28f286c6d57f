package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	reRepeat = regexp.MustCompile(`\s*\((?:repeated )?req [^)]*\)`)
	reQuoted = regexp.MustCompile(` but matches line ".*`)
	reBody   = regexp.MustCompile(`(response is expected|- like) \(.*`)
	reNumber = regexp.MustCompile(`0x[0-9a-fA-F]+|[0-9]+`)
)

// Fingerprint is the identity of a finding over runs, modes and machines: its
// block and what it says, without what changes from run to run. Block numbers
// and log offsets are no part of it.
func (f Finding) Fingerprint() string {
	if f.Print != "" {
		return f.Print
	}
	what := f.what
	if what == "" {
		what = f.Name
	}
	what = reQuoted.ReplaceAllString(what, "")
	what = reBody.ReplaceAllString(what, "$1")
	what = reRepeat.ReplaceAllString(what, "")
	what = reNumber.ReplaceAllString(what, "0")
	sum := sha256.Sum256([]byte(strings.Join([]string{f.File, f.Block, fmt.Sprint(f.Ordinal), f.Kind, what}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// merged makes one finding of those with the same fingerprint: a repeated
// request fails as often as it is made. Two blocks of one title stay two.
func merged(fs []Finding) []Finding {
	var out []Finding
	at := make(map[string]int)
	times := make(map[string]int)
	for _, f := range fs {
		id := f.Fingerprint() + " " + fmt.Sprint(f.Number)
		times[id]++
		i, ok := at[id]
		if !ok {
			at[id] = len(out)
			out = append(out, f)
			continue
		}
		if out[i].Detail == "" {
			out[i].Detail = f.Detail
		}
		if out[i].Class == "" || f.Class == "" {
			out[i].Class = ""
		}
	}
	for id, n := range times {
		if n > 1 {
			seen := fmt.Sprintf("(seen %d times; this is the first)\n", n)
			out[at[id]].Detail = clip(out[at[id]].Detail, maxDetail-len(seen)) + seen
		}
	}
	return out
}

// classify gives each finding that has none a class, by the expectations first,
// then by what the same commit and the base branch did.
func (j *judge) classify(exps []Expectation) {
	used := make(map[string]map[string]bool) // fingerprints by entry
	for i := range j.out.Findings {
		f := &j.out.Findings[i]
		if f.Class != "" {
			continue
		}
		c := j.cover(exps, *f)
		if c.best != nil && j.spent(c.best, f, used) {
			continue
		}
		switch {
		case c.best != nil:
			f.Class, f.Rule = Expected, c.best.ID
			f.Why = fmt.Sprintf("expectation %s (%s): %s", c.best.ID, c.best.Owner, oneLine(c.best.Reason, maxReason))
			if len(c.others) > 0 {
				f.Why += "; also covered by " + strings.Join(c.others, ", ")
			}
			if c.best.Outcome == "flaky" && j.passedOnce(*f) {
				f.Class = Flaky
			}
		case c.expired != nil:
			f.Class, f.Rule = New, c.expired.ID
			f.Why = fmt.Sprintf("expectation %s of %s expired on %s and covers it no more", c.expired.ID, c.expired.Owner, c.expired.Expires)
		case j.passedOnce(*f):
			f.Class, f.Why = Flaky, "another run of this commit passed it"
		case j.opts.Base != nil && hasPrint(j.opts.Base.Findings, f.Fingerprint()):
			f.Class, f.Why = Old, "also on the base branch"+at(j.opts.BaseCommit)
		case j.opts.Base != nil:
			f.Class, f.Why = New, "not on the base branch"+at(j.opts.BaseCommit)
		default:
			f.Class, f.Why = New, "not expected, and nothing is known of the base branch"
		}
	}
}

// at names a commit in the middle of a sentence; one that is not known is left out.
func at(commit string) string {
	if commit == "" {
		return ""
	}
	return fmt.Sprintf(" at %.12s", commit)
}

// spent makes a finding new that its entry covers no more: there were as many
// others as its budget allows, here or in another run of the commit, or it fails
// more often than its rate.
func (j *judge) spent(e *Expectation, f *Finding, used map[string]map[string]bool) bool {
	if used[e.ID] == nil {
		used[e.ID] = make(map[string]bool)
	}
	used[e.ID][f.Fingerprint()] = true
	if n := len(used[e.ID]); n > e.Budget {
		f.Class, f.Rule, f.Why = New, e.ID, e.wide()+fmt.Sprint(n)
		return true
	}
	if why := j.refusal(e, *f); why != "" {
		f.Class, f.Rule, f.Why = New, e.ID, why
		return true
	}
	if e.Outcome != "flaky" {
		return false
	}
	failed, runs := j.rate(e, *f)
	if !e.tooOften(failed, runs) {
		return false
	}
	f.Class, f.Rule, f.Why = New, e.ID, e.often()+fmt.Sprintf("%d of %d runs failed", failed, runs)
	return true
}

// wide and often begin the sentences that say why an entry does not cover a
// finding. They hold its terms, so that refusal knows whether these are still the same.
func (e *Expectation) wide() string {
	return fmt.Sprintf("expectation %s of %s covers %s and this is number ", e.ID, e.Owner, plural(e.Budget, "different failure"))
}

func (e *Expectation) often() string {
	return fmt.Sprintf("expectation %s of %s allows a rate of %g, and ", e.ID, e.Owner, e.MaxRate)
}

// refusal returns why an entry did not cover a finding in another run of this
// commit, on the terms that it still has: no retry makes room in it. It is ""
// when it did cover it, was not there yet, or was changed since.
func (j *judge) refusal(e *Expectation, f Finding) string {
	print := f.Fingerprint()
	for _, g := range j.opts.Same {
		for _, o := range g.Findings {
			failed := o.Class == New || o.Class == Flaky && o.Rule == ""
			if failed && g.Commit == j.out.Commit && o.Fingerprint() == print && (strings.Contains(o.Why, e.wide()) || strings.Contains(o.Why, e.often())) {
				return strings.TrimPrefix(o.Why, hidden+": ")
			}
		}
	}
	return ""
}

// hidden is why a test that passed counts as failed.
const hidden = "another run of this commit failed it, and this one did not"

// rate returns in how many of the complete runs that are known, this one
// included, what an entry covers failed.
func (j *judge) rate(e *Expectation, f Finding) (failed, runs int) {
	failed, runs = 1, 1
	others := j.opts.Same
	if j.opts.Base != nil {
		others = append(others[:len(others):len(others)], *j.opts.Base)
	}
	for _, g := range others {
		hit := slices.ContainsFunc(g.Findings, func(o Finding) bool { return o.Rule == e.ID || o.Fingerprint() == f.Fingerprint() })
		if hit {
			failed++
		}
		if hit || g.Count(NotRun)+g.Count(Infrastructure) == 0 {
			runs++
		}
	}
	return failed, runs
}

// covering are the entries that cover a finding.
type covering struct {
	best    *Expectation // the most specific; of equal ones the first
	others  []string     // ids of the others
	expired *Expectation // one that would, had it not expired
}

func (j *judge) cover(exps []Expectation, f Finding) covering {
	var c covering
	for i := range exps {
		e := &exps[i]
		if e.Misses(f, j.mode, j.arch, j.out.Versions["nginx"]) != "" {
			continue
		}
		switch {
		case e.expired(j.opts.Now):
			c.expired = e
		case c.best == nil:
			c.best = e
		case e.specific() > c.best.specific():
			c.others = append(c.others, c.best.ID)
			c.best = e
		default:
			c.others = append(c.others, e.ID)
		}
	}
	return c
}

// passedOnce reports whether another complete run of the same commit did not
// have a finding.
func (j *judge) passedOnce(f Finding) bool {
	print := f.Fingerprint()
	return slices.ContainsFunc(j.opts.Same, func(g GoalResult) bool {
		return g.Commit == j.out.Commit && g.Count(NotRun)+g.Count(Infrastructure) == 0 && !hasPrint(g.Findings, print)
	})
}

// failedOnce adds what another run of the same commit failed and this one did not:
// a test that failed is not hidden by a retry that passed. A build that failed is
// no test, and an expectation excuses it as if it had failed here.
func (j *judge) failedOnce(exps []Expectation) {
	for _, g := range j.opts.Same {
		if g.Commit != j.out.Commit {
			continue
		}
		for _, f := range g.Findings {
			counts := f.Class == New || f.Class == Flaky || f.Class == Old && !j.opts.OldIsKnown
			if !counts || f.Kind == kindBuild || hasPrint(j.out.Findings, f.Fingerprint()) {
				continue
			}
			f.Offset = 0 // of the other's log
			f.Class, f.Rule, f.Why = Flaky, "", hidden
			if e := j.cover(exps, f).best; e != nil {
				failed, runs := j.rate(e, f)
				switch why := j.refusal(e, f); {
				case why != "":
					f.Why += ": " + why
				case e.Outcome != "flaky":
					continue
				case !e.tooOften(failed-1, runs): // rate counts this run as failed
					f.Rule = e.ID
				}
			}
			j.add(f)
		}
	}
}

func hasPrint(fs []Finding, print string) bool {
	return slices.ContainsFunc(fs, func(f Finding) bool { return f.Fingerprint() == print })
}

// unexpected adds a finding for each strict entry whose block ran to its end
// and passed. What did not run says nothing about an entry.
func (j *judge) unexpected(exps []Expectation) {
	for i := range exps {
		e := &exps[i]
		if !e.strict() || e.absent(j.mode, j.arch, j.out.Versions["nginx"]) != "" || !j.eligible(e) || e.expired(j.opts.Now) {
			continue
		}
		f, ok := j.passed(e)
		if !ok {
			continue
		}
		f.Kind, f.Class, f.Rule = kindXPass, UnexpectedPass, e.ID
		f.Name = fmt.Sprintf("passes, although expectation %s says that it fails", e.ID)
		f.Why = fmt.Sprintf("the entry is strict and %s owns it; remove it, or find out why it passes", e.Owner)
		f.Detail = oneLine(e.Reason, maxReason) + "\n" + e.Issue
		j.add(f)
	}
}

// eligible reports whether the goal's mode can show what an entry names.
func (j *judge) eligible(e *Expectation) bool {
	leak, valgrind := strings.Contains(j.mode, "l"), strings.Contains(j.mode, "v")
	switch e.Kind {
	case kindMemcheck:
		return valgrind
	case kindLeak:
		return leak
	case kindAssert, kindTimeout:
		return !leak
	}
	return true
}

// passed returns where an entry's block passed.
func (j *judge) passed(e *Expectation) (Finding, bool) {
	r := j.ran[e.Test]
	if r == nil || !r.whole {
		return Finding{}, false
	}
	for _, f := range j.out.Findings {
		if f.File == e.Test && f.Kind == e.Kind && f.Block == e.Block {
			return Finding{}, false
		}
	}
	if e.Block == "" {
		return Finding{File: e.Test}, len(r.census.Blocks) == 0
	}
	for i, b := range r.census.Blocks {
		if b.Title == e.Block && (e.Ordinal == 0 || e.Ordinal == b.Ordinal) && (r.blocks[i] || e.Kind == kindLeak && b.Skip == "") {
			return Finding{File: e.Test, Block: b.Title, Number: b.Number, Ordinal: b.Ordinal, Line: b.Line, EndLine: b.Line}, true
		}
	}
	return Finding{}, false
}
