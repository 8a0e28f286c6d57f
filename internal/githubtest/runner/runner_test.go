package runner_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v4"

	"github.com/ortest/ortest/internal/githubtest"
	"github.com/ortest/ortest/internal/githubtest/runner"
)

const repo = "examples/hello"

// workflow has one job per piece, whose step is what the input says, and the
// action as ortest's own workflow uses it.
const workflow = `name: ortest
on:
  workflow_dispatch:
    inputs:
      pieces: {required: true, type: string}
jobs:
  piece:
    name: ${{ matrix.piece.goal }}
    runs-on: ${{ matrix.piece.label }}
    timeout-minutes: 5
    strategy:
      fail-fast: false
      matrix:
        piece: ${{ fromJSON(inputs.pieces) }}
    steps:
      - uses: ortest/ortest@v1
        with:
          piece: ${{ toJSON(matrix.piece) }}
`

// action runs a script that the test wrote.
const action = `name: ortest
description: for the tests
inputs:
  piece: {description: a piece, required: true}
runs:
  using: composite
  steps:
    - run: bash -e "$SCRIPT"
      shell: bash
      env:
        INPUT_PIECE: ${{ inputs.piece }}
`

// world is a stand-in that runs, and a directory for a runner.
type world struct {
	t      *testing.T
	s      *githubtest.Server
	url    string
	key    *rsa.PrivateKey
	inst   int64
	dir    string
	script string
	away   atomic.Int32 // how many requests the server will not answer
}

func newWorld(t *testing.T, script string) *world {
	t.Helper()
	if _, err := exec.LookPath("act"); err != nil {
		t.Fatal("act is not in PATH: make test builds it into bin/ (see act.mod)")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, key: key, dir: t.TempDir()}
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.away.Add(-1) >= 0 {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		w.s.Handler().ServeHTTP(rw, r)
	}))
	t.Cleanup(web.Close)
	w.url = web.URL
	w.s, err = githubtest.Open(githubtest.Config{Dir: t.TempDir(), URL: web.URL, AppID: 7, AppKey: &key.PublicKey})
	w.must(err)
	t.Cleanup(func() { _ = w.s.Close() })
	w.seed()
	w.must(os.WriteFile(filepath.Join(w.dir, "action.yml"), []byte(action), 0o600))
	w.script = filepath.Join(w.dir, "script")
	w.must(os.WriteFile(w.script, []byte(script), 0o600))
	w.must(syscall.Mkfifo(filepath.Join(w.dir, "said"), 0o600))
	t.Chdir(t.TempDir())
	return w
}

func (w *world) seed() {
	_, err := w.s.CreateUser("examples", "Organization")
	w.must(err)
	_, err = w.s.CreateRepository(w.t.Context(), repo, nil)
	w.must(err)
	w.inst, err = w.s.Install("examples")
	w.must(err)
	_, err = w.s.Push(w.t.Context(), githubtest.Commit{
		Repo: repo, Branch: "main", Message: "start", Author: "examples",
		Files: map[string]githubtest.File{".github/workflows/ortest.yml": {Data: []byte(workflow)}},
	})
	w.must(err)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// call makes a request of the App's installation.
func (w *world) call(path string, body map[string]any) map[string]any {
	w.t.Helper()
	now := time.Now()
	claims := jwt.MapClaims{"iss": "7", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(w.key)
	w.must(err)
	token := w.post(fmt.Sprintf("/app/installations/%d/access_tokens", w.inst), signed, nil)["token"].(string)
	return w.post("/repos/"+repo+path, token, body)
}

func (w *world) post(path, token string, body map[string]any) map[string]any {
	w.t.Helper()
	raw, err := json.Marshal(body)
	w.must(err)
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+path, bytes.NewReader(raw))
	w.must(err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	w.must(err)
	raw, err = io.ReadAll(res.Body)
	w.must(err)
	w.must(res.Body.Close())
	if res.StatusCode > 299 {
		w.t.Fatalf("%s: %s: %s", path, res.Status, raw)
	}
	var out map[string]any
	if len(raw) > 0 {
		w.must(json.Unmarshal(raw, &out))
	}
	return out
}

// start dispatches two pieces and returns the JIT configuration of a runner for
// the second.
func (w *world) start() string {
	w.t.Helper()
	pieces := `[{"goal":"t-other","label":"ortest-1"},{"goal":"t-hello","label":"ortest-2","files":["t/01.t"]}]`
	w.call("/actions/workflows/ortest.yml/dispatches", map[string]any{"ref": "main", "inputs": map[string]any{"pieces": pieces}})
	return w.jit("r", "ortest-2")
}

func (w *world) jit(name, label string) string {
	w.t.Helper()
	body := map[string]any{"name": name, "runner_group_id": 1, "labels": []string{label}}
	return w.call("/actions/runners/generate-jitconfig", body)["encoded_jit_config"].(string)
}

func (w *world) env(more ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "ORTEST_ACTION_DIR=" + w.dir, "SCRIPT=" + w.script, "OUT=" + w.dir,
	}, more...)
}

