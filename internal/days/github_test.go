package days

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/workflows"
)

// The points that GitHub counts of a call.
const (
	reads  = 1
	writes = 5
)

// lostAfter is how long GitHub waits for a runner that went silent in its job.
const lostAfter = 10 * time.Minute

// hub is a GitHub with one repository: its workflow runs and runners, and a
// conversation.
type hub struct {
	bot.Forge
	fault func() error // asked before and after each call
	hook  func(event string, payload []byte)

	mu      sync.Mutex
	runs    []*workflowRun
	runners map[int64]*jitRunner
	next    int64
	checks  []bot.CheckRun
	sticky  int64
	body    string
	points  map[string]int // by what they were spent on
	stands  bool           // no job is handed out
	foreign []string       // jobs that two runners had
	thief   string         // takes the first job, if any
}

type workflowRun struct {
	id    int64
	nonce string
	jobs  []*bot.Job
}

type jitRunner struct {
	id    int64
	name  string
	label string
	jit   string
	job   *bot.Job
	run   int64
	seen  time.Time
}

// call makes one call for so many points.
func (h *hub) call(what string, points int, do func() error) error {
	if err := h.fault(); err != nil {
		return err
	}
	h.mu.Lock()
	h.points[what] += points
	err := do()
	h.mu.Unlock()
	if err != nil {
		return err
	}
	return h.fault()
}

func (h *hub) id() int64 { h.next++; return h.next }

func (h *hub) React(context.Context, bot.Repo, string, int64, string) error {
	return h.call("talk", writes, func() error { return nil })
}

func (h *hub) Comments(context.Context, bot.Repo, int, time.Time) (all []bot.Comment, err error) {
	return all, h.call("talk", reads, func() error {
		if h.sticky != 0 {
			all = append(all, bot.Comment{ID: h.sticky, Ours: true, Bot: true, Body: h.body})
		}
		return nil
	})
}

func (h *hub) CreateComment(_ context.Context, _ bot.Repo, _ int, body string) (int64, error) {
	return h.sticky, h.call("talk", writes, func() error { h.sticky, h.body = h.id(), body; return nil })
}

func (h *hub) UpdateComment(_ context.Context, _ bot.Repo, _ int64, body string) error {
	return h.call("talk", writes, func() error { h.body = body; return nil })
}

func (h *hub) CheckRuns(context.Context, bot.Repo, string) (all []bot.CheckRun, err error) {
	return all, h.call("talk", reads, func() error { all = slices.Clone(h.checks); return nil })
}

func (h *hub) CreateCheckRun(_ context.Context, _ bot.Repo, _ string, c bot.CheckRun) (id int64, err error) {
	return id, h.call("talk", writes, func() error {
		id = h.id()
		c.ID = id
		h.checks = append(h.checks, c)
		return nil
	})
}

func (h *hub) UpdateCheckRun(_ context.Context, _ bot.Repo, c bot.CheckRun) error {
	return h.call("talk", writes, func() error {
		i := slices.IndexFunc(h.checks, func(o bot.CheckRun) bool { return o.ID == c.ID })
		if i < 0 {
			return bot.ErrGone
		}
		h.checks[i] = c
		return nil
	})
}

// File finds nothing: the repository has no word on its failures.
func (h *hub) File(context.Context, bot.Repo, string, string) ([]byte, error) {
	return nil, h.call("talk", reads, func() error { return bot.ErrGone })
}

func (h *hub) Dispatch(_ context.Context, _ bot.Repo, _ string, inputs map[string]string) (id int64, err error) {
	return id, h.call("dispatch", writes, func() error {
		var legs []workflows.Piece
		for _, name := range []string{"pieces"} {
			if err := json.Unmarshal([]byte(inputs[name]), &legs); err != nil {
				return err
			}
		}
		r := &workflowRun{id: h.id(), nonce: inputs["nonce"]}
		for _, leg := range legs {
			r.jobs = append(r.jobs, &bot.Job{ID: h.id(), Name: leg.ID, Labels: []string{leg.Label}, Status: "queued"})
		}
		if h.thief != "" {
			j := r.jobs[0]
			j.Status, j.Runner, j.RunnerName = "in_progress", h.id(), h.thief
			h.thief = ""
			h.tell(r.id, "in_progress", *j)
		}
		h.runs = append(h.runs, r)
		id = r.id
		return nil
	})
}

