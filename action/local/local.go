// Package local runs goals on this machine, now, without GitHub.
//
// The goals are made ready one after another, and then their test files are
// run from one queue, several at once in lanes of their own, the longest first.
// A file that fails beside others is run once more when all others have ended,
// and how it ends then counts; but a crash, a memory error or a leak that it shows
// beside others counts, and it is not run again. What has ended is written down at
// once: after a kill the same goals continue with the files that are left.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/action"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

// Config is what to run and how. Goals, Work, Open, Judge and Estimate are required.
type Config struct {
	Goals    []plan.Goal
	Work     string                                           // absolute folder; what survives a run is kept there
	Jobs     int                                              // files at once; 0: as many as the cores bear
	Cores    int                                              // of this machine
	Lanes    bool                                             // run each file in a lane of its own; required for more than one job
	Fresh    bool                                             // begin anew what was begun before
	Shuffle  uint64                                           // seed of the order; 0: longest first, and in the suite's order for one job
	Open     func(plan.Goal) (action.Config, error)           // how a goal is made ready; Log is set here
	Judge    func(report.Evidence) (report.GoalResult, error) // weighs a goal, or one of its files; several at once
	Estimate func(plan.Goal, report.TestFile) plan.File       // what is known of a file's duration
	Deliver  func(Outcome) error                              // takes what was run before its records are removed; nil does nothing
	Progress io.Writer                                        // a line for each thing that ended
}

// Goal is one goal that was run.
type Goal struct {
	Goal     plan.Goal
	Evidence report.Evidence   // of each file the run that counts
	Beside   []Beside          // runs that do not count: files that failed beside others
	Result   report.GoalResult // of the evidence
	Resumed  int               // files that had ended before this run began
}

// Beside is a run of a file beside others that did not pass, and its log.
type Beside struct {
	File report.FileResult
	Log  []byte
}

// Outcome is everything that was run.
type Outcome struct {
	Goals   []Goal // in the order of the configuration
	Jobs    int
	Began   time.Time     // before anything was made ready
	Testing time.Duration // from the first test file to the end of the last
}

// Run runs goals. That tests fail or that a goal cannot be made ready is no error; that
// no goal has one of the files that were asked for is a *plan.UsageError.
func Run(ctx context.Context, cfg Config) (Outcome, error) {
	out := Outcome{Began: time.Now()}
	r := &runner{cfg: cfg, began: out.Began}
	defer r.close()
	for _, g := range cfg.Goals {
		if err := r.prepare(ctx, g); err != nil {
			return Outcome{}, fmt.Errorf("%s: %w", g, err)
		}
	}
	if err := r.matched(); err != nil {
		return Outcome{}, err
	}
	begun := time.Now()
	jobs, err := r.test(ctx)
	if err != nil {
		return Outcome{}, err
	}
	out.Jobs, out.Testing = jobs, time.Since(begun)
	for _, g := range r.goals {
		done, err := g.conclude(cfg)
		if err != nil {
			return Outcome{}, fmt.Errorf("%s: %w", g.goal, err)
		}
		out.Goals = append(out.Goals, done)
	}
	if cfg.Deliver != nil {
		if err := cfg.Deliver(out); err != nil {
			return out, err
		}
	}
	// Who runs these goals again runs them anew.
	return out, r.forget()
}

// runner is a run of goals while it runs.
type runner struct {
	cfg   Config
	began time.Time
	goals []*goal
	holds []*hold
}

// goal is one goal while it runs.
type goal struct {
	goal    plan.Goal
	suite   *action.Suite
	project plan.Project
	mode    plan.Mode
	records *records
	resumed int
	only    string // pattern of the files that were asked for
}

func (r *runner) progress(format string, args ...any) {
	if r.cfg.Progress != nil {
		fmt.Fprintf(r.cfg.Progress, format+"\n", args...)
	}
}

