package githubtest

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// review is what somebody says of a pull request as a whole.
type review struct {
	ID        int64     `json:"id"`
	Repo      int64     `json:"repo"`
	Pull      int64     `json:"pull"`
	Author    string    `json:"author"` // login
	Body      string    `json:"body"`
	Commit    string    `json:"commit"`
	At        time.Time `json:"at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// lineComment is a comment on a line of the changes. It belongs to a review, which
// GitHub makes where somebody writes the one without the other.
type lineComment struct {
	Comment
	Review int64  `json:"review"`
	Commit string `json:"commit"`
	Path   string `json:"path"`
	Line   int    `json:"line"`
}

// Review submits a review that neither approves nor asks for changes, and returns its id.
func (s *Server) Review(repo string, number int, login, body string) (int64, error) {
	var id int64
	err := s.update(func(st *state, x *tx) error {
		p, u, err := st.speaker(repo, number, login, body)
		if err != nil {
			return err
		}
		id, err = s.addReview(x, p, u.Login, body)
		return err
	})
	return id, err
}

// LineComment writes a comment on the first line of a file, and returns its id.
func (s *Server) LineComment(repo string, number int, login, body string) (int64, error) {
	var id int64
	err := s.update(func(st *state, x *tx) error {
		p, u, err := st.speaker(repo, number, login, body)
		if err != nil {
			return err
		}
		of, err := s.addReview(x, p, u.Login, "")
		if err != nil {
			return err
		}
		id = st.newID()
		c := lineComment{Review: of, Commit: p.HeadSHA, Path: "README.md", Line: 1, Comment: Comment{
			ID: id, Repo: p.Repo, Pull: p.ID, Author: u.Login, Body: body, CreatedAt: s.now(), UpdatedAt: s.now(),
		}}
		st.lines.put(x, c.ID, c)
		return s.emitLine(x, c, note{action: "created", sender: u.Login})
	})
	return id, err
}

// EditReview changes a review's text on behalf of a user.
func (s *Server) EditReview(id int64, login, body string) error {
	return s.update(func(st *state, x *tx) error {
		r, found := st.reviews.get(id)
		if !found {
			return notFound()
		}
		before := r.Body
		r.Body, r.UpdatedAt = body, s.now()
		st.reviews.put(x, r.ID, r)
		return s.emitReview(x, r, note{action: "edited", sender: login, more: obj{"changes": obj{"body": obj{"from": before}}}})
	})
}

// speaker returns a pull request and who says something on it, if that can be said.
func (st *state) speaker(repo string, number int, login, body string) (Pull, User, error) {
	p, err := st.pullOf(repo, number)
	if err != nil {
		return p, User{}, err
	}
	u, found := st.user(login)
	if !found {
		return p, u, fmt.Errorf("no user %s", login)
	}
	return p, u, checkComment(body)
}

// addReview puts a review with its webhook. The pull request counts as changed.
func (s *Server) addReview(x *tx, p Pull, login, body string) (int64, error) {
	r := review{ID: x.st.newID(), Repo: p.Repo, Pull: p.ID, Author: login, Body: body, Commit: p.HeadSHA, At: s.now(), UpdatedAt: s.now()}
	x.st.reviews.put(x, r.ID, r)
	p.UpdatedAt = s.now()
	x.st.pulls.put(x, p.ID, p)
	return r.ID, s.emitReview(x, r, note{action: "submitted", sender: login})
}

func (s *Server) emitReview(x *tx, r review, n note) error {
	p, _ := x.st.pulls.get(r.Pull)
	v := s.render(x.st)
	shown := v.review(r)
	shown["state"], shown["updated_at"] = strings.ToLower(shown["state"].(string)), r.UpdatedAt
	return s.emitOn(x, p, "pull_request_review", n.with("review", shown))
}

func (s *Server) emitLine(x *tx, c lineComment, n note) error {
	p, _ := x.st.pulls.get(c.Pull)
	return s.emitOn(x, p, "pull_request_review_comment", n.with("comment", s.render(x.st).lineComment(c)))
}

// with is the note with another field of the payload.
func (n note) with(key string, value obj) note {
	n.more = maps.Clone(n.more)
	if n.more == nil {
		n.more = obj{}
	}
	n.more[key] = value
	return n
}

// emitOn emits something that is said about a pull request.
func (s *Server) emitOn(x *tx, p Pull, name string, n note) error {
	v := s.render(x.st)
	n = n.with("pull_request", v.pull(p)).with("sender", v.login(n.sender))
	return s.emit(x, event{Name: name, Action: n.action, Repo: p.Repo}, n.more)
}

func (s *Server) listReviews(r *request) (reply, error) {
	var rep reply
	err := s.viewPull(r, func(v view, p Pull) {
		page, header := cut(s, r, v.st.reviews.filter(func(o review) bool { return o.Pull == p.ID }))
		rep = reply{status: http.StatusOK, body: rendered(page, v.review), header: header}
	})
	return rep, err
}

// listLineComments lists those on all of a repository's pull requests.
func (s *Server) listLineComments(r *request) (reply, error) {
	since, err := sinceOf(r)
	if err != nil {
		return reply{}, err
	}
	var rep reply
	err = s.view(func(st *state) error {
		all := st.lines.filter(func(c lineComment) bool { return c.Repo == r.repo.ID && !c.UpdatedAt.Before(since) })
		slices.SortStableFunc(all, func(a, b lineComment) int {
			if r.URL.Query().Get("sort") != "updated" {
				return cmp.Compare(a.ID, b.ID)
			}
			return a.UpdatedAt.Compare(b.UpdatedAt)
		})
		page, header := cut(s, r, all)
		rep = reply{status: http.StatusOK, body: rendered(page, s.render(st).lineComment), header: header}
		return nil
	})
	return rep, err
}

func (s *Server) reactToLine(r *request) (reply, error) {
	id, err := r.id("comment")
	if err != nil {
		return reply{}, err
	}
	return s.react(r, func(st *state, x *tx, add func(Comment) (Comment, bool)) error {
		c, found := st.lines.get(id)
		if !found || c.Repo != r.repo.ID {
			return notFound()
		}
		var fresh bool
		if c.Comment, fresh = add(c.Comment); fresh {
			st.lines.put(x, c.ID, c)
		}
		return nil
	})
}

func (v view) review(r review) obj {
	repo, p := v.st.repos.rows[r.Repo], v.st.pulls.rows[r.Pull]
	html := fmt.Sprintf("%s/%s/pull/%d#pullrequestreview-%d", v.html, repo.FullName(), p.Number, r.ID)
	pull := v.api + "/repos/" + repo.FullName() + "/pulls/" + strconv.Itoa(p.Number)
	return obj{
		"id": r.ID, "node_id": nodeID("PullRequestReview", r.ID), "user": v.login(r.Author), "body": r.Body, "state": "COMMENTED",
		"html_url": html, "pull_request_url": pull, "author_association": v.association(repo, r.Author), "submitted_at": r.At, "commit_id": r.Commit,
		"_links": obj{"html": obj{"href": html}, "pull_request": obj{"href": pull}},
	}
}

func (v view) lineComment(c lineComment) obj {
	repo, p := v.st.repos.rows[c.Repo], v.st.pulls.rows[c.Pull]
	at := fmt.Sprintf("%s/repos/%s/pulls/comments/%d", v.api, repo.FullName(), c.ID)
	html := fmt.Sprintf("%s/%s/pull/%d#discussion_r%d", v.html, repo.FullName(), p.Number, c.ID)
	pull := v.api + "/repos/" + repo.FullName() + "/pulls/" + strconv.Itoa(p.Number)
	return obj{
		"id": c.ID, "node_id": nodeID("PullRequestReviewComment", c.ID), "url": at, "html_url": html, "pull_request_url": pull,
		"pull_request_review_id": c.Review, "diff_hunk": "@@ -1 +1 @@", "path": c.Path, "position": 1, "original_position": 1,
		"line": c.Line, "original_line": c.Line, "start_line": nil, "original_start_line": nil, "side": "RIGHT", "start_side": nil,
		"commit_id": c.Commit, "original_commit_id": c.Commit, "user": v.login(c.Author), "body": c.Body,
		"created_at": c.CreatedAt, "updated_at": c.UpdatedAt, "author_association": v.association(repo, c.Author),
		"reactions": v.rollup(at, c.Reactions), "subject_type": "line",
		"_links": obj{"self": obj{"href": at}, "html": obj{"href": html}, "pull_request": obj{"href": pull}},
	}
}
