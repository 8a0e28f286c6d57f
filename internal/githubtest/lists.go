package githubtest

import (
	"net/http"
	"slices"
	"strings"
)

// listPulls lists a repository's pull requests, the newest first unless the
// request sorts otherwise.
func (s *Server) listPulls(r *request) (reply, error) {
	q := r.URL.Query()
	var rep reply
	err := s.view(func(st *state) error {
		all := st.pulls.filter(func(p Pull) bool {
			open := q.Get("state") != "closed"
			_, head, _ := strings.Cut(q.Get("head"), ":")
			return p.Repo == r.repo.ID && (q.Get("state") == "all" || p.Open() == open) &&
				(head == "" || p.Head == head) && (!q.Has("base") || p.Base == q.Get("base"))
		})
		if q.Get("sort") == "updated" {
			slices.SortStableFunc(all, func(a, b Pull) int { return a.UpdatedAt.Compare(b.UpdatedAt) })
		}
		if q.Get("direction") != "asc" {
			slices.Reverse(all)
		}
		page, header := cut(s, r, all)
		rep = reply{status: http.StatusOK, body: rendered(page, s.render(st).pull), header: header}
		return nil
	})
	return rep, err
}

// listRepoComments lists the comments on all of a repository's pull requests,
// by id unless the request sorts otherwise.
func (s *Server) listRepoComments(r *request) (reply, error) {
	since, err := sinceOf(r)
	if err != nil {
		return reply{}, err
	}
	q := r.URL.Query()
	var rep reply
	err = s.view(func(st *state) error {
		all := st.comments.filter(func(c Comment) bool { return c.Repo == r.repo.ID && !c.UpdatedAt.Before(since) })
		if q.Get("sort") == "updated" {
			slices.SortStableFunc(all, func(a, b Comment) int { return a.UpdatedAt.Compare(b.UpdatedAt) })
			if q.Get("direction") != "asc" {
				slices.Reverse(all)
			}
		}
		page, header := cut(s, r, all)
		rep = reply{status: http.StatusOK, body: rendered(page, s.render(st).comment), header: header}
		return nil
	})
	return rep, err
}
