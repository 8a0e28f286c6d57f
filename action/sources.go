package action

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ortest/ortest/action/source"
	"github.com/ortest/ortest/plan/recipe"
)

// checkedOut is a source beside the project.
type checkedOut struct {
	source.Repo
	dir  string // where it lies, for everybody; the workspace has a link to it
	link string
}

// store returns what gets sources for this piece, and keeps what it got until close.
func (r *run) store() *source.Store {
	if r.sources == nil {
		r.sources = &source.Store{Dir: r.storeDir(), Mirror: r.cfg.Mirror, Server: r.cfg.ServerURL, Log: r.spool, Git: r.git}
	}
	return r.sources
}

// storeDir is where builds and sources are kept.
func (r *run) storeDir() string { return cmp.Or(r.cfg.Work, filepath.Join(r.tmp, "store")) }

// resolve fixes the commits of the project and of what lies beside it. Of what
// lies beside it an older one may be taken than is pinned, where versions insist
// on each other: of the same pins always the same.
func (r *run) resolve(ctx context.Context) error {
	project := &source.Repo{Firm: 2, Commit: r.cfg.Piece.Commit}
	project.Name, project.Repo, project.Pairs = r.cfg.Project.Name, r.cfg.Piece.Repo, r.cfg.Project.Pairs
	var err error
	if project.URL, err = r.store().URL(project.Repo); err != nil {
		return r.notCheckedOut(ctx, err)
	}
	if project.Commit == "" {
		project.Firm = 1
		if project.Commit, err = r.head(ctx, project.URL, recipe.Source{Repo: project.Repo, Ref: r.cfg.Project.Ref}); err != nil {
			return r.notCheckedOut(ctx, err)
		}
	}
	repos := []*source.Repo{project}
	for _, s := range r.cfg.Project.Recipe.Sources {
		repo := &source.Repo{Source: s, Commit: r.cfg.Piece.Sources[s.Name]}
		repo.URL, err = r.store().First(s.Repo, s.Also)
		switch {
		case err != nil && s.Optional:
			r.note("%s is left out: %v", s.Name, err)
			continue
		case err != nil:
			return &stopped{PhaseCheckout, fmt.Sprintf("%s needs %s (%s): %v", r.cfg.Piece.Goal, s.Name, s.Repo, err)}
		case repo.Commit == "":
			if repo.Commit, err = r.head(ctx, repo.URL, s); err != nil {
				return &stopped{PhaseCheckout, fmt.Sprintf("find commit of %s: %v", s.Repo, err)}
			}
		}
		repos = append(repos, repo)
	}
	notes, err := r.store().Pair(ctx, repos)
	for _, n := range notes {
		r.note("%s", n)
	}
	if err != nil {
		return r.notCheckedOut(ctx, err)
	}
	r.project = project
	for _, repo := range repos[1:] {
		r.beside = append(r.beside, &checkedOut{Repo: *repo})
	}
	return nil
}

// head is the commit of a source's branch: the one that is pinned, or what the
// server says, asked again for as long as it may be away.
func (r *run) head(ctx context.Context, url string, s recipe.Source) (commit string, err error) {
	if commit = r.cfg.Pins[s.Pin()]; commit != "" {
		return commit, nil
	}
	err = r.again(ctx, func() error {
		commit, err = r.store().Head(ctx, url, s.Ref)
		return err
	})
	if err == nil && r.cfg.Pins != nil {
		r.cfg.Pins[s.Pin()] = commit
	}
	return commit, err
}

// layOut puts links to the sources beside the project, where its scripts and
// its suite look for them.
func (r *run) layOut(ctx context.Context) error {
	for _, s := range r.beside {
		var err error
		if s.dir, err = r.store().Checkout(ctx, s.URL, s.Commit); err != nil {
			return r.notCheckedOut(ctx, fmt.Errorf("check out %s: %w", s.Repo.Repo, err))
		}
		name := s.Dir
		if name == "" {
			name = strings.TrimSuffix(filepath.Base(s.Repo.Repo), ".git")
		}
		s.link = filepath.Join(r.cfg.Workspace, name)
		if err := os.Symlink(s.dir, s.link); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("lay out %s: %w", s.Name, err)
		}
		r.result.Manifest.Versions[s.Name] = s.Commit
	}
	return nil
}

// sourceOf returns what is checked out under a name, nil when it was left out.
func (r *run) sourceOf(name string) *checkedOut {
	for _, s := range r.beside {
		if s.Name == name {
			return s
		}
	}
	return nil
}
