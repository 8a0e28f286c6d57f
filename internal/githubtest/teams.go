package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// team is a team of an organization.
type team struct {
	ID      int64    `json:"id"`
	Org     string   `json:"org"`
	Slug    string   `json:"slug"`
	Members []string `json:"members"` // logins
	Invited []string `json:"invited"` // who has not answered yet
}

// SetTeam makes a team of an organization have these members, and these who were
// invited and have not answered.
func (s *Server) SetTeam(org, slug string, members, invited []string) error {
	return s.update(func(st *state, x *tx) error {
		owner, found := st.user(org)
		if !found || owner.Type != "Organization" {
			return fmt.Errorf("set team %s: no organization %s", slug, org)
		}
		t, found := st.team(org, slug)
		if !found {
			t = team{ID: st.newID(), Org: org, Slug: slug}
		}
		t.Members, t.Invited = slices.Clone(members), slices.Clone(invited)
		st.teams.put(x, t.ID, t)
		return nil
	})
}

func (st *state) team(org, slug string) (team, bool) {
	return st.teams.find(func(t team) bool { return strings.EqualFold(t.Org, org) && t.Slug == slug })
}

// getMembership tells of those who are in a team, or in a team below it as on
// GitHub, and of those who were asked to join.
func (s *Server) getMembership(r *request) (reply, error) {
	if !r.token.allows("members:read") {
		return reply{}, refuse(http.StatusForbidden, "Resource not accessible by integration")
	}
	org, slug, login := r.PathValue("org"), r.PathValue("team"), r.PathValue("login")
	if !strings.EqualFold(org, r.install.Account) {
		return reply{}, notFound()
	}
	standing := ""
	err := s.view(func(st *state) error {
		t, _ := st.team(org, slug)
		is := func(name string) bool { return strings.EqualFold(name, login) }
		switch {
		case slices.ContainsFunc(t.Members, is):
			standing = "active"
		case slices.ContainsFunc(t.Invited, is):
			standing = "pending"
		default:
			return notFound()
		}
		return nil
	})
	at := s.apiURL() + "/orgs/" + org + "/teams/" + slug + "/memberships/" + login
	return ok(obj{"state": standing, "role": "member", "url": at}), err
}
