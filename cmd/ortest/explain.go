package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

func (a *app) explain() *cobra.Command {
	var j judging
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain LOG GOAL [BLOCK]",
		Short: "Say why a goal's verdict is what it is",
		Long: "Say why a goal's verdict is what it is, rule by rule: what the log shows of it and where (byte offsets into the unpacked log), each finding with " +
			"what decided its class, and the expectations that nearly cover it. BLOCK, a part of a block's name such as 'TEST 3' or of its title, or a test file, limits what is told.",
		Example: "  ortest explain run.log.gz tv-ngx_lua\n  ortest explain run.log.gz tv-ngx_lua 'TEST 3: sanity'",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 || len(args) > 3 {
				return errors.New("name a log, a goal in it, and if you like a block")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			j.goal = args[1]
			if err := j.open(cmd); err != nil {
				return err
			}
			logs, err := j.logs(cmd, args[:1])
			if err != nil {
				return err
			}
			block := ""
			if len(args) == 3 {
				block = args[2]
			}
			all, err := j.explain(logs, args[1], block)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), all)
			}
			for i, e := range all {
				if i > 0 {
					fmt.Fprintln(cmd.OutOrStdout())
				}
				if err := e.write(cmd.OutOrStdout()); err != nil {
					return err
				}
			}
			return nil
		},
	}
	j.flags(cmd)
	if err := cmd.Flags().MarkHidden("goal"); err != nil {
		panic(err) // the flag was defined a line ago
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON instead of text")
	return cmd
}

// explanation is why one goal of a log has its verdict.
type explanation struct {
	Log      string         `json:"log"`
	Goal     string         `json:"goal"`
	Arch     string         `json:"arch,omitempty"`
	Line     int            `json:"line"`
	Offset   int64          `json:"offset"`
	End      int64          `json:"end"`
	Verdict  report.Verdict `json:"verdict"`
	Why      []string       `json:"why"`
	Checks   []check        `json:"checks"`
	Rules    []rule         `json:"rules"`
	Findings []explained    `json:"findings"`
	Leaks    []leakCheck    `json:"leaks,omitempty"`
	Trouble  []string       `json:"trouble,omitempty"`
}

// leakCheck is what the samples of one block say, with the old rule's opinion.
type leakCheck struct {
	Block string `json:"block"`
	Says  string `json:"says"`
}

// check is one thing that must be so for a goal to be good.
type check struct {
	What string `json:"what"`
	OK   bool   `json:"ok"`
	Says string `json:"says"`
}

// rule is a row of the table of verdicts: how many findings it applies to.
type rule struct {
	Class   report.Class   `json:"class"`
	Count   int            `json:"count"`
	Verdict report.Verdict `json:"verdict"` // that one such finding gives
}

type explained struct {
	report.Finding
	Entries []weighed `json:"entries,omitempty"`
}

// weighed is an expectation that speaks of a finding's file.
type weighed struct {
	ID     string `json:"id"`
	Covers bool   `json:"covers"`
	Misses string `json:"misses,omitempty"`
}

