package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/internal/githubtest"
)

// listFlow is a job for each piece, as ortest-comment.yml has it, on a runner of its own.
const listFlow = `name: list
on:
  workflow_dispatch:
    inputs:
      pieces:
        type: string
permissions: {}
concurrency: list
jobs:
  test:
    strategy:
      fail-fast: false
      matrix:
        piece: ${{ fromJSON(inputs.pieces) }}
    name: ${{ matrix.piece.goal }}
    runs-on: ${{ matrix.piece.label }}
    timeout-minutes: 30
    steps:
      - run: '"$ORTEST_BIN" action test'
        env:
          INPUT_PIECE: ${{ toJSON(matrix.piece) }}
      - if: always()
        run: INPUT_COMMAND=put ACTIONS_RESULTS_URL=@at ACTIONS_RUNTIME_TOKEN=@by "$ORTEST_BIN" action results
`

// TestAListIsWorkedOff goes from the plan to the verdict over machines that no server
// knows: up hands each its list, their runners take the jobs, and what these leave as
// artifacts is judged. Then the agents end by themselves.
func TestAListIsWorkedOff(t *testing.T) {
	w, s := newWithout(t, "good"), newArtifactStore(t)
	w.app()
	flow := strings.NewReplacer("@at", s.url, "@by", s.env()["ACTIONS_RUNTIME_TOKEN"]).Replace(listFlow)
	head, err := w.gh.Push(t.Context(), githubtest.Commit{
		Repo: demoRepo, Branch: "main", Message: "List", Author: demoMaintainer, Files: map[string]githubtest.File{".github/workflows/list.yml": {Data: []byte(flow)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	// The labels of ec2: the local cloud's jobs run where the workflow does.
	out, said, code := w.action("plan", map[string]string{"ORTEST_TARGETS": "--split never -t 1 t-hello t-tally", "ORTEST_CLOUD": "ec2", "GITHUB_SHA": head})
	if code != 0 {
		t.Fatal(said)
	}
	number := w.dispatch("list.yml", out["pieces"])
	plan := strings.NewReplacer(`"cloud":"ec2"`, `"cloud":"local"`, `"run":77,`, fmt.Sprintf(`"run":%d,`, number)).Replace(out["run"])
	if _, said, code := w.action("up", map[string]string{"ORTEST_PLAN": plan, "ORTEST_MACHINES": out["machines"], "GITHUB_RUN_ATTEMPT": "1"}); code != 0 {
		t.Fatal(said)
	}
	eventually(t, "results are kept", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.kept) == 2
	})
	lists, err := filepath.Glob(filepath.Join(w.dir, "machines", "*", "lists", "*"))
	if err != nil || len(lists) != 0 {
		t.Errorf("lists %v are still there, %v: they hold runners' configurations", lists, err)
	}
	dir := t.TempDir()
	if said, code := results(t, s, map[string]string{"INPUT_COMMAND": "get", "ORTEST_RESULTS": dir}); code != 0 {
		t.Error(said)
	}
	_, said, code = w.action("report", map[string]string{"ORTEST_PLAN": plan, "ORTEST_PIECES": out["pieces"], "ORTEST_RESULTS": dir})
	if code != 0 || !strings.Contains(said, "t-hello") || !strings.Contains(said, "t-tally") || strings.Contains(said, "incomplete") {
		t.Errorf("report ended with %d:\n%s", code, said)
	}
	if _, said, code := w.action("report", map[string]string{"ORTEST_PLAN": plan, "ORTEST_PIECES": out["pieces"], "ORTEST_RESULTS": dir, "ORTEST_OUTCOME": "failure"}); code != 1 || !strings.Contains(said, "none is believed") {
		t.Errorf("report of a failed job ended with %d:\n%s", code, said)
	}
	t.Setenv("ORTEST_OUTCOME", "")
	if _, said, code := w.action("up", map[string]string{"ORTEST_PLAN": plan, "ORTEST_MACHINES": out["machines"], "GITHUB_RUN_ATTEMPT": "2"}); code != 2 || !strings.Contains(said, "Re-run all jobs") {
		t.Errorf("up in another attempt ended with %d:\n%s", code, said)
	}
	if started, _ := w.left(); started == 0 {
		t.Error("no machine was started")
	}
	eventually(t, "agents end", func() bool { return w.agents() == 0 })
	if _, said, code := w.action("down", map[string]string{"ORTEST_PLAN": plan}); code != 0 || !strings.Contains(said, "0 machines ended") || !strings.Contains(said, "0 unused runners") {
		t.Errorf("down ended with %d:\n%s", code, said)
	}
}

// eventually waits for what several processes bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); !ok(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// agents counts those of the run that live.
func (w *without) agents() (n int) {
	w.t.Helper()
	all, err := filepath.Glob(filepath.Join(w.dir, "machines", "*", "fleet", "*", "process.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range all {
		var p struct {
			PID int `json:"pid"`
		}
		raw, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(raw, &p)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/stat")
		if _, after, _ := strings.Cut(string(stat), ") "); err == nil && !strings.HasPrefix(after, "Z") {
			n++
		}
	}
	return n
}

// dispatch starts a workflow with pieces, and returns the workflow run.
func (w *without) dispatch(flow, pieces string) (run int64) {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{"ref": "main", "inputs": map[string]string{"pieces": pieces}, "return_run_details": true})
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), "POST", w.url+"/api/v3/repos/"+demoRepo+"/actions/workflows/"+flow+"/dispatches", strings.NewReader(string(body)))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var made struct {
		Run int64 `json:"workflow_run_id"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || made.Run == 0 {
		w.t.Fatalf("dispatch: %s, %v", resp.Status, err)
	}
	return made.Run
}

// TestOrphanedAgentsEnd: the guards of a machine that nobody will end, since the job
// that would have is gone. Its list is never worked off: no job comes for its runner.
func TestOrphanedAgentsEnd(t *testing.T) {
	for _, tt := range []struct {
		name, idle, minutes string
	}{
		{"no job comes for its runner", "2s", "60"},
		{"its deadline has come", "1h", "0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWithout(t, "good")
			w.app()
			out, said, code := w.action("plan", map[string]string{"ORTEST_TARGETS": "t-hello"})
			if code != 0 {
				t.Fatal(said)
			}
			machines := strings.Replace(out["machines"], `"minutes":60,"pieces"`, `"minutes":`+tt.minutes+`,"pieces"`, 1)
			env := map[string]string{"ORTEST_PLAN": out["run"], "ORTEST_MACHINES": machines, "ORTEST_IDLE": tt.idle}
			if _, said, code := w.action("up", env); code != 0 {
				t.Fatal(said)
			}
			if started, _ := w.left(); started != 1 {
				t.Errorf("%d machines were started, want 1", started)
			}
			eventually(t, "agent ends", func() bool { return w.agents() == 0 })
		})
	}
}
