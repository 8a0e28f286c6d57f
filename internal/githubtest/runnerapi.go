package githubtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/ortest/ortest/internal/githubtest/runner"
)

const (
	acquireWait = 5 * time.Second // how long asking for a job waits for one
	maxLogPart  = 8 << 20
)

// runnerRoutes is the private interface to the runner of package runner. Each
// call proves the runner by its secret; each can be repeated without harm.
func (s *Server) runnerRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /_runner/acquire", s.withRunner(s.acquire))
	mux.HandleFunc("POST /_runner/jobs/{job}/heartbeat", s.withRunner(s.heartbeat))
	mux.HandleFunc("POST /_runner/jobs/{job}/log", s.withRunner(s.appendLog))
	mux.HandleFunc("POST /_runner/jobs/{job}/complete", s.withRunner(s.complete))
	mux.HandleFunc("GET /_runner/logs/{job}", s.serveLog)
	return mux
}

// withRunner finds the runner behind a secret and notes that it lives. A
// runner that was removed is told so with 410: there is nothing to come back for.
func (s *Server) withRunner(next func(*http.Request, Runner) (reply, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		row, err := s.knownRunner(r.Header.Get("Authorization"))
		if err != nil {
			s.writeError(w, err)
			return
		}
		rep, err := next(r, row)
		if err != nil {
			s.writeError(w, err)
			return
		}
		s.writeReply(w, rep)
	}
}

func (s *Server) knownRunner(header string) (Runner, error) {
	secret, err := bearerOf(header)
	if err != nil {
		return Runner{}, err
	}
	sum := hashToken(secret)
	s.mu.Lock()
	defer s.mu.Unlock()
	row, found := s.st.runners.find(func(o Runner) bool { return o.Hash == sum })
	if !found {
		return row, refuse(http.StatusGone, "The runner has been removed")
	}
	if !s.online(row.ID) {
		defer s.notify()
	}
	s.seen[row.ID] = s.cfg.Now()
	return row, nil
}

// acquire gives the runner its job: the one it has, or the oldest queued one
// whose labels it has. It waits a while for one to come.
func (s *Server) acquire(r *http.Request, row Runner) (reply, error) {
	changed, end := s.Subscribe()
	defer end()
	timeout := time.NewTimer(acquireWait)
	defer timeout.Stop()
	for {
		a, err := s.assign(row.ID)
		if err != nil || a != nil {
			return ok(a), err
		}
		select {
		case <-changed:
		case <-timeout.C:
			return reply{status: http.StatusNoContent}, nil
		case <-r.Context().Done():
			return reply{}, r.Context().Err()
		}
	}
}

// assign returns a runner's job, nil when there is none for it.
func (s *Server) assign(id int64) (*runner.Assignment, error) {
	var out *runner.Assignment
	err := s.update(func(st *state, x *tx) error {
		row, found := st.runners.get(id)
		if !found {
			return refuse(http.StatusGone, "The runner has been removed")
		}
		s.seen[id] = s.cfg.Now()
		j, found := st.jobs.get(row.Job)
		if !found {
			j, found = st.jobs.find(func(j Job) bool { return j.Status == "queued" && row.serves(j) })
			if !found {
				return nil
			}
			var err error
			if j, err = s.startJob(x, j, row); err != nil {
				return err
			}
		}
		run, _ := st.runs.get(j.Run)
		repo, _ := st.repos.get(j.Repo)
		out = &runner.Assignment{
			Job: j.ID, Key: j.Key, Name: j.Name, Labels: j.Labels, Matrix: j.Matrix, Inputs: j.Inputs, Minutes: j.Minutes,
			Repo: repo.FullName(), Workflow: run.Name, Path: run.Path, Text: run.Text, Run: run.ID, Number: run.Number,
			Event: run.Event, Actor: run.Actor, Ref: "refs/heads/" + run.Branch, SHA: run.HeadSHA,
			Server: s.cfg.URL, API: s.apiURL(),
		}
		return nil
	})
	return out, err
}

// ownJob is the job that a call names, which must be the runner's own.
func (s *Server) ownJob(r *http.Request, row Runner) (Job, error) {
	var j Job
	err := s.view(func(st *state) error {
		id, err := strconv.ParseInt(r.PathValue("job"), 10, 64)
		if err != nil || id != row.Job {
			return refuse(http.StatusForbidden, "Not the runner's job")
		}
		j, _ = st.jobs.get(id)
		return nil
	})
	return j, err
}

func (s *Server) heartbeat(r *http.Request, row Runner) (reply, error) {
	j, err := s.ownJob(r, row)
	return ok(runner.Beat{Cancel: j.Cancel}), err
}

// appendLog writes a part of the log at its offset, so that a part sent twice
// stands there once. A part that would leave a gap is refused.
func (s *Server) appendLog(r *http.Request, row Runner) (reply, error) {
	j, err := s.ownJob(r, row)
	if err != nil {
		return reply{}, err
	}
	part, err := io.ReadAll(io.LimitReader(r.Body, maxLogPart))
	if err != nil {
		return reply{}, fmt.Errorf("read log: %w", err)
	}
	offset, err := strconv.ParseInt(r.URL.Query().Get("offset"), 10, 64)
	if err != nil || offset < 0 {
		return reply{}, refuse(http.StatusUnprocessableEntity, "offset is no number")
	}
	f, err := os.OpenFile(s.logPath(j.ID), os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return reply{}, fmt.Errorf("open log: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() < offset {
		err = refuse(http.StatusConflict, "the log has %d bytes", info.Size())
	}
	if err == nil {
		_, err = f.WriteAt(part, offset)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notify()
	return reply{status: http.StatusNoContent}, nil
}

func (s *Server) complete(r *http.Request, row Runner) (reply, error) {
	var result runner.Result
	if err := json.NewDecoder(r.Body).Decode(&result); err != nil {
		return reply{}, refuse(http.StatusBadRequest, "Problems parsing JSON")
	}
	switch result.Conclusion {
	case "success", "failure", "cancelled":
	default:
		return reply{}, refuse(http.StatusUnprocessableEntity, "%q is no conclusion", result.Conclusion)
	}
	j, err := s.ownJob(r, row)
	if err != nil {
		return reply{}, err
	}
	err = s.update(func(st *state, x *tx) error {
		j, _ = st.jobs.get(j.ID)
		return s.finishJob(x, j, result.Conclusion)
	})
	return reply{status: http.StatusNoContent}, err
}

// serveLog gives a job's log to whoever was redirected to it.
func (s *Server) serveLog(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("job"), 10, 64)
	if err != nil {
		s.writeError(w, notFound())
		return
	}
	raw, err := s.JobLog(id)
	if err != nil {
		s.writeError(w, notFound())
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	s.write(w, raw)
}

// JobLog returns what a job has printed so far; a job that printed nothing has
// an empty log.
func (s *Server) JobLog(job int64) ([]byte, error) {
	err := s.view(func(st *state) error {
		if _, found := st.jobs.get(job); !found {
			return fmt.Errorf("no job %d", job)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(s.logPath(job))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}

// runSweeps looks for lost runners until ctx ends.
func (s *Server) runSweeps(ctx context.Context) error {
	tick := time.NewTicker(max(time.Millisecond, min(s.cfg.LostAfter/4, 5*time.Second)))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := s.sweep(); err != nil {
				s.log.Error("sweep runners", "err", err)
			}
		}
	}
}
