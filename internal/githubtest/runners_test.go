package githubtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/internal/githubtest/runner"
)

const runnersPath = repoPath + "/actions/runners"

func runnerPath(id int64) string { return runnersPath + "/" + strconv.FormatInt(id, 10) }

// mint registers a runner and returns it with its configuration.
func (f *fixture) mint(name string, labels ...string) runner.Blob {
	f.t.Helper()
	body := obj{"name": name, "runner_group_id": 1, "labels": labels}
	res := f.call("POST", runnersPath+"/generate-jitconfig", body).want(http.StatusCreated)
	blob, err := runner.ParseBlob(res.body["encoded_jit_config"].(string))
	f.must(err)
	return blob
}

// asRunner calls the private interface.
func (f *fixture) asRunner(b runner.Blob, path string, body []byte) answer {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, b.URL+"/_runner"+path, bytes.NewReader(body))
	f.must(err)
	req.Header.Set("Authorization", "Bearer "+b.Secret)
	res, err := http.DefaultClient.Do(req)
	f.must(err)
	raw, err := io.ReadAll(res.Body)
	f.must(err)
	f.must(res.Body.Close())
	return answer{t: f.t, what: "runner " + path, status: res.StatusCode, raw: raw}
}

func (f *fixture) acquire(b runner.Blob) runner.Assignment {
	f.t.Helper()
	var a runner.Assignment
	f.must(json.Unmarshal(f.asRunner(b, "/acquire", nil).want(http.StatusOK).raw, &a))
	return a
}

func jobCall(job int64, call string) string {
	return "/jobs/" + strconv.FormatInt(job, 10) + "/" + call
}

func result(conclusion string) []byte { return []byte(`{"conclusion":"` + conclusion + `"}`) }

func (f *fixture) job(id int64) obj {
	f.t.Helper()
	return f.call("GET", repoPath+"/actions/jobs/"+strconv.FormatInt(id, 10), nil).want(http.StatusOK).body
}

func TestJITRefusals(t *testing.T) {
	f := newFixture(t)
	f.mint("taken", "x")
	labels := func(n int) []string { return slices.Repeat([]string{"l"}, n) }
	for _, tt := range []struct {
		name string
		body obj
		want int
	}{
		{"one label", obj{"name": "a", "runner_group_id": 1, "labels": labels(1)}, http.StatusCreated},
		{"100 labels", obj{"name": "b", "runner_group_id": 1, "labels": labels(100)}, http.StatusCreated},
		{"101 labels", obj{"name": "c", "runner_group_id": 1, "labels": labels(101)}, http.StatusUnprocessableEntity},
		{"no labels", obj{"name": "c", "runner_group_id": 1, "labels": labels(0)}, http.StatusUnprocessableEntity},
		{"a name that is taken", obj{"name": "taken", "runner_group_id": 1, "labels": labels(1)}, http.StatusConflict},
		{"no name", obj{"runner_group_id": 1, "labels": labels(1)}, http.StatusUnprocessableEntity},
		{"a name of 64", obj{"name": strings.Repeat("n", 64), "runner_group_id": 1, "labels": labels(1)}, http.StatusCreated},
		{"a name of 65", obj{"name": strings.Repeat("n", 65), "runner_group_id": 1, "labels": labels(1)}, http.StatusUnprocessableEntity},
		{"no group", obj{"name": "c", "labels": labels(1)}, http.StatusUnprocessableEntity},
		{"an unknown group", obj{"name": "c", "runner_group_id": 2, "labels": labels(1)}, http.StatusNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := *f
			f.t = t
			f.call("POST", runnersPath+"/generate-jitconfig", tt.body).want(tt.want)
		})
	}
}

func TestRunnerServesOneJob(t *testing.T) {
	f := newFixture(t)
	run := f.dispatch(2)
	b := f.mint("r", "ORTEST-1")
	if got := f.call("GET", runnerPath(b.Runner), nil).want(http.StatusOK).body; got["status"] != "offline" || got["busy"] != false {
		t.Errorf("before its first call: %v", got)
	}
	a := f.acquire(b)
	if a.Name != "t-1" || a.Run != run || a.Repo != repoName || !strings.Contains(a.Text, "run-name") {
		t.Errorf("assigned %+v", a)
	}
	if again := f.acquire(b); again.Job != a.Job {
		t.Errorf("asked again it got job %d, not %d", again.Job, a.Job)
	}
	if got := f.call("GET", runnersPath+"?name=r", nil).want(http.StatusOK).body["runners"].([]any)[0].(obj); got["status"] != "online" || got["busy"] != true {
		t.Errorf("at work: %v", got)
	}
	f.call("DELETE", runnerPath(b.Runner), nil).want(http.StatusUnprocessableEntity)
	if j := f.job(a.Job); j["status"] != "in_progress" || j["runner_name"] != "r" || j["runner_id"] != float64(b.Runner) {
		t.Errorf("running job: %v", j)
	}
	if st := f.call("GET", runPath(run), nil).body["status"]; st != "in_progress" {
		t.Errorf("workflow run is %v", st)
	}
	f.asRunner(b, jobCall(a.Job+1, "heartbeat"), nil).want(http.StatusForbidden)
	f.asRunner(b, jobCall(a.Job, "complete"), result("odd")).want(http.StatusUnprocessableEntity)
	f.asRunner(b, jobCall(a.Job, "complete"), result("success")).want(http.StatusNoContent)
	f.asRunner(b, jobCall(a.Job, "complete"), result("failure")).want(http.StatusGone)
	f.asRunner(b, "/acquire", nil).want(http.StatusGone)
	f.call("GET", runnerPath(b.Runner), nil).want(http.StatusNotFound)
	if j := f.job(a.Job); j["conclusion"] != "success" || j["completed_at"] == nil {
		t.Errorf("ended job: %v", j)
	}
	f.mint("r", "again") // the name is free once more
	other := f.mint("s", "ortest-0")
	f.asRunner(other, jobCall(f.acquire(other).Job, "complete"), result("failure")).want(http.StatusNoContent)
	if got := f.call("GET", runPath(run), nil).body; got["status"] != "completed" || got["conclusion"] != "failure" {
		t.Errorf("workflow run ended as %v, %v", got["status"], got["conclusion"])
	}
}