// prepare makes a goal ready and reads what of it had ended before.
func (r *runner) prepare(ctx context.Context, g plan.Goal) error {
	h, err := takeHold(r.cfg.Work, g.String())
	if err != nil {
		return err
	}
	r.holds = append(r.holds, h)
	c, err := r.cfg.Open(g)
	if err != nil {
		return err
	}
	r.progress("%s: prepare, check out, build", g)
	begun := time.Now()
	head := new(buffer)
	c.Log, c.Lanes, c.Temp, c.Began = head.over(c.Log), r.cfg.Lanes, h.temp, r.began
	suite, err := action.Open(ctx, c)
	if err != nil {
		return err
	}
	one := &goal{goal: g, suite: suite, project: c.Project, mode: c.Mode, only: c.Only}
	r.goals = append(r.goals, one)
	if end := suite.Stopped(); end.Reason != "" {
		r.progress("%s: stopped in %s: %s", g, end.Phase, end.Reason)
	} else {
		r.progress("%s: ready in %.1f s, %s at %.12s", g, time.Since(begun).Seconds(), plural(len(suite.Manifest().Files), "test file"), suite.Manifest().Commit)
	}
	one.records, err = openRecords(r.cfg.Work, keyOf(c, suite.Manifest()), r.cfg.Fresh)
	if err != nil {
		return err
	}
	one.records.head = head.Bytes()
	for _, f := range suite.Manifest().Files {
		if one.records.ended(f.Path) {
			one.resumed++
		}
	}
	if one.resumed > 0 {
		r.progress("%s: %d of %d test files had ended before; -f begins anew", g, one.resumed, len(suite.Manifest().Files))
	}
	return nil
}

// matched returns an error when the files that were asked for are of none of the goals.
func (r *runner) matched() error {
	var all []string
	for _, g := range r.goals {
		some := g.suite.Unmatched()
		if len(some) == 0 {
			return nil
		}
		all = append(all, some...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) == 0 {
		return nil
	}
	only := r.goals[0].only
	do := "name some, such as " + strings.Join(all[:min(3, len(all))], " or ")
	if near := plan.Nearest(strings.NewReplacer("*", "", "?", "").Replace(only), all); len(near) > 0 {
		do = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return &plan.UsageError{Word: "--files " + only, What: "matches none of " + plural(len(all), "test file"), Do: do}
}

// conclude gathers a goal's evidence and judges it.
func (g *goal) conclude(cfg Config) (Goal, error) {
	out := Goal{Goal: g.goal, Resumed: g.resumed}
	manifest := g.suite.Manifest()
	end := g.suite.Stopped()
	piece := report.PieceEvidence{}
	var total action.Total
	add := func(e report.Entry, log []byte) {
		e.Seq, e.Bytes = len(piece.Entries), int64(len(log))
		piece.Entries, piece.Logs = append(piece.Entries, e), append(piece.Logs, log)
	}
	add(report.Entry{Manifest: &manifest}, g.records.head)
	for _, f := range manifest.Files {
		last, beside := g.records.read(f.Path)
		if beside != nil {
			out.Beside = append(out.Beside, *beside)
		}
		if last != nil {
			add(report.Entry{File: &last.File}, last.Log)
			total.Add(last.File, last.Log)
		}
	}
	add(report.Entry{End: &end}, []byte(g.suite.Closing()+total.String()))
	out.Evidence = report.Evidence{Goal: g.goal.String(), Pieces: []report.PieceEvidence{piece}}
	var err error
	if out.Result, err = cfg.Judge(out.Evidence); err != nil {
		return out, err
	}
	for _, b := range out.Beside {
		if !fails(out.Result, b.File.Path) {
			out.Result.Why = append(out.Result.Why, fmt.Sprintf("%s is flaky: it failed beside other files and passed alone.", b.File.Path))
			out.Result.Warnings = append(out.Result.Warnings, report.Finding{
				Kind: "flaky", Class: report.Flaky, File: b.File.Path, Name: "failed beside other files and passed alone",
				Why: "the run alone counts",
			})
		}
	}
	return out, nil
}

// fails reports whether a goal has a finding in a file that counts against it.
func fails(g report.GoalResult, path string) bool {
	for _, f := range g.Findings {
		if f.File == path && f.Class != report.Expected {
			return true
		}
	}
	return false
}

func (r *runner) close() {
	for _, g := range r.goals {
		_ = g.suite.Close()
	}
	for _, h := range r.holds {
		h.close()
	}
}

// forget removes the records of goals that were run to their end.
func (r *runner) forget() error {
	var errs []error
	for _, g := range r.goals {
		errs = append(errs, g.records.remove())
	}
	return errors.Join(errs...)
}