// run runs the runner to its end and returns its exit code.
func (w *world) run(ctx context.Context, jit string, env []string) (int, string) {
	w.t.Helper()
	var out bytes.Buffer
	code := runner.Run(ctx, []string{"--jitconfig", jit}, env, &out, &out)
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		w.t.Errorf("the runner left %v, %v", left, err)
	}
	return code, out.String()
}

// job returns the second piece's job.
func (w *world) job() githubtest.Job {
	w.t.Helper()
	a, err := w.s.Activity(repo)
	w.must(err)
	return a.Runs[0].Jobs[1]
}

func (w *world) read(name string) string {
	w.t.Helper()
	raw, err := os.ReadFile(filepath.Join(w.dir, name))
	w.must(err)
	return string(raw)
}

func TestRunnerRunsItsLegOnly(t *testing.T) {
	w := newWorld(t, `
echo "$INPUT_PIECE" > "$OUT/piece"
echo "$GITHUB_REPOSITORY $GITHUB_RUN_ID $GITHUB_SERVER_URL $MINE" > "$OUT/env"
pwd > "$OUT/pwd"; ls -A > "$OUT/ls"
echo "said by the step"
`)
	code, out := w.run(t.Context(), w.start(), w.env("MINE=kept"))
	j := w.job()
	if code != 0 || j.Conclusion != "success" {
		t.Fatalf("exit %d, job %s:\n%s", code, j.Conclusion, out)
	}
	var piece map[string]any
	w.must(json.Unmarshal([]byte(w.read("piece")), &piece))
	if piece["goal"] != "t-hello" || fmt.Sprint(piece["files"]) != "[t/01.t]" {
		t.Errorf("piece: %v", piece)
	}
	if want := fmt.Sprintf("%s %d %s kept\n", repo, j.Run, w.url); w.read("env") != want {
		t.Errorf("environment %q, want %q", w.read("env"), want)
	}
	if ls := w.read("ls"); ls != "" {
		t.Errorf("the workspace is not empty: %s", ls)
	}
	if _, err := os.Stat(strings.TrimSpace(w.read("pwd"))); err == nil {
		t.Error("the workspace is still there")
	}
	log, err := w.s.JobLog(j.ID)
	w.must(err)
	if !strings.Contains(string(log), "said by the step") || !strings.Contains(out, "said by the step") {
		t.Errorf("log: %s", log)
	}
	a, err := w.s.Activity(repo)
	w.must(err)
	if len(a.Runners) != 0 {
		t.Errorf("runners left: %v", a.Runners)
	}
}

func TestRunnerWithoutHome(t *testing.T) {
	w := newWorld(t, "true\n")
	if code, out := w.run(t.Context(), w.start(), w.env("HOME=")); code != 0 || w.job().Conclusion != "success" {
		t.Errorf("exit %d, job %s:\n%s", code, w.job().Conclusion, out)
	}
}

func TestFailedStepFailsTheJobOnly(t *testing.T) {
	w := newWorld(t, "exit 3\n")
	if code, out := w.run(t.Context(), w.start(), w.env()); code != 0 || w.job().Conclusion != "failure" {
		t.Errorf("exit %d, job %s:\n%s", code, w.job().Conclusion, out)
	}
}

