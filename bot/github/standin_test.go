package github_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/internal/githubtest"
	"github.com/ortest/ortest/internal/githubtest/contract"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/workflows"
)

const (
	appID  = 42
	secret = "s3cret"
)

// inbox hands webhooks on as they are stored.
type inbox chan bot.Delivery

func (b inbox) AddDelivery(_ context.Context, d bot.Delivery) (bool, error) {
	b <- d
	return true, nil
}

// place is a stand-in with one pull request, and a Forge that talks to it. What
// passes between them is held to GitHub's own description.
type place struct {
	hub   *githubtest.Server
	forge *github.Forge
	inbox inbox
	repo  bot.Repo
	pull  githubtest.Pull
}

func newPlace(t *testing.T) *place {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &place{inbox: make(inbox, 100)}
	hook := httptest.NewServer(&github.Webhook{Secrets: [][]byte{[]byte(secret)}, Deliveries: p.inbox, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	t.Cleanup(hook.Close)
	web := httptest.NewUnstartedServer(nil)
	p.hub, err = githubtest.Open(githubtest.Config{
		Dir: t.TempDir(), URL: "http://" + web.Listener.Addr().String(), AppID: appID, AppKey: &key.PublicKey,
		WebhookURL: hook.URL, WebhookSecret: secret,
	})
	if err != nil {
		t.Fatal(err)
	}
	web.Config.Handler = contract.Handler(p.hub.Handler(), func(broken error) { t.Error(broken) })
	web.Start()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.hub.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		web.Close()
		if err := errors.Join(<-ended, p.hub.Close()); err != nil {
			t.Error(err)
		}
	})
	p.fill(t)
	p.forge, err = github.New(github.Config{
		AppID: appID, BaseURL: web.URL, Log: slog.New(slog.DiscardHandler),
		Key: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fill makes accounts, a repository with the workflow, and a pull request.
func (p *place) fill(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	workflow := workflows.Files()[".github/workflows/ortest.yml"]
	if workflow == nil {
		t.Fatal("no workflow to install")
	}
	for login, kind := range map[string]string{"ortest-examples": "Organization", "maintainer": "User", "stranger": "User"} {
		if _, err := p.hub.CreateUser(login, kind); err != nil {
			t.Fatal(err)
		}
	}
	_, err := p.hub.CreateRepository(ctx, "ortest-examples/hello", map[string]string{"maintainer": "maintain"})
	if err != nil {
		t.Fatal(err)
	}
	push := func(branch, from string, files map[string]githubtest.File) {
		c := githubtest.Commit{Repo: "ortest-examples/hello", Branch: branch, From: from, Author: "maintainer", Message: branch, Files: files}
		if _, err := p.hub.Push(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	push("main", "", map[string]githubtest.File{".github/workflows/ortest.yml": {Data: workflow}, "t/a.t": {Data: []byte(strings.Repeat("line\n", 200))}})
	push("change", "main", map[string]githubtest.File{"README": {Data: []byte("x\n")}})
	if p.pull, err = p.hub.OpenPull(ctx, githubtest.NewPull{Repo: "ortest-examples/hello", Head: "change", Base: "main", Title: "t", Author: "maintainer"}); err != nil {
		t.Fatal(err)
	}
	id, err := p.hub.Install("ortest-examples")
	if err != nil {
		t.Fatal(err)
	}
	p.repo = bot.Repo{Installation: id, Owner: "ortest-examples", Name: "hello"}
}

// event returns the next event that want accepts.
func (p *place) event(t *testing.T, want func(bot.Event) bool) bot.Event {
	t.Helper()
	decode := github.Decoder(github.App{ID: appID, Slug: "ortest"})
	limit := time.After(20 * time.Second)
	for {
		select {
		case d := <-p.inbox:
			if err := contract.Webhook(d.Event, d.Payload); err != nil {
				t.Error(err)
			}
			ev, err := decode(d.Event, d.Payload)
			if err != nil {
				t.Fatalf("%s: %v", d.Event, err)
			}
			if want(ev) {
				return ev
			}
		case <-limit:
			t.Fatal("the webhook never came")
		}
	}
}

func ok[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func good(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAConversationWithTheStandIn(t *testing.T) {
	p, ctx := newPlace(t), t.Context()
	pr := ok[bot.PullRequest](t)(p.forge.PullRequest(ctx, p.repo, p.pull.Number))
	if want := (bot.PullRequest{Number: p.pull.Number, Open: true, Head: p.pull.HeadSHA, Base: "main"}); pr != want {
		t.Errorf("pull request %+v, want %+v", pr, want)
	}
	for login, want := range map[string]string{"maintainer": "maintain", "stranger": "read", "nobody": "none"} {
		if got := ok[string](t)(p.forge.Permission(ctx, p.repo, login)); got != want {
			t.Errorf("%s has role %q, want %q", login, got, want)
		}
	}
	said := ok[int64](t)(p.hub.Comment("ortest-examples/hello", p.pull.Number, "maintainer", "/ortest hello"))
	c := p.event(t, func(ev bot.Event) bool { return ev.Comment != nil }).Comment
	if c.ID != said || c.Repo != p.repo || !c.OnPull || c.Action != "created" || c.Body != "/ortest hello" || c.Sender != "maintainer" || c.SenderBot || c.Ours {
		t.Errorf("the comment came as %+v", c)
	}
	for range 2 {
		good(t, p.forge.React(ctx, p.repo, bot.InComment, said, "eyes"))
	}
	id := ok[int64](t)(p.forge.CreateComment(ctx, p.repo, p.pull.Number, "plan"))
	if c := p.event(t, func(ev bot.Event) bool { return ev.Comment != nil }).Comment; c.ID != id || !c.Ours || !c.SenderBot {
		t.Errorf("our comment came as %+v", c)
	}
	good(t, p.forge.UpdateComment(ctx, p.repo, id, "verdict"))
	all := ok[[]bot.Comment](t)(p.forge.Comments(ctx, p.repo, p.pull.Number, time.Time{}))
	if len(all) != 2 || all[0].ID != said || all[0].Ours || all[1].ID != id || !all[1].Ours || !all[1].Bot || all[1].Body != "verdict" {
		t.Errorf("comments %+v", all)
	}
	good(t, p.hub.DeleteComment(id, "maintainer"))
	if err := p.forge.UpdateComment(ctx, p.repo, id, "x"); !errors.Is(err, bot.ErrGone) {
		t.Errorf("a deleted comment: %v", err)
	}
	if err := p.forge.React(ctx, p.repo, bot.InComment, id, "eyes"); !errors.Is(err, bot.ErrGone) {
		t.Errorf("a reaction to a deleted comment: %v", err)
	}
	talk := ok[githubtest.Conversation](t)(p.hub.Conversation("ortest-examples/hello", p.pull.Number))
	if got := talk.Comments[0].Reactions; len(got) != 1 {
		t.Errorf("two equal reactions are %+v", got)
	}
}

// TestNoReviewOfASweepIsSigned: GitHub does not say of a review whether it was edited.
func TestNoReviewOfASweepIsSigned(t *testing.T) {
	p, ctx := newPlace(t), t.Context()
	ok[int64](t)(p.hub.Comment("ortest-examples/hello", p.pull.Number, "maintainer", "/ortest status"))
	ok[int64](t)(p.hub.Review("ortest-examples/hello", p.pull.Number, "maintainer", "/ortest confirm"))
	texts := ok[[]bot.CommentEvent](t)(p.forge.Texts(ctx, p.repo, time.Time{}))
	unsigned := make(map[string]bool)
	for _, c := range texts {
		unsigned[c.Place] = c.Unsigned
	}
	if len(unsigned) != 2 || unsigned[bot.InComment] || !unsigned[bot.InReview] {
		t.Errorf("texts %+v; want the review unsigned, and the comment not", texts)
	}
}

func TestCheckRunsOnTheStandIn(t *testing.T) {
	p, ctx := newPlace(t), t.Context()
	now := time.Now().UTC().Truncate(time.Second)
	c := bot.CheckRun{Name: "ortest / t-hello", External: "1", Status: "queued"}
	c.ID = ok[int64](t)(p.forge.CreateCheckRun(ctx, p.repo, p.pull.HeadSHA, c))
	c.Status, c.StartedAt, c.Title, c.Summary = "in_progress", now, "1 of 2", "running"
	good(t, p.forge.UpdateCheckRun(ctx, p.repo, c))
	c.Status, c.Conclusion, c.CompletedAt, c.Title, c.Details = "completed", "failure", now, "120 failures", "https://ortest.example/runs/1"
	for i := range 120 {
		c.Annotations = append(c.Annotations, bot.Annotation{Path: "t/a.t", Line: i + 1, EndLine: i + 1, Level: "failure", Message: fmt.Sprint(i)})
	}
	for range 2 { // a repeat, as after a crash
		good(t, p.forge.UpdateCheckRun(ctx, p.repo, c))
	}
	got := ok[[]bot.CheckRun](t)(p.forge.CheckRuns(ctx, p.repo, p.pull.HeadSHA))
	if len(got) != 1 {
		t.Fatalf("check runs %+v", got)
	}
	if g := got[0]; g.ID != c.ID || g.External != "1" || g.Status != "completed" || g.Conclusion != "failure" || g.Details != c.Details || g.Title != c.Title || !g.StartedAt.Equal(now) {
		t.Errorf("check run %+v", g)
	}
	talk := ok[githubtest.Conversation](t)(p.hub.Conversation("ortest-examples/hello", p.pull.Number))
	if n := len(talk.Checks[0].Annotations); n != 120 {
		t.Errorf("%d annotations, want 120", n)
	}
	_, err := p.forge.CreateCheckRun(ctx, p.repo, strings.Repeat("0", 40), c)
	if !errors.Is(err, bot.ErrRefused) {
		t.Errorf("a commit that is not there: %v", err)
	}
}

func TestAWorkflowRunOnTheStandIn(t *testing.T) {
	p, ctx := newPlace(t), t.Context()
	nonce := strings.Repeat("ab", 16)
	inputs := ok[map[string]string](t)(workflows.Inputs([]workflows.Piece{{
		ID: "1/p1/1", Label: workflows.Label(nonce), Goal: "t-hello", Repo: "ortest-examples/hello", Options: plan.Options{Arch: "linux x86_64"}, Timeout: 5,
	}}, nonce))
	if id := ok[int64](t)(p.forge.FindWorkflowRun(ctx, p.repo, workflows.File, nonce)); id != 0 {
		t.Errorf("workflow run %d is found before its dispatch", id)
	}
	id := ok[int64](t)(p.forge.Dispatch(ctx, p.repo, workflows.File, inputs))
	if found := ok[int64](t)(p.forge.FindWorkflowRun(ctx, p.repo, workflows.File, nonce)); found != id || id == 0 {
		t.Errorf("found workflow run %d, want %d", found, id)
	}
	j := p.event(t, func(ev bot.Event) bool { return ev.Job != nil }).Job
	if j.WorkflowRun != id || j.Action != "queued" || !slices.Equal(j.Job.Labels, []string{workflows.Label(nonce)}) {
		t.Errorf("the job came as %+v", j)
	}
	jobs := ok[[]bot.Job](t)(p.forge.Jobs(ctx, p.repo, id))
	if len(jobs) != 1 || jobs[0].ID != j.Job.ID || jobs[0].Name != "t-hello (1/p1/1)" || jobs[0].Status != "queued" {
		t.Errorf("jobs %+v", jobs)
	}
	mint := func() int64 {
		runner, jit, err := p.forge.MintRunner(ctx, p.repo, "ortest-1-p1-1", workflows.Label(nonce))
		if err != nil || jit == "" {
			t.Fatalf("mint: %q, %v", jit, err)
		}
		return runner
	}
	first, second := mint(), mint()
	if first == second {
		t.Errorf("the second runner is the first one, %d", first)
	}
	good(t, p.forge.RemoveRunner(ctx, p.repo, first))
	good(t, p.forge.RemoveRunner(ctx, p.repo, second))
	good(t, p.forge.CancelWorkflowRun(ctx, p.repo, id))
	good(t, p.forge.CancelWorkflowRun(ctx, p.repo, id))
	_, err := p.forge.Dispatch(ctx, p.repo, "other.yml", inputs)
	if !errors.Is(err, bot.ErrGone) {
		t.Errorf("a workflow that is not there: %v", err)
	}
	_, err = p.forge.Dispatch(ctx, p.repo, workflows.File, map[string]string{"unknown": "x"})
	if !errors.Is(err, bot.ErrRefused) {
		t.Errorf("an input that is not there: %v", err)
	}
}

func TestAnUninstalledAppIsGone(t *testing.T) {
	p, ctx := newPlace(t), t.Context()
	elsewhere := p.repo
	elsewhere.Installation++
	if _, err := p.forge.PullRequest(ctx, elsewhere, p.pull.Number); !errors.Is(err, bot.ErrGone) {
		t.Errorf("got %v", err)
	}
}
