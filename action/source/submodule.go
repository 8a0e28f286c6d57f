package source

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// maxDepth bounds submodules of submodules: a repository may name itself.
const maxDepth = 8

// submodule is a repository that another one has in a folder.
type submodule struct{ path, url string }

// submodules fetches what a checkout names in .gitmodules, each at the commit that
// is written in the tree. Git's own command would ask the network where a mirror
// is to be asked, and obeys what a stranger wrote into .gitmodules.
func (s *Store) submodules(ctx context.Context, url, dir string, depth int) error {
	list, err := s.gitmodules(ctx, dir)
	if err != nil {
		return err
	}
	for _, m := range list {
		commit, err := s.gitlink(ctx, dir, m.path)
		if err != nil {
			return err
		}
		if commit == "" {
			continue // git, too, goes by the tree
		}
		if depth == maxDepth {
			return fmt.Errorf("submodule %s: %d repositories lie in each other already", m.path, depth)
		}
		from, err := s.submoduleURL(url, m.url)
		if err != nil {
			return fmt.Errorf("submodule %s: %w", m.path, err)
		}
		if err := s.fetch(ctx, Repo{URL: from, Commit: commit}, filepath.Join(dir, filepath.FromSlash(m.path)), depth+1); err != nil {
			return fmt.Errorf("submodule %s: %w", m.path, err)
		}
	}
	return nil
}

// gitmodules lists the submodules of a checkout that have a path and a URL.
func (s *Store) gitmodules(ctx context.Context, dir string) ([]submodule, error) {
	var out strings.Builder
	if err := s.Git(ctx, &out, dir, "ls-tree", "-z", "--name-only", "HEAD", "--", ".gitmodules"); err != nil || out.Len() == 0 {
		return nil, err
	}
	out.Reset()
	if err := s.Git(ctx, &out, dir, "config", "--blob", "HEAD:.gitmodules", "-z", "--list"); err != nil {
		return nil, fmt.Errorf("read .gitmodules: %w", err)
	}
	byName := map[string]*submodule{}
	var names []string
	for entry := range strings.SplitSeq(out.String(), "\x00") {
		key, value, _ := strings.Cut(entry, "\n")
		name, ok := strings.CutPrefix(key, "submodule.")
		dot := strings.LastIndexByte(name, '.')
		if !ok || dot < 0 {
			continue
		}
		m := byName[name[:dot]]
		if m == nil {
			m = &submodule{}
			byName[name[:dot]] = m
			names = append(names, name[:dot])
		}
		switch name[dot+1:] {
		case "path":
			m.path = path.Clean(value)
		case "url":
			m.url = value
		}
	}
	var list []submodule
	for _, n := range names {
		m := byName[n]
		inGit := slices.ContainsFunc(strings.Split(m.path, "/"), func(part string) bool { return strings.EqualFold(part, ".git") })
		if m.url != "" && m.path != "." && filepath.IsLocal(m.path) && !inGit {
			list = append(list, *m)
		}
	}
	return list, nil
}

// gitlink returns the commit that the tree has at a path, "" when it has none there.
func (s *Store) gitlink(ctx context.Context, dir, at string) (string, error) {
	var out strings.Builder
	if err := s.Git(ctx, &out, dir, "--literal-pathspecs", "ls-tree", "-z", "HEAD", "--", at); err != nil {
		return "", fmt.Errorf("find submodule %s: %w", at, err)
	}
	what, _, _ := strings.Cut(out.String(), "\t")
	if commit, ok := strings.CutPrefix(what, "160000 commit "); ok && reCommit.MatchString(commit) {
		return commit, nil
	}
	return "", nil
}

// reGitHub reads the names under which a repository of GitHub is known.
var reGitHub = regexp.MustCompile(`^(?:(?:https?|git|ssh)://(?:[^/@]*@)?github\.com/|[^/@]*@github\.com:)([^/]+/[^/]+?)(?:\.git)?/?$`)

// submoduleURL returns where git finds a submodule of the repository at a URL.
func (s *Store) submoduleURL(parent, url string) (string, error) {
	if strings.HasPrefix(url, "./") || strings.HasPrefix(url, "../") {
		base := strings.TrimSuffix(s.Server, "/") + "/"
		if s.Mirror != "" {
			base = "file://" + s.Mirror + "/"
		}
		name, ok := strings.CutPrefix(parent, base)
		name = path.Join(name, url)
		if !ok || strings.HasPrefix(name, "../") || strings.Count(name, "/") != 1 {
			return "", fmt.Errorf("%s is no repository beside %s", url, parent)
		}
		return s.URL(github + name)
	}
	if m := reGitHub.FindStringSubmatch(url); m != nil {
		return s.URL(github + m[1])
	}
	if s.Mirror != "" || !strings.HasPrefix(url, "https://") {
		return "", fmt.Errorf("%s is neither at %s nor beside its repository", url, github)
	}
	return url, nil
}
