package githubtest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// CheckRun is a check run of the App on a commit.
type CheckRun struct {
	ID          int64         `json:"id"`
	Repo        int64         `json:"repo"`
	Name        string        `json:"name"`
	HeadSHA     string        `json:"head_sha"`
	External    string        `json:"external_id"`
	Details     string        `json:"details_url"`
	Status      string        `json:"status"`     // queued, in_progress or completed
	Conclusion  string        `json:"conclusion"` // "" until completed
	Title       string        `json:"title"`
	Summary     string        `json:"summary"` // Markdown, as Text
	Text        string        `json:"text"`
	Annotations []Annotation  `json:"annotations"`
	Actions     []CheckAction `json:"actions"`
	StartedAt   time.Time     `json:"started_at,omitzero"`
	CompletedAt time.Time     `json:"completed_at,omitzero"`
}

// Annotation marks lines of a file of the commit.
type Annotation struct {
	Path        string `json:"path"`
	StartLine   int    `json:"start_line"`
	EndLine     int    `json:"end_line"`
	StartColumn int    `json:"start_column,omitzero"` // 0 is none
	EndColumn   int    `json:"end_column,omitzero"`
	Level       string `json:"annotation_level"` // notice, warning or failure
	Title       string `json:"title"`
	Message     string `json:"message"`
	RawDetails  string `json:"raw_details"`
}

// CheckAction is a button on a check run.
type CheckAction struct {
	Label       string `json:"label"`
	Description string `json:"description"`
	Identifier  string `json:"identifier"`
}

func (s *Server) createCheckRun(r *request) (reply, error) {
	var b checkBody
	if err := r.decode(&b); err != nil {
		return reply{}, err
	}
	if err := b.check(true); err != nil {
		return reply{}, err
	}
	sha, err := s.git.resolve(r.Context(), r.repo.FullName(), *b.HeadSHA)
	if errors.Is(err, errNoObject) || err == nil && sha != *b.HeadSHA {
		return reply{}, refuse(http.StatusUnprocessableEntity, "No commit found for SHA: %s", *b.HeadSHA)
	}
	if err != nil {
		return reply{}, err
	}
	var body obj
	err = s.update(func(st *state, x *tx) error {
		c := b.apply(CheckRun{ID: st.newID(), Repo: r.repo.ID, HeadSHA: sha, Status: "queued"}, s.now())
		st.checks.put(x, c.ID, c)
		body = s.render(st).check(c)
		if err := s.emitCheck(x, c, note{action: "created", sender: s.botLogin()}); err != nil || c.Status != "completed" {
			return err
		}
		return s.emitCheck(x, c, note{action: "completed", sender: s.botLogin()})
	})
	return reply{status: http.StatusCreated, body: body}, err
}

func (s *Server) updateCheckRun(r *request) (reply, error) {
	var b checkBody
	if err := r.decode(&b); err != nil {
		return reply{}, err
	}
	if err := b.check(false); err != nil {
		return reply{}, err
	}
	var body obj
	err := s.update(func(st *state, x *tx) error {
		old, err := st.checkOf(r)
		if err != nil {
			return err
		}
		c := b.apply(old, s.now())
		st.checks.put(x, c.ID, c)
		body = s.render(st).check(c)
		if old.Status == "completed" || c.Status != "completed" {
			return nil
		}
		return s.emitCheck(x, c, note{action: "completed", sender: s.botLogin()})
	})
	return ok(body), err
}

// checkOf finds the check run of the repository that a request names.
func (st *state) checkOf(r *request) (CheckRun, error) {
	id, err := r.id("check")
	if err != nil {
		return CheckRun{}, err
	}
	c, found := st.checks.get(id)
	if !found || c.Repo != r.repo.ID {
		return c, notFound()
	}
	return c, nil
}

func (s *Server) getCheckRun(r *request) (reply, error) {
	var body obj
	err := s.view(func(st *state) error {
		c, err := st.checkOf(r)
		body = s.render(st).check(c)
		return err
	})
	return ok(body), err
}

func (s *Server) listAnnotations(r *request) (reply, error) {
	var rep reply
	err := s.view(func(st *state) error {
		c, err := st.checkOf(r)
		if err != nil {
			return err
		}
		page, header := cut(s, r, c.Annotations)
		rep = reply{status: http.StatusOK, header: header, body: rendered(page, func(a Annotation) obj {
			return s.annotation(r.repo, c.HeadSHA, a)
		})}
		return nil
	})
	return rep, err
}

// listCheckRuns lists those of a commit; filter=latest, the default, shows only
// the newest of each name.
func (s *Server) listCheckRuns(r *request) (reply, error) {
	ref := r.PathValue("ref")
	sha, err := s.git.resolve(r.Context(), r.repo.FullName(), ref)
	if errors.Is(err, errNoObject) {
		return reply{}, refuse(http.StatusUnprocessableEntity, "No commit found for SHA: %s", ref)
	}
	if err != nil {
		return reply{}, err
	}
	q := r.URL.Query()
	var rep reply
	err = s.view(func(st *state) error {
		all := st.checks.filter(func(c CheckRun) bool {
			return c.Repo == r.repo.ID && c.HeadSHA == sha &&
				(!q.Has("check_name") || q.Get("check_name") == c.Name) &&
				(!q.Has("status") || q.Get("status") == c.Status) &&
				(!q.Has("app_id") || q.Get("app_id") == fmt.Sprint(s.cfg.AppID))
		})
		if q.Get("filter") != "all" {
			all = latest(all)
		}
		page, header := cut(s, r, all)
		rep = reply{status: http.StatusOK, header: header, body: obj{
			"total_count": len(all), "check_runs": rendered(page, s.render(st).check),
		}}
		return nil
	})
	return rep, err
}

// latest keeps the newest check run of each name, in order of first creation.
func latest(all []CheckRun) []CheckRun {
	var out []CheckRun
	for _, c := range all {
		i := slices.IndexFunc(out, func(o CheckRun) bool { return o.Name == c.Name })
		if i < 0 {
			out = append(out, c)
		} else {
			out[i] = c
		}
	}
	return out
}

// Rerequest presses "Re-run" on a check run on behalf of a user. It is queued
// again, with what it said before.
func (s *Server) Rerequest(check int64, login string) error {
	return s.update(func(st *state, x *tx) error {
		c, found := st.checks.get(check)
		if !found {
			return notFound()
		}
		c.Status, c.Conclusion, c.CompletedAt = "queued", "", time.Time{}
		st.checks.put(x, c.ID, c)
		return s.emitCheck(x, c, note{action: "rerequested", sender: login})
	})
}

// RerequestSuite presses "Re-run all checks" on a commit on behalf of a user.
func (s *Server) RerequestSuite(repo, sha, login string) error {
	return s.update(func(st *state, x *tx) error {
		r, err := st.repository(repo)
		if err != nil {
			return err
		}
		c, found := st.checks.find(func(c CheckRun) bool { return c.Repo == r.ID && c.HeadSHA == sha })
		if !found {
			return notFound()
		}
		return s.emitSuite(x, c, note{action: "rerequested", sender: login})
	})
}

// RequestAction presses one of a check run's own buttons on behalf of a user.
func (s *Server) RequestAction(check int64, identifier, login string) error {
	return s.update(func(st *state, x *tx) error {
		c, found := st.checks.get(check)
		if !found || !slices.ContainsFunc(c.Actions, func(a CheckAction) bool { return a.Identifier == identifier }) {
			return notFound()
		}
		return s.emitCheck(x, c, note{action: "requested_action", sender: login, more: obj{"requested_action": obj{"identifier": identifier}}})
	})
}
