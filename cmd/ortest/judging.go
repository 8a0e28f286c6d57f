package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
)

// judging is what the verdicts over logs depend on besides the logs.
type judging struct {
	catalogDir, data, expectations string   // directories
	base, same                     []string // logs
	goals                          string   // that were asked for
	goal                           string   // of a log that names none
	date                           string   // by which expectations expire
	oldIsKnown                     bool
	sources                        string // a directory of checkouts or repositories

	arch    string // that expectations are for; of logs their own says it
	catalog *catalog.Catalog
	mu      sync.Mutex                      // known: the lanes of a run judge at once
	known   map[string][]report.Expectation // by project
	now     time.Time
	bases   map[string]report.GoalResult // by goal
	sames   []report.GoalResult
	asked   []plan.Goal
	planned denominator
}

// judgedLog is one log with a result for each goal in it, in its order.
type judgedLog struct {
	Name    string
	Log     report.Log
	Results []report.GoalResult
	Trouble []string // what is wrong with the log itself; it makes the whole incomplete
}

func (j *judging) flags(cmd *cobra.Command) {
	catalogFlag(cmd, &j.catalogDir)
	f := cmd.Flags()
	f.StringVar(&j.data, "data", defaultData(""), "take the catalog that is in force in `DIR`, and the expectations of DIR/expectations before the built-in ones")
	f.StringVar(&j.expectations, "expectations", "", "take the expectations of `DIR`, PROJECT.yaml, before all others")
	f.StringArrayVar(&j.base, "base", nil, "compare with `LOG` of the base branch: what it shows too is old")
	f.StringArrayVar(&j.same, "same", nil, "compare with `LOG` of the same commit: what passed there is flaky")
	f.BoolVar(&j.oldIsKnown, "old-is-known", false, "a failure that the base branch has too does not fail the goal")
	f.StringVar(&j.goals, "goals", "", "these `GOALS` were asked for: one that no log tells of is incomplete")
	f.StringVar(&j.goal, "goal", "", "the log, which names no goal, is that of `GOAL`")
	f.StringVar(&j.sources, "sources", "", "find the projects' repositories or checkouts in `DIR`: for what did not run, for what passes although it is said to fail, and for lines")
	f.StringVar(&j.date, "date", "", "let expectations expire as on `DATE`, such as 2026-01-31 (default today)")
}

// judgingBy weighs by the expectations that a catalog has itself.
func judgingBy(c *catalog.Catalog) *judging {
	return &judging{catalog: c, known: make(map[string][]report.Expectation), now: time.Now()}
}

// evidence weighs a goal, or one of its files, by its project's expectations.
func (j *judging) evidence(ev report.Evidence) (report.GoalResult, error) {
	exps, err := j.expects(ev.Goal)
	if err != nil {
		return report.GoalResult{}, err
	}
	return report.Judge(ev, exps, report.JudgeOptions{Now: j.now, Arch: j.arch}), nil
}

// open reads what the flags name.
func (j *judging) open(cmd *cobra.Command) error {
	j.now = time.Now()
	if j.date != "" {
		day, err := time.Parse(time.DateOnly, j.date)
		if err != nil {
			return usage(fmt.Errorf("--date %q: want a date such as 2026-01-31", shortened(j.date)))
		}
		j.now = day
	}
	c, err := catalogIn(j.catalogDir, j.data)
	if err != nil {
		return err
	}
	j.catalog, j.known = c, make(map[string][]report.Expectation)
	if j.expectations != "" {
		if err := checkDir(j.expectations); err != nil {
			return usage(fmt.Errorf("--expectations: %w; give a directory of PROJECT.yaml", err))
		}
	}
	if j.goals != "" {
		if j.asked, _, err = c.Goals(strings.Fields(j.goals), ""); err != nil {
			return wrong(err)
		}
	}
	if j.sources != "" {
		if err := checkDir(j.sources); err != nil {
			return usage(fmt.Errorf("--sources: %w; give a project's checkout, or the directory that holds some", err))
		}
	}
	j.planned = denominator{dir: j.sources, catalog: c, say: cmd.ErrOrStderr()}
	return j.history(cmd)
}

// history judges the logs that the others are compared with.
func (j *judging) history(cmd *cobra.Command) error {
	j.bases = make(map[string]report.GoalResult)
	for _, h := range []struct {
		logs []string
		keep func(report.GoalResult)
	}{
		{j.base, func(g report.GoalResult) { j.bases[g.Goal] = g }},
		{j.same, func(g report.GoalResult) { j.sames = append(j.sames, g) }},
	} {
		if len(h.logs) == 0 {
			continue
		}
		alone := judging{catalog: j.catalog, known: j.known, now: j.now, goal: j.goal, data: j.data, expectations: j.expectations, planned: j.planned}
		logs, err := alone.logs(cmd, h.logs)
		if err != nil {
			return err
		}
		for _, l := range logs {
			for _, g := range l.Results {
				h.keep(g)
			}
		}
	}
	return nil
}

