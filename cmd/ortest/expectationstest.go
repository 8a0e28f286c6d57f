package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/expect"
)

func (a *app) expectationsTest() *cobra.Command {
	var j judging
	var asJSON, silent bool
	cmd := &cobra.Command{
		Use:   "test LOG…",
		Short: "Say which known failures cover what in logs, and which nothing",
		Long: "Judge logs and say of each expectation that speaks of a goal in them which failures it covers, and which cover nothing there. Failures that no entry covers come last.\n\n" +
			"The exit code is 1 if a failure is covered by nothing, or an entry does more than its budget allows.",
		Example: "  ortest expectations test run.log.gz\n  ortest expectations test --expectations ours *.log.gz",
		Args:    someLogs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := j.open(cmd); err != nil {
				return err
			}
			runs, err := j.runs(cmd, args)
			if err != nil {
				return err
			}
			t, err := j.tried(runs)
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				err = writeJSON(cmd.OutOrStdout(), t)
			case !a.quiet:
				err = t.write(cmd, !silent)
			}
			if err == nil && len(t.Uncovered) > 0 {
				err = errBadVerdict
			}
			return err
		},
	}
	j.listFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON instead of text")
	cmd.Flags().BoolVar(&silent, "used", false, "leave out the entries that cover nothing")
	return cmd
}

// trial is what the expectations of the logs' projects did.
type trial struct {
	Entries   []triedEntry `json:"entries"`
	Uncovered []coverage   `json:"uncovered"`
}

type triedEntry struct {
	Project  string     `json:"project"`
	ID       string     `json:"id"`
	Eligible int        `json:"eligible"` // goals of the logs that it speaks of
	Covers   []coverage `json:"covers,omitempty"`
}

// coverage is one failure in a log.
type coverage struct {
	Log    string       `json:"log"`
	Goal   string       `json:"goal"`
	File   string       `json:"file,omitempty"`
	Block  string       `json:"block,omitempty"`
	Name   string       `json:"name"`
	Offset int64        `json:"offset"`
	Class  report.Class `json:"class"`
	Other  string       `json:"other,omitempty"` // the entry that decided instead
}

func (j *judging) tried(runs map[string][]expect.Run) (trial, error) {
	t := trial{Entries: []triedEntry{}, Uncovered: []coverage{}}
	for _, project := range slices.Sorted(maps.Keys(runs)) {
		exps, err := j.expects("t-" + project)
		if err != nil {
			return t, err
		}
		for i := range exps {
			u := expect.UseOf(&exps[i], runs[project])
			if u.Eligible == 0 {
				continue
			}
			e := triedEntry{Project: project, ID: exps[i].ID, Eligible: u.Eligible}
			for _, h := range u.Hits {
				c := covered(h.Run, h.Finding)
				if !h.Decisive {
					c.Other = h.Finding.Rule
				}
				e.Covers = append(e.Covers, c)
			}
			t.Entries = append(t.Entries, e)
		}
		for _, r := range runs[project] {
			for _, f := range r.Result.Findings {
				if f.Class != report.Expected && f.Class != report.NotRun && f.Class != report.Infrastructure {
					t.Uncovered = append(t.Uncovered, covered(r, f))
				}
			}
		}
	}
	return t, nil
}

func covered(r expect.Run, f report.Finding) coverage {
	return coverage{Log: r.Log, Goal: r.Result.Goal, File: f.File, Block: f.BlockName(), Name: f.Name, Offset: f.Offset, Class: f.Class}
}

func (t trial) write(cmd *cobra.Command, unused bool) error {
	w := cmd.OutOrStdout()
	used := 0
	for _, e := range t.Entries {
		if len(e.Covers) > 0 {
			used++
			fmt.Fprintf(w, "%s: %s covers\n", e.Project, e.ID)
		} else if unused {
			fmt.Fprintf(w, "%s: %s covers nothing in %d goals\n", e.Project, e.ID, e.Eligible)
		}
		for _, c := range e.Covers {
			fmt.Fprintf(w, "  %s\n", c)
		}
	}
	for _, c := range t.Uncovered {
		fmt.Fprintf(w, "covered by nothing: %s\n", c)
	}
	_, err := fmt.Fprintf(w, "%d of %d entries that speak of these goals cover something, %d do not; %d failures are covered by nothing\n",
		used, len(t.Entries), len(t.Entries)-used, len(t.Uncovered))
	return err
}

func (c coverage) String() string {
	s := fmt.Sprintf("%s %s %s %s: %s (byte %d of %s)", c.Class, c.Goal, c.File, c.Block, c.Name, c.Offset, c.Log)
	if c.Other != "" {
		s += "; " + c.Other + " decides"
	}
	return shownText(s)
}
