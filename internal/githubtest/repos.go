package githubtest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
)

var (
	loginPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,38}(\[bot\])?$`)
	namePattern  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
)

// CreateUser adds an account of a type: User, Organization or Bot. One that
// exists is returned as it is.
func (s *Server) CreateUser(login, kind string) (User, error) {
	if !loginPattern.MatchString(login) {
		return User{}, fmt.Errorf("create user: %q is no login", login)
	}
	var u User
	err := s.update(func(st *state, x *tx) error {
		var found bool
		if u, found = st.user(login); found {
			return nil
		}
		u = User{ID: st.newID(), Login: login, Type: kind, CreatedAt: s.now()}
		st.users.put(x, u.ID, u)
		return nil
	})
	return u, err
}

// CreateRepository adds an empty public repository OWNER/NAME with the roles of
// its collaborators by login. One that exists gets these roles.
func (s *Server) CreateRepository(ctx context.Context, fullName string, roles map[string]string) (Repository, error) {
	owner, name, _ := strings.Cut(fullName, "/")
	if !namePattern.MatchString(name) || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".git") {
		return Repository{}, fmt.Errorf("create repository: %q is no name", fullName)
	}
	err := s.view(func(st *state) error {
		for login := range roles {
			if _, ok := st.user(login); !ok {
				return fmt.Errorf("create repository %s: no user %s", fullName, login)
			}
		}
		if _, ok := st.user(owner); !ok {
			return fmt.Errorf("create repository %s: no owner", fullName)
		}
		return nil
	})
	if err != nil {
		return Repository{}, err
	}
	if err := s.git.create(ctx, fullName); err != nil {
		return Repository{}, err
	}
	var repo Repository
	err = s.update(func(st *state, x *tx) error {
		var found bool
		if repo, found = st.repo(owner, name); !found {
			repo = Repository{ID: st.newID(), Owner: owner, Name: name, Branch: "main", CreatedAt: s.now()}
		}
		if found && maps.Equal(repo.Roles, roles) {
			return nil
		}
		repo.Roles = maps.Clone(roles)
		st.repos.put(x, repo.ID, repo)
		return nil
	})
	return repo, err
}

// repository finds a repository by OWNER/NAME.
func (st *state) repository(fullName string) (Repository, error) {
	owner, name, _ := strings.Cut(fullName, "/")
	repo, ok := st.repo(owner, name)
	if !ok {
		return repo, fmt.Errorf("no repository %s", fullName)
	}
	return repo, nil
}

func (s *Server) getRepo(r *request) (reply, error) {
	var body obj
	err := s.view(func(st *state) error { body = s.render(st).repo(r.repo); return nil })
	return ok(body), err
}

// getPermission answers what GitHub knows of anybody: on a public repository a
// stranger's role is read.
func (s *Server) getPermission(r *request) (reply, error) {
	var body obj
	err := s.view(func(st *state) error {
		u, found := st.user(r.PathValue("login"))
		if !found {
			return notFound()
		}
		role := r.repo.role(u.Login)
		account := s.render(st).user(u)
		account["role_name"] = role
		account["permissions"] = permissionsOf(role)
		body = obj{"permission": legacyRole(role), "role_name": role, "user": account}
		return nil
	})
	return reply{status: http.StatusOK, body: body}, err
}

// legacyRole is the older, coarser word: maintain is write, triage is read. A
// custom role shows as the one it builds upon, which is read here.
func legacyRole(role string) string {
	switch role {
	case "admin", "none":
		return role
	case "maintain", "write":
		return "write"
	}
	return "read"
}

func permissionsOf(role string) obj {
	rank := map[string]int{"read": 1, "triage": 2, "write": 3, "maintain": 4, "admin": 5}[role]
	return obj{"pull": rank >= 1, "triage": rank >= 2, "push": rank >= 3, "maintain": rank >= 4, "admin": rank >= 5}
}
