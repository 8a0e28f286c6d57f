package githubtest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// deliver runs the sender until n webhooks have come and been written down.
func (f *fixture) deliver(n int) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan error, 1)
	changed, end := f.s.Subscribe()
	defer end()
	go func() { done <- f.s.Run(ctx) }()
	for range n {
		<-f.hook.came
	}
	for slices.ContainsFunc(f.s.Deliveries(), func(d Delivery) bool { return d.Attempted.IsZero() }) {
		<-changed
	}
	cancel()
	f.must(<-done)
}

func (f *fixture) names() []string {
	var out []string
	for _, d := range f.s.Deliveries() {
		out = append(out, strings.TrimSuffix(d.Name+"."+d.Action, "."))
	}
	return out
}

func TestWebhookIsSigned(t *testing.T) {
	f := newFixture(t)
	_, err := f.s.Comment(repoName, 1, "mallory", "/ortest hello")
	f.must(err)
	f.deliver(2)
	got := f.hook.all()[1]
	mac := hmac.New(sha256.New, []byte("secret"))
	mac.Write(got.body)
	if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); got.header.Get("X-Hub-Signature-256") != want {
		t.Errorf("signature %q, want %q", got.header.Get("X-Hub-Signature-256"), want)
	}
	if got.header.Get("X-GitHub-Event") != "issue_comment" || len(got.header.Get("X-GitHub-Delivery")) != 36 ||
		!strings.HasPrefix(got.header.Get("User-Agent"), "GitHub-Hookshot/") {
		t.Errorf("headers: %v", got.header)
	}
	var p struct {
		Action string
		Issue  struct {
			Number int
			Pull   *obj `json:"pull_request"`
		}
		Comment      struct{ Body string }
		Sender       struct{ Login, Type string }
		Installation struct{ ID int64 }
		Repository   struct {
			FullName string `json:"full_name"`
		}
	}
	f.must(json.Unmarshal(got.body, &p))
	if p.Action != "created" || p.Issue.Number != 1 || p.Issue.Pull == nil || p.Comment.Body != "/ortest hello" ||
		p.Sender.Login != "mallory" || p.Installation.ID != f.inst || p.Repository.FullName != repoName {
		t.Errorf("payload: %+v", p)
	}
}

func TestWhichWebhooksAreSent(t *testing.T) {
	for _, tt := range []struct {
		name  string
		act   func(f *fixture)
		sends []string
	}{
		{"opening a pull request", func(*fixture) {}, nil},
		{"a push to its branch", func(f *fixture) { f.push("fix", "more") }, []string{"push", "pull_request.synchronize"}},
		{"a push elsewhere", func(f *fixture) { f.push("main", "more") }, []string{"push"}},
		{"closing it, once", func(f *fixture) {
			f.must(f.s.ClosePull(repoName, 1, "alice"))
			f.must(f.s.ClosePull(repoName, 1, "alice"))
			f.push("fix", "late")
		}, []string{"pull_request.closed", "push"}},
		{"the App's own comment comes back", func(f *fixture) { f.call("POST", commentsPath, obj{"body": "x"}).want(http.StatusCreated) },
			[]string{"issue_comment.created"}},
		{"editing and deleting a comment", func(f *fixture) {
			id, err := f.s.Comment(repoName, 1, "alice", "a")
			f.must(err)
			f.must(f.s.EditComment(id, "alice", "b"))
			f.must(f.s.EditComment(id, "alice", "b"))
			f.must(f.s.DeleteComment(id, "alice"))
		}, []string{"issue_comment.created", "issue_comment.edited", "issue_comment.deleted"}},
		{"a check run and its buttons", func(f *fixture) {
			body := obj{"name": "c", "head_sha": f.head, "actions": []obj{{"label": "l", "description": "d", "identifier": "go"}}}
			id := f.call("POST", checksPath, body).want(http.StatusCreated).id()
			f.call("PATCH", checkPath(id), obj{"conclusion": "success"}).want(http.StatusOK)
			f.call("PATCH", checkPath(id), obj{"conclusion": "success"}).want(http.StatusOK)
			f.must(f.s.Rerequest(id, "alice"))
			f.must(f.s.RequestAction(id, "go", "alice"))
			if f.s.RequestAction(id, "gone", "alice") == nil {
				f.t.Error("a button that is not there can be pressed")
			}
		}, []string{"check_run.created", "check_run.completed", "check_run.rerequested", "check_run.requested_action"}},
		{"a workflow run", func(f *fixture) {
			f.dispatch(1)
			b := f.mint("r", "ortest-0")
			f.asRunner(b, jobCall(f.acquire(b).Job, "complete"), result("success")).want(http.StatusNoContent)
		}, []string{"workflow_run.requested", "workflow_job.queued", "workflow_run.in_progress", "workflow_job.in_progress",
			"workflow_job.completed", "workflow_run.completed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			tt.act(f)
			if want := append([]string{"pull_request.opened"}, tt.sends...); !slices.Equal(f.names(), want) {
				t.Errorf("recorded %v, want %v", f.names(), want)
			}
		})
	}
}

func (f *fixture) push(branch, text string) string {
	f.t.Helper()
	sha, err := f.s.Push(f.t.Context(), Commit{Repo: repoName, Branch: branch, Message: text, Author: "alice",
		Files: map[string]File{"new": {Data: []byte(text)}}})
	f.must(err)
	return sha
}

