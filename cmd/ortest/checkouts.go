package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
)

// checkouts is a directory that holds one project, or several by the name of
// the project or of its repository; "" is none.
type checkouts string

// files returns what reads the test files of a goal's project, or nil.
func (dir checkouts) files() func(goal string) []report.TestFile {
	if dir == "" {
		return nil
	}
	known := make(map[string][]report.TestFile)
	return func(goal string) []report.TestFile {
		root := dir.of(goal)
		if _, ok := known[root]; !ok {
			known[root] = readTests(root)
		}
		return known[root]
	}
}

// of returns the directory of a goal's project.
func (dir checkouts) of(goal string) string {
	names := []string{}
	if g, err := plan.ParseGoal(goal); err == nil {
		names = append(names, g.Project)
		if c, err := catalog.Default(); err == nil {
			if p, ok := c.Project(g.Project); ok {
				names = append(names, path.Base(p.Repo))
			}
		}
	}
	for _, name := range names {
		at := filepath.Join(string(dir), name)
		if info, err := os.Stat(at); err == nil && info.IsDir() {
			return at
		}
	}
	return string(dir)
}

// readTests reads the test files below t of a checkout. What cannot be read is
// as if it were not at hand.
func readTests(root string) []report.TestFile {
	var all []report.TestFile
	tree, err := os.OpenRoot(root)
	if err != nil {
		return nil
	}
	defer tree.Close()
	_ = fs.WalkDir(tree.FS(), "t", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.HasSuffix(name, ".t") {
			return nil //nolint:nilerr // the others are read all the same
		}
		if info, err := d.Info(); err != nil || info.Size() > maxTestFile {
			return nil //nolint:nilerr // as above
		}
		if src, err := fs.ReadFile(tree.FS(), name); err == nil {
			all = append(all, report.ReadTestFile(name, src))
		}
		return nil
	})
	return all
}
