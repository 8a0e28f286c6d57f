package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ortest/ortest/examples"
)

// serveExample makes an example's repository below dir and returns the URL of
// its server. The commit is the same each time.
func serveExample(ctx context.Context, dir, name, repo string) (url string, err error) {
	url = "file://" + dir
	bare := filepath.Join(dir, filepath.FromSlash(repo)+".git")
	if _, err := os.Stat(bare); err == nil {
		return url, nil
	}
	files, err := examples.Project(name, examples.Good)
	if err != nil {
		return "", err
	}
	tree := filepath.Join(dir, "tree-"+name)
	for path, content := range files {
		mode := os.FileMode(0o644)
		if examples.Executable(content) {
			mode = 0o755
		}
		path = filepath.Join(tree, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", fmt.Errorf("write example %s: %w", name, err)
		}
		if err := os.WriteFile(path, content, mode); err != nil {
			return "", fmt.Errorf("write example %s: %w", name, err)
		}
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"add", "--all"}, {"commit", "--quiet", "--message=Import " + name},
		{"clone", "--quiet", "--bare", tree, bare},
	} {
		if err := exampleGit(ctx, tree, args); err != nil {
			return "", err
		}
	}
	return url, nil
}

func exampleGit(ctx context.Context, tree string, args []string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = tree
	const who, when = "ortest", "2026-01-01T00:00:00Z"
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + tree, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=" + who, "GIT_AUTHOR_EMAIL=" + who + "@localhost", "GIT_AUTHOR_DATE=" + when,
		"GIT_COMMITTER_NAME=" + who, "GIT_COMMITTER_EMAIL=" + who + "@localhost", "GIT_COMMITTER_DATE=" + when,
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}