func TestRunnerWaitsForItsJob(t *testing.T) {
	f := newFixture(t)
	b := f.mint("r", "ortest-0")
	changed, end := f.s.Subscribe()
	defer end()
	got := make(chan runner.Assignment)
	go func() { got <- f.acquire(b) }()
	for f.call("GET", runnerPath(b.Runner), nil).body["status"] != "online" {
		<-changed
	}
	f.dispatch(1)
	if a := <-got; a.Name != "t-0" {
		t.Errorf("got job %q", a.Name)
	}
}

func TestDeleteIdleRunner(t *testing.T) {
	f := newFixture(t)
	b := f.mint("r", "x")
	f.call("DELETE", runnerPath(b.Runner), nil).want(http.StatusNoContent)
	f.call("DELETE", runnerPath(b.Runner), nil).want(http.StatusNotFound)
	f.asRunner(b, "/acquire", nil).want(http.StatusGone)
}

func TestCancel(t *testing.T) {
	f := newFixture(t)
	run := f.dispatch(2)
	b := f.mint("r", "ortest-0")
	a := f.acquire(b)
	f.call("POST", runPath(run)+"/cancel", nil).want(http.StatusAccepted)
	jobs := f.jobs(run)
	if jobs[0]["status"] != "in_progress" || jobs[1]["conclusion"] != "cancelled" {
		t.Errorf("after cancel: %v, %v", jobs[0]["status"], jobs[1]["conclusion"])
	}
	var beat runner.Beat
	f.must(json.Unmarshal(f.asRunner(b, jobCall(a.Job, "heartbeat"), nil).want(http.StatusOK).raw, &beat))
	if !beat.Cancel {
		t.Error("the runner is not told")
	}
	f.asRunner(b, jobCall(a.Job, "complete"), result("cancelled")).want(http.StatusNoContent)
	if got := f.call("GET", runPath(run), nil).body; got["conclusion"] != "cancelled" {
		t.Errorf("workflow run ended as %v", got["conclusion"])
	}
	f.call("POST", runPath(run)+"/cancel", nil).want(http.StatusConflict)
}

func TestLostRunner(t *testing.T) {
	for _, tt := range []struct {
		name   string
		cancel bool
		silent time.Duration
		want   any
	}{
		{"a silence just below LostAfter is borne", false, time.Minute - time.Nanosecond, nil},
		{"at LostAfter the job fails", false, time.Minute, "failure"},
		{"a job that was to be cancelled is cancelled", true, time.Minute, "cancelled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			run := f.dispatch(1)
			b := f.mint("r", "ortest-0")
			a := f.acquire(b)
			if tt.cancel {
				f.call("POST", runPath(run)+"/cancel", nil).want(http.StatusAccepted)
			}
			f.clock.add(tt.silent)
			f.must(f.s.sweep())
			if got := f.job(a.Job)["conclusion"]; got != tt.want {
				t.Errorf("conclusion = %v, want %v", got, tt.want)
			}
			if tt.want != nil {
				f.asRunner(b, jobCall(a.Job, "heartbeat"), nil).want(http.StatusGone)
			}
		})
	}
	t.Run("after a restart a runner has LostAfter to be heard again", func(t *testing.T) {
		f := newFixture(t)
		f.dispatch(1)
		b := f.mint("r", "ortest-0")
		a := f.acquire(b)
		f.clock.add(time.Hour)
		f.reopen()
		f.must(f.s.sweep())
		f.asRunner(b, jobCall(a.Job, "heartbeat"), nil).want(http.StatusOK)
	})
}

func TestLogParts(t *testing.T) {
	f := newFixture(t)
	f.dispatch(1)
	b := f.mint("r", "ortest-0")
	a := f.acquire(b)
	part := func(offset, text string, want int) {
		t.Helper()
		f.asRunner(b, jobCall(a.Job, "log")+"?offset="+offset, []byte(text)).want(want)
	}
	logs := repoPath + "/actions/jobs/" + strconv.FormatInt(a.Job, 10) + "/logs"
	f.call("GET", logs, nil).want(http.StatusNotFound)
	part("0", "one\n", http.StatusNoContent)
	part("0", "one\n", http.StatusNoContent)
	part("4", "two\n", http.StatusNoContent)
	part("9", "gap\n", http.StatusConflict)
	part("x", "bad\n", http.StatusUnprocessableEntity)
	raw, err := f.s.JobLog(a.Job)
	f.must(err)
	if string(raw) != "one\ntwo\n" {
		t.Errorf("log = %q", raw)
	}
	f.call("GET", logs, nil).want(http.StatusFound)
}
