package githubtest

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

func (s *Server) getRef(r *request) (reply, error) {
	name := r.PathValue("ref")
	sha, err := s.git.resolve(r.Context(), r.repo.FullName(), "refs/"+name)
	if errors.Is(err, errNoObject) {
		return reply{}, notFound()
	}
	return ok(s.ref(r.repo, "refs/"+name, sha)), err
}

func (s *Server) ref(repo Repository, name, sha string) obj {
	at := s.apiURL() + "/repos/" + repo.FullName() + "/git/"
	return obj{
		"ref": name, "node_id": nodeID("Ref", repo.ID), "url": at + name,
		"object": obj{"type": "commit", "sha": sha, "url": at + "commits/" + sha},
	}
}

// createRef makes a branch; nothing moves one that is there.
func (s *Server) createRef(r *request) (reply, error) {
	var want struct {
		Ref string `json:"ref"`
		SHA string `json:"sha"`
	}
	if err := r.decode(&want); err != nil {
		return reply{}, err
	}
	repo := r.repo.FullName()
	branch, isBranch := strings.CutPrefix(want.Ref, "refs/heads/")
	if !isBranch || branch == "" || strings.Contains(branch, "..") {
		return reply{}, refuse(http.StatusUnprocessableEntity, "Reference name must start with 'refs/' and contain at least three parts")
	}
	if s.git.isBranchOrTag(r.Context(), repo, branch) {
		return reply{}, refuse(http.StatusUnprocessableEntity, "Reference already exists")
	}
	sha, err := s.git.resolve(r.Context(), repo, want.SHA)
	if errors.Is(err, errNoObject) || err == nil && sha != want.SHA {
		return reply{}, refuse(http.StatusUnprocessableEntity, "Object does not exist")
	}
	if err != nil {
		return reply{}, err
	}
	if _, err := s.git.run(r.Context(), repo, "update-ref", want.Ref, sha, strings.Repeat("0", 40)); err != nil {
		return reply{}, refuse(http.StatusUnprocessableEntity, "Reference update failed")
	}
	return reply{status: http.StatusCreated, body: s.ref(r.repo, want.Ref, sha)}, nil
}

// fileBody is the body of creating and of changing a file.
type fileBody struct {
	Message string `json:"message"`
	Content string `json:"content"`
	SHA     string `json:"sha"` // of the file that is replaced
	Branch  string `json:"branch"`
}

func (s *Server) putContents(r *request) (reply, error) {
	var want fileBody
	if err := r.decode(&want); err != nil {
		return reply{}, err
	}
	if want.Branch == "" {
		want.Branch = r.repo.Branch
	}
	data, err := base64.StdEncoding.DecodeString(want.Content)
	if err != nil || want.Message == "" {
		return reply{}, refuse(http.StatusUnprocessableEntity, "content is not valid Base64, or there is no message")
	}
	name := strings.Trim(r.PathValue("path"), "/")
	status, err := s.mayPut(r, want, name)
	if err != nil {
		return reply{}, err
	}
	sha, err := s.Push(r.Context(), Commit{
		Repo: r.repo.FullName(), Branch: want.Branch, Message: want.Message, Author: s.botLogin(), Files: map[string]File{name: {Data: data}},
	})
	if err != nil {
		return reply{}, err
	}
	found, err := s.git.list(r.Context(), r.repo.FullName(), sha, name)
	if err != nil || len(found) != 1 {
		return reply{}, errors.Join(err, errNoObject)
	}
	info, err := s.git.commitInfo(r.Context(), r.repo.FullName(), sha)
	if err != nil {
		return reply{}, err
	}
	at := "/" + r.repo.FullName() + "/commit/" + sha
	who := obj{"name": info.author, "email": info.email, "date": info.at}
	return reply{status: status, body: obj{
		"content": s.contentEntry(r.repo, sha, found[0]),
		"commit": obj{
			"sha": sha, "node_id": nodeID("Commit", r.repo.ID), "url": s.apiURL() + "/repos" + at, "html_url": s.cfg.URL + at,
			"author": who, "committer": who, "message": info.message,
		},
	}}, nil
}

// mayPut reports how a file's change is answered: it must name what it replaces.
func (s *Server) mayPut(r *request, want fileBody, name string) (int, error) {
	head, err := s.git.resolve(r.Context(), r.repo.FullName(), "refs/heads/"+want.Branch)
	if errors.Is(err, errNoObject) {
		return 0, refuse(http.StatusNotFound, "Branch %s not found", want.Branch)
	}
	if err != nil {
		return 0, err
	}
	found, err := s.git.list(r.Context(), r.repo.FullName(), head, name)
	switch {
	case err != nil:
		return 0, err
	case len(found) == 0 && want.SHA == "":
		return http.StatusCreated, nil
	case len(found) == 0 || want.SHA != "" && found[0].sha != want.SHA:
		return 0, refuse(http.StatusConflict, "%s does not match %s", name, want.SHA)
	case want.SHA == "":
		return 0, refuse(http.StatusUnprocessableEntity, "Invalid request.\n\n\"sha\" wasn't supplied.")
	}
	return http.StatusOK, nil
}

func (s *Server) createPull(r *request) (reply, error) {
	var want struct {
		Title string `json:"title"`
		Body  string `json:"body"`
		Head  string `json:"head"`
		Base  string `json:"base"`
	}
	if err := r.decode(&want); err != nil {
		return reply{}, err
	}
	_, head, qualified := strings.Cut(want.Head, ":")
	if !qualified {
		head = want.Head
	}
	var known bool
	err := s.view(func(st *state) error {
		_, known = st.pulls.find(func(p Pull) bool { return p.Repo == r.repo.ID && p.Head == head && p.Base == want.Base && p.Open() })
		return nil
	})
	if err != nil {
		return reply{}, err
	}
	if known {
		return reply{}, invalid("PullRequest", "head", "A pull request already exists for "+want.Head)
	}
	p, err := s.OpenPull(r.Context(), NewPull{
		Repo: r.repo.FullName(), Head: head, Base: want.Base, Title: want.Title, Body: want.Body, Author: s.botLogin(),
	})
	if err != nil {
		return reply{}, invalid("PullRequest", "head", err.Error())
	}
	var body obj
	err = s.view(func(st *state) error { body = s.render(st).pull(p); return nil })
	return reply{status: http.StatusCreated, body: body}, err
}

// FileAt returns a file of a branch of OWNER/NAME.
func (s *Server) FileAt(ctx context.Context, repo, branch, path string) ([]byte, error) {
	sha, err := s.git.resolve(ctx, repo, branch)
	if err != nil {
		return nil, err
	}
	return s.git.file(ctx, repo, sha, path)
}
