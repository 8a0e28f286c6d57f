package githubtest

import (
	"context"
	"maps"
	"net/http"
	"strings"
)

// refs returns the refs below refs/KIND/ with the commits that they mean.
func (s *Server) refs(r *request, kind string) ([]obj, error) {
	repo := r.repo.FullName()
	out, err := s.git.run(r.Context(), repo, "for-each-ref", "--format=%(refname:lstrip=2) %(objectname) %(*objectname)", "refs/"+kind+"/")
	if err != nil {
		return nil, err
	}
	at := s.apiURL() + "/repos/" + repo
	var all []obj
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		sha := words[len(words)-1]
		o := obj{"name": words[0], "commit": obj{"sha": sha, "url": at + "/commits/" + sha}}
		if kind == "tags" {
			maps.Copy(o, obj{"node_id": nodeID("Ref", r.repo.ID) + words[0], "zipball_url": at + "/zipball/" + words[0], "tarball_url": at + "/tarball/" + words[0]})
		} else {
			o["protected"] = false
		}
		all = append(all, o)
	}
	return all, nil
}

func (s *Server) listBranches(r *request) (reply, error) { return s.listRefs(r, "heads") }

func (s *Server) listTags(r *request) (reply, error) { return s.listRefs(r, "tags") }

func (s *Server) listRefs(r *request, kind string) (reply, error) {
	all, err := s.refs(r, kind)
	if err != nil {
		return reply{}, err
	}
	page, header := cut(s, r, all)
	if page == nil {
		page = []obj{}
	}
	return reply{status: http.StatusOK, header: header, body: page}, nil
}

// HasBranch reports whether a repository has a branch.
func (s *Server) HasBranch(ctx context.Context, repo, branch string) bool {
	sha, err := s.git.resolve(ctx, repo, branch)
	return err == nil && sha != ""
}