func TestRedelivery(t *testing.T) {
	f := newFixture(t)
	f.hook.answer(http.StatusInternalServerError)
	f.deliver(1)
	list := f.as(f.appToken(), "GET", "/app/hook/deliveries?status=failure", nil).want(http.StatusOK).list
	first := list[0].(obj)
	if first["status_code"] != 500.0 || first["redelivery"] != false {
		t.Fatalf("failed delivery: %v", first)
	}
	if n := len(f.hook.all()); n != 1 {
		t.Errorf("sent %d times, want once: GitHub does not repeat", n)
	}
	path := fmt.Sprintf("/app/hook/deliveries/%.0f", first["id"])
	f.hook.answer(http.StatusAccepted)
	f.as(f.appToken(), "POST", path+"/attempts", nil).want(http.StatusAccepted)
	f.deliver(1)
	got := f.hook.all()
	if a, b := got[0].header.Get("X-GitHub-Delivery"), got[1].header.Get("X-GitHub-Delivery"); a != b || string(got[0].body) != string(got[1].body) {
		t.Errorf("redelivered as %s, was %s, or with another body", b, a)
	}
	newest := f.as(f.appToken(), "GET", "/app/hook/deliveries?per_page=1", nil).want(http.StatusOK)
	if d := newest.list[0].(obj); d["redelivery"] != true || d["status"] != "OK" || d["guid"] != first["guid"] {
		t.Errorf("redelivery: %v", d)
	}
	next := newest.header.Get("Link")
	cursor := next[strings.Index(next, "cursor=")+len("cursor=") : strings.Index(next, "&per_page")]
	older := f.as(f.appToken(), "GET", "/app/hook/deliveries?per_page=1&cursor="+cursor, nil).want(http.StatusOK)
	if len(older.list) != 1 || older.list[0].(obj)["id"] != first["id"] {
		t.Errorf("the page after the cursor: %v", older.list)
	}
	one := f.as(f.appToken(), "GET", path, nil).want(http.StatusOK).body
	if one["request"].(obj)["payload"].(obj)["action"] != "opened" {
		t.Errorf("stored request: %v", one["request"])
	}
	f.as(f.appToken(), "POST", "/app/hook/deliveries/1/attempts", nil).want(http.StatusNotFound)
}

func TestDeadReceiver(t *testing.T) {
	f := newFixture(t)
	f.must(f.s.Close())
	f.cfg.WebhookURL = "http://127.0.0.1:1/"
	f.open()
	f.deliver(0)
	d := f.s.Deliveries()[0]
	if d.Code != 0 || d.OK() || d.Status == "OK" {
		t.Errorf("delivery to nobody: %+v", d)
	}
}

func TestStateSurvivesAKill(t *testing.T) {
	f := newFixture(t)
	comment := f.call("POST", commentsPath, obj{"body": "sticky"}).want(http.StatusCreated).id()
	f.call("POST", commentPath(comment)+"/reactions", obj{"content": "eyes"}).want(http.StatusCreated)
	check := f.call("POST", checksPath, obj{"name": "c", "head_sha": f.head, "output": output(obj{"annotations": annotations(2)})}).id()
	run := f.dispatch(2)
	b := f.mint("r", "ortest-0")
	a := f.acquire(b)
	due := len(f.s.Deliveries())

	f.reopen()
	if got := f.call("GET", commentPath(comment), nil).want(http.StatusOK).body; got["body"] != "sticky" {
		t.Errorf("comment: %v", got)
	}
	if got := f.call("GET", checkPath(check), nil).want(http.StatusOK).body["output"].(obj); got["annotations_count"] != 2.0 {
		t.Errorf("check run: %v", got)
	}
	if again := f.acquire(b); again.Job != a.Job {
		t.Errorf("the runner's job is %d, was %d", again.Job, a.Job)
	}
	if jobs := f.jobs(run); len(jobs) != 2 || jobs[1]["status"] != "queued" {
		t.Errorf("jobs: %v", jobs)
	}
	if id := f.call("POST", commentsPath, obj{"body": "next"}).want(http.StatusCreated).id(); id <= a.Job {
		t.Errorf("id %d was used before", id)
	}
	f.deliver(due + 1)
	if n := len(f.hook.all()); n != due+1 {
		t.Errorf("%d webhooks sent after the kill, want %d", n, due+1)
	}
	f.reopen()
	f.deliver(0)
	if n := len(f.hook.all()); n != due+1 {
		t.Errorf("%d webhooks sent after another start, want %d", n, due+1)
	}
}

func TestTornLineIsDropped(t *testing.T) {
	f := newFixture(t)
	f.must(f.s.Close())
	path := filepath.Join(f.cfg.Dir, "state.jsonl")
	f.open()
	_, err := f.s.Comment(repoName, 1, "alice", "torn")
	f.must(err)
	f.must(f.s.Close())
	after, err := os.ReadFile(path)
	f.must(err)
	for _, cut := range []int{1, 100} {
		f.must(os.WriteFile(path, after[:len(after)-cut], 0o600))
		f.open()
		c, err := f.s.Conversation(repoName, 1)
		f.must(err)
		if len(c.Comments) != 0 {
			t.Errorf("cut by %d: half a comment is there: %v", cut, c.Comments)
		}
		f.must(f.s.Close())
	}
	f.must(os.WriteFile(path, append([]byte("{broken}\n"), after...), 0o600))
	if _, err := Open(f.cfg); err == nil {
		t.Error("a broken line in the middle is passed over")
	}
	f.must(os.WriteFile(path, after, 0o600))
	f.open()
}

func TestOldDeliveriesAreForgotten(t *testing.T) {
	f := newFixture(t)
	f.deliver(1)
	f.clock.add(3 * 24 * time.Hour)
	f.s.dropOldDeliveries()
	if n := len(f.s.Deliveries()); n != 1 {
		t.Errorf("%d deliveries after three days, want 1", n)
	}
	f.clock.add(time.Second)
	f.s.dropOldDeliveries()
	if n := len(f.s.Deliveries()); n != 0 {
		t.Errorf("%d deliveries after more than three days, want none", n)
	}
}
