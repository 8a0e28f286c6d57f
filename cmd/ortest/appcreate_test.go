package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/internal/githubtest"
	"github.com/ortest/ortest/internal/githubtest/contract"
)

// hub is a GitHub where ada sits at the browser.
func hub(t *testing.T) (*githubtest.Server, string) {
	t.Helper()
	var gh http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { gh.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	dir, err := openDemoDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	key, err := dir.key()
	if err != nil {
		t.Fatal(err)
	}
	s, err := githubtest.Open(githubtest.Config{Dir: t.TempDir(), URL: srv.URL, AppID: 41, AppKey: &key.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(); _ = dir.close() })
	if _, err := s.CreateUser("ada", "User"); err != nil {
		t.Fatal(err)
	}
	s.SignIn("ada")
	gh = contract.Handler(s.Handler(), func(err error) { t.Error(err) })
	return s, srv.URL
}

// heardLines is what a command says while it runs.
type heardLines struct {
	io.Writer
	lines chan string
}

func (s heardLines) Write(b []byte) (int, error) {
	select {
	case s.lines <- string(b):
	default:
	}
	return len(b), nil
}

// creating starts ortest app create and returns its page's address.
func creating(t *testing.T, args ...string) (at string, ended <-chan int, stdout *bytes.Buffer) {
	t.Helper()
	out, says, done := new(bytes.Buffer), heardLines{lines: make(chan string, 10)}, make(chan int, 1)
	go func() {
		done <- run(t.Context(), append([]string{"app", "create", "--no-open"}, args...), strings.NewReader(""), out, says)
	}()
	select {
	case line := <-says.lines:
		at = regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(line)
		if at == "" {
			t.Fatalf("it says %q (code %d)", line, <-done)
		}
	case <-time.After(patience):
		t.Fatal("it says nothing")
	}
	return at, done, out
}

func TestAnAppIsMade(t *testing.T) {
	_, gh := hub(t)
	dir := filepath.Join(t.TempDir(), "new")
	at, ended, out := creating(t, "--url", "https://ortest.example.org/", "--github", gh, "--out", dir, "--name", "Our tests")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := http.Client{Jar: jar}
	page := fetch(t, &browser, at)
	form := regexp.MustCompile(`action="([^"]*)"`).FindStringSubmatch(page)
	manifest := regexp.MustCompile(`name="manifest" value="([^"]*)"`).FindStringSubmatch(page)
	if form == nil || manifest == nil {
		t.Fatalf("the page has no form: %s", page)
	}
	for _, bad := range []string{"created?code=abc&state=x", "created?code=abc", "created"} {
		resp, err := browser.Get(at + bad)
		if err != nil || resp.StatusCode != http.StatusForbidden {
			t.Fatalf("%s: %v %v", bad, resp, err)
		}
		resp.Body.Close()
	}
	unescape := strings.NewReplacer("&#34;", `"`, "&amp;", "&", "&#43;", "+")
	resp, err := browser.PostForm(unescape.Replace(form[1]), url.Values{"manifest": {unescape.Replace(manifest[1])}})
	if err != nil {
		t.Fatal(err)
	}
	after, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(after), "The App was made") {
		t.Fatalf("back from GitHub: %s %s", resp.Status, after)
	}
	if code := <-ended; code != exitGood {
		t.Fatalf("ended with %d: %s", code, out)
	}
	config, err := readServeConfig(filepath.Join(dir, "ortest.yaml"))
	if err != nil {
		t.Fatalf("serve does not take the configuration: %v", err)
	}
	if len(config.GitHub.Owners) != 1 || config.GitHub.Owners[0] != "ada" || strings.Contains(out.String(), "github.owners") {
		t.Errorf("the configuration serves %q, and it says %s", config.GitHub.Owners, out)
	}
	shown := page + string(after) + out.String()
	for _, name := range []string{"app.pem", "webhook.secret", "client.secret", "ortest.yaml"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(b) == 0 {
			t.Errorf("%s: %d bytes %v", name, len(b), err)
		}
		if name != "ortest.yaml" && strings.Contains(shown, strings.TrimSpace(string(b))) {
			t.Errorf("%s was shown", name)
		}
	}
	doctorLikes(t, config)
	if code := run(t.Context(), []string{"app", "create", "--url", "https://x.org", "--out", dir}, nil, io.Discard, out); code != exitUsage || !strings.Contains(out.String(), "is there already") {
		t.Errorf("a second one in the same directory ends with %d: %s", code, out)
	}
}

