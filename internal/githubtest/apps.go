package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Install puts the App on an account's repositories: on those named, or on all
// when none is. Installing again changes nothing and returns the same id.
func (s *Server) Install(account string, names ...string) (int64, error) {
	var id int64
	err := s.update(func(st *state, x *tx) error {
		if _, ok := st.user(account); !ok {
			return fmt.Errorf("install App: no account %s", account)
		}
		if inst, ok := st.installs.find(func(i installation) bool { return strings.EqualFold(i.Account, account) }); ok {
			id = inst.ID
			return nil
		}
		inst := installation{ID: st.newID(), Account: account, CreatedAt: s.now()}
		for _, name := range names {
			repo, ok := st.repo(account, name)
			if !ok {
				return fmt.Errorf("install App: no repository %s/%s", account, name)
			}
			inst.Repos = append(inst.Repos, repo.ID)
		}
		id = inst.ID
		st.installs.put(x, id, inst)
		return nil
	})
	return id, err
}

func (s *Server) getApp(*request) (reply, error) {
	var body obj
	err := s.view(func(st *state) error { body = s.render(st).app(); return nil })
	return ok(body), err
}

func (s *Server) listInstallations(r *request) (reply, error) {
	var rep reply
	err := s.view(func(st *state) error {
		page, header := cut(s, r, st.installs.filter(nil))
		rep = reply{status: http.StatusOK, body: rendered(page, s.render(st).installation), header: header}
		return nil
	})
	return rep, err
}

func (s *Server) getInstallation(r *request) (reply, error) {
	id, err := r.id("installation")
	if err != nil {
		return reply{}, err
	}
	var body obj
	err = s.view(func(st *state) error {
		inst, found := st.installs.get(id)
		if !found {
			return notFound()
		}
		body = s.render(st).installation(inst)
		return nil
	})
	return ok(body), err
}

func (s *Server) getRepoInstallation(r *request) (reply, error) {
	var body obj
	err := s.view(func(st *state) error {
		repo, found := st.repo(r.PathValue("owner"), r.PathValue("repo"))
		if !found {
			return notFound()
		}
		inst, found := st.installationFor(repo)
		if !found {
			return notFound()
		}
		body = s.render(st).installation(inst)
		return nil
	})
	return ok(body), err
}

func (s *Server) listInstallationRepos(r *request) (reply, error) {
	var rep reply
	err := s.view(func(st *state) error {
		all := st.repos.filter(r.opens)
		page, header := cut(s, r, all)
		selection := "all"
		if r.token.Repos != nil {
			selection = "selected"
		}
		rep = reply{status: http.StatusOK, header: header, body: obj{
			"total_count": len(all), "repository_selection": selection, "repositories": rendered(page, s.render(st).repo),
		}}
		return nil
	})
	return rep, err
}

func (s *Server) getHookConfig(*request) (reply, error) {
	return ok(obj{"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": s.cfg.WebhookURL}), nil
}

// subscribed reports whether the App is sent a kind of event.
func (s *Server) subscribed(event string) bool {
	return s.cfg.WebhookURL != "" && slices.Contains(s.cfg.Events, event)
}
