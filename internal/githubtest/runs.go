package githubtest

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// WorkflowRun is one run of a workflow file.
type WorkflowRun struct {
	ID          int64             `json:"id"`
	Repo        int64             `json:"repo"`
	Workflow    int64             `json:"workflow"`
	Path        string            `json:"path"`
	Name        string            `json:"name"`
	Title       string            `json:"title"` // run-name, evaluated
	Number      int               `json:"number"`
	Again       int               `json:"again,omitempty"` // how often it was started again
	Actor       string            `json:"actor"`           // login
	Event       string            `json:"event"`
	Branch      string            `json:"branch"`
	HeadSHA     string            `json:"head_sha"`
	Tree        string            `json:"tree"`
	Message     string            `json:"message"`
	Committer   string            `json:"committer"`
	CommittedAt time.Time         `json:"committed_at"`
	Text        string            `json:"text"` // of the workflow file
	Inputs      map[string]string `json:"inputs"`
	Status      string            `json:"status"`     // queued, in_progress or completed
	Conclusion  string            `json:"conclusion"` // "" until completed
	CreatedAt   time.Time         `json:"created_at"`
	UpdatedAt   time.Time         `json:"updated_at"`
}

// Job is one job of a workflow run: one leg of the matrix.
type Job struct {
	ID          int64             `json:"id"`
	Repo        int64             `json:"repo"`
	Run         int64             `json:"run"`
	Key         string            `json:"key"` // in the workflow file
	Name        string            `json:"name"`
	Labels      []string          `json:"labels"`
	Inputs      map[string]string `json:"inputs"`     // of the workflow run, the matrix narrowed to this leg
	Matrix      []string          `json:"matrix"`     // KEY:VALUE of the leg where the file itself lists values
	Minutes     int               `json:"minutes"`    // how long it may run
	Status      string            `json:"status"`     // queued, in_progress or completed
	Conclusion  string            `json:"conclusion"` // "" until completed
	Runner      int64             `json:"runner"`     // 0 until a runner took it
	RunnerName  string            `json:"runner_name"`
	Cancel      bool              `json:"cancel"` // its runner is told to stop
	CreatedAt   time.Time         `json:"created_at"`
	StartedAt   time.Time         `json:"started_at,omitzero"`
	CompletedAt time.Time         `json:"completed_at,omitzero"`
}

// addRun stores a new workflow run with its jobs, all queued.
func (s *Server) addRun(x *tx, run WorkflowRun, jobs []Job) (WorkflowRun, error) {
	flow := s.ensureFlow(x, run.Repo, run.Path, run.Name)
	run.ID, run.Workflow, run.CreatedAt, run.UpdatedAt = x.st.newID(), flow.ID, s.now(), s.now()
	run.Number = 1 + len(x.st.runs.filter(func(o WorkflowRun) bool { return o.Workflow == flow.ID }))
	if run.Title == "" {
		run.Title = run.Name
	}
	x.st.runs.put(x, run.ID, run)
	if err := s.emitRun(x, run, "requested"); err != nil {
		return run, err
	}
	for _, j := range jobs {
		j.ID, j.Repo, j.Run, j.CreatedAt = x.st.newID(), run.Repo, run.ID, s.now()
		x.st.jobs.put(x, j.ID, j)
		if err := s.emitJob(x, j, "queued"); err != nil {
			return run, err
		}
	}
	return run, nil
}

// startJob gives a queued job to a runner.
func (s *Server) startJob(x *tx, j Job, r Runner) (Job, error) {
	j.Status, j.Runner, j.RunnerName, j.StartedAt = "in_progress", r.ID, r.Name, s.now()
	x.st.jobs.put(x, j.ID, j)
	r.Job = j.ID
	x.st.runners.put(x, r.ID, r)
	run, _ := x.st.runs.get(j.Run)
	if run.Status == "queued" {
		run.Status, run.UpdatedAt = "in_progress", s.now()
		x.st.runs.put(x, run.ID, run)
		if err := s.emitRun(x, run, "in_progress"); err != nil {
			return j, err
		}
	}
	return j, s.emitJob(x, j, "in_progress")
}

// finishJob ends a job, removes its runner, which serves no other, and ends the
// workflow run when it was the last job. A finished job stays as it is.
func (s *Server) finishJob(x *tx, j Job, conclusion string) error {
	if j.Status == "completed" {
		return nil
	}
	j.Status, j.Conclusion, j.CompletedAt = "completed", conclusion, s.now()
	if j.StartedAt.IsZero() {
		j.StartedAt = j.CompletedAt
	}
	x.st.jobs.put(x, j.ID, j)
	if j.Runner != 0 {
		x.st.runners.remove(x, j.Runner)
	}
	if err := s.emitJob(x, j, "completed"); err != nil {
		return err
	}
	run, _ := x.st.runs.get(j.Run)
	jobs := x.st.jobsOf(run.ID)
	if slices.ContainsFunc(jobs, func(o Job) bool { return o.Status != "completed" }) {
		return nil
	}
	run.Status, run.Conclusion, run.UpdatedAt = "completed", worst(jobs), s.now()
	x.st.runs.put(x, run.ID, run)
	return s.emitRun(x, run, "completed")
}

