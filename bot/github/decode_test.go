package github

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ortest/ortest/bot"
)

const (
	head     = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
	envelope = `"installation":{"id":7,"node_id":"x"},"repository":{"id":1,"name":"hello","owner":{"login":"ortest-examples","type":"Organization"}},"sender":{"login":"agentzh","type":"User"}`
	aComment = `"issue":{"number":5,"pull_request":{"url":"u"}},"comment":{"id":9,"body":"/ortest hello","user":{"login":"agentzh","type":"User"},"created_at":"2026-01-02T15:00:00Z","updated_at":"2026-01-02T15:00:00Z","performed_via_github_app":null}`
	aPull    = `"number":5,"pull_request":{"number":5,"head":{"sha":"` + head + `"},"updated_at":"2026-01-02T15:00:00Z"}`
	aJob     = `"workflow_job":{"id":11,"run_id":12,"name":"p1","labels":["ortest-ab"],"status":"queued","conclusion":null,"runner_id":null,"runner_name":null,"completed_at":null}`
)

func TestDecode(t *testing.T) {
	at := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	repo := bot.Repo{Installation: 7, Owner: "ortest-examples", Name: "hello"}
	written := bot.CommentEvent{Repo: repo, Number: 5, OnPull: true, Action: "created", ID: 9, Body: "/ortest hello", Author: "agentzh", Sender: "agentzh", At: at, Created: at}
	aCheck := `"check_run":{"name":"ortest / t-a","head_sha":"` + head + `","external_id":"7","app":{"id":42}}`
	like := func(change func(*bot.CommentEvent)) bot.Event {
		c := written
		change(&c)
		return bot.Event{Comment: &c}
	}
	created := `{"action":"created",` + envelope + `,` + aComment + `}`
	swap := func(s, old, new string) string {
		if !strings.Contains(s, old) {
			t.Fatalf("%q is not in the payload", old)
		}
		return strings.ReplaceAll(s, old, new)
	}
	for _, tt := range []struct {
		name    string
		event   string
		payload string
		want    bot.Event
		err     string
	}{
		{name: "a comment on a pull request", event: "issue_comment", payload: created, want: bot.Event{Comment: &written}},
		{name: "a comment on an issue", event: "issue_comment", payload: swap(created, `,"pull_request":{"url":"u"}`, ``), want: like(func(c *bot.CommentEvent) { c.OnPull = false })},
		{name: "an issue whose pull_request is null", event: "issue_comment", payload: swap(created, `{"url":"u"}`, `null`), want: like(func(c *bot.CommentEvent) { c.OnPull = false })},
		{name: "a deleted comment is told by its action", event: "issue_comment", payload: swap(created, `"created"`, `"deleted"`), want: like(func(c *bot.CommentEvent) { c.Action = "deleted" })},
		{name: "an empty comment", event: "issue_comment", payload: swap(created, `"/ortest hello"`, `""`), want: like(func(c *bot.CommentEvent) { c.Body = "" })},
		{name: "an edited comment shows what it was, and counts from the edit", event: "issue_comment",
			payload: swap(swap(created, `"created"`, `"edited","changes":{"body":{"from":"/ortest t"}}`), `"updated_at":"2026-01-02T15:00:00Z"`, `"updated_at":"2026-01-02T15:00:01Z"`),
			want:    like(func(c *bot.CommentEvent) { c.Action, c.Was, c.At = "edited", "/ortest t", at.Add(time.Second) })},
		{name: "the body of a review", event: "pull_request_review",
			payload: `{"action":"submitted",` + envelope + `,"pull_request":{"number":5},"review":{"id":9,"body":"/ortest hello","user":{"login":"agentzh"},"submitted_at":"2026-01-02T15:00:00Z"}}`,
			want:    like(func(c *bot.CommentEvent) { c.Place = bot.InReview })},
		{name: "a review without a body", event: "pull_request_review",
			payload: `{"action":"submitted",` + envelope + `,"pull_request":{"number":5},"review":{"id":9,"body":null,"user":{"login":"agentzh"},"submitted_at":"2026-01-02T15:00:00Z"}}`,
			want:    like(func(c *bot.CommentEvent) { c.Place, c.Body = bot.InReview, "" })},
		{name: "a comment on a line", event: "pull_request_review_comment", payload: swap(created, `"issue":{"number":5,"pull_request":{"url":"u"}}`, `"pull_request":{"number":5}`),
			want: like(func(c *bot.CommentEvent) { c.Place = bot.InReviewComment })},
		{name: "a check run of ours is to run again", event: "check_run", payload: `{"action":"rerequested",` + envelope + `,` + aCheck + `}`,
			want: bot.Event{Button: &bot.ButtonEvent{Repo: repo, Action: "rerequested", Check: "ortest / t-a", Run: "7", Head: head, Sender: "agentzh"}}},
		{name: "a button of ours is pressed", event: "check_run", payload: `{"action":"requested_action","requested_action":{"identifier":"rerun_new"},` + envelope + `,` + aCheck + `}`,
			want: bot.Event{Button: &bot.ButtonEvent{Repo: repo, Action: "rerun_new", Check: "ortest / t-a", Run: "7", Head: head, Sender: "agentzh"}}},
		{name: "another App's check run is nothing to us", event: "check_run", payload: `{"action":"rerequested",` + envelope + `,` + swap(aCheck, `"id":42`, `"id":43`) + `}`},
		{name: "a check run that is made is no button", event: "check_run", payload: `{"action":"created",` + envelope + `,` + aCheck + `}`},
		{name: "all of our check runs are to run again", event: "check_suite", payload: `{"action":"rerequested",` + envelope + `,"check_suite":{"head_sha":"` + head + `","app":{"id":42}}}`,
			want: bot.Event{Button: &bot.ButtonEvent{Repo: repo, Action: "rerequested", Head: head, Sender: "agentzh"}}},
		{name: "a workflow run that a person starts again", event: "workflow_run",
			payload: `{"action":"requested",` + envelope + `,"workflow_run":{"id":12,"run_attempt":2,"head_sha":"` + head + `","run_started_at":"2026-01-02T15:00:00Z"}}`,
			want:    bot.Event{Button: &bot.ButtonEvent{Repo: repo, Action: "rerequested", WorkflowRun: 12, Sender: "agentzh", At: at}}},
		{name: "a workflow run's first attempt is no button", event: "workflow_run", payload: `{"action":"requested",` + envelope + `,"workflow_run":{"id":12,"run_attempt":1}}`},
		{name: "somebody else edits a comment", event: "issue_comment", payload: swap(created, `"sender":{"login":"agentzh"`, `"sender":{"login":"stranger"`), want: like(func(c *bot.CommentEvent) { c.Sender = "stranger" })},
		{name: "a comment through our App is ours", event: "issue_comment", payload: swap(created, `"performed_via_github_app":null`, `"performed_via_github_app":{"id":42}`), want: like(func(c *bot.CommentEvent) { c.Ours = true })},
		{name: "a comment through another App is not", event: "issue_comment", payload: swap(created, `"performed_via_github_app":null`, `"performed_via_github_app":{"id":43}`), want: bot.Event{Comment: &written}},
		{name: "our bot account is ours", event: "issue_comment", payload: swap(created, `"sender":{"login":"agentzh","type":"User"}`, `"sender":{"login":"ortest[bot]","type":"Bot"}`),
			want: like(func(c *bot.CommentEvent) { c.Sender, c.SenderBot, c.Ours = "ortest[bot]", true, true })},
		{name: "another bot is a bot and not ours", event: "issue_comment", payload: swap(created, `"sender":{"login":"agentzh","type":"User"}`, `"sender":{"login":"dependabot[bot]","type":"Bot"}`),
			want: like(func(c *bot.CommentEvent) { c.Sender, c.SenderBot = "dependabot[bot]", true })},
		{name: "installation.created_at may be a number or a string", event: "issue_comment", payload: swap(created, `"node_id":"x"`, `"created_at":1767366000`), want: bot.Event{Comment: &written}},

		{name: "a pull request is opened", event: "pull_request", payload: `{"action":"opened",` + envelope + `,` + aPull + `}`,
			want: bot.Event{Pull: &bot.PullEvent{Repo: repo, Number: 5, Action: "opened", Head: head, At: at}}},
		{name: "a pull request is pushed to", event: "pull_request", payload: `{"action":"synchronize",` + envelope + `,` + aPull + `}`,
			want: bot.Event{Pull: &bot.PullEvent{Repo: repo, Number: 5, Action: "synchronize", Head: head, At: at}}},
		{name: "a label on a pull request is not used", event: "pull_request", payload: `{"action":"labeled",` + envelope + `}`},
		{name: "a job that waits", event: "workflow_job", payload: `{"action":"queued",` + envelope + `,` + aJob + `}`,
			want: bot.Event{Job: &bot.JobEvent{Repo: repo, WorkflowRun: 12, Action: "queued", Job: bot.Job{ID: 11, Name: "p1", Labels: []string{"ortest-ab"}, Status: "queued"}}}},
		{name: "a job that ended", event: "workflow_job", payload: `{"action":"completed",` + envelope + `,` + swap(swap(swap(aJob, `"runner_id":null,"runner_name":null`, `"runner_id":3,"runner_name":"r"`), `"queued","conclusion":null`, `"completed","conclusion":"failure"`), `"completed_at":null`, `"completed_at":"2026-01-02T15:00:00Z"`) + `}`,
			want: bot.Event{Job: &bot.JobEvent{Repo: repo, WorkflowRun: 12, Action: "completed", Job: bot.Job{ID: 11, Name: "p1", Labels: []string{"ortest-ab"}, Runner: 3, RunnerName: "r", Status: "completed", Conclusion: "failure", CompletedAt: at}}}},
		{name: "an event that is not used is not read", event: "star", payload: `[]`},

		{name: "no object", event: "issue_comment", payload: `[]`, err: "cannot unmarshal"},
		{name: "no action", event: "issue_comment", payload: swap(created, `"action":"created",`, ``), err: "action is missing"},
		{name: "no installation: the webhook of a repository, not of the App", event: "issue_comment", payload: swap(created, `"installation":{"id":7,"node_id":"x"},`, ``), err: "installation.id is missing"},
		{name: "a repository with a path in its name", event: "issue_comment", payload: swap(created, `"name":"hello"`, `"name":"../hello"`), err: "repository.name is missing"},
		{name: "an owner that is dots", event: "issue_comment", payload: swap(created, `"login":"ortest-examples"`, `"login":".."`), err: "repository.owner.login is missing"},
		{name: "no issue", event: "issue_comment", payload: swap(created, `"number":5`, `"number":0`), err: "issue.number is missing"},
		{name: "no comment", event: "issue_comment", payload: `{"action":"created",` + envelope + `,"issue":{"number":5}}`, err: "comment.id is missing"},
		{name: "a comment without a body", event: "issue_comment", payload: swap(created, `"body":"/ortest hello",`, ``), err: "comment.body is missing"},
		{name: "a comment of a deleted account", event: "issue_comment", payload: swap(created, `"user":{"login":"agentzh","type":"User"}`, `"user":null`), err: "comment.user.login is missing"},
		{name: "a comment without a time", event: "issue_comment", payload: swap(created, `"created_at":"2026-01-02T15:00:00Z",`, ``), err: "comment's time is missing"},
		{name: "no sender", event: "issue_comment", payload: swap(created, `"sender":{"login":"agentzh","type":"User"}`, `"sender":null`), err: "sender.login is missing"},
		{name: "a head that is no SHA", event: "pull_request", payload: `{"action":"opened",` + envelope + `,` + swap(aPull, head, "main") + `}`, err: "pull_request.head.sha is missing"},
		{name: "a head one digit short", event: "pull_request", payload: `{"action":"opened",` + envelope + `,` + swap(aPull, head, head[1:]) + `}`, err: "pull_request.head.sha is missing"},
		{name: "a pull request without a time", event: "pull_request", payload: `{"action":"opened",` + envelope + `,` + swap(aPull, `,"updated_at":"2026-01-02T15:00:00Z"`, ``) + `}`, err: "pull_request.updated_at is missing"},
		{name: "a job without a workflow run", event: "workflow_job", payload: `{"action":"queued",` + envelope + `,` + swap(aJob, `"run_id":12,`, ``) + `}`, err: "workflow_job.run_id is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decoder(App{ID: 42, Slug: "ortest"})(tt.event, json.RawMessage(tt.payload))
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("event (-want +got):\n%s", d)
			}
			switch {
			case err == nil && tt.err != "":
				t.Errorf("no error, want %q", tt.err)
			case err != nil && (tt.err == "" || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("error %q, want %q", err, tt.err)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("issue_comment", []byte(`{"action":"created",`+envelope+`,`+aComment+`}`))
	f.Add("pull_request", []byte(`{"action":"opened",`+envelope+`,`+aPull+`}`))
	f.Add("workflow_job", []byte(`{"action":"queued",`+envelope+`,`+aJob+`}`))
	decode := Decoder(App{ID: 42, Slug: "ortest"})
	f.Fuzz(func(t *testing.T, event string, payload []byte) {
		ev, err := decode(event, payload)
		if err != nil && ev != (bot.Event{}) {
			t.Errorf("an error and an event: %v", err)
		}
		if c := ev.Comment; c != nil && (c.ID <= 0 || c.Repo.Installation <= 0 || c.Sender == "" || !validName(c.Repo.Owner) || !validName(c.Repo.Name)) {
			t.Errorf("an event that cannot be: %+v", c)
		}
	})
}
