package github

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
)

// payload is what the bot reads of any event. GitHub's examples and its
// schemas differ, so nothing else is decoded, and a field that is missing is
// told from one that is empty.
type payload struct {
	Action       string `json:"action"`
	Installation *struct {
		ID int64 `json:"id"`
	} `json:"installation"`
	Repository *struct {
		Name  string   `json:"name"`
		Owner *account `json:"owner"`
	} `json:"repository"`
	Sender *account `json:"sender"`
	Issue  *struct {
		Number      int              `json:"number"`
		PullRequest *json.RawMessage `json:"pull_request"`
	} `json:"issue"`
	Comment     *comment     `json:"comment"`
	PullRequest *pullRequest `json:"pull_request"`
	WorkflowJob *workflowJob `json:"workflow_job"`
}

type account struct {
	Login string `json:"login"`
	Type  string `json:"type"` // User, Bot, Organization
}

type comment struct {
	ID        int64     `json:"id"`
	Body      *string   `json:"body"`
	User      *account  `json:"user"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Via       *struct {
		ID int64 `json:"id"`
	} `json:"performed_via_github_app"`
}

type pullRequest struct {
	Number int `json:"number"`
	Head   *struct {
		SHA string `json:"sha"`
	} `json:"head"`
	UpdatedAt time.Time `json:"updated_at"`
}

type workflowJob struct {
	ID          int64      `json:"id"`
	RunID       int64      `json:"run_id"`
	Name        string     `json:"name"`
	Labels      []string   `json:"labels"`
	RunnerID    int64      `json:"runner_id"`
	RunnerName  string     `json:"runner_name"`
	Status      string     `json:"status"`
	Conclusion  string     `json:"conclusion"`
	CompletedAt *time.Time `json:"completed_at"`
}

// App is what tells our own comments from others'.
type App struct {
	ID   int64
	Slug string // the App comments as SLUG[bot]
}

// ours reports whether a comment was written, or an event caused, by the App.
func (a App) ours(c *comment, sender *account) bool {
	if c != nil && c.Via != nil && c.Via.ID == a.ID {
		return true
	}
	return a.Slug != "" && sender != nil && sender.Type == "Bot" && strings.EqualFold(sender.Login, a.Slug+"[bot]")
}

// Decoder returns the bot.Decode for an App. An event that the bot does not
// use is no error and sets nothing; one that it uses but that lacks a field,
// or has one that cannot be, is an error which names the field.
func Decoder(app App) bot.Decode {
	return func(event string, raw json.RawMessage) (bot.Event, error) {
		read, used := map[string]func(*payload, bot.Repo, App) (bot.Event, error){
			"issue_comment": commentEvent,
			"pull_request":  pullEvent,
			"workflow_job":  jobEvent,
		}[event]
		if !used {
			return bot.Event{}, nil
		}
		var p payload
		if err := json.Unmarshal(raw, &p); err != nil {
			return bot.Event{}, fmt.Errorf("decode %s: %w", event, err)
		}
		repo, err := p.repo()
		if err != nil {
			return bot.Event{}, fmt.Errorf("decode %s: %w", event, err)
		}
		ev, err := read(&p, repo, app)
		if err != nil {
			return bot.Event{}, fmt.Errorf("decode %s: %w", event, err)
		}
		return ev, nil
	}
}

func (p *payload) repo() (bot.Repo, error) {
	switch {
	case p.Action == "":
		return bot.Repo{}, missing("action")
	case p.Installation == nil || p.Installation.ID <= 0:
		return bot.Repo{}, missing("installation.id")
	case p.Repository == nil || !validName(p.Repository.Name):
		return bot.Repo{}, missing("repository.name")
	case p.Repository.Owner == nil || !validName(p.Repository.Owner.Login):
		return bot.Repo{}, missing("repository.owner.login")
	}
	return bot.Repo{Installation: p.Installation.ID, Owner: p.Repository.Owner.Login, Name: p.Repository.Name}, nil
}

func commentEvent(p *payload, repo bot.Repo, app App) (bot.Event, error) {
	c := p.Comment
	switch {
	case p.Issue == nil || p.Issue.Number <= 0:
		return bot.Event{}, missing("issue.number")
	case c == nil || c.ID <= 0:
		return bot.Event{}, missing("comment.id")
	case c.Body == nil:
		return bot.Event{}, missing("comment.body")
	case c.User == nil || c.User.Login == "":
		return bot.Event{}, missing("comment.user.login")
	case c.CreatedAt.IsZero():
		return bot.Event{}, missing("comment.created_at")
	case p.Sender == nil || p.Sender.Login == "":
		return bot.Event{}, missing("sender.login")
	}
	return bot.Event{Comment: &bot.CommentEvent{
		Repo: repo, Number: p.Issue.Number, OnPull: p.Issue.PullRequest != nil,
		Action: p.Action, ID: c.ID, Body: *c.Body, Author: c.User.Login,
		Sender: p.Sender.Login, SenderBot: p.Sender.Type == "Bot",
		Ours: app.ours(c, p.Sender), CreatedAt: c.CreatedAt,
	}}, nil
}

// pullEvent reads those actions that set a head; the others set nothing.
func pullEvent(p *payload, repo bot.Repo, _ App) (bot.Event, error) {
	if p.Action != "opened" && p.Action != "reopened" && p.Action != "synchronize" {
		return bot.Event{}, nil
	}
	pr := p.PullRequest
	switch {
	case pr == nil || pr.Number <= 0:
		return bot.Event{}, missing("pull_request.number")
	case pr.Head == nil || !validSHA(pr.Head.SHA):
		return bot.Event{}, missing("pull_request.head.sha")
	case pr.UpdatedAt.IsZero():
		return bot.Event{}, missing("pull_request.updated_at")
	}
	return bot.Event{Pull: &bot.PullEvent{Repo: repo, Number: pr.Number, Action: p.Action, Head: pr.Head.SHA, At: pr.UpdatedAt}}, nil
}

func jobEvent(p *payload, repo bot.Repo, _ App) (bot.Event, error) {
	j := p.WorkflowJob
	switch {
	case j == nil || j.ID <= 0:
		return bot.Event{}, missing("workflow_job.id")
	case j.RunID <= 0:
		return bot.Event{}, missing("workflow_job.run_id")
	case j.Status == "":
		return bot.Event{}, missing("workflow_job.status")
	}
	return bot.Event{Job: &bot.JobEvent{Repo: repo, WorkflowRun: j.RunID, Action: p.Action, Job: j.job()}}, nil
}

func (j *workflowJob) job() bot.Job {
	job := bot.Job{
		ID: j.ID, Name: j.Name, Labels: j.Labels, Runner: j.RunnerID, RunnerName: j.RunnerName,
		Status: j.Status, Conclusion: j.Conclusion,
	}
	if j.CompletedAt != nil {
		job.CompletedAt = *j.CompletedAt
	}
	return job
}

func missing(field string) error { return fmt.Errorf("%s is missing or cannot be", field) }

// validSHA reports whether s is a full SHA-1 or SHA-256.
func validSHA(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}
