package result

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/report"
)

// known are the fields of a document.
var known = func() map[string]bool {
	names := make(map[string]bool)
	t := reflect.TypeFor[document]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names[name] = true
	}
	return names
}()

var (
	verdicts = []report.Verdict{report.Pass, report.Known, report.Fail, report.Incomplete}
	states   = []string{"", "passed", "failed", "skipped", "not_run"}
)

// goal checks a document and makes the goal of it.
func (d document) goal() (Goal, error) {
	g := Goal{Run: d.Run, Arch: d.Arch, Nginx: d.Nginx, Tested: d.Tested, CommitDate: d.CommitDate, Files: d.Files}
	if d.Goal == "" {
		return g, fmt.Errorf(`it has no "goal"`)
	}
	if !slices.Contains(verdicts, d.Verdict) {
		return g, fmt.Errorf("%s has the verdict %q: want pass, known, fail or incomplete", d.Goal, d.Verdict)
	}
	if d.Tested != "" {
		if _, err := time.Parse(TimeFormat, d.Tested); err != nil {
			return g, fmt.Errorf("%s was started at %q: want a time such as %q", d.Goal, d.Tested, TimeFormat)
		}
	}
	if d.Log != nil {
		g.Log = *d.Log
	}
	g.Result = report.GoalResult{
		Goal: d.Goal, Repo: d.Repo, Verdict: d.Verdict, Why: d.Why, Files: d.FilesRun, Planned: d.FilesPlan, Blocks: d.BlocksRun,
		Expected: d.BlocksPlan, Tests: d.Tests, Seconds: d.Seconds, Commit: d.Commit,
	}
	if err := d.fill(&g.Result); err != nil {
		return g, fmt.Errorf("%s: %w", d.Goal, err)
	}
	if worst := g.Result.Findings; d.Verdict == report.Pass && len(worst) > 0 {
		return g, fmt.Errorf("%s has the verdict pass and %d findings", d.Goal, len(worst))
	}
	for _, f := range d.Files {
		if !slices.Contains(states, f.State) {
			return g, fmt.Errorf("%s: %s has the state %q: want passed, failed, skipped or not_run", d.Goal, f.Path, f.State)
		}
	}
	return g, nil
}

// fill reads the lists.
func (d document) fill(r *report.GoalResult) (err error) {
	if r.Findings, err = judged(d.Findings); err != nil {
		return err
	}
	if r.Warnings, err = judged(d.Warnings); err != nil {
		return err
	}
	for _, v := range d.Deps {
		if r.Versions == nil {
			r.Versions = make(map[string]string)
		}
		r.Versions[v.Name] = v.Version
	}
	for _, x := range d.RSS {
		if r.Leaks == nil {
			r.Leaks = make(map[string][]report.Sample)
		}
		samples := make([]report.Sample, len(x.Samples))
		for i, v := range x.Samples {
			samples[i].KiB = v
		}
		r.Leaks[x.Block] = samples
	}
	return nil
}

func judged(fs []finding) ([]report.Finding, error) {
	var all []report.Finding
	for _, f := range fs {
		x := report.Finding{
			Kind: f.Type, File: f.Path, Block: f.Title, Number: f.Number, Ordinal: f.Ordinal, Line: f.Line, EndLine: f.EndLine,
			Name: f.Message, Detail: f.Trace, Offset: f.Offset, Print: f.Fingerprint, Samples: f.Samples,
		}
		if j := f.Judgement; j != nil {
			i := slices.IndexFunc(outcomes, func(o outcome) bool { return o.word == j.Outcome })
			if i < 0 {
				return nil, fmt.Errorf("a finding has the outcome %q", j.Outcome)
			}
			x.Class, x.Rule, x.Why = outcomes[i].class, j.Rule, j.Why
		}
		all = append(all, x)
	}
	return all, nil
}
