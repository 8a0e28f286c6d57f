// Package suite finds the test files of projects in folders of this machine: for
// what should have run, and for the lines of what failed.
//
// What a log is about is asked of a repository at the log's commit. Where there is
// no repository, or no commit, what lies in a checkout now has to do.
package suite

import (
	"context"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

// Folders are places to look in: a project's repository or checkout itself, or a
// folder of those, as NAME, NAME.git, OWNER/NAME, OWNER/NAME.git or OWNER+NAME/repo.
type Folders []string

// Repository returns the git directory of a project's repository, bare or not.
func (f Folders) Repository(p plan.Project) (gitDir string, ok bool) {
	for _, dir := range f.named(p) {
		if gitDir, ok = repository(dir); ok {
			return gitDir, true
		}
	}
	return "", false
}

// Checkout returns the folder of a project's files: one of its name, else the first
// of the folders, which is then taken for the project's own. There must be one.
func (f Folders) Checkout(p plan.Project) string {
	for _, dir := range f.named(p) {
		if info, err := os.Stat(dir); err == nil && info.IsDir() && !bare(dir) {
			return dir
		}
	}
	return f[0]
}

// File returns a file of a project at a commit, or nil: also where only what lies
// there now is at hand, which may be another file than was tested.
func (f Folders) File(ctx context.Context, p plan.Project, commit, name string) []byte {
	if len(commit) < 7 || strings.Trim(commit, "0123456789abcdef") != "" || !filepath.IsLocal(name) {
		return nil
	}
	// A folder of another name may be the project's all the same: the commit tells.
	for _, dir := range append(f.named(p), f...) {
		gitDir, ok := repository(dir)
		if !ok {
			continue
		}
		if b, err := exec.CommandContext(ctx, "git", "--git-dir", gitDir, "cat-file", "blob", commit+":"+name).Output(); err == nil {
			return b
		}
	}
	return nil
}

// named are the places that bear a project's name, the likeliest first.
func (f Folders) named(p plan.Project) (dirs []string) {
	u, err := url.Parse(p.Repo)
	if err != nil {
		return nil
	}
	slug := strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git")
	subs := []string{p.Name}
	if filepath.IsLocal(slug) {
		name := path.Base(slug)
		subs = []string{name, name + ".git", p.Name, slug, slug + ".git", strings.ReplaceAll(slug, "/", "+") + "/repo"}
	}
	for _, dir := range f {
		if full, err := filepath.Abs(dir); err == nil {
			dir = full // "." has a name too
		}
		for _, sub := range subs {
			if sub != "" && strings.TrimSuffix(filepath.Base(dir), ".git") == sub {
				dirs = append(dirs, dir)
			}
		}
		for _, sub := range subs {
			if filepath.IsLocal(sub) {
				dirs = append(dirs, filepath.Join(dir, filepath.FromSlash(sub)))
			}
		}
	}
	return dirs
}

// repository returns the git directory of a folder that is a repository. In that of
// a work tree or a submodule .git is a file.
func repository(dir string) (gitDir string, ok bool) {
	dot := filepath.Join(dir, ".git")
	if info, err := os.Stat(dot); err == nil && info.Mode().IsRegular() {
		return dot, true
	}
	for _, gitDir := range []string{dot, dir} {
		if _, err := os.Stat(filepath.Join(gitDir, "HEAD")); err == nil {
			return gitDir, true
		}
	}
	return "", false
}

func bare(dir string) bool {
	gitDir, ok := repository(dir)
	return ok && gitDir == dir
}

// Now reads the test files that lie below t of a folder. What cannot be read is as
// if it were not there.
func Now(dir string) []report.TestFile {
	var all []report.TestFile
	tree, err := os.OpenRoot(dir)
	if err != nil {
		return nil
	}
	defer tree.Close()
	_ = fs.WalkDir(tree.FS(), "t", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || path.Ext(name) != ".t" {
			return nil //nolint:nilerr // the others are read all the same
		}
		if info, err := d.Info(); err != nil || info.Size() > maxFile {
			return nil //nolint:nilerr // as above
		}
		if src, err := fs.ReadFile(tree.FS(), name); err == nil {
			all = append(all, report.ReadTestFile(name, src))
		}
		return nil
	})
	return all
}
