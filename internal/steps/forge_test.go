package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/release"
	"github.com/ortest/ortest/workflows"
)

// forge is a GitHub with one repository and one pull request.
type forge struct {
	bot.Forge
	*life
	emit func(event string, e bot.Event) // a webhook

	next      int64
	written   int64 // comments by people: their ids are another sequence, which no death changes
	head      string
	branches  map[string]string
	comments  []bot.Comment
	reactions map[string]bool
	checks    []bot.CheckRun
	made      map[string]int // of what must not be made twice
	sent      []*workflowRun
	runners   []*jit
	begun     map[string]int // attempts, by the names of their jobs
	pushed    time.Time
	stubborn  int // how often it will fail to cancel a workflow run
}

type workflowRun struct {
	id   int64
	jobs []*bot.Job
}

type jit struct {
	id    int64
	name  string
	label string
	job   *bot.Job
	run   int64
}

func (f *forge) id() int64 { f.next++; return 10_000 + f.next }

func (f *forge) Repositories(context.Context) ([]bot.Repo, error) {
	return []bot.Repo{repo}, f.reads(func() error { return nil })
}

func (f *forge) Heads(_ context.Context, _ bot.Repo, since time.Time) (all []bot.PullEvent, err error) {
	return all, f.reads(func() error {
		if !f.pushed.Before(since) {
			all = append(all, bot.PullEvent{Repo: repo, Number: 7, Action: "synchronize", Head: f.head, At: f.pushed})
		}
		return nil
	})
}

func (f *forge) Texts(_ context.Context, _ bot.Repo, since time.Time) (all []bot.CommentEvent, err error) {
	return all, f.reads(func() error {
		for _, c := range f.comments {
			if !c.UpdatedAt.Before(since) {
				all = append(all, f.said(c, "created"))
			}
		}
		return nil
	})
}

func (f *forge) said(c bot.Comment, action string) bot.CommentEvent {
	return bot.CommentEvent{
		Repo: repo, Number: 7, OnPull: true, Action: action, ID: c.ID, Body: c.Body, Author: c.Author, Sender: c.Author, SenderBot: c.Bot,
		Ours: c.Ours, At: c.UpdatedAt, Created: c.CreatedAt, Source: "a test",
	}
}

func (f *forge) PullRequest(context.Context, bot.Repo, int) (p bot.PullRequest, err error) {
	return p, f.reads(func() error {
		p = bot.PullRequest{Number: 7, Open: true, Head: f.head, Base: "master"}
		return nil
	})
}

func (f *forge) Permission(_ context.Context, _ bot.Repo, login string) (role string, err error) {
	return role, f.reads(func() error {
		role = map[string]string{maintainer: "write"}[login]
		return nil
	})
}

func (f *forge) Comments(context.Context, bot.Repo, int, time.Time) (all []bot.Comment, err error) {
	return all, f.reads(func() error { all = slices.Clone(f.comments); return nil })
}

func (f *forge) CreateComment(_ context.Context, _ bot.Repo, _ int, body string) (id int64, err error) {
	return id, f.does("CreateComment", func() error {
		id = f.id()
		mark, _, _ := strings.Cut(body, "\n")
		f.made["comment "+mark]++
		f.comments = append(f.comments, bot.Comment{ID: id, Author: "ortest[bot]", Bot: true, Ours: true, Body: body, CreatedAt: time.Now(), UpdatedAt: time.Now()})
		return nil
	})
}

func (f *forge) comment(id int64) int {
	return slices.IndexFunc(f.comments, func(c bot.Comment) bool { return c.ID == id })
}

func (f *forge) UpdateComment(_ context.Context, _ bot.Repo, id int64, body string) error {
	return f.does("UpdateComment", func() error {
		i := f.comment(id)
		if i < 0 {
			return bot.ErrGone
		}
		f.comments[i].Body, f.comments[i].UpdatedAt = body, time.Now()
		return nil
	})
}

func (f *forge) DeleteComment(_ context.Context, _ bot.Repo, id int64) error {
	return f.does("DeleteComment", func() error {
		if i := f.comment(id); i >= 0 {
			f.comments = slices.Delete(f.comments, i, i+1)
		}
		return nil
	})
}

func (f *forge) React(_ context.Context, _ bot.Repo, _ string, id int64, content string) error {
	return f.does("React", func() error { f.reactions[fmt.Sprintf("%s on %d", content, id)] = true; return nil })
}

func (f *forge) CheckRuns(_ context.Context, _ bot.Repo, sha string) (all []bot.CheckRun, err error) {
	return all, f.reads(func() error { all = slices.Clone(f.checks); return nil })
}

func (f *forge) CreateCheckRun(_ context.Context, _ bot.Repo, sha string, c bot.CheckRun) (id int64, err error) {
	return id, f.does("CreateCheckRun", func() error {
		id = f.id()
		c.ID = id
		f.made["check "+c.Name+" "+c.External+" "+sha]++
		f.checks = append(f.checks, c)
		return nil
	})
}

func (f *forge) UpdateCheckRun(_ context.Context, _ bot.Repo, c bot.CheckRun) error {
	return f.does("UpdateCheckRun", func() error {
		i := slices.IndexFunc(f.checks, func(o bot.CheckRun) bool { return o.ID == c.ID })
		if i < 0 {
			return bot.ErrGone
		}
		f.checks[i] = c
		return nil
	})
}

