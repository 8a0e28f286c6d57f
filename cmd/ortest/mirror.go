package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

// mirrors are directories with git repositories of projects: such a repository
// itself, bare or checked out, or a directory of them, as NAME, NAME.git,
// OWNER/NAME or OWNER+NAME/repo.
type mirrors []string

// maxTestFile is larger than any test file: what is more is something else.
const maxTestFile = 16 << 20

// find returns the git directory of a project's repository.
func (m mirrors) find(p plan.Project) (string, bool) {
	u, err := url.Parse(p.Repo)
	if err != nil {
		return "", false
	}
	slug := strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git")
	name := path.Base(slug)
	for _, dir := range m {
		if full, err := filepath.Abs(dir); err == nil {
			dir = full // "." has a name too
		}
		if base := strings.TrimSuffix(filepath.Base(dir), ".git"); base == name || base == p.Name {
			if g, ok := gitDir(dir); ok {
				return g, true
			}
		}
		for _, sub := range []string{name, name + ".git", p.Name, slug, slug + ".git", strings.ReplaceAll(slug, "/", "+") + "/repo"} {
			if g, ok := gitDir(filepath.Join(dir, filepath.FromSlash(sub))); ok {
				return g, true
			}
		}
	}
	return "", false
}

func gitDir(dir string) (string, bool) {
	for _, g := range []string{filepath.Join(dir, ".git"), dir} {
		if _, err := os.Stat(filepath.Join(g, "HEAD")); err == nil {
			return g, true
		}
	}
	return "", false
}

// census reads the test files of a repository at a revision.
func census(ctx context.Context, gitDir, rev string) ([]report.TestFile, error) {
	if strings.HasPrefix(rev, "-") {
		return nil, usage(fmt.Errorf("%q is no revision", rev))
	}
	cmd := exec.CommandContext(ctx, "git", "--git-dir", gitDir, "archive", "--format=tar", rev)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", gitDir, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("read %s: %w", gitDir, err)
	}
	files, err := testFiles(out)
	_, drained := io.Copy(io.Discard, out)
	if ended := cmd.Wait(); ended != nil {
		return nil, fmt.Errorf("read %s at %s: %w: %s", gitDir, rev, ended, shortened(strings.TrimSpace(said.String())))
	}
	return files, errors.Join(err, drained)
}

func testFiles(r io.Reader) ([]report.TestFile, error) {
	var files []report.TestFile
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
		if h.Typeflag != tar.TypeReg || path.Ext(h.Name) != ".t" {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(t, maxTestFile))
		if err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
		files = append(files, report.ReadTestFile(h.Name, b))
	}
}