// worst is the conclusion of a workflow run from its jobs'.
func worst(jobs []Job) string {
	for _, c := range []string{"failure", "cancelled"} {
		if slices.ContainsFunc(jobs, func(j Job) bool { return j.Conclusion == c }) {
			return c
		}
	}
	return "success"
}

func (st *state) jobsOf(run int64) []Job {
	return st.jobs.filter(func(j Job) bool { return j.Run == run })
}

func (s *Server) listRuns(r *request) (reply, error) {
	q := r.URL.Query()
	is := func(key, value string) bool { return !q.Has(key) || q.Get(key) == value }
	var rep reply
	err := s.view(func(st *state) error {
		all := st.runs.filter(func(w WorkflowRun) bool {
			return w.Repo == r.repo.ID && is("event", w.Event) && is("branch", w.Branch) && is("actor", w.Actor) &&
				is("head_sha", w.HeadSHA) && (is("status", w.Status) || is("status", w.Conclusion))
		})
		slices.Reverse(all)
		page, header := cut(s, r, all)
		rep = reply{status: http.StatusOK, header: header, body: obj{
			"total_count": len(all), "workflow_runs": rendered(page, s.render(st).run),
		}}
		return nil
	})
	return rep, err
}

// runOf finds the workflow run of the repository that a request names.
func (st *state) runOf(r *request) (WorkflowRun, error) {
	id, err := r.id("run")
	if err != nil {
		return WorkflowRun{}, err
	}
	run, found := st.runs.get(id)
	if !found || run.Repo != r.repo.ID {
		return run, notFound()
	}
	return run, nil
}

func (s *Server) getRun(r *request) (reply, error) {
	var body obj
	err := s.view(func(st *state) error {
		run, err := st.runOf(r)
		body = s.render(st).run(run)
		return err
	})
	return ok(body), err
}

func (s *Server) listJobs(r *request) (reply, error) {
	var rep reply
	err := s.view(func(st *state) error {
		run, err := st.runOf(r)
		if err != nil {
			return err
		}
		all := st.jobsOf(run.ID)
		page, header := cut(s, r, all)
		rep = reply{status: http.StatusOK, header: header, body: obj{
			"total_count": len(all), "jobs": rendered(page, s.render(st).job),
		}}
		return nil
	})
	return rep, err
}

// cancelRun ends the queued jobs at once and tells the runners of the others.
func (s *Server) cancelRun(r *request) (reply, error) {
	err := s.update(func(st *state, x *tx) error {
		run, err := st.runOf(r)
		if err != nil {
			return err
		}
		if run.Status == "completed" {
			return refuse(http.StatusConflict, "Cannot cancel a workflow run that is completed.")
		}
		for _, j := range st.jobsOf(run.ID) {
			switch j.Status {
			case "queued":
				err = s.finishJob(x, j, "cancelled")
			case "in_progress":
				j.Cancel = true
				st.jobs.put(x, j.ID, j)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return reply{status: http.StatusAccepted, body: obj{}}, err
}

// Rerun starts a workflow run again on behalf of a user, as GitHub's own "Re-run all
// jobs" does: its jobs are queued as they were.
func (s *Server) Rerun(run int64, login string) error {
	return s.update(func(st *state, x *tx) error {
		w, found := st.runs.get(run)
		if !found || w.Status != "completed" {
			return notFound()
		}
		w.Again++
		w.Status, w.Conclusion, w.Actor, w.UpdatedAt = "queued", "", login, s.now()
		st.runs.put(x, w.ID, w)
		if err := s.emitRun(x, w, "requested"); err != nil {
			return err
		}
		for _, j := range st.jobsOf(w.ID) {
			j.Status, j.Conclusion, j.Runner, j.RunnerName, j.Cancel = "queued", "", 0, "", false
			j.StartedAt, j.CompletedAt = time.Time{}, time.Time{}
			st.jobs.put(x, j.ID, j)
			if err := s.emitJob(x, j, "queued"); err != nil {
				return err
			}
		}
		return nil
	})
}

// jobOf finds the job of the repository that a request names.
func (st *state) jobOf(r *request) (Job, error) {
	id, err := r.id("job")
	if err != nil {
		return Job{}, err
	}
	j, found := st.jobs.get(id)
	if !found || j.Repo != r.repo.ID {
		return j, notFound()
	}
	return j, nil
}

func (s *Server) getJob(r *request) (reply, error) {
	var body obj
	err := s.view(func(st *state) error {
		j, err := st.jobOf(r)
		if err == nil {
			body = s.render(st).job(j)
		}
		return err
	})
	return ok(body), err
}

// getJobLog redirects to the log, as GitHub does to its store.
func (s *Server) getJobLog(r *request) (reply, error) {
	var j Job
	err := s.view(func(st *state) (err error) { j, err = st.jobOf(r); return err })
	if err != nil {
		return reply{}, err
	}
	if _, err := os.Stat(s.logPath(j.ID)); err != nil {
		return reply{}, notFound()
	}
	at := s.cfg.URL + "/_runner/logs/" + strconv.FormatInt(j.ID, 10)
	return reply{status: http.StatusFound, header: http.Header{"Location": {at}}}, nil
}

func (s *Server) logPath(job int64) string {
	return filepath.Join(s.cfg.Dir, "logs", strconv.FormatInt(job, 10)+".log")
}
