package githubtest

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// commitInfo is a commit as git knows it.
type commitInfo struct {
	sha, tree, message, author, email string
	at                                time.Time
	parents                           []string
}

func (g gitDir) commitInfo(ctx context.Context, repo, ref string) (commitInfo, error) {
	sha, err := g.resolve(ctx, repo, ref)
	if err != nil {
		return commitInfo{}, err
	}
	out, err := g.run(ctx, repo, "show", "-s", "--format=%T%x00%P%x00%an%x00%ae%x00%at%x00%B", sha)
	if err != nil {
		return commitInfo{}, err
	}
	f := strings.SplitN(string(out), "\x00", 6)
	if len(f) != 6 {
		return commitInfo{}, errors.New("parse commit " + sha)
	}
	at, err := strconv.ParseInt(f[4], 10, 64)
	if err != nil {
		return commitInfo{}, errors.New("parse time of commit " + sha)
	}
	return commitInfo{
		sha: sha, tree: f[0], parents: strings.Fields(f[1]), author: f[2], email: f[3],
		at: time.Unix(at, 0).UTC(), message: strings.TrimRight(f[5], "\n"),
	}, nil
}

// treeEntry is one line of git ls-tree -l.
type treeEntry struct {
	kind, sha, path string
	size            int
}

func (g gitDir) list(ctx context.Context, repo, sha, dir string) ([]treeEntry, error) {
	args := []string{"ls-tree", "-l", "-z", sha}
	if dir != "" {
		args = append(args, "--", dir)
	}
	out, err := g.run(ctx, repo, args...)
	if err != nil {
		return nil, err
	}
	var entries []treeEntry
	for row := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		meta, name, found := strings.Cut(row, "\t")
		f := strings.Fields(meta)
		if !found || len(f) != 4 {
			continue
		}
		size, err := strconv.Atoi(f[3])
		if err != nil {
			size = 0 // a directory's is "-"
		}
		entries = append(entries, treeEntry{kind: f[1], sha: f[2], path: name, size: size})
	}
	return entries, nil
}

func (s *Server) getContents(r *request) (reply, error) {
	ref := r.URL.Query().Get("ref")
	if ref == "" {
		ref = r.repo.Branch
	}
	repo := r.repo.FullName()
	sha, err := s.git.resolve(r.Context(), repo, ref)
	if errors.Is(err, errNoObject) {
		return reply{}, refuse(http.StatusNotFound, "No commit found for the ref %s", ref)
	}
	if err != nil {
		return reply{}, err
	}
	name := strings.Trim(r.PathValue("path"), "/")
	found, err := s.git.list(r.Context(), repo, sha, name)
	if err != nil {
		return reply{}, err
	}
	if name != "" && len(found) == 1 && found[0].kind == "blob" {
		return s.fileReply(r, sha, found[0])
	}
	if name != "" {
		if len(found) == 0 {
			return reply{}, notFound()
		}
		if found, err = s.git.list(r.Context(), repo, sha, name+"/"); err != nil {
			return reply{}, err
		}
	}
	return ok(rendered(found, func(e treeEntry) obj { return s.contentEntry(r.repo, sha, e) })), nil
}

func (s *Server) fileReply(r *request, sha string, e treeEntry) (reply, error) {
	data, err := s.git.file(r.Context(), r.repo.FullName(), sha, e.path)
	if err != nil {
		return reply{}, err
	}
	if r.wantsRaw() {
		return reply{status: http.StatusOK, body: data, header: http.Header{"Content-Type": {"application/octet-stream"}}}, nil
	}
	body := s.contentEntry(r.repo, sha, e)
	body["encoding"], body["content"] = "base64", base64.StdEncoding.EncodeToString(data)
	return ok(body), nil
}

func (s *Server) contentEntry(repo Repository, sha string, e treeEntry) obj {
	api, html := s.apiURL()+"/repos/"+repo.FullName(), s.cfg.URL+"/"+repo.FullName()
	self := api + "/contents/" + escapePath(e.path) + "?ref=" + sha
	kind, page, git, download := "file", html+"/blob/"+sha+"/"+escapePath(e.path), api+"/git/blobs/"+e.sha, any(html+"/raw/"+sha+"/"+escapePath(e.path))
	if e.kind == "tree" {
		kind, page, git, download = "dir", html+"/tree/"+sha+"/"+escapePath(e.path), api+"/git/trees/"+e.sha, nil
	}
	return obj{
		"type": kind, "size": e.size, "name": path.Base(e.path), "path": e.path, "sha": e.sha,
		"url": self, "html_url": page, "git_url": git, "download_url": download,
		"_links": obj{"self": self, "git": git, "html": page},
	}
}

func (s *Server) getCommit(r *request) (reply, error) {
	info, err := s.git.commitInfo(r.Context(), r.repo.FullName(), r.PathValue("ref"))
	if errors.Is(err, errNoObject) {
		return reply{}, refuse(http.StatusUnprocessableEntity, "No commit found for SHA: %s", r.PathValue("ref"))
	}
	if err != nil {
		return reply{}, err
	}
	var body obj
	err = s.view(func(st *state) error { body = s.render(st).commit(r.repo, info); return nil })
	return ok(body), err
}

func (s *Server) getBranch(r *request) (reply, error) {
	name := r.PathValue("branch")
	info, err := s.git.commitInfo(r.Context(), r.repo.FullName(), "refs/heads/"+name)
	if errors.Is(err, errNoObject) {
		return reply{}, refuse(http.StatusNotFound, "Branch not found")
	}
	if err != nil {
		return reply{}, err
	}
	self := s.apiURL() + "/repos/" + r.repo.FullName() + "/branches/" + escapePath(name)
	var body obj
	err = s.view(func(st *state) error {
		body = obj{
			"name": name, "commit": s.render(st).commit(r.repo, info), "protected": false,
			"protection": obj{"enabled": false}, "protection_url": self + "/protection",
			"_links": obj{"self": self, "html": s.cfg.URL + "/" + r.repo.FullName() + "/tree/" + escapePath(name)},
		}
		return nil
	})
	return ok(body), err
}

// escapePath escapes a path's segments and keeps its slashes.
func escapePath(p string) string { return (&url.URL{Path: p}).EscapedPath() }
