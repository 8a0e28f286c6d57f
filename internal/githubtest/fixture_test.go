package githubtest

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v4"
)

// testKey is one key for all tests: making one takes a while.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

const (
	repoName = "examples/hello"
	repoPath = "/repos/" + repoName
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// hook is the receiver of webhooks, which answers as told.
type hook struct {
	mu   sync.Mutex
	code int
	got  []received
	came chan struct{}
}

type received struct {
	header http.Header
	body   []byte
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	h.got = append(h.got, received{r.Header, body})
	code := h.code
	h.mu.Unlock()
	w.WriteHeader(code)
	h.came <- struct{}{}
}

func (h *hook) answer(code int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.code = code
}

func (h *hook) all() []received {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]received(nil), h.got...)
}

// fixture is a stand-in with one repository, a maintainer, a stranger and a
// pull request, and the App's token for it.
type fixture struct {
	t     *testing.T
	cfg   Config
	s     *Server
	web   *httptest.Server
	clock *clock
	hook  *hook
	token string
	inst  int64
	base  string // SHA
	head  string // SHA of the pull request
}

const testWorkflow = `name: ortest
run-name: ortest ${{ inputs.nonce }}
on:
  workflow_dispatch:
    inputs:
      pieces: {required: true, type: string}
      nonce: {required: true, type: string}
      arch: {type: choice, options: [x64, arm64], default: x64}
jobs:
  piece:
    name: ${{ matrix.piece.goal }}
    runs-on: ${{ matrix.piece.label }}
    strategy:
      fail-fast: false
      matrix:
        piece: ${{ fromJSON(inputs.pieces) }}
    steps:
      - run: echo "$GOAL on $GITHUB_REPOSITORY"
        env: {GOAL: "${{ matrix.piece.goal }}"}
`

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		t: t, clock: &clock{at: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)},
		hook: &hook{code: http.StatusAccepted, came: make(chan struct{}, 1000)},
	}
	hooks := httptest.NewServer(f.hook)
	t.Cleanup(hooks.Close)
	f.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.s.Handler().ServeHTTP(w, r) }))
	t.Cleanup(f.web.Close)
	f.cfg = Config{
		Dir: t.TempDir(), URL: f.web.URL, AppID: 7, AppKey: &testKey().PublicKey,
		WebhookURL: hooks.URL, WebhookSecret: "secret", Now: f.clock.now,
	}
	f.open()
	t.Cleanup(func() { _ = f.s.Close() })
	f.seed()
	f.token = f.newToken(obj{})
	return f
}

func (f *fixture) open() {
	f.t.Helper()
	s, err := Open(f.cfg)
	f.must(err)
	f.s = s
}

// reopen is what a kill and a new start are: nothing is handed over but Dir.
func (f *fixture) reopen() {
	f.t.Helper()
	f.open()
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) seed() {
	f.t.Helper()
	ctx := f.t.Context()
	for login, kind := range map[string]string{"examples": "Organization", "alice": "User", "mallory": "User"} {
		_, err := f.s.CreateUser(login, kind)
		f.must(err)
	}
	_, err := f.s.CreateRepository(ctx, repoName, map[string]string{"alice": "maintain"})
	f.must(err)
	f.base, err = f.s.Push(ctx, Commit{
		Repo: repoName, Branch: "main", Message: "start", Author: "alice",
		Files: map[string]File{
			"README": {Data: []byte("hello\n")}, "t/01.t": {Data: []byte("one\ntwo\n"), Exec: true},
			".github/workflows/ortest.yml": {Data: []byte(testWorkflow)},
		},
	})
	f.must(err)
	f.head, err = f.s.Push(ctx, Commit{
		Repo: repoName, Branch: "fix", From: "main", Message: "fix", Author: "mallory",
		Files: map[string]File{"README": {Data: []byte("hello\nworld\n")}},
	})
	f.must(err)
	f.inst, err = f.s.Install("examples")
	f.must(err)
	_, err = f.s.OpenPull(ctx, NewPull{Repo: repoName, Head: "fix", Base: "main", Title: "A fix", Author: "mallory"})
	f.must(err)
}

func (f *fixture) jwt(claims jwt.MapClaims) string {
	f.t.Helper()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(testKey())
	f.must(err)
	return signed
}

func (f *fixture) appToken() string {
	now := f.clock.now()
	return f.jwt(jwt.MapClaims{"iss": "7", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()})
}

func (f *fixture) newToken(body obj) string {
	f.t.Helper()
	res := f.as(f.appToken(), "POST", "/app/installations/"+strconv.FormatInt(f.inst, 10)+"/access_tokens", body)
	res.want(http.StatusCreated)
	return res.body["token"].(string)
}

// answer is what came back.
type answer struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	raw    []byte
	body   obj   // when it is an object
	list   []any // when it is a list
}

func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: got %d, want %d: %s", a.what, a.status, status, a.raw)
	}
	return a
}

func (a answer) id() int64 { return int64(a.body["id"].(float64)) }

// call makes a request with the installation's token.
func (f *fixture) call(method, path string, body any) answer {
	f.t.Helper()
	return f.as(f.token, method, path, body)
}

func (f *fixture) as(token, method, path string, body any) answer {
	f.t.Helper()
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		f.must(err)
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.web.URL+"/api/v3"+path, in)
	f.must(err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	f.must(err)
	raw, err := io.ReadAll(res.Body)
	f.must(err)
	f.must(res.Body.Close())
	a := answer{t: f.t, what: method + " " + path, status: res.StatusCode, header: res.Header, raw: raw}
	if json.Unmarshal(raw, &a.body) != nil {
		_ = json.Unmarshal(raw, &a.list)
	}
	return a
}
