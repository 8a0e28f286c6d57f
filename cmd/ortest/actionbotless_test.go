package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v4"

	"github.com/ortest/ortest"
	"github.com/ortest/ortest/internal/githubtest"
	"github.com/ortest/ortest/runnerfleet/local"
	"github.com/ortest/ortest/workflows"
)

// without is a repository whose workflows act runs here, with a GitHub that knows it.
type without struct {
	t    *testing.T
	gh   *githubtest.Server
	url  string
	key  *rsa.PrivateKey
	pull int
	dir  string // of everything that act and the machines leave
	vars map[string]string

	at      time.Time // when the comment was written
	private bool
	pushes  *string // what GitHub says of pushes to the branch; "" that nobody may know
}

func newWithout(t *testing.T, variant string) *without {
	t.Helper()
	w := &without{t: t, dir: t.TempDir(), vars: map[string]string{}, at: time.Now().Add(time.Hour), pushes: new(string)}
	var err error
	if w.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(srv.Close)
	w.url = srv.URL
	w.gh, err = githubtest.Open(githubtest.Config{Dir: filepath.Join(w.dir, "github"), URL: srv.URL, AppID: demoAppID, AppKey: &w.key.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.gh.Close() })
	if w.pull, err = seed(t.Context(), w.gh, variant); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	return w
}

// end ends what machines a failed test left, and shows what they said.
func (w *without) end() {
	all, err := filepath.Glob(filepath.Join(w.dir, "machines", "*", "fleet", "*"))
	if err != nil {
		w.t.Error(err)
	}
	for _, dir := range all {
		cloud := &local.Cloud{Dir: filepath.Dir(dir), Log: slog.New(slog.DiscardHandler)}
		if err := cloud.Terminate(context.Background(), filepath.Base(dir)); err != nil {
			w.t.Error(err)
		}
		if said, err := os.ReadFile(filepath.Join(dir, "agent.log")); err == nil && w.t.Failed() {
			w.t.Logf("%s:\n%s", dir, said)
		}
	}
}

// serve is the stand-in with what it does not know: when a branch was pushed to.
func (w *without) serve(rw http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/activity") && *w.pushes != "" {
		fmt.Fprint(rw, *w.pushes)
		return
	}
	w.gh.Handler().ServeHTTP(rw, r)
}

// token is what a workflow run's own token may do here.
func (w *without) token() string {
	w.t.Helper()
	app, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": fmt.Sprint(demoAppID), "iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(5 * time.Minute).Unix(),
	}).SignedString(w.key)
	if err != nil {
		w.t.Fatal(err)
	}
	ask := func(method, path string, out any) {
		req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+"/api/v3"+path, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+app)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			w.t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil || resp.StatusCode/100 != 2 {
			w.t.Fatalf("%s %s: %s, %v", method, path, resp.Status, err)
		}
	}
	var in struct {
		ID int64 `json:"id"`
	}
	ask("GET", "/repos/"+demoRepo+"/installation", &in)
	var made struct {
		Token string `json:"token"`
	}
	ask("POST", fmt.Sprintf("/app/installations/%d/access_tokens", in.ID), &made)
	return made.Token
}