func (h *hub) FindWorkflowRun(_ context.Context, _ bot.Repo, _, nonce string) (id int64, err error) {
	return id, h.call("look", reads, func() error {
		for _, r := range h.runs {
			if r.nonce == nonce {
				id = r.id
			}
		}
		return nil
	})
}

func (h *hub) Jobs(_ context.Context, _ bot.Repo, run int64) (all []bot.Job, err error) {
	return all, h.call("look", reads, func() error {
		h.sweep()
		for _, r := range h.runs {
			for _, j := range r.jobs {
				if r.id == run {
					all = append(all, *j)
				}
			}
		}
		return nil
	})
}

// sweep gives up the jobs whose runner is silent.
func (h *hub) sweep() {
	for _, r := range h.runners {
		if r.job != nil && r.job.Status == "in_progress" && time.Since(r.seen) >= lostAfter {
			h.finish(r, "failure")
		}
	}
}

func (h *hub) finish(r *jitRunner, conclusion string) {
	r.job.Status, r.job.Conclusion, r.job.CompletedAt = "completed", conclusion, time.Now()
	delete(h.runners, r.id)
}

func (h *hub) CancelWorkflowRun(_ context.Context, _ bot.Repo, run int64) error {
	return h.call("stop", writes, func() error {
		for _, r := range h.runs {
			for _, j := range r.jobs {
				if r.id == run && j.Status == "queued" {
					j.Status, j.Conclusion, j.CompletedAt = "completed", "cancelled", time.Now()
				}
			}
		}
		return nil
	})
}

func (h *hub) MintRunner(_ context.Context, _ bot.Repo, name, label string) (id int64, jit string, err error) {
	return id, jit, h.call("mint", writes, func() error {
		for _, r := range h.runners {
			if r.name != name {
				continue
			}
			h.points["mint"] += reads + writes + writes // refused, looked for, removed
			if r.job != nil && r.job.Status == "in_progress" {
				return fmt.Errorf("runner %s is busy", name)
			}
			delete(h.runners, r.id)
		}
		id = h.id()
		jit = fmt.Sprintf("jit-%d", id)
		h.runners[id] = &jitRunner{id: id, name: name, label: label, jit: jit}
		return nil
	})
}

func (h *hub) RemoveRunner(_ context.Context, _ bot.Repo, id int64) error {
	return h.call("remove", writes, func() error {
		if r := h.runners[id]; r != nil && r.job != nil {
			return bot.ErrRefused
		}
		delete(h.runners, id)
		return nil
	})
}

func (h *hub) RemoveRunners(_ context.Context, _ bot.Repo, prefix string) (n int, err error) {
	return n, h.call("remove", reads, func() error {
		for id, r := range h.runners {
			if r.job == nil && strings.HasPrefix(r.name, prefix) {
				h.points["remove"] += writes
				delete(h.runners, id)
				n++
			}
		}
		return nil
	})
}

// acquire is a runner that asks for its job; false when GitHub knows it no more.
func (h *hub) acquire(jit string) (*jitRunner, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.runners {
		if r.jit != jit {
			continue
		}
		for _, w := range h.runs {
			for _, j := range w.jobs {
				if r.job == nil && !h.stands && j.Status == "queued" && j.Labels[0] == r.label {
					if j.Runner != 0 {
						h.foreign = append(h.foreign, j.Name)
					}
					r.job, r.run, r.seen = j, w.id, time.Now()
					j.Status, j.Runner, j.RunnerName = "in_progress", r.id, r.name
					h.tell(w.id, "in_progress", *j)
				}
			}
		}
		return r, true
	}
	return nil, false
}

// beat says that a runner lives.
func (h *hub) beat(r *jitRunner) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.seen = time.Now()
}

// complete ends a runner's job.
func (h *hub) complete(r *jitRunner) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.job != nil && r.job.Status == "in_progress" {
		h.finish(r, "success")
		h.tell(r.run, "completed", *r.job)
	}
	delete(h.runners, r.id)
}

func (h *hub) tell(run int64, action string, j bot.Job) {
	h.send("workflow_job", bot.Event{Job: &bot.JobEvent{Repo: repo, WorkflowRun: run, Job: j, Action: action}})
}

// send sends a webhook.
func (h *hub) send(event string, e bot.Event) {
	raw, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	go h.hook(event, raw)
}

// decode reads what send wrote.
func decode(_ string, payload json.RawMessage) (e bot.Event, err error) {
	return e, json.Unmarshal(payload, &e)
}

// standing reports whether jobs are handed out to nobody.
func (h *hub) standing() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stands
}
