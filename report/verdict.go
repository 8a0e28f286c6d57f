package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Judge weighs what came back for one goal by the table in DESIGN.md. What did
// not run counts as much as what failed, so missing evidence never makes a
// verdict better; expectations cover only what they name. Judge reads no clock
// and changes nothing: a bug report is its arguments.
func Judge(in Evidence, exps []Expectation, opts JudgeOptions) GoalResult {
	j := newJudge(in.Goal, opts)
	for _, p := range in.Pieces {
		j.piece(p)
	}
	switch {
	case in.Record != nil:
		j.record(in)
	case len(in.Pieces) == 0:
		j.add(Finding{Kind: kindNotRun, Class: NotRun, Name: "nothing came back for this goal"})
	}
	j.unplanned()
	j.ranNothing()
	j.trouble(in.Trouble)
	j.classify(exps)
	j.failedOnce(exps)
	j.unexpected(exps)
	j.mass()
	j.conclude()
	return j.out
}

// Overall is the verdict over all goals of a run: that of the worst. A run
// without goals is incomplete.
func Overall(results []GoalResult) Verdict {
	if len(results) == 0 {
		return Incomplete
	}
	worst := 0
	for _, g := range results {
		worst = max(worst, rank(g.Verdict))
	}
	return []Verdict{Pass, Known, Incomplete, Fail}[worst]
}

// rank orders verdicts as the table does: what failed is told before what is
// missing. An unknown verdict is as bad as one that is missing.
func rank(v Verdict) int {
	switch v {
	case Pass:
		return 0
	case Known:
		return 1
	case Fail:
		return 3
	}
	return 2
}

// order is the order in which findings are shown.
var order = []Class{New, UnexpectedPass, Flaky, NotRun, Infrastructure, Old, Expected}

// conclude sorts the findings and draws the verdict from their classes.
func (j *judge) conclude() {
	g := &j.out
	for i := range g.Findings {
		g.Findings[i].Print = g.Findings[i].Fingerprint()
	}
	slices.SortStableFunc(g.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Class), slices.Index(order, b.Class)),
			cmp.Compare(noFile(a), noFile(b)), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Offset, b.Offset))
	})
	old := g.Count(Old)
	if j.opts.OldIsKnown {
		old = 0
	}
	bad := g.Count(New) + g.Count(UnexpectedPass) + old + j.flaky()
	missing := g.Count(NotRun) + g.Count(Infrastructure)
	switch {
	case bad > 0:
		g.Verdict = Fail
	case missing > 0:
		g.Verdict = Incomplete
	case len(g.Findings) > 0:
		g.Verdict = Known
	default:
		g.Verdict = Pass
	}
	g.Why = append(j.reasons(), g.Why...)
}

// noFile puts what can be pointed at before what cannot; but what stopped a
// whole piece before the files that did not run for it.
func noFile(f Finding) int {
	if (f.File == "") == (f.Class != NotRun) {
		return 1
	}
	return 0
}

// flaky counts those that no expectation covers.
func (j *judge) flaky() int {
	n := 0
	for _, f := range j.out.Findings {
		if f.Class == Flaky && f.Rule == "" {
			n++
		}
	}
	return n
}

// reasons says what decided, a sentence for each class that is there.
func (j *judge) reasons() []string {
	var why []string
	for _, c := range order {
		n := j.out.Count(c)
		if n == 0 {
			continue
		}
		i := slices.IndexFunc(j.out.Findings, func(f Finding) bool { return f.Class == c })
		s := fmt.Sprintf("%s, first %s.", counted(n, c), j.out.Findings[i].headline())
		if n == 1 {
			s = fmt.Sprintf("%s: %s.", counted(n, c), j.out.Findings[i].headline())
		}
		why = append(why, s)
	}
	if len(why) == 0 {
		why = append(why, fmt.Sprintf("All %s of %s passed.", plural(j.out.Tests, "assertion"), plural(j.out.Files, "test file")))
	}
	return why
}

func counted(n int, c Class) string {
	switch c {
	case New:
		return plural(n, "new failure")
	case Old:
		return plural(n, "failure") + " also on the base branch"
	case UnexpectedPass:
		return plural(n, "unexpected pass", "unexpected passes")
	case Infrastructure:
		return plural(n, "infrastructure problem")
	case NotRun:
		if n == 1 {
			return "1 thing did not run"
		}
		return fmt.Sprintf("%d things did not run", n)
	case Flaky:
		return plural(n, "flaky failure")
	}
	return plural(n, "expected failure")
}

// plural writes "1 file", "2 files".
func plural(n int, word string, many ...string) string {
	switch {
	case n == 1:
		return "1 " + word
	case len(many) > 0:
		return fmt.Sprintf("%d %s", n, many[0])
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// headline names a finding in half a line: where, then what.
func (f Finding) headline() string {
	where := f.File
	if f.Block != "" || f.Number != 0 {
		where += " " + f.BlockName()
	}
	return strings.TrimSuffix(strings.TrimPrefix(clip(strings.TrimSpace(where)+": "+f.Name, 300), ": "), ".")
}

// BlockName returns "TEST 3: title", the title alone when the block has no
// number, and "" when the finding belongs to no block.
func (f Finding) BlockName() string {
	if f.Number == 0 {
		return f.Block
	}
	return fmt.Sprintf("TEST %d: %s", f.Number, f.Block)
}
