package bot

import (
	"context"
	"encoding/json"
	"maps"
	"testing"
	"testing/fstest"

	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
)

// runsOfOne is a store of a pull request's runs, whose goals came to the same each time.
type runsOfOne struct {
	Store
	runs []Run
}

func (s runsOfOne) Runs(context.Context, Repo, int) ([]Run, error) { return s.runs, nil }
func (s runsOfOne) Results(_ context.Context, id string) (map[string]json.RawMessage, error) {
	raw, err := json.Marshal(report.GoalResult{Goal: "t-ngx_echo", Verdict: report.Pass, Why: []string{id}})
	return map[string]json.RawMessage{"t-ngx_echo": raw}, err
}

func TestEarlierRunsOfTheSameCommits(t *testing.T) {
	c, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	other, err := catalog.Load(fstest.MapFS{"releases.yaml": {Data: []byte("1.31.99: [1.31.99.1]\n")}})
	if err != nil {
		t.Fatal(err)
	}
	now := pinning("t-ngx_echo")
	now.ID, now.Catalog = "9", c.Revision
	now.Commits = map[string]string{"openresty/test-nginx": "a", "openresty/luajit2@v2.1-agentzh": "a"}
	pinned := func(pin, sha string) func(*Run) {
		return func(r *Run) {
			r.Commits = maps.Clone(r.Commits)
			r.Commits[pin] = sha
		}
	}
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
		{"one on the newest nginx of a catalog that has another does not", func(r *Run) { r.Catalog = other.Revision }, 0},
		{"one with another commit of what the goal builds with does not", pinned("openresty/test-nginx", "c"), 0},
		{"one with another commit of a branch of it does not", pinned("openresty/luajit2@v2.1-agentzh", "c"), 0},
		{"one with more goals, whose sources this run lacks, counts", pinned("openresty/lua-resty-redis", "c"), 1},
		{"one whose commits nobody fixed does not", func(r *Run) { r.Commits = nil }, 0},
		{"one without the goal does not", func(r *Run) { r.Pieces = nil }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old := now
			old.ID = "8"
			tt.change(&old)
			b := &Bot{Store: runsOfOne{runs: []Run{old}}, Catalog: func() *catalog.Catalog { return c }}
			b.catalogs = map[string]*catalog.Catalog{other.Revision: other}
			got, err := b.sameCommit(t.Context(), now, "t-ngx_echo")
			if err != nil || len(got) != tt.want {
				t.Errorf("%d results, %v; want %d", len(got), err, tt.want)
			}
		})
	}
}