// event is a comment's, as GitHub sends it.
func (w *without) event(who, text string) []byte {
	w.t.Helper()
	event, err := json.Marshal(map[string]any{
		"action": "created", "repository": map[string]any{"full_name": demoRepo, "private": w.private},
		"comment": map[string]any{
			"id": 1, "body": text, "author_association": "COLLABORATOR", "created_at": w.at, "user": map[string]any{"login": who, "type": "User"},
		},
		"issue": map[string]any{"number": w.pull, "pull_request": map[string]any{"url": "x"}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return event
}

// comment is the act that runs the comment's workflow.
func (w *without) comment(ctx context.Context, who, text string, out io.Writer) *exec.Cmd {
	w.t.Helper()
	put := func(name string, b []byte) string {
		path := filepath.Join(w.dir, name)
		if err := putFile(path, b); err != nil {
			w.t.Fatal(err)
		}
		return path
	}
	flow, err := workflows.Render("ortest-comment.yml", workflows.Settings{Commit: strings.Repeat("0", 40), Cloud: "local"})
	if err != nil {
		w.t.Fatal(err)
	}
	for name, b := range map[string][]byte{"action.yml": ortest.ActionFile} {
		put("action/"+name, b)
	}
	for _, name := range []string{"action.yml", "main.js"} {
		b, err := os.ReadFile("../../workflows/results/" + name)
		if err != nil {
			w.t.Fatal(err)
		}
		put("action/workflows/results/"+name, b)
	}
	checkout, err := filepath.Abs("testdata/checkout")
	if err != nil {
		w.t.Fatal(err)
	}
	work := filepath.Join(w.dir, "work")
	for _, d := range []string{work, filepath.Join(w.dir, "home")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			w.t.Fatal(err)
		}
	}
	args := []string{
		"issue_comment", "--workflows", put("workflow.yml", flow), "--eventpath", put("event.json", w.event(who, text)), "--var", "ORTEST_WITHOUT_BOT=true",
		"--platform", "ubuntu-24.04=-self-hosted", "--platform", "ortest-local=-self-hosted", "--actor", who,
		"--artifact-server-path", filepath.Join(w.dir, "artifacts"), "--artifact-server-addr", "127.0.0.1", "--artifact-server-port", freePort(w.t),
		"--action-cache-path", filepath.Join(w.dir, "cache"), "--no-cache-server", "--action-offline-mode", "--pull=false", "--container-daemon-socket", "-",
		"--local-repository", "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683=" + checkout,
		"--secret", "GITHUB_TOKEN=" + w.token(),
	}
	env := map[string]string{
		"GITHUB_SERVER_URL": w.url, "GITHUB_API_URL": w.url + "/api/v3", "GITHUB_REPOSITORY": demoRepo, "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_REF": "refs/heads/main", "SHA_REF": strings.Repeat("1", 40),
		"ORTEST_BIN": self(w.t), "TEST_ACTION": filepath.Join(w.dir, "action"), "ORTEST_DATA": filepath.Join(w.dir, "machines"),
		"ORTEST_RUNNER_COMMAND": self(w.t) + " runner", "ORTEST_IDLE": "3m",
	}
	for k, v := range env {
		args = append(args, "--env", k+"="+v)
	}
	for k, v := range w.vars {
		args = append(args, "--secret", k+"="+v)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(realAct(w.t), "act"), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = time.Minute
	cmd.Dir, cmd.Stdout, cmd.Stderr = work, out, out
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(w.dir, "home"), "XDG_CACHE_HOME=" + filepath.Join(w.dir, "home"), "LANG=C.UTF-8"}
	return cmd
}

func freePort(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(nil)
	defer srv.Close()
	return srv.URL[strings.LastIndex(srv.URL, ":")+1:]
}

// app gives the environment's secrets.
func (w *without) app() {
	key := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(w.key)})
	w.vars["ORTEST_APP_ID"], w.vars["ORTEST_APP_KEY"] = fmt.Sprint(demoAppID), string(key)
}

// left returns the machines that were ever started, and those that are not gone.
func (w *without) left() (started, alive int) {
	all, err := filepath.Glob(filepath.Join(w.dir, "machines", "*", "fleet", "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range all {
		if _, err := os.Stat(filepath.Join(m, "gone")); err != nil {
			alive++
		}
	}
	return len(all), alive
}

// TestWithoutABotCancelled interrupts act, as GitHub's button does a workflow run,
// once machines run: they are ended all the same.
func TestWithoutABotCancelled(t *testing.T) {
	w := newWithout(t, "good")
	w.app()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &cancelAt{text: "test file starts", cancel: cancel}
	if err := w.comment(ctx, demoMaintainer, "/ortest t-hello", out).Run(); err == nil {
		t.Error("a cancelled run ended well")
	}
	if started, alive := w.left(); started != 1 || alive != 0 {
		t.Errorf("%d machines started, %d alive; want 1 and none\n%s", started, alive, quiet(out.log.String()))
	}
}

// cancelAt calls cancel once a text was written.
type cancelAt struct {
	log    bytes.Buffer
	text   string
	cancel func()
}

func (c *cancelAt) Write(b []byte) (int, error) {
	c.log.Write(b)
	if bytes.Contains(c.log.Bytes(), []byte(c.text)) {
		c.cancel()
	}
	return len(b), nil
}

// quiet leaves out what act says of a work tree without git.
func quiet(log string) string {
	var kept []string
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "git re") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestWithoutABot(t *testing.T) {
	for _, tt := range []struct {
		name, variant, who, text string
		machines                 int
		exit                     int
		says                     []string
		never                    []string
	}{
		{"two stages, both good", "good", demoMaintainer, "/ortest t-hello th-hello", 2, 0,
			[]string{"2 results", "t-hello", "th-hello", "2 machines ended"}, nil},
		{"a red first stage starts nothing more, and all is told and ended", "fail", demoMaintainer, "/ortest t-hello th-hello", 1, 1,
			[]string{"1 results", "1 machines ended", "incomplete"}, []string{"ortest comment/up-2]", "(77-1/p2/1)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWithout(t, tt.variant)
			w.app()
			var out bytes.Buffer
			err := w.comment(t.Context(), tt.who, tt.text, &out).Run()
			code := 0
			if err != nil {
				code = 1
			}
			if code != tt.exit {
				t.Errorf("ended with %d, want %d", code, tt.exit)
			}
			for _, s := range tt.says {
				if !strings.Contains(out.String(), s) {
					t.Errorf("never said %q", s)
				}
			}
			for _, s := range tt.never {
				if strings.Contains(out.String(), s) {
					t.Errorf("said %q", s)
				}
			}
			if started, alive := w.left(); started != tt.machines || alive != 0 {
				t.Errorf("%d machines started, %d alive; want %d and none", started, alive, tt.machines)
			}
			if t.Failed() {
				t.Log(quiet(out.String()))
			}
		})
	}
}
