package githubtest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/internal/githubtest/runner"
)

// maxLabels is how many labels a runner may have.
const maxLabels = 100

// Runner is a single-use runner. It is removed when its job has ended.
type Runner struct {
	ID        int64     `json:"id"`
	Repo      int64     `json:"repo"`
	Name      string    `json:"name"`
	Labels    []string  `json:"labels"`
	Job       int64     `json:"job"` // 0 until it took one
	Hash      string    `json:"hash"`
	CreatedAt time.Time `json:"created_at"`
}

// serves reports whether the runner has every label of a job.
func (r Runner) serves(j Job) bool {
	return r.Repo == j.Repo && !slices.ContainsFunc(j.Labels, func(want string) bool {
		return !slices.ContainsFunc(r.Labels, func(have string) bool { return strings.EqualFold(have, want) })
	})
}

// jitBody is the body that asks for a JIT configuration.
type jitBody struct {
	Name   string   `json:"name"`
	Group  *int64   `json:"runner_group_id"`
	Labels []string `json:"labels"`
}

func (b jitBody) check() error {
	switch {
	case b.Name == "":
		return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\n\"name\" wasn't supplied.")
	case len(b.Name) > 64:
		return refuse(http.StatusUnprocessableEntity, "Runner name is too long: at most 64 characters.")
	case b.Group == nil:
		return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\n\"runner_group_id\" wasn't supplied.")
	case *b.Group != 1:
		return refuse(http.StatusNotFound, "Runner group %d not found", *b.Group)
	case len(b.Labels) == 0 || len(b.Labels) > maxLabels:
		return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\nFor 'labels', 1 to %d items are allowed; %d were supplied.", maxLabels, len(b.Labels))
	case slices.Contains(b.Labels, ""):
		return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\nA label is empty.")
	}
	return nil
}

func (s *Server) createRunner(r *request) (reply, error) {
	var b jitBody
	if err := r.decode(&b); err != nil {
		return reply{}, err
	}
	if err := b.check(); err != nil {
		return reply{}, err
	}
	var body obj
	err := s.update(func(st *state, x *tx) error {
		taken := func(o Runner) bool { return o.Repo == r.repo.ID && strings.EqualFold(o.Name, b.Name) }
		if _, found := st.runners.find(taken); found {
			return refuse(http.StatusConflict, "Already exists - A runner with the name %s already exists.", b.Name)
		}
		blob := runner.Blob{URL: s.cfg.URL, Runner: st.newID(), Name: b.Name, Secret: newSecret("jit_")}
		encoded, err := blob.Encode()
		if err != nil {
			return err
		}
		row := Runner{
			ID: blob.Runner, Repo: r.repo.ID, Name: b.Name, Labels: slices.Clone(b.Labels),
			Hash: hashToken(blob.Secret), CreatedAt: s.now(),
		}
		st.runners.put(x, row.ID, row)
		body = obj{"runner": s.render(st).runner(row), "encoded_jit_config": encoded}
		return nil
	})
	return reply{status: http.StatusCreated, body: body}, err
}

func (s *Server) listRunners(r *request) (reply, error) {
	q := r.URL.Query()
	var rep reply
	err := s.view(func(st *state) error {
		all := st.runners.filter(func(o Runner) bool {
			return o.Repo == r.repo.ID && (!q.Has("name") || o.Name == q.Get("name"))
		})
		page, header := cut(s, r, all)
		rep = reply{status: http.StatusOK, header: header, body: obj{
			"total_count": len(all), "runners": rendered(page, s.render(st).runner),
		}}
		return nil
	})
	return rep, err
}

// runnerOf finds the runner of the repository that a request names.
func (st *state) runnerOf(r *request) (Runner, error) {
	id, err := r.id("runner")
	if err != nil {
		return Runner{}, err
	}
	o, found := st.runners.get(id)
	if !found || o.Repo != r.repo.ID {
		return o, notFound()
	}
	return o, nil
}

func (s *Server) getRunner(r *request) (reply, error) {
	var body obj
	err := s.view(func(st *state) error {
		o, err := st.runnerOf(r)
		body = s.render(st).runner(o)
		return err
	})
	return ok(body), err
}

func (s *Server) deleteRunner(r *request) (reply, error) {
	err := s.update(func(st *state, x *tx) error {
		o, err := st.runnerOf(r)
		if err != nil {
			return err
		}
		if o.Job != 0 {
			return refuse(http.StatusUnprocessableEntity, "Bad request - Runner %q is currently running a job and cannot be deleted.", o.Name)
		}
		st.runners.remove(x, o.ID)
		return nil
	})
	return reply{status: http.StatusNoContent}, err
}

// online reports whether a runner was heard of lately; s.mu is held.
func (s *Server) online(id int64) bool {
	at, heard := s.seen[id]
	return heard && s.cfg.Now().Sub(at) < s.cfg.LostAfter
}

// sweep ends the jobs of the runners that fell silent: failed, as GitHub's
// "lost communication with the server", or cancelled when that was under way.
func (s *Server) sweep() error {
	return s.update(func(st *state, x *tx) error {
		now := s.cfg.Now()
		maps.DeleteFunc(s.seen, func(id int64, _ time.Time) bool { _, known := st.runners.get(id); return !known })
		for _, r := range st.runners.filter(func(r Runner) bool { return r.Job != 0 }) {
			if now.Sub(s.seen[r.ID]) < s.cfg.LostAfter {
				continue
			}
			j, found := st.jobs.get(r.Job)
			if !found {
				return fmt.Errorf("sweep: runner %d has no job %d", r.ID, r.Job)
			}
			conclusion := "failure"
			if j.Cancel {
				conclusion = "cancelled"
			}
			s.log.Warn("runner lost", "runner", r.Name, "job", j.ID)
			if err := s.finishJob(x, j, conclusion); err != nil {
				return err
			}
		}
		return nil
	})
}
