package source

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ortest/ortest/plan/recipe"
)

// Repo is a repository at a commit.
type Repo struct {
	recipe.Source
	URL    string
	Commit string
	Firm   int // who is moved less willingly: 0 came by default, 1 is under test, 2 was asked for
}

// Pair moves commits until versions that insist on each other fit, and returns
// a note for each move. What was asked for is not moved; versions that do not
// fit then are an error.
func (s *Store) Pair(ctx context.Context, repos []*Repo) (notes []string, err error) {
	byName := map[string]*Repo{}
	for _, r := range repos {
		byName[r.Name] = r
	}
	for _, here := range repos {
		for _, p := range here.Pairs {
			there := byName[p.With]
			if there == nil {
				continue
			}
			note, err := s.pair(ctx, here, there, p)
			if err != nil {
				return notes, err
			}
			if note != "" {
				notes = append(notes, note)
			}
		}
	}
	return notes, nil
}

func (s *Store) pair(ctx context.Context, here, there *Repo, p recipe.Pair) (string, error) {
	want, err := s.version(ctx, here, here.Commit, p.Here)
	if err != nil {
		return "", err
	}
	have, err := s.version(ctx, there, there.Commit, p.There)
	if err != nil || want == "" || have == "" || want == have {
		return "", err
	}
	type move struct {
		repo    *Repo
		place   recipe.Place
		version string
	}
	moves := []move{{there, p.There, want}, {here, p.Here, have}}
	if there.Firm > here.Firm {
		moves[0], moves[1] = moves[1], moves[0]
	}
	for _, m := range moves {
		if m.repo.Firm > 1 {
			continue
		}
		commit, err := s.last(ctx, m.repo, m.place, m.version)
		if err != nil {
			return "", err
		}
		if commit != "" {
			note := fmt.Sprintf("%s is taken at %.12s, not at %.12s: %s %s fits %s of version %s only",
				m.repo.Name, commit, m.repo.Commit, here.Name, here.Commit[:12], there.Name, want)
			m.repo.Commit = commit
			if m.repo == here {
				note = fmt.Sprintf("%s is taken at %.12s: the last that fits %s of version %s", here.Name, commit, there.Name, have)
			}
			return note, nil
		}
	}
	return "", fmt.Errorf("%s %.12s insists on %s of version %s, and that is %s: no commit of either fits the other",
		here.Name, here.Commit, there.Name, want, have)
}

// version reads a version in a commit, "" where it is not written down.
func (s *Store) version(ctx context.Context, r *Repo, commit string, at recipe.Place) (string, error) {
	re, err := regexp.Compile(at.Match)
	if err != nil {
		return "", err
	}
	bare, err := s.bare(ctx, r.URL)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	if err := s.Git(ctx, &out, bare, "show", commit+":"+at.File); err != nil {
		return "", ctx.Err()
	}
	if m := re.FindStringSubmatch(out.String()); m != nil {
		return m[1], nil
	}
	return "", nil
}

// last finds the newest commit on the way to the repository's commit at which a
// file says a version, "" when there is none.
func (s *Store) last(ctx context.Context, r *Repo, at recipe.Place, version string) (string, error) {
	bare, err := s.bare(ctx, r.URL)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	if err := s.Git(ctx, &out, bare, "log", "--first-parent", "--format=%H", r.Commit, "--", at.File); err != nil {
		return "", err
	}
	newest := r.Commit
	for commit := range strings.FieldsSeq(out.String()) {
		got, err := s.version(ctx, r, commit, at)
		if err != nil {
			return "", err
		}
		if got == version {
			return newest, nil
		}
		var parent strings.Builder
		if err := s.Git(ctx, &parent, bare, "rev-parse", "--verify", "--quiet", commit+"^"); err != nil {
			return "", ctx.Err()
		}
		newest = strings.TrimSpace(parent.String())
	}
	return "", nil
}

// bare returns a folder in which the whole history of a repository is: that of
// the mirror, or a copy that is brought up to date.
func (s *Store) bare(ctx context.Context, url string) (string, error) {
	if s.Mirror != "" {
		return strings.TrimPrefix(url, "file://"), nil
	}
	dir := filepath.Join(s.Dir, "git", filepath.Base(filepath.Dir(url)), filepath.Base(url))
	if _, err := os.Stat(dir); err == nil {
		return dir, s.Git(ctx, io.Discard, dir, "fetch", "--quiet", "--prune", url, "+refs/heads/*:refs/heads/*")
	}
	return s.Keep(ctx, "git", filepath.Join(filepath.Base(filepath.Dir(url)), filepath.Base(url)), func(tmp string) error {
		return s.Git(ctx, s.Log, tmp, "clone", "--quiet", "--bare", url, ".")
	})
}