// doctorLikes lets the doctor look at the App as it was made, and at one that is not
// sent what it should be.
func doctorLikes(t *testing.T, c serveConfig) {
	t.Helper()
	for _, f := range doctorOn(t, c, "") {
		if f.State != "ok" && f.Check != "deliveries" {
			t.Errorf("the doctor says of a new App: %+v", f)
		}
	}
	for _, f := range doctorOn(t, c, "pull_request_review") {
		if f.Check == "events" && (f.State != "warn" || f.Says != "not subscribed: pull_request_review") {
			t.Errorf("the doctor says of an event that is missing: %+v", f)
		}
	}
}

// doctorOn opens a GitHub that has the App without one event, and lets the doctor look.
func doctorOn(t *testing.T, c serveConfig, lacks string) []finding {
	t.Helper()
	raw, err := os.ReadFile(c.GitHub.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	permissions, events := github.Needs(true, false)
	events = slices.DeleteFunc(events, func(e string) bool { return e == lacks })
	var gh http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { gh.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	s, err := githubtest.Open(githubtest.Config{
		Dir: t.TempDir(), URL: srv.URL, AppID: c.GitHub.AppID, AppKey: &key.PublicKey, AppSlug: c.GitHub.Slug,
		Permissions: permissions, Events: events, WebhookURL: c.URL + "/webhook", WebhookSecret: "not asked for",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, owner := range c.GitHub.Owners {
		if _, err := s.CreateUser(owner, "User"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Install(owner); err != nil {
			t.Fatal(err)
		}
	}
	gh = s.Handler()
	forge, err := github.New(github.Config{AppID: c.GitHub.AppID, Key: raw, BaseURL: srv.URL, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	d := new(doctor)
	d.secrets(c)
	d.app(t.Context(), c, forge)
	return d.found
}

func fetch(t *testing.T, client *http.Client, at string) string {
	t.Helper()
	resp, err := client.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", at, resp.Status, err)
	}
	return string(b)
}

func TestAppCreateSaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		says string
	}{
		{"no address", nil, "--url is missing"},
		{"an address that is none", []string{"--url", "x.org"}, "--url:"},
		{"a name of just 35 characters", []string{"--url", "https://x.org", "--name", strings.Repeat("n", 35)}, "--name:"},
		{"a page for everybody", []string{"--url", "https://x.org", "--listen", "0.0.0.0:0"}, "--listen:"},
		{"a page without a port", []string{"--url", "https://x.org", "--listen", "127.0.0.1"}, "--listen:"},
		{"an organization that is none", []string{"--url", "https://x.org", "--org", "a/b"}, "--org:"},
		{"a GitHub that is none", []string{"--url", "https://x.org", "--github", "github.com"}, "--github:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var says bytes.Buffer
			code := run(t.Context(), append([]string{"app", "create", "--out", t.TempDir()}, tt.args...), nil, io.Discard, &says)
			if code != exitUsage || !strings.Contains(says.String(), tt.says) {
				t.Errorf("ended with %d: %s", code, &says)
			}
		})
	}
}

func TestAnAppThatNobodyConfirms(t *testing.T) {
	_, gh := hub(t)
	dir := t.TempDir()
	at, ended, _ := creating(t, "--url", "https://x.org", "--github", gh, "--out", dir, "--timeout", "200ms")
	_ = at
	if code := <-ended; code != exitFailed {
		t.Errorf("ended with %d", code)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
