package github

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ortest/ortest/bot"
)

var hello = bot.Repo{Installation: 7, Owner: "ortest-examples", Name: "hello"}

const under = "/repos/ortest-examples/hello"

// appKey is made once: it takes longer than all tests that use it.
var appKey = sync.OnceValues(func() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), nil
})

// answer is what the scripted API says to one request.
type answer struct {
	code int
	body string
	link string // next page
}

// api is a scripted GitHub: answers by "METHOD PATH?QUERY", each one after
// another, the last for ever. It remembers what was sent, tokens aside.
type api struct {
	t      *testing.T
	script map[string][]answer
	mu     sync.Mutex
	sent   []string
	tokens []string // bodies of the requests for tokens
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		a.t.Error(err)
	}
	text := strings.TrimSpace(string(body))
	if r.URL.Path == "/app/installations/7/access_tokens" {
		a.tokens = append(a.tokens, text)
		if script := a.script["token"]; len(script) > 0 {
			w.WriteHeader(script[0].code)
			_, _ = io.WriteString(w, script[0].body)
			return
		}
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ey") {
			a.t.Errorf("a token was asked for with authorization %q", r.Header.Get("Authorization"))
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, `{"token":"ghs_x","expires_at":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339))
		return
	}
	if got := r.Header.Get("Authorization"); got != "token ghs_x" {
		a.t.Errorf("%s %s came with authorization %q", r.Method, r.URL, got)
	}
	key := r.Method + " " + r.URL.RequestURI()
	a.sent = append(a.sent, strings.TrimSpace(key+" "+text))
	script := a.script[key]
	if len(script) == 0 {
		a.t.Errorf("unexpected request %s", key)
		http.NotFound(w, r)
		return
	}
	if len(script) > 1 {
		a.script[key] = script[1:]
	}
	if script[0].link != "" {
		w.Header().Set("Link", "<http://"+r.Host+script[0].link+`>; rel="next"`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(script[0].code)
	_, _ = io.WriteString(w, script[0].body)
}

// scripted returns a Forge on a scripted API.
func scripted(t *testing.T, script map[string][]answer) (*Forge, *api) {
	t.Helper()
	a := &api{t: t, script: script}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	key, err := appKey()
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(Config{AppID: 42, Key: key, BaseURL: srv.URL, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return f, a
}

func TestForge(t *testing.T) {
	at := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	type values []any
	one := func(code int, body string) []answer { return []answer{{code: code, body: body}} }
	for _, tt := range []struct {
		name   string
		script map[string][]answer
		call   func(context.Context, *Forge) (values, error)
		want   values
		err    error
		says   string // in the error
		sent   []string
	}{
		{name: "an open pull request of a fork",
			script: map[string][]answer{"GET " + under + "/pulls/5": one(200, `{"number":5,"state":"open","head":{"sha":"`+head+`","repo":{"id":2}},"base":{"ref":"main","repo":{"id":1}}}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				p, err := f.PullRequest(ctx, hello, 5)
				return values{p}, err
			},
			want: values{bot.PullRequest{Number: 5, Open: true, Head: head, Base: "main", Fork: true}}},
		{name: "a pull request whose fork was deleted is one of a fork",
			script: map[string][]answer{"GET " + under + "/pulls/5": one(200, `{"number":5,"state":"closed","head":{"sha":"`+head+`","repo":null},"base":{"ref":"main","repo":{"id":1}}}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				p, err := f.PullRequest(ctx, hello, 5)
				return values{p}, err
			},
			want: values{bot.PullRequest{Number: 5, Head: head, Base: "main", Fork: true}}},
		{name: "a pull request without a head is an error", says: "head, base or state is missing",
			script: map[string][]answer{"GET " + under + "/pulls/5": one(200, `{"number":5,"state":"open"}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				_, err := f.PullRequest(ctx, hello, 5)
				return nil, err
			}},
		{name: "a pull request that is not there is gone", err: bot.ErrGone,
			script: map[string][]answer{"GET " + under + "/pulls/5": one(404, `{"message":"Not Found"}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				_, err := f.PullRequest(ctx, hello, 5)
				return nil, err
			}},

		{name: "the role is more exact than the permission",
			script: map[string][]answer{"GET " + under + "/collaborators/agentzh/permission": one(200, `{"permission":"write","role_name":"maintain"}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				r, err := f.Permission(ctx, hello, "agentzh")
				return values{r}, err
			},
			want: values{"maintain"}},
		{name: "an old server tells the permission alone",
			script: map[string][]answer{"GET " + under + "/collaborators/agentzh/permission": one(200, `{"permission":"write"}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				r, err := f.Permission(ctx, hello, "agentzh")
				return values{r}, err
			},
			want: values{"write"}},
		{name: "an unknown login has no role",
			script: map[string][]answer{"GET " + under + "/collaborators/dependabot%5Bbot%5D/permission": one(404, `{}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				r, err := f.Permission(ctx, hello, "dependabot[bot]")
				return values{r}, err
			},
			want: values{"none"}},
		{name: "a login that cannot be is not asked for",
			call: func(ctx context.Context, f *Forge) (values, error) {
				r, err := f.Permission(ctx, hello, "../x")
				return values{r}, err
			},
			want: values{"none"}},
		{name: "no answer about a role is an error, not a role", says: "names no role",
			script: map[string][]answer{"GET " + under + "/collaborators/agentzh/permission": one(200, `{}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				_, err := f.Permission(ctx, hello, "agentzh")
				return nil, err
			}},

		{name: "comments of all pages, ours marked",
			script: map[string][]answer{
				"GET " + under + "/issues/5/comments?page=1&per_page=100&since=2026-01-02T15%3A00%3A00Z": {{code: 200, link: under + "/issues/5/comments?page=2",
					body: `[{"id":1,"body":"/ortest","user":{"login":"agentzh","type":"User"},"created_at":"2026-01-02T15:00:00Z","updated_at":"2026-01-02T15:00:01Z"}]`}},
				"GET " + under + "/issues/5/comments?page=2&per_page=100&since=2026-01-02T15%3A00%3A00Z": one(200,
					`[{"id":2,"body":"plan","user":{"login":"ortest[bot]","type":"Bot"},"performed_via_github_app":{"id":42},"created_at":"2026-01-02T15:00:00Z","updated_at":"2026-01-02T15:00:00Z"},{"id":3,"user":null,"body":"x","performed_via_github_app":{"id":43},"created_at":"2026-01-02T15:00:00Z","updated_at":"2026-01-02T15:00:00Z"}]`),
			},
			call: func(ctx context.Context, f *Forge) (values, error) {
				c, err := f.Comments(ctx, hello, 5, at)
				return values{c}, err
			},
			want: values{[]bot.Comment{
				{ID: 1, Author: "agentzh", Body: "/ortest", CreatedAt: at, UpdatedAt: at.Add(time.Second)},
				{ID: 2, Author: "ortest[bot]", Bot: true, Ours: true, Body: "plan", CreatedAt: at, UpdatedAt: at},
				{ID: 3, Body: "x", CreatedAt: at, UpdatedAt: at}}}},
		{name: "a comment is posted as it is written",
			script: map[string][]answer{"POST " + under + "/issues/5/comments": one(201, `{"id":9}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				id, err := f.CreateComment(ctx, hello, 5, "a <b> & c")
				return values{id}, err
			},
			want: values{int64(9)}, sent: []string{"POST " + under + `/issues/5/comments {"body":"a <b> & c"}`}},
		{name: "a comment is not posted twice", says: "502",
			script: map[string][]answer{"POST " + under + "/issues/5/comments": one(502, ``)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				_, err := f.CreateComment(ctx, hello, 5, "x")
				return nil, err
			},
			sent: []string{"POST " + under + `/issues/5/comments {"body":"x"}`}},
		{name: "a comment that somebody deleted is gone", err: bot.ErrGone,
			script: map[string][]answer{"PATCH " + under + "/issues/comments/9": one(404, `{"message":"Not Found"}`)},
			call:   func(ctx context.Context, f *Forge) (values, error) { return nil, f.UpdateComment(ctx, hello, 9, "x") }},
		{name: "a comment too long is refused", err: bot.ErrRefused, says: "Validation Failed",
			script: map[string][]answer{"PATCH " + under + "/issues/comments/9": one(422, `{"message":"Validation Failed"}`)},
			call:   func(ctx context.Context, f *Forge) (values, error) { return nil, f.UpdateComment(ctx, hello, 9, "x") }},
		{name: "a permission that the App lacks is refused", err: bot.ErrRefused, says: "not accessible by integration",
			script: map[string][]answer{"PATCH " + under + "/issues/comments/9": one(403, `{"message":"Resource not accessible by integration"}`)},
			call:   func(ctx context.Context, f *Forge) (values, error) { return nil, f.UpdateComment(ctx, hello, 9, "x") }},
		{name: "a reaction that is there already is good",
			script: map[string][]answer{"POST " + under + "/issues/comments/9/reactions": {{code: 502}, {code: 200, body: `{"id":1,"content":"eyes"}`}}},
			call: func(ctx context.Context, f *Forge) (values, error) {
				return nil, f.React(ctx, hello, bot.InComment, 9, "eyes")
			},
			sent: []string{"POST " + under + `/issues/comments/9/reactions {"content":"eyes"}`, "POST " + under + `/issues/comments/9/reactions {"content":"eyes"}`}},

		{name: "a token that is not given names the reason", err: bot.ErrRefused, says: "permissions requested are not granted",
			script: map[string][]answer{"token": one(422, `{"message":"The permissions requested are not granted to this installation."}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				return nil, f.React(ctx, hello, bot.InComment, 9, "eyes")
			}},
		{name: "an App that was uninstalled is gone", err: bot.ErrGone,
			script: map[string][]answer{"token": one(404, `{}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				return nil, f.React(ctx, hello, bot.InComment, 9, "eyes")
			}},
		{name: "a repository without an installation is refused unasked", err: bot.ErrRefused,
			call: func(ctx context.Context, f *Forge) (values, error) {
				return nil, f.React(ctx, bot.Repo{Owner: "a", Name: "b"}, bot.InComment, 9, "eyes")
			}},

		{name: "a dispatch goes to the default branch and tells its workflow run",
			script: map[string][]answer{
				"GET " + under: one(200, `{"default_branch":"trunk"}`),
				"POST " + under + "/actions/workflows/ortest.yml/dispatches": one(200, `{"workflow_run_id":77,"run_url":"u","html_url":"h"}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				id, err := f.Dispatch(ctx, hello, "ortest.yml", map[string]string{"nonce": "n1"})
				return values{id}, err
			},
			want: values{int64(77)},
			sent: []string{"GET " + under, "POST " + under + `/actions/workflows/ortest.yml/dispatches {"inputs":{"nonce":"n1"},"ref":"trunk","return_run_details":true}`}},
		{name: "a dispatch without a workflow on the default branch is gone", err: bot.ErrGone,
			script: map[string][]answer{
				"GET " + under: one(200, `{"default_branch":"trunk"}`),
				"POST " + under + "/actions/workflows/ortest.yml/dispatches": one(404, `{}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				_, err := f.Dispatch(ctx, hello, "ortest.yml", nil)
				return nil, err
			}},
		{name: "a dispatch that is refused names the reason", err: bot.ErrRefused, says: "Unexpected inputs",
			script: map[string][]answer{
				"GET " + under: one(200, `{"default_branch":"trunk"}`),
				"POST " + under + "/actions/workflows/ortest.yml/dispatches": one(422, `{"message":"Unexpected inputs provided"}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				_, err := f.Dispatch(ctx, hello, "ortest.yml", nil)
				return nil, err
			}},
		{name: "a workflow that is no file name is refused unasked", err: bot.ErrRefused,
			call: func(ctx context.Context, f *Forge) (values, error) {
				_, err := f.Dispatch(ctx, hello, "../x.yml", nil)
				return nil, err
			}},
		{name: "an empty nonce finds nothing",
			call: func(ctx context.Context, f *Forge) (values, error) {
				id, err := f.FindWorkflowRun(ctx, hello, "ortest.yml", "")
				return values{id}, err
			},
			want: values{int64(0)}},
		{name: "jobs of all pages",
			script: map[string][]answer{
				"GET " + under + "/actions/runs/77/jobs?page=1&per_page=100": {{code: 200, link: under + "/actions/runs/77/jobs?page=2", body: `{"total_count":2,"jobs":[{"id":1,"run_id":77,"name":"a","labels":["l1"],"status":"queued","runner_id":null,"runner_name":null,"conclusion":null,"completed_at":null}]}`}},
				"GET " + under + "/actions/runs/77/jobs?page=2&per_page=100": one(200, `{"total_count":2,"jobs":[{"id":2,"run_id":77,"name":"b","labels":["l2"],"status":"completed","runner_id":3,"runner_name":"r","conclusion":"success","completed_at":"2026-01-02T15:00:00Z"}]}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				j, err := f.Jobs(ctx, hello, 77)
				return values{j}, err
			},
			want: values{[]bot.Job{{ID: 1, Name: "a", Labels: []string{"l1"}, Status: "queued"}, {ID: 2, Name: "b", Labels: []string{"l2"}, Runner: 3, RunnerName: "r", Status: "completed", Conclusion: "success", CompletedAt: at}}}},
		{name: "a cancellation is accepted",
			script: map[string][]answer{"POST " + under + "/actions/runs/77/cancel": one(202, `{}`)},
			call:   func(ctx context.Context, f *Forge) (values, error) { return nil, f.CancelWorkflowRun(ctx, hello, 77) }},
		{name: "a workflow run that has ended needs no cancellation",
			script: map[string][]answer{"POST " + under + "/actions/runs/77/cancel": one(409, `{"message":"Cannot cancel a workflow run that is completed."}`)},
			call:   func(ctx context.Context, f *Forge) (values, error) { return nil, f.CancelWorkflowRun(ctx, hello, 77) }},
		{name: "a workflow run that is gone needs none either",
			script: map[string][]answer{"POST " + under + "/actions/runs/77/cancel": one(404, `{}`)},
			call:   func(ctx context.Context, f *Forge) (values, error) { return nil, f.CancelWorkflowRun(ctx, hello, 77) }},

		{name: "a runner has its one label",
			script: map[string][]answer{"POST " + under + "/actions/runners/generate-jitconfig": one(201, `{"runner":{"id":3,"name":"r"},"encoded_jit_config":"blob"}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				id, jit, err := f.MintRunner(ctx, hello, "r", "ortest-ab")
				return values{id, jit}, err
			},
			want: values{int64(3), "blob"},
			sent: []string{"POST " + under + `/actions/runners/generate-jitconfig {"name":"r","runner_group_id":1,"labels":["ortest-ab"]}`}},
		{name: "a runner whose name is taken replaces the other, which alone is removed",
			script: map[string][]answer{
				"POST " + under + "/actions/runners/generate-jitconfig":        {{code: 409, body: `{"message":"Already exists"}`}, {code: 201, body: `{"runner":{"id":4,"name":"r"},"encoded_jit_config":"blob"}`}},
				"GET " + under + "/actions/runners?name=r&page=1&per_page=100": one(200, `{"total_count":2,"runners":[{"id":3,"name":"r"},{"id":5,"name":"r2"}]}`),
				"DELETE " + under + "/actions/runners/3":                       one(204, ``)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				id, jit, err := f.MintRunner(ctx, hello, "r", "ortest-ab")
				return values{id, jit}, err
			},
			want: values{int64(4), "blob"}},
		{name: "a runner that runs a job is not replaced", err: bot.ErrRefused, says: "currently running",
			script: map[string][]answer{
				"POST " + under + "/actions/runners/generate-jitconfig":        one(409, `{}`),
				"GET " + under + "/actions/runners?name=r&page=1&per_page=100": one(200, `{"total_count":1,"runners":[{"id":3,"name":"r"}]}`),
				"DELETE " + under + "/actions/runners/3":                       one(422, `{"message":"Runner r is currently running a job and cannot be deleted."}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				_, _, err := f.MintRunner(ctx, hello, "r", "l")
				return nil, err
			}},
		{name: "a runner without a configuration is an error", says: "no configuration",
			script: map[string][]answer{"POST " + under + "/actions/runners/generate-jitconfig": one(201, `{"runner":{"id":3}}`)},
			call: func(ctx context.Context, f *Forge) (values, error) {
				_, _, err := f.MintRunner(ctx, hello, "r", "l")
				return nil, err
			}},
		{name: "a runner that is gone is removed",
			script: map[string][]answer{"DELETE " + under + "/actions/runners/3": one(404, `{}`)},
			call:   func(ctx context.Context, f *Forge) (values, error) { return nil, f.RemoveRunner(ctx, hello, 3) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, a := scripted(t, tt.script)
			got, err := tt.call(t.Context(), f)
			if d := cmp.Diff(tt.want, got); d != "" && err == nil {
				t.Errorf("answer (-want +got):\n%s", d)
			}
			if wantErr := tt.err != nil || tt.says != ""; wantErr != (err != nil) || (tt.err != nil && !errors.Is(err, tt.err)) || (err != nil && !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("error %v, want %v and %q", err, tt.err, tt.says)
			}
			if d := cmp.Diff(tt.sent, a.sent); d != "" && tt.sent != nil {
				t.Errorf("sent (-want +got):\n%s", d)
			}
		})
	}
}

func TestTokensAreForOneRepositoryAndWhatIsNeeded(t *testing.T) {
	f, a := scripted(t, map[string][]answer{"DELETE " + under + "/actions/runners/3": {{code: 204}}})
	for range 2 {
		if err := f.RemoveRunner(t.Context(), hello, 3); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{`{"repositories":["hello"],"permissions":{"actions":"write","administration":"write","checks":"write","contents":"read","metadata":"read","pull_requests":"write"}}`}
	if d := cmp.Diff(want, a.tokens); d != "" {
		t.Errorf("tokens asked for (-want +got):\n%s", d)
	}
}

func TestARedirectCarriesNoTokenToAnotherHost(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked with authorization %q", r.Header.Get("Authorization"))
	}))
	defer other.Close()
	f, _ := scripted(t, nil)
	f.cfg.Transport = redirect(other.URL)
	if err := f.RemoveRunner(t.Context(), hello, 3); err == nil || !strings.Contains(err.Error(), "another host") {
		t.Errorf("got %v", err)
	}
}

// redirect sends every request but those for tokens to another host.
type redirect string

func (to redirect) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, "/access_tokens") || req.URL.Host == strings.TrimPrefix(string(to), "http://") {
		return http.DefaultTransport.RoundTrip(req)
	}
	return code(http.StatusTemporaryRedirect, "Location", string(to)+"/elsewhere")()
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	key, err := appKey()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	for _, tt := range []struct {
		name string
		cfg  Config
		says string
	}{
		{name: "no App", cfg: Config{Key: key, Log: log}, says: "App's ID"},
		{name: "no key", cfg: Config{AppID: 1, Log: log}, says: "private key"},
		{name: "no log", cfg: Config{AppID: 1, Key: key}, says: "Log"},
		{name: "a URL without a scheme", cfg: Config{AppID: 1, Key: key, Log: log, BaseURL: "api.github.com"}, says: "no URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

func TestFindWorkflowRun(t *testing.T) {
	run := func(id int, age time.Duration, name, title, path string) string {
		return fmt.Sprintf(`{"id":%d,"created_at":%q,"name":%q,"display_title":%q,"path":%q}`, id, time.Now().Add(-age).UTC().Format(time.RFC3339), name, title, path)
	}
	const file = ".github/workflows/ortest.yml"
	first := []string{
		run(1, time.Minute, "ortest", "ortest n1", ".github/workflows/other.yml"), run(2, time.Minute, "ortest", "ortest n2", file),
		run(3, time.Hour, "ortest", "ortest n1", file+"@main"), run(4, time.Hour, "ortest n4", "title", file),
	}
	second := []string{run(5, lookBack-time.Hour, "ortest", "ortest n5", file), run(6, lookBack+time.Hour, "ortest", "x", file), run(7, lookBack+time.Hour, "ortest", "ortest n7", file)}
	const at = "GET " + under + "/actions/runs?event=workflow_dispatch&page=%d&per_page=100"
	for _, tt := range []struct {
		name, nonce string
		want        int64
		pages       int
	}{
		{name: "by its title, and not that of another workflow", nonce: "n1", want: 3, pages: 1},
		{name: "by its name", nonce: "n4", want: 4, pages: 1},
		{name: "on another page", nonce: "n5", want: 5, pages: 2},
		{name: "none that is too old", nonce: "n7", pages: 2},
		{name: "none, and no page after those too old", nonce: "n9", pages: 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, a := scripted(t, map[string][]answer{
				fmt.Sprintf(at, 1): {{code: 200, body: `{"total_count":9,"workflow_runs":[` + strings.Join(first, ",") + `]}`, link: under + "/actions/runs?page=2"}},
				fmt.Sprintf(at, 2): {{code: 200, body: `{"total_count":9,"workflow_runs":[` + strings.Join(second, ",") + `]}`, link: under + "/actions/runs?page=3"}},
			})
			got, err := f.FindWorkflowRun(t.Context(), hello, "ortest.yml", tt.nonce)
			if err != nil || got != tt.want || len(a.sent) != tt.pages {
				t.Errorf("got %d after %d pages (%v), want %d after %d", got, len(a.sent), err, tt.want, tt.pages)
			}
		})
	}
}

// A GitHub that answers 204 tells no id: the list does, a little later.
func TestADispatchThatTellsNoWorkflowRunIsLookedFor(t *testing.T) {
	f, a := scripted(t, map[string][]answer{
		"GET " + under: {{code: 200, body: `{"default_branch":"trunk"}`}},
		"POST " + under + "/actions/workflows/ortest.yml/dispatches": {{code: 204}},
		"GET " + under + "/actions/runs?event=workflow_dispatch&page=1&per_page=100": {
			{code: 200, body: `{"total_count":0,"workflow_runs":[]}`},
			{code: 200, body: `{"total_count":1,"workflow_runs":[{"id":77,"display_title":"ortest n1","path":".github/workflows/ortest.yml","created_at":"2999-01-01T00:00:00Z"}]}`},
		},
	})
	id, err := f.Dispatch(t.Context(), hello, "ortest.yml", map[string]string{"nonce": "n1"})
	if err != nil || id != 77 || len(a.sent) != 4 {
		t.Errorf("got %d after %d requests: %v", id, len(a.sent), err)
	}
}

// decoded is a request's body, for those too long to compare as text.
func decoded(t *testing.T, sent string) (v struct {
	Name   string
	Status string
	Output struct {
		Title, Summary string
		Annotations    []struct {
			Path      string
			StartLine int `json:"start_line"`
			EndLine   int `json:"end_line"`
			Message   string
		}
	}
}) {
	t.Helper()
	_, body, _ := strings.Cut(sent, "{")
	if err := json.Unmarshal([]byte("{"+body), &v); err != nil {
		t.Fatalf("%v in %s", err, sent)
	}
	return v
}
