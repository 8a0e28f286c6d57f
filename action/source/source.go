// Package source gets what a goal is made of: repositories at commits and
// archives by checksum, from the network or from a mirror on this machine.
//
// A mirror is a folder in which https://github.com/OWNER/NAME lies as the bare
// repository OWNER/NAME.git, and each download as files/BASENAME. With one, the
// network is not asked at all.
//
// What was got is kept in a folder of the store under a name that says what
// it is, and is not changed afterwards: goals share it. What nobody has used for
// long is cleared.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// Store gets and keeps sources. Dir, Server and Git are required.
type Store struct {
	Dir    string // absolute; what was got is kept here
	Mirror string // absolute; "" asks the network
	Server string // repositories lie at Server/OWNER/NAME.git, unless there is a mirror
	Log    io.Writer
	// Git runs git with arguments in a folder, its output to out, and returns
	// an error when it does not end well.
	Git func(ctx context.Context, out io.Writer, dir string, args ...string) error

	mu   sync.Mutex
	held []*os.File // locks of what was got
	made bool       // something was added since Close
}

// MissingError says what a mirror lacks, and what belongs there.
type MissingError struct{ Path, From string }

func (e *MissingError) Error() string { return "the mirror lacks " + e.Path + ": " + e.From }

const github = "https://github.com/"

var reCommit = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// URL returns where git finds a repository. A repository that the mirror lacks
// is a *MissingError with the path at which it is expected.
func (s *Store) URL(repo string) (string, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(repo, github), ".git")
	if s.Mirror == "" {
		return strings.TrimSuffix(s.Server, "/") + "/" + name + ".git", nil
	}
	path := filepath.Join(s.Mirror, filepath.FromSlash(name)+".git")
	if fi, err := os.Stat(path); err != nil || !fi.IsDir() {
		return "", &MissingError{path, "a bare clone of " + github + name}
	}
	return "file://" + path, nil
}

// First returns the first of several repositories that is there.
func (s *Store) First(repo string, also []string) (string, error) {
	url, err := s.URL(repo)
	for _, r := range also {
		if err == nil {
			break
		}
		if other, otherErr := s.URL(r); otherErr == nil {
			return other, nil
		}
	}
	return url, err
}

// Head returns the commit of a branch or tag, of the default branch when ref is "".
func (s *Store) Head(ctx context.Context, url, ref string) (string, error) {
	if reCommit.MatchString(ref) {
		return ref, nil
	}
	refs := []string{"HEAD"}
	if ref != "" {
		refs = []string{"refs/heads/" + ref, "refs/tags/" + ref + "^{}", "refs/tags/" + ref}
	}
	var out strings.Builder
	if err := s.Git(ctx, &out, "/", append([]string{"ls-remote", "--", url}, refs...)...); err != nil {
		return "", err
	}
	found := map[string]string{}
	for line := range strings.Lines(out.String()) {
		commit, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if reCommit.MatchString(commit) {
			found[name] = commit
		}
	}
	for _, r := range refs {
		if found[r] != "" {
			return found[r], nil
		}
	}
	if ref == "" {
		return "", errors.New("the repository has no default branch")
	}
	return "", fmt.Errorf("the repository has no branch or tag %s", ref)
}

// Fetch puts one commit into a new folder, with its submodules.
func (s *Store) Fetch(ctx context.Context, url, commit, dir string) error {
	return s.fetch(ctx, Repo{URL: url, Commit: commit}, dir, 0)
}

func (s *Store) fetch(ctx context.Context, r Repo, dir string, depth int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--template="},
		{"fetch", "--quiet", "--depth", "1", "--no-tags", "--no-recurse-submodules", r.URL, r.Commit},
		{"checkout", "--quiet", "--detach", "--no-recurse-submodules", "FETCH_HEAD"},
	} {
		if err := s.Git(ctx, s.Log, dir, args...); err != nil {
			return err
		}
	}
	return s.submodules(ctx, r.URL, dir, depth)
}

// Checkout returns the folder in which a commit of a repository lies. Nobody
// may write into it.
func (s *Store) Checkout(ctx context.Context, url, commit string) (string, error) {
	name := strings.TrimSuffix(filepath.Base(url), ".git") + "-" + commit
	return s.Keep(ctx, "src", name, func(tmp string) error { return s.Fetch(ctx, url, commit, tmp) })
}
