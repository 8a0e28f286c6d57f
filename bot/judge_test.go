package bot

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/ortest/ortest/report"
)

// runsOfOne is a store of a pull request's runs, whose goals came to the same each time.
type runsOfOne struct {
	Store
	runs []Run
}

func (s runsOfOne) Runs(context.Context, Repo, int) ([]Run, error) { return s.runs, nil }
func (s runsOfOne) Results(_ context.Context, id string) (map[string]json.RawMessage, error) {
	raw, err := json.Marshal(report.GoalResult{Goal: "t-hello", Verdict: report.Pass, Why: []string{id}})
	return map[string]json.RawMessage{"t-hello": raw}, err
}

func TestEarlierRunsOfTheSameCommits(t *testing.T) {
	now := endedRun(0)
	now.ID, now.Head = "9", "b"
	for _, tt := range []struct {
		name   string
		change func(*Run)
		want   int
	}{
		{"an earlier run of the same head counts", func(*Run) {}, 1},
		{"one on another type of instance too", func(r *Run) { r.Plan.Options.InstanceType = "c7i.large" }, 1},
		{"the run itself does not", func(r *Run) { r.ID = "9" }, 0},
		{"one of another head does not", func(r *Run) { r.Head = "a" }, 0},
		{"one on another nginx does not", func(r *Run) { r.Plan.Options.Nginx = "1.27.1" }, 0},
		{"one with other commits beside it does not", func(r *Run) { r.Commits = map[string]string{"o/n": "c"} }, 0},
		{"one without the goal does not", func(r *Run) { r.Pieces = nil }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old := now
			old.ID = "8"
			tt.change(&old)
			got, err := (&Bot{Store: runsOfOne{runs: []Run{old}}}).sameCommit(t.Context(), now, "t-hello")
			if err != nil || len(got) != tt.want {
				t.Errorf("%d results, %v; want %d", len(got), err, tt.want)
			}
		})
	}
}