func TestJobStartedHook(t *testing.T) {
	for _, tt := range []struct {
		name, hook, want string
		runs             bool
	}{
		{"a hook that agrees", "echo \"$GITHUB_REPOSITORY $GITHUB_RUN_ID\" > $OUT/hook\n", "success", true},
		{"a hook that refuses: no step runs", "exit 1\n", "failure", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "touch \"$OUT/ran\"\n")
			hook := filepath.Join(w.dir, "hook.sh")
			w.must(os.WriteFile(hook, []byte(tt.hook), 0o600))
			_, out := w.run(t.Context(), w.start(), w.env("ACTIONS_RUNNER_HOOK_JOB_STARTED="+hook))
			if got := w.job().Conclusion; got != tt.want {
				t.Errorf("job %s:\n%s", got, out)
			}
			if _, err := os.Stat(filepath.Join(w.dir, "ran")); (err == nil) != tt.runs {
				t.Errorf("step ran: %v", err == nil)
			}
			if want := fmt.Sprintf("%s %d\n", repo, w.job().Run); tt.runs && w.read("hook") != want {
				t.Errorf("hook saw %q, want %q", w.read("hook"), want)
			}
		})
	}
}

// sleeper starts a process that no group holds and says its number.
const sleeper = `
setsid sleep 1000 &
echo $! > "$OUT/said"
sleep 1000
`

// said waits for what the job's script writes to $OUT/said, a pipe.
func (w *world) said() string {
	raw, err := os.ReadFile(filepath.Join(w.dir, "said"))
	if err != nil {
		w.t.Error(err)
	}
	return strings.TrimSpace(string(raw))
}

func TestCancelledJobLeavesNoProcess(t *testing.T) {
	for _, tt := range []struct {
		name string
		stop func(w *world, kill func())
	}{
		{"cancelled on GitHub", func(w *world, _ func()) { w.call(fmt.Sprintf("/actions/runs/%d/cancel", w.job().Run), nil) }},
		{"the runner is told to stop", func(_ *world, kill func()) { kill() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, sleeper)
			ctx, kill := context.WithCancel(t.Context())
			defer kill()
			var pid string
			var watch sync.WaitGroup
			watch.Go(func() { pid = w.said(); tt.stop(w, kill) })
			code, out := w.run(ctx, w.start(), w.env())
			watch.Wait()
			if got := w.job(); code != 0 || got.Conclusion != "cancelled" {
				t.Errorf("exit %d, job %s:\n%s", code, got.Conclusion, out)
			}
			// One that was killed may still wait to be reaped.
			if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
				t.Errorf("a process of the job is alive: %s", stat)
			}
		})
	}
}

func TestServerAwayDuringAJob(t *testing.T) {
	w := newWorld(t, `echo here; echo up > "$OUT/said"; until [ -e "$OUT/away" ]; do sleep 0.05; done; echo there`+"\n")
	jit := w.start()
	var watch sync.WaitGroup
	watch.Go(func() {
		w.said()
		w.away.Store(3)
		if err := os.WriteFile(filepath.Join(w.dir, "away"), nil, 0o600); err != nil {
			t.Error(err)
		}
	})
	code, out := w.run(t.Context(), jit, w.env())
	watch.Wait()
	log, err := w.s.JobLog(w.job().ID)
	w.must(err)
	if code != 0 || w.job().Conclusion != "success" || !strings.Contains(string(log), "there") || w.away.Load() > 0 {
		t.Errorf("exit %d, job %s, log %s:\n%s", code, w.job().Conclusion, log, out)
	}
}

func TestRunnerWithoutAJob(t *testing.T) {
	w := newWorld(t, "")
	t.Run("told to stop while waiting", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if code, out := w.run(ctx, w.jit("idle", "x"), w.env()); code != 0 {
			t.Errorf("exit %d:\n%s", code, out)
		}
	})
	t.Run("used twice", func(t *testing.T) {
		jit := w.start()
		w.run(t.Context(), jit, w.env())
		if code, out := w.run(t.Context(), jit, w.env()); code != 0 || !strings.Contains(out, "terminated error") {
			t.Errorf("exit %d:\n%s", code, out)
		}
	})
	for name, args := range map[string][]string{
		"no configuration": nil, "no base64": {"--jitconfig", "?"}, "an unknown flag": {"--url", "x"}, "too much": {"--jitconfig", "x", "y"},
	} {
		t.Run(name, func(t *testing.T) {
			if code := runner.Run(t.Context(), args, nil, io.Discard, io.Discard); code != 1 {
				t.Errorf("exit %d, want 1", code)
			}
		})
	}
}

func TestBlobRoundTrip(t *testing.T) {
	want := runner.Blob{URL: "http://127.0.0.1:1", Runner: 5, Name: "n", Secret: "s"}
	encoded, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := runner.ParseBlob(encoded); err != nil || got != want {
		t.Errorf("ParseBlob = %+v, %v", got, err)
	}
}
