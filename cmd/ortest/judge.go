package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/report"
)

func (a *app) judge() *cobra.Command {
	var j judging
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "judge LOG…",
		Short: "Say of each goal in logs whether it is good",
		Long: "Read logs, weigh them by the expectations of the catalog, and print a verdict for each goal: pass, known (only expected failures), fail or " +
			"incomplete (something did not run, or the log stops early). The exit code is 1 if any goal is fail or incomplete. " +
			"A LOG is plain, packed by gzip or an archive of tar; - is the standard input. A log that names no goal, such as prove's output, needs --goal.",
		Example: "  ortest judge run.log.gz\n  ortest judge --base main.log pr.log\n  prove -r t 2>&1 | ortest judge --goal t-lua-resty-redis -",
		Args:    someLogs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := j.open(cmd); err != nil {
				return err
			}
			logs, err := j.logs(cmd, args)
			if err != nil {
				return err
			}
			v := verdictOf(logs, j.absent(logs))
			switch {
			case asJSON:
				err = writeJSON(cmd.OutOrStdout(), v)
			case !a.quiet:
				err = v.write(cmd.OutOrStdout())
			}
			if err == nil && !v.good() {
				err = errBadVerdict
			}
			return err
		},
	}
	j.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON: the verdict, and the goals with their findings")
	return cmd
}

// judgement is what judge prints.
type judgement struct {
	Verdict report.Verdict `json:"verdict"`
	Goals   []judgedGoal   `json:"goals"`
	Trouble []logTrouble   `json:"trouble,omitempty"` // of whole logs
}

type judgedGoal struct {
	Log  string `json:"log,omitempty"` // "" when no log tells of the goal
	Arch string `json:"arch,omitempty"`
	Date string `json:"date,omitempty"`
	report.GoalResult
}

type logTrouble struct {
	Log  string `json:"log"`
	Text string `json:"text"`
}

// verdictOf joins what was judged. A log that is not whole makes a good verdict incomplete.
func verdictOf(logs []judgedLog, absent []report.GoalResult) judgement {
	v := judgement{Goals: []judgedGoal{}}
	var all []report.GoalResult
	for _, l := range logs {
		for _, g := range l.Results {
			v.Goals = append(v.Goals, judgedGoal{Log: l.Name, Arch: l.Log.Arch, Date: l.Log.Date, GoalResult: g})
			all = append(all, g)
		}
		for _, t := range l.Trouble {
			v.Trouble = append(v.Trouble, logTrouble{Log: l.Name, Text: t})
			all = append(all, report.GoalResult{Verdict: report.Incomplete})
		}
	}
	for _, g := range absent {
		v.Goals = append(v.Goals, judgedGoal{GoalResult: g})
		all = append(all, g)
	}
	v.Verdict = report.Overall(all)
	return v
}

func (v judgement) good() bool { return v.Verdict == report.Pass || v.Verdict == report.Known }

func (v judgement) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "GOAL\tVERDICT\tFILES\tTESTS\tSECONDS\tFINDINGS\tWHY")
	name := ""
	for _, g := range v.Goals {
		if many := g.Log != name && v.Goals[0].Log != v.Goals[len(v.Goals)-1].Log; many {
			fmt.Fprintf(t, "# %s\n", shownText(g.Log))
		}
		name = g.Log
		why := ""
		if len(g.Why) > 0 {
			why = g.Why[0]
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", cmp.Or(g.Goal, "(no goal)"), g.Verdict, g.Files, g.Tests,
			strconv.FormatFloat(g.Seconds, 'f', -1, 64), counts(g.GoalResult), shownText(why))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, p := range v.Trouble {
		if _, err := fmt.Fprintf(w, "incomplete: %s: %s\n", shownText(p.Log), shownText(p.Text)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s\n", v.summary())
	return err
}

// summary is the last line: the verdict over all, and how many goals have which.
func (v judgement) summary() string {
	var parts []string
	for _, one := range []report.Verdict{report.Fail, report.Incomplete, report.Known, report.Pass} {
		n := 0
		for _, g := range v.Goals {
			if g.Verdict == one {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, one))
		}
	}
	return fmt.Sprintf("verdict: %s (%d goals: %s)", v.Verdict, len(v.Goals), strings.Join(parts, ", "))
}

// counts says how many findings have which class, the worst first.
func counts(g report.GoalResult) string {
	var parts []string
	for _, c := range []report.Class{report.New, report.UnexpectedPass, report.Flaky, report.NotRun, report.Infrastructure, report.Old, report.Expected} {
		if n := g.Count(c); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, c))
		}
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}
