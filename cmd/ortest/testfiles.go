package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/result"
	"github.com/ortest/ortest/report/suite"
)

// projectOf returns the project of a goal; of one that the catalog does not have,
// its name alone.
func projectOf(c *catalog.Catalog, goal string) plan.Project {
	g, err := plan.ParseGoal(goal)
	if err != nil {
		return plan.Project{}
	}
	if p, ok := c.Project(g.Project); ok {
		return p
	}
	return plan.Project{Name: g.Project}
}

// testsNow returns what reads the test files of a goal's project as they are now.
func testsNow(c *catalog.Catalog, dir string) func(goal string) []report.TestFile {
	known := make(map[string][]report.TestFile)
	return func(goal string) []report.TestFile {
		root := suite.Folders{dir}.Checkout(projectOf(c, goal))
		if _, ok := known[root]; !ok {
			known[root] = suite.Now(root)
		}
		return known[root]
	}
}

// denominator finds the test files that should have run, so that what a log does
// not tell of has a name: those of the commit that the log is about.
type denominator struct {
	dir     string // of checkouts or repositories; "" is none
	catalog *catalog.Catalog
	say     io.Writer // why a goal goes without
	seen    map[string][]report.TestFile
}

// of returns the test files of a record's goal, nil when they are not at hand.
func (d *denominator) of(ctx context.Context, goal string, rec *report.Record) []report.TestFile {
	p := projectOf(d.catalog, goal)
	if d.dir == "" || p.Name == "" {
		return nil
	}
	in := suite.Folders{d.dir}
	repo, ok := in.Repository(p)
	key := repo + "\x00" + rec.Commit
	atCommit := ok && rec.Commit != ""
	if !atCommit {
		key = in.Checkout(p)
	}
	if files, ok := d.seen[key]; ok {
		return files
	}
	var all []report.TestFile
	var err error
	if atCommit {
		all, err = suite.At(ctx, repo, rec.Commit)
	} else {
		all = suite.Now(key)
	}
	under, _, _ := strings.Cut(p.Test.Glob, "*")
	all = slices.DeleteFunc(all, func(f report.TestFile) bool { return !strings.HasPrefix(f.Path, under) })
	switch {
	case err != nil:
		fmt.Fprintf(d.say, "%s: what did not run is not known: %s\n", goal, shownText(err.Error()))
	case len(all) == 0:
		fmt.Fprintf(d.say, "%s: what did not run is not known: %s has no test file of %s\n", goal, shownText(d.dir), p.Name)
	}
	if d.seen == nil {
		d.seen = make(map[string][]report.TestFile)
	}
	d.seen[key] = all
	return all
}

// sources finds test files for the lines and bundles of a report. A file that is
// not there is nil: a report is made without it.
type sources struct {
	dir  string // of checkouts or repositories; "" is none
	seen map[string][]byte
}

// file returns a test file of a repository at a commit.
func (s *sources) file(ctx context.Context, g result.Goal, name string) []byte {
	if s.dir == "" || !strings.HasSuffix(name, ".t") {
		return nil
	}
	key := strings.Join([]string{g.Result.Repo, g.Result.Commit, name}, "\x00")
	if b, ok := s.seen[key]; ok {
		return b
	}
	if s.seen == nil {
		s.seen = make(map[string][]byte)
	}
	_, project, _ := strings.Cut(g.Result.Goal, "-")
	s.seen[key] = suite.Folders{s.dir}.File(ctx, plan.Project{Name: project, Repo: g.Result.Repo}, g.Result.Commit, name)
	return s.seen[key]
}

// locate fills in the lines of findings whose test file is at hand.
func (s *sources) locate(ctx context.Context, goals []result.Goal) {
	for i := range goals {
		for k := range goals[i].Result.Findings {
			f := &goals[i].Result.Findings[k]
			result.Locate(f, s.file(ctx, goals[i], f.File))
		}
	}
}

// upstream is what lists of expectations are held against: the modes of projects in
// the catalog, and their test files in repositories, at a revision. The first error
// is kept, since what is asked for in the middle of a run has no way to return one.
type upstream struct {
	cmd     *cobra.Command
	catalog *catalog.Catalog
	dirs    suite.Folders
	rev     string // "" is HEAD
	seen    map[string][]report.TestFile
	failed  error
}

func (u *upstream) modes(project string) []string {
	p, _ := u.catalog.Project(project)
	return p.Modes
}

func (u *upstream) census(project string) ([]report.TestFile, bool) {
	if files, ok := u.seen[project]; ok {
		return files, files != nil
	}
	if u.seen == nil {
		u.seen = make(map[string][]report.TestFile)
	}
	u.seen[project] = nil
	p, ok := u.catalog.Project(project)
	if !ok {
		return nil, false
	}
	dir, ok := u.dirs.Repository(p)
	if !ok {
		return nil, false
	}
	rev := u.rev
	if rev == "" {
		rev = "HEAD"
	}
	files, err := suite.At(u.cmd.Context(), dir, rev)
	if err != nil && u.rev != "" {
		err = usage(fmt.Errorf("%w; name a revision that the repository has", err))
	}
	if err != nil {
		u.failed = errors.Join(u.failed, err)
		return nil, false
	}
	u.seen[project] = files
	return files, files != nil
}