// explain finds a goal in the logs. One that is not there is wrong usage, with
// the goals that are.
func (j *judging) explain(logs []judgedLog, goal, block string) ([]explanation, error) {
	var all []explanation
	var names []string
	for _, l := range logs {
		for i, g := range l.Results {
			names = append(names, g.Goal)
			if g.Goal == goal {
				e, err := j.explainGoal(l, i, block)
				if err != nil {
					return nil, err
				}
				all = append(all, e)
			}
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	text := fmt.Sprintf("the log does not tell of %s", shortened(goal))
	switch near := plan.Nearest(goal, names); {
	case len(near) > 0:
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	case len(names) > 0:
		text += "; it tells of " + strings.Join(slices.Compact(names), ", ")
	}
	for _, l := range logs {
		for _, t := range l.Trouble {
			text += "\n" + shownText(l.Name) + ": " + shownText(t)
		}
	}
	return nil, usage(errors.New(text))
}

func (j *judging) explainGoal(l judgedLog, i int, block string) (explanation, error) {
	g, rec := l.Results[i], l.Log.Records[i]
	e := explanation{
		Log: l.Name, Goal: g.Goal, Arch: l.Log.Arch, Line: rec.Line, Offset: rec.Offset, End: rec.Offset + rec.Bytes,
		Verdict: g.Verdict, Why: g.Why, Checks: checks(l, i), Rules: j.rules(g), Findings: []explained{}, Trouble: l.Trouble,
	}
	exps, err := j.expects(g.Goal)
	if err != nil {
		return e, err
	}
	for _, f := range g.Findings {
		if block != "" && !strings.Contains(f.File+" "+f.BlockName(), block) {
			continue
		}
		e.Findings = append(e.Findings, explained{Finding: f, Entries: j.weighed(exps, f, g, l.Log.Arch)})
	}
	for _, f := range g.LeakChecks() {
		if block == "" || strings.Contains(f.Name, block) {
			e.Leaks = append(e.Leaks, leakCheck{f.Name, f.Detail})
		}
	}
	if block != "" && len(e.Findings)+len(e.Leaks) == 0 {
		e.Why = append(e.Why, fmt.Sprintf("Nothing bad is told of %q: it passed, or the log does not name it.", block))
	}
	return e, nil
}

// weighed tells of each entry that speaks of a finding's file and block whether
// it covers it, and else why not.
func (j *judging) weighed(exps []report.Expectation, f report.Finding, g report.GoalResult, arch string) []weighed {
	mode, _, _ := strings.Cut(g.Goal, "-")
	var all []weighed
	for i := range exps {
		e := &exps[i]
		why := e.Misses(f, mode, arch, g.Versions["nginx"])
		if why == "" || e.Test == f.File && e.Block == f.Block || e.ID == f.Rule {
			all = append(all, weighed{ID: e.ID, Covers: why == "", Misses: why})
		}
	}
	return all
}

// checks are what the log shows of a goal as a whole.
func checks(l judgedLog, i int) []check {
	rec, g := l.Log.Records[i], l.Results[i]
	failed := 0
	for _, f := range rec.Files {
		if f.State == "failed" {
			failed++
		}
	}
	ends := i < len(l.Log.Records)-1 || l.Log.Complete || rec.Offset+rec.Bytes < l.Log.Bytes
	return []check{
		{"the log goes on after this goal, or says that it is whole", ends, fmt.Sprintf("the goal's part is bytes %d to %d of %d", rec.Offset, rec.Offset+rec.Bytes, l.Log.Bytes)},
		{"the tests began", rec.Proving, said(rec.Proving, "there is output of prove", "there is no word of prove")},
		{"prove came to its end", rec.Result != "", said(rec.Result != "", "Result: "+rec.Result, "there is no line of its result")},
		{"something ran", rec.Tests > 0, fmt.Sprintf("prove counted %d assertions in %d files", rec.Tests, rec.Tested)},
		{"every file that prove counted is shown", g.Planned >= rec.Tested, fmt.Sprintf("%d of %d", g.Planned, rec.Tested)},
		{"prove failed no file", failed == 0, fmt.Sprintf("%d of %d failed", failed, len(rec.Files))},
		{"nothing is left out for its size", rec.Dropped == 0, fmt.Sprintf("%d findings and warnings dropped", rec.Dropped)},
	}
}

func said(ok bool, yes, no string) string {
	if ok {
		return yes
	}
	return no
}

// rules are the rows of the table of verdicts, in its order.
func (j *judging) rules(g report.GoalResult) []rule {
	old := report.Fail
	if j.oldIsKnown {
		old = report.Known
	}
	all := []rule{
		{report.New, 0, report.Fail}, {report.Old, 0, old}, {report.UnexpectedPass, 0, report.Fail}, {report.Infrastructure, 0, report.Incomplete},
		{report.NotRun, 0, report.Incomplete}, {report.Flaky, 0, report.Fail}, {report.Expected, 0, report.Known},
	}
	for i := range all {
		all[i].Count = g.Count(all[i].Class)
	}
	return all
}

func (e explanation) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	p := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	p("%s: %s", e.Goal, e.Verdict)
	p("  %s, line %d, bytes %d to %d%s", shownText(e.Log), e.Line, e.Offset, e.End, said(e.Arch != "", ", "+shownText(e.Arch), ""))
	for _, why := range e.Why {
		p("  %s", shownText(why))
	}
	p("what the log must show")
	for _, c := range e.Checks {
		p("  %-3s %s: %s", said(c.OK, "yes", "no"), c.What, c.Says)
	}
	p("rules, each of which may give the verdict")
	for _, r := range e.Rules {
		p("  %-3d %-15s -> %s", r.Count, r.Class, r.Verdict)
	}
	p("  none of these  -> %s", report.Pass)
	for i, f := range e.Findings {
		e.finding(p, i, f)
	}
	for _, l := range e.Leaks {
		p("leak check of %s\n  %s", shownText(l.Block), l.Says)
	}
	for _, t := range e.Trouble {
		p("the log itself is incomplete: %s", shownText(t))
	}
	return out.Flush()
}

func (e explanation) finding(p func(string, ...any), i int, f explained) {
	p("finding %d of %d: %s", i+1, len(e.Findings), f.Class)
	where := strings.TrimSpace(f.File + " " + f.BlockName())
	if f.Line > 0 {
		where += " (line " + strconv.Itoa(f.Line) + ")"
	}
	if where != "" {
		p("  %s", shownText(where))
	}
	p("  %s: %s", f.Kind, shownText(f.Name))
	p("  at byte %d of the log", f.Offset)
	if f.Why != "" {
		p("  because %s", shownText(f.Why))
	}
	for _, line := range strings.Split(strings.TrimRight(f.Detail, "\n"), "\n") {
		if line != "" {
			p("    | %s", shownText(line))
		}
	}
	for _, w := range f.Entries {
		if w.Covers {
			p("  expectation %s covers it", w.ID)
		} else {
			p("  expectation %s does not: %s", w.ID, shownText(w.Misses))
		}
	}
}
