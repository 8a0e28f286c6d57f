package days

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/release"
)

const maintainer = "agentzh"

// town is a GitHub with several pull requests, on which people write and push.
type town struct {
	*hub
	talks    map[int]*talk
	branches map[string]string
	byCommit map[string][]bot.CheckRun
	twice    []string // what must not be made twice, and was
	now      func() time.Time
}

// talk is a pull request.
type talk struct {
	head     string
	pushed   time.Time
	comments []bot.Comment
}

func newTown(h *hub, pulls int, now func() time.Time) *town {
	w := &town{hub: h, talks: make(map[int]*talk), branches: map[string]string{"master": commit("good", 0)}, byCommit: make(map[string][]bot.CheckRun), now: now}
	for n := range pulls {
		w.talks[n+1] = &talk{head: commit("good", n), pushed: now()}
	}
	return w
}

// commit is a SHA that says whether its tests pass.
func commit(kind string, n int) string {
	digit := map[string]string{"good": "a", "bad": "b"}[kind]
	return digit + fmt.Sprintf("%039x", n)
}

// say writes a comment, and returns its number.
func (w *town) say(pull int, body string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.now()
	c := bot.Comment{ID: w.id(), Author: maintainer, Body: body, CreatedAt: at, UpdatedAt: at}
	w.talks[pull].comments = append(w.talks[pull].comments, c)
	w.send("issue_comment", bot.Event{Comment: said(pull, c)})
	return c.ID
}

func said(pull int, c bot.Comment) *bot.CommentEvent {
	return &bot.CommentEvent{
		Repo: repo, Number: pull, OnPull: true, Action: "created", ID: c.ID, Body: c.Body, Author: c.Author, Sender: c.Author, SenderBot: c.Bot,
		Ours: c.Ours, At: c.UpdatedAt, Created: c.CreatedAt, Source: "a test",
	}
}

// push moves a pull request's head.
func (w *town) push(pull int, head string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.talks[pull].head, w.talks[pull].pushed = head, w.now()
	w.send("pull_request", bot.Event{Pull: &bot.PullEvent{Repo: repo, Number: pull, Action: "synchronize", Head: head, At: w.now()}})
}

// release pushes to a branch.
func (w *town) release(branch, head string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.branches[branch] = head
	w.send("push", bot.Event{})
}

func (w *town) Repositories(context.Context) ([]bot.Repo, error) {
	return []bot.Repo{repo}, w.call("look", reads, func() error { return nil })
}

func (w *town) Heads(_ context.Context, _ bot.Repo, since time.Time) (all []bot.PullEvent, err error) {
	return all, w.call("look", reads, func() error {
		for n, t := range w.talks {
			if !t.pushed.Before(since) {
				all = append(all, bot.PullEvent{Repo: repo, Number: n, Action: "synchronize", Head: t.head, At: t.pushed})
			}
		}
		return nil
	})
}

func (w *town) Texts(_ context.Context, _ bot.Repo, since time.Time) (all []bot.CommentEvent, err error) {
	return all, w.call("look", reads, func() error {
		for n, t := range w.talks {
			for _, c := range t.comments {
				if !c.UpdatedAt.Before(since) {
					all = append(all, *said(n, c))
				}
			}
		}
		return nil
	})
}

func (w *town) PullRequest(_ context.Context, _ bot.Repo, pull int) (p bot.PullRequest, err error) {
	return p, w.call("look", reads, func() error {
		p = bot.PullRequest{Number: pull, Open: true, Head: w.talks[pull].head, Base: "master"}
		return nil
	})
}

func (w *town) Permission(context.Context, bot.Repo, string) (string, error) {
	return "write", w.call("look", reads, func() error { return nil })
}

func (w *town) Comments(_ context.Context, _ bot.Repo, pull int, since time.Time) (all []bot.Comment, err error) {
	return all, w.call("talk", reads, func() error {
		for _, c := range w.talks[pull].comments {
			if !c.UpdatedAt.Before(since) {
				all = append(all, c)
			}
		}
		return nil
	})
}

func (w *town) CreateComment(_ context.Context, _ bot.Repo, pull int, body string) (id int64, err error) {
	return id, w.call("talk", writes, func() error {
		id = w.id()
		at := w.now()
		w.talks[pull].comments = append(w.talks[pull].comments, bot.Comment{ID: id, Author: "ortest[bot]", Bot: true, Ours: true, Body: body, CreatedAt: at, UpdatedAt: at})
		return nil
	})
}

// comment finds one.
func (w *town) comment(id int64) (*talk, int) {
	for _, t := range w.talks {
		if i := slices.IndexFunc(t.comments, func(c bot.Comment) bool { return c.ID == id }); i >= 0 {
			return t, i
		}
	}
	return nil, -1
}

func (w *town) UpdateComment(_ context.Context, _ bot.Repo, id int64, body string) error {
	return w.call("talk", writes, func() error {
		t, i := w.comment(id)
		if t == nil {
			return bot.ErrGone
		}
		t.comments[i].Body, t.comments[i].UpdatedAt = body, w.now()
		return nil
	})
}

func (w *town) DeleteComment(_ context.Context, _ bot.Repo, id int64) error {
	return w.call("talk", writes, func() error {
		if t, i := w.comment(id); t != nil {
			t.comments = slices.Delete(t.comments, i, i+1)
		}
		return nil
	})
}

func (w *town) CheckRuns(_ context.Context, _ bot.Repo, sha string) (all []bot.CheckRun, err error) {
	return all, w.call("talk", reads, func() error { all = slices.Clone(w.byCommit[sha]); return nil })
}

func (w *town) CreateCheckRun(_ context.Context, _ bot.Repo, sha string, c bot.CheckRun) (id int64, err error) {
	return id, w.call("talk", writes, func() error {
		id = w.id()
		c.ID = id
		if slices.ContainsFunc(w.byCommit[sha], func(o bot.CheckRun) bool { return o.Name == c.Name && o.External == c.External }) {
			w.twice = append(w.twice, "check run "+c.Name+" of run "+c.External)
		}
		w.byCommit[sha] = append(w.byCommit[sha], c)
		return nil
	})
}

func (w *town) UpdateCheckRun(_ context.Context, _ bot.Repo, c bot.CheckRun) error {
	return w.call("talk", writes, func() error {
		for _, all := range w.byCommit {
			for i := range all {
				if all[i].ID == c.ID {
					all[i] = c
					return nil
				}
			}
		}
		return bot.ErrGone
	})
}

func (w *town) Head(context.Context, bot.Repo, string, string) (string, error) {
	return strings.Repeat("c", 40), w.call("look", reads, func() error { return nil })
}

func (w *town) Refs(context.Context, bot.Repo) (all []release.Ref, err error) {
	return all, w.call("look", reads, func() error {
		for _, name := range slices.Sorted(maps.Keys(w.branches)) {
			all = append(all, release.Ref{Name: name, Head: w.branches[name]})
		}
		return nil
	})
}

// stand lets jobs wait, or go on.
func (w *town) stand(is bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stands = is
}

// conclusion is what GitHub shows of a run.
func (w *town) conclusion(r bot.Run) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.byCommit[r.Head] {
		if c.External == r.ID && c.Name == "ortest / verdict" {
			return cmp.Or(c.Conclusion, c.Status)
		}
	}
	return "nothing"
}

// answers counts those that a comment has.
func (w *town) answers(id int64) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.talks {
		for _, c := range t.comments {
			if strings.HasPrefix(c.Body, fmt.Sprintf("<!-- ortest:answer %d.", id)) {
				n++
			}
		}
	}
	return n
}