// logs judges logs.
func (j *judging) logs(cmd *cobra.Command, args []string) ([]judgedLog, error) {
	var all []judgedLog
	var failed error // ours, which says nothing of the log
	err := eachLog(cmd, args, func(name string, r io.Reader) error {
		l, err := report.Parse(r)
		out := judgedLog{Name: name, Log: l}
		if err != nil {
			// What came before it is evidence all the same.
			out.Trouble = append(out.Trouble, damaged(name, err).Error())
		}
		for _, f := range l.Findings {
			out.Trouble = append(out.Trouble, fmt.Sprintf("%s (byte %d)", f.Name, f.Offset))
		}
		if failed == nil {
			failed = j.judge(cmd.Context(), &out, l)
		}
		all = append(all, out)
		return nil
	})
	return all, cmp.Or(failed, err)
}

// judge adds a result for each goal of a log. A goal that the log tells of
// more than once is held against itself: what passed once and failed once at
// one commit is flaky.
func (j *judging) judge(ctx context.Context, out *judgedLog, l report.Log) error {
	evidence := l.Evidence()
	first := make([]report.GoalResult, len(evidence))
	for i := range evidence {
		if evidence[i].Goal == "" {
			evidence[i].Goal = j.goal
		}
		evidence[i].Census = j.planned.of(ctx, evidence[i].Goal, evidence[i].Record)
		exps, err := j.expects(evidence[i].Goal)
		if err != nil {
			return err
		}
		first[i] = report.Judge(evidence[i], exps, j.options(l, evidence[i].Goal, nil))
	}
	for i, ev := range evidence {
		exps, err := j.expects(ev.Goal)
		if err != nil {
			return err
		}
		same := slices.Clone(j.sames)
		for k, g := range first {
			if k != i && g.Goal == ev.Goal {
				same = append(same, g)
			}
		}
		out.Results = append(out.Results, report.Judge(ev, exps, j.options(l, ev.Goal, same)))
	}
	return nil
}

func (j *judging) options(l report.Log, goal string, same []report.GoalResult) report.JudgeOptions {
	opts := report.JudgeOptions{Now: j.now, Arch: l.Arch, OldIsKnown: j.oldIsKnown, Same: same}
	if b, ok := j.bases[goal]; ok {
		opts.Base, opts.BaseCommit = &b, b.Commit
	}
	return opts
}

// absent are the goals that were asked for and that no log tells of.
func (j *judging) absent(logs []judgedLog) []report.GoalResult {
	seen := make(map[string]bool)
	for _, l := range logs {
		for _, g := range l.Results {
			seen[g.Goal] = true
		}
	}
	var all []report.GoalResult
	for _, g := range j.asked {
		if !seen[g.String()] {
			all = append(all, report.Judge(report.Evidence{Goal: g.String()}, nil, report.JudgeOptions{Now: j.now}))
		}
	}
	return all
}

// expects returns the expectations of a goal's project. A file that cannot be
// read is an error: nothing may be waived then.
func (j *judging) expects(goal string) ([]report.Expectation, error) {
	g, err := plan.ParseGoal(goal)
	if err != nil {
		return nil, nil // no project: nothing is expected of it
	}
	j.mu.Lock()
	exps, ok := j.known[g.Project]
	j.mu.Unlock()
	if ok {
		return exps, nil
	}
	name, text, err := j.expectationFile(g.Project)
	if err != nil {
		return nil, err
	}
	exps, err = report.ReadExpectations(name, text)
	if err != nil {
		return nil, usage(fmt.Errorf("%w\nnothing is judged while the expectations cannot be read", err))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.known[g.Project] = exps
	return exps, nil
}

// expectationFile returns a project's file: the first of those in the directories
// that were named, in the data directory and in the catalog.
func (j *judging) expectationFile(project string) (name string, text []byte, err error) {
	base := project + ".yaml"
	for _, dir := range []string{j.expectations, filepath.Join(j.data, "expectations")} {
		if dir == "" || dir == "expectations" {
			continue
		}
		name = filepath.Join(dir, base)
		text, err = os.ReadFile(name)
		if err == nil {
			return name, text, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", nil, usage(fmt.Errorf("read expectations: %w", err))
		}
	}
	text, _ = j.catalog.Expectations(project)
	return "expectations/" + base, text, nil
}
