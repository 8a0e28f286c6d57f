package bot

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

// manyRuns is a store of a pull request's runs, the newest first, with what a goal came to.
type manyRuns struct {
	shelf
	runs []Run
	was  map[string]report.Verdict // by run, of its only goal
}

func (s *manyRuns) Runs(context.Context, Repo, int) ([]Run, error) { return s.runs, nil }
func (s *manyRuns) Results(_ context.Context, id string) (map[string]json.RawMessage, error) {
	for _, r := range s.runs {
		if v := s.was[id]; r.ID == id && v != "" {
			raw, err := json.Marshal(report.GoalResult{Goal: r.goals()[0], Verdict: v})
			return map[string]json.RawMessage{r.goals()[0]: raw}, err
		}
	}
	return nil, nil
}

// TestAFailureElsewhereIsSaid: a run of other goals at the same commit does not make
// people forget the one that failed.
func TestAFailureElsewhereIsSaid(t *testing.T) {
	run := func(id, mode string, change func(*Run)) Run {
		r := endedRun(0)
		r.ID, r.Head, r.Pieces[0].Goal = id, "a", plan.Goal{Mode: mode, Project: "hello"}
		if change != nil {
			change(&r)
		}
		return r
	}
	for _, tt := range []struct {
		name    string
		before  []Run // the newest first
		was     map[string]report.Verdict
		changed func(*Run)
		says    string
	}{
		{"another goal failed", []Run{run("1", "tv", nil)}, map[string]report.Verdict{"1": report.Fail}, nil, "tv-hello is no part of this, and failed at the same commit in run 1"},
		{"it was good", []Run{run("1", "tv", nil)}, map[string]report.Verdict{"1": report.Pass}, nil, ""},
		{"it failed and was good later", []Run{run("2", "tv", nil), run("1", "tv", nil)}, map[string]report.Verdict{"1": report.Fail, "2": report.Pass}, nil, ""},
		{"it was cancelled", []Run{run("1", "tv", nil)}, map[string]report.Verdict{"1": report.Incomplete}, nil, ""},
		{"it has no result yet", []Run{run("1", "tv", nil)}, nil, nil, ""},
		{"the same goal failed", []Run{run("1", "t", nil)}, map[string]report.Verdict{"1": report.Fail}, nil, ""},
		{"it failed at another commit", []Run{run("1", "tv", func(r *Run) { r.Head = "b" })}, map[string]report.Verdict{"1": report.Fail}, nil, ""},
		{"it failed on another arch", []Run{run("1", "tv", func(r *Run) { r.Plan.Options.Arch = "linux i386" })}, map[string]report.Verdict{"1": report.Fail}, nil, ""},
		{"it failed on another type of machine", []Run{run("1", "tv", func(r *Run) { r.Plan.Options.InstanceType = "c7i.large" })}, map[string]report.Verdict{"1": report.Fail}, nil, "tv-hello"},
		{"it failed on another branch of a release", []Run{run("1", "tv", nil)}, map[string]report.Verdict{"1": report.Fail}, func(r *Run) { r.Pull = 0 }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := run("9", "t", tt.changed)
			s := &manyRuns{runs: append([]Run{run("10", "th", nil), now}, tt.before...), was: tt.was}
			b := guardedBot(t, &s.shelf, &guarded{})
			b.Store = s
			view, err := b.View(t.Context(), now)
			said := strings.Join(view.Trouble, "; ")
			if err != nil || (said == "") != (tt.says == "") || !strings.Contains(said, tt.says) {
				t.Errorf("said is %q, %v; want %q", said, err, tt.says)
			}
		})
	}
}

// TestWhoMayNotWriteHidesNothing: on a commit that is approved, a stranger who asks for
// little does not make the required check good.
func TestWhoMayNotWriteHidesNothing(t *testing.T) {
	run := func(id, mode, author string) Run {
		r := endedRun(0)
		r.ID, r.Head, r.Pieces[0].Goal, r.Author, r.Approved = id, "a", plan.Goal{Mode: mode, Project: "hello"}, author, "agentzh"
		return r
	}
	optimised := run("1", "t", "mallory")
	optimised.Plan.Options.CCOpt = "-O3"
	for _, tt := range []struct {
		name   string
		before Run
		was    report.Verdict
		by     string
		want   string
	}{
		{"another goal failed", run("1", "tv", "agentzh"), report.Fail, "mallory", "failure"},
		{"another goal came to nothing", run("1", "tv", "mallory"), report.Incomplete, "mallory", "failure"},
		{"the same goal failed with other options", optimised, report.Fail, "mallory", "failure"},
		{"another goal is not over", func() Run { r := run("1", "tv", "agentzh"); r.State = Running; return r }(), "", "mallory", "failure"},
		{"another goal never came to anything", run("1", "tv", "agentzh"), "", "mallory", "success"},
		{"another goal was good", run("1", "tv", "agentzh"), report.Known, "mallory", "success"},
		{"the same goal failed, and is good now", run("1", "t", "mallory"), report.Fail, "mallory", "success"},
		{"who may write has the word", run("1", "tv", "agentzh"), report.Fail, "agentzh", "success"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := run("9", "t", tt.by)
			s := &manyRuns{runs: []Run{now, tt.before}, was: map[string]report.Verdict{"1": tt.was, "9": report.Pass}}
			b := guardedBot(t, &s.shelf, &guarded{})
			b.Store = s
			view, err := b.View(t.Context(), now)
			if err != nil {
				t.Fatal(err)
			}
			view.State = "done"
			check := b.checkRun(now, Check{Name: "ortest / verdict"}, view)
			if check.Conclusion != tt.want || (tt.want == "failure") != strings.HasPrefix(check.Title, "other goals are not good: ") {
				t.Errorf("%s, %q", check.Conclusion, check.Title)
			}
		})
	}
}

func TestWhoseRunStandsInForAnother(t *testing.T) {
	by := func(comment int64, author string) Run {
		r := endedRun(0)
		r.Head, r.Comment, r.Author, r.Approved, r.Pieces[0].Reason = "a", comment, author, "agentzh", ""
		return r
	}
	for _, tt := range []struct {
		name      string
		was, asks string
		want      bool
	}{
		{"a writer's for a writer's", "agentzh", "agentzh", true},
		{"a writer's for a stranger's", "agentzh", "mallory", true},
		{"a stranger's for a stranger's", "mallory", "eve", true},
		{"a stranger's does not for a writer's, which has the last word", "mallory", "agentzh", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &Bot{Store: &manyRuns{runs: []Run{by(1, tt.was)}}}
			same, err := b.same(t.Context(), by(2, tt.asks))
			if err != nil || (same != nil) != tt.want {
				t.Errorf("%v, %v; want %v", same, err, tt.want)
			}
		})
	}
}