func (f *forge) Dispatch(_ context.Context, _ bot.Repo, _ string, inputs map[string]string) (id int64, err error) {
	return id, f.does("Dispatch", func() error {
		var legs []workflows.Piece
		if err := json.Unmarshal([]byte(inputs["pieces"]), &legs); err != nil {
			return err
		}
		f.made["dispatch "+inputs["nonce"]]++
		w := &workflowRun{id: f.id()}
		for _, leg := range legs {
			f.made["job "+leg.ID]++
			w.jobs = append(w.jobs, &bot.Job{ID: f.id(), Name: leg.ID, Labels: []string{leg.Label, inputs["nonce"]}, Status: "queued"})
		}
		f.sent = append(f.sent, w)
		id = w.id
		return nil
	})
}

func (f *forge) FindWorkflowRun(_ context.Context, _ bot.Repo, _, nonce string) (id int64, err error) {
	return id, f.reads(func() error {
		for _, w := range f.sent {
			if w.jobs[0].Labels[1] == nonce {
				id = w.id
			}
		}
		return nil
	})
}

func (f *forge) Jobs(_ context.Context, _ bot.Repo, run int64) (all []bot.Job, err error) {
	return all, f.reads(func() error {
		for _, w := range f.sent {
			for _, j := range w.jobs {
				if w.id == run {
					all = append(all, *j)
				}
			}
		}
		return nil
	})
}

func (f *forge) CancelWorkflowRun(_ context.Context, _ bot.Repo, run int64) error {
	return f.does("CancelWorkflowRun", func() error {
		if f.stubborn--; f.stubborn >= 0 {
			return errors.New("502")
		}
		for _, w := range f.sent {
			for _, j := range w.jobs {
				if w.id == run && j.Status == "queued" {
					j.Status, j.Conclusion, j.CompletedAt = "completed", "cancelled", time.Now()
				}
			}
		}
		return nil
	})
}

func (f *forge) MintRunner(_ context.Context, _ bot.Repo, name, label string) (id int64, blob string, err error) {
	return id, blob, f.does("MintRunner", func() error {
		f.runners = slices.DeleteFunc(f.runners, func(r *jit) bool { return r.name == name && r.job == nil })
		id = f.id()
		blob = fmt.Sprintf("jit-%d", id)
		f.runners = append(f.runners, &jit{id: id, name: name, label: label})
		return nil
	})
}

func (f *forge) Head(context.Context, bot.Repo, string, string) (sha string, err error) {
	return strings.Repeat("c", 40), f.reads(func() error { return nil })
}

func (f *forge) RemoveRunner(_ context.Context, _ bot.Repo, id int64) error {
	return f.does("RemoveRunner", func() error {
		n := len(f.runners)
		if f.runners = slices.DeleteFunc(f.runners, func(r *jit) bool { return r.id == id && r.job == nil }); n == len(f.runners) {
			return errNothing
		}
		return nil
	})
}

func (f *forge) RemoveRunners(_ context.Context, _ bot.Repo, prefix string) (n int, err error) {
	return n, f.does("RemoveRunners", func() error {
		n = len(f.runners)
		f.runners = slices.DeleteFunc(f.runners, func(r *jit) bool { return strings.HasPrefix(r.name, prefix) && r.job == nil })
		if n -= len(f.runners); n == 0 {
			return errNothing
		}
		return nil
	})
}

// File finds nothing: no failure is expected.
func (f *forge) File(context.Context, bot.Repo, string, string) ([]byte, error) {
	return nil, f.reads(func() error { return bot.ErrGone })
}

func (f *forge) OpenPull(_ context.Context, _ bot.Repo, _ string, p bot.Proposal) (string, error) {
	return "https://github.com/pull/" + p.Branch, f.does("OpenPull", func() error {
		if f.made["pull "+p.Branch] > 0 {
			return errNothing
		}
		f.made["pull "+p.Branch]++
		return nil
	})
}

func (f *forge) Refs(context.Context, bot.Repo) (all []release.Ref, err error) {
	return all, f.reads(func() error {
		for _, name := range slices.Sorted(maps.Keys(f.branches)) {
			all = append(all, release.Ref{Name: name, Head: f.branches[name]})
		}
		return nil
	})
}

// acquire gives a runner the job of its label.
func (f *forge) acquire(blob string) *jit {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.runners {
		if fmt.Sprintf("jit-%d", r.id) != blob {
			continue
		}
		for _, w := range f.sent {
			for _, j := range w.jobs {
				if r.job == nil && j.Status == "queued" && j.Labels[0] == r.label {
					f.begun[j.Name]++
					r.job, r.run = j, w.id
					j.Status, j.Runner, j.RunnerName = "in_progress", r.id, r.name
					f.emit("workflow_job", bot.Event{Job: &bot.JobEvent{Repo: repo, WorkflowRun: w.id, Job: *j, Action: "in_progress"}})
				}
			}
		}
		return r
	}
	return nil
}

// release ends a runner with its job.
func (f *forge) release(r *jit, conclusion string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if j := r.job; j != nil && j.Status == "in_progress" {
		j.Status, j.Conclusion, j.CompletedAt = "completed", conclusion, time.Now()
		f.emit("workflow_job", bot.Event{Job: &bot.JobEvent{Repo: repo, WorkflowRun: r.run, Job: *j, Action: "completed"}})
	}
	f.runners = slices.DeleteFunc(f.runners, func(o *jit) bool { return o == r })
}
