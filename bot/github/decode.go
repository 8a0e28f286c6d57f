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
	Review      *comment     `json:"review"`
	PullRequest *pullRequest `json:"pull_request"`
	WorkflowJob *workflowJob `json:"workflow_job"`
	Changes     struct {
		Body struct {
			From string `json:"from"`
		} `json:"body"`
	} `json:"changes"`
	CheckRun *struct {
		Name     string `json:"name"`
		HeadSHA  string `json:"head_sha"`
		External string `json:"external_id"`
		App      *appID `json:"app"`
	} `json:"check_run"`
	RequestedAction *struct {
		Identifier string `json:"identifier"`
	} `json:"requested_action"`
	CheckSuite *struct {
		HeadSHA string `json:"head_sha"`
		App     *appID `json:"app"`
	} `json:"check_suite"`
	WorkflowRun *struct {
		ID        int64     `json:"id"`
		Attempt   int       `json:"run_attempt"`
		HeadSHA   string    `json:"head_sha"`
		StartedAt time.Time `json:"run_started_at"`
	} `json:"workflow_run"`
}

type appID struct {
	ID int64 `json:"id"`
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
	Submitted time.Time `json:"submitted_at"` // of a review
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
			"issue_comment":               commentEvent,
			"pull_request_review":         reviewEvent,
			"pull_request_review_comment": reviewCommentEvent,
			"pull_request":                pullEvent,
			"workflow_job":                jobEvent,
			"check_run":                   checkEvent,
			"check_suite":                 suiteEvent,
			"workflow_run":                rerunEvent,
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
	if p.Issue == nil || p.Issue.Number <= 0 {
		return bot.Event{}, missing("issue.number")
	}
	e := bot.CommentEvent{Repo: repo, Number: p.Issue.Number, OnPull: p.Issue.PullRequest != nil}
	return p.text("comment", p.Comment, app, e)
}

// reviewEvent reads the body of a review, which may be empty.
func reviewEvent(p *payload, repo bot.Repo, app App) (bot.Event, error) {
	if p.PullRequest == nil || p.PullRequest.Number <= 0 {
		return bot.Event{}, missing("pull_request.number")
	}
	if p.Action == "submitted" {
		p.Action = "created"
	}
	if r := p.Review; r != nil {
		if r.Body == nil {
			r.Body = new(string)
		}
		r.CreatedAt = r.Submitted
	}
	e := bot.CommentEvent{Repo: repo, Number: p.PullRequest.Number, OnPull: true, Place: bot.InReview}
	return p.text("review", p.Review, app, e)
}

func reviewCommentEvent(p *payload, repo bot.Repo, app App) (bot.Event, error) {
	if p.PullRequest == nil || p.PullRequest.Number <= 0 {
		return bot.Event{}, missing("pull_request.number")
	}
	e := bot.CommentEvent{Repo: repo, Number: p.PullRequest.Number, OnPull: true, Place: bot.InReviewComment}
	return p.text("comment", p.Comment, app, e)
}

// text fills in what every kind of text has.
func (p *payload) text(field string, c *comment, app App, e bot.CommentEvent) (bot.Event, error) {
	switch {
	case c == nil || c.ID <= 0:
		return bot.Event{}, missing(field + ".id")
	case c.Body == nil:
		return bot.Event{}, missing(field + ".body")
	case c.User == nil || c.User.Login == "":
		return bot.Event{}, missing(field + ".user.login")
	case c.CreatedAt.IsZero():
		return bot.Event{}, missing(field + "'s time")
	case p.Sender == nil || p.Sender.Login == "":
		return bot.Event{}, missing("sender.login")
	}
	e.Action, e.ID, e.Body, e.Was = p.Action, c.ID, *c.Body, p.Changes.Body.From
	e.Author, e.Sender, e.SenderBot = c.User.Login, p.Sender.Login, p.Sender.Type == "Bot"
	e.Ours, e.At, e.Created = app.ours(c, p.Sender), c.CreatedAt, c.CreatedAt
	if p.Action == "edited" && c.UpdatedAt.After(c.CreatedAt) {
		e.At = c.UpdatedAt
	}
	return bot.Event{Comment: &e}, nil
}

// checkEvent reads the buttons of our own check runs; other actions set nothing.
func checkEvent(p *payload, repo bot.Repo, app App) (bot.Event, error) {
	if p.Action != "rerequested" && p.Action != "requested_action" {
		return bot.Event{}, nil
	}
	c := p.CheckRun
	switch {
	case c == nil || c.Name == "" || !validSHA(c.HeadSHA):
		return bot.Event{}, missing("check_run.name or check_run.head_sha")
	case c.App == nil || c.App.ID != app.ID:
		return bot.Event{}, nil
	case p.Action == "requested_action" && p.RequestedAction == nil:
		return bot.Event{}, missing("requested_action.identifier")
	}
	e := bot.ButtonEvent{Action: p.Action, Check: c.Name, Run: c.External, Head: c.HeadSHA}
	if p.RequestedAction != nil {
		e.Action = p.RequestedAction.Identifier
	}
	return p.pressed(repo, e)
}

func suiteEvent(p *payload, repo bot.Repo, app App) (bot.Event, error) {
	s := p.CheckSuite
	switch {
	case p.Action != "rerequested":
		return bot.Event{}, nil
	case s == nil || !validSHA(s.HeadSHA):
		return bot.Event{}, missing("check_suite.head_sha")
	case s.App == nil || s.App.ID != app.ID:
		return bot.Event{}, nil
	}
	return p.pressed(repo, bot.ButtonEvent{Action: "rerequested", Head: s.HeadSHA})
}

// rerunEvent reads that a person started a workflow run again.
func rerunEvent(p *payload, repo bot.Repo, _ App) (bot.Event, error) {
	w := p.WorkflowRun
	switch {
	case w == nil || w.ID <= 0:
		return bot.Event{}, missing("workflow_run.id")
	case w.Attempt < 2 || p.Action != "requested" && p.Action != "in_progress":
		return bot.Event{}, nil
	}
	return p.pressed(repo, bot.ButtonEvent{Action: "rerequested", WorkflowRun: w.ID, At: w.StartedAt})
}

func (p *payload) pressed(repo bot.Repo, e bot.ButtonEvent) (bot.Event, error) {
	if p.Sender == nil || p.Sender.Login == "" {
		return bot.Event{}, missing("sender.login")
	}
	e.Repo, e.Sender, e.SenderBot = repo, p.Sender.Login, p.Sender.Type == "Bot"
	return bot.Event{Button: &e}, nil
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
