package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ortest/ortest/examples"
)

// serveExample makes an example's repository below dir, unless it is there,
// and returns the URL of its server. The same files make the same commit.
func serveExample(ctx context.Context, dir, name, repo string) (url string, err error) {
	files, err := examples.Project(name, examples.Good)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(files)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	root := filepath.Join(dir, hex.EncodeToString(sum[:8]))
	bare := filepath.Join(root, filepath.FromSlash(repo)+".git")
	if _, err := os.Stat(bare); err == nil {
		return "file://" + root, nil
	}
	if err := os.MkdirAll(filepath.Dir(bare), 0o755); err != nil {
		return "", fmt.Errorf("write example %s: %w", name, err)
	}
	tmp, err := os.MkdirTemp(root, "new-")
	if err != nil {
		return "", fmt.Errorf("write example %s: %w", name, err)
	}
	defer os.RemoveAll(tmp)
	tree, clone := filepath.Join(tmp, "tree"), filepath.Join(tmp, "bare")
	if err := writeTree(tree, files); err != nil {
		return "", fmt.Errorf("write example %s: %w", name, err)
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"add", "--all"}, {"commit", "--quiet", "--message=Import " + name},
		{"clone", "--quiet", "--bare", tree, clone},
	} {
		if err := exampleGit(ctx, tree, args); err != nil {
			return "", err
		}
	}
	if err := os.Rename(clone, bare); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("write example %s: %w", name, err)
	}
	return "file://" + root, nil
}

func writeTree(dir string, files map[string][]byte) error {
	for path, content := range files {
		mode := os.FileMode(0o644)
		if examples.Executable(content) {
			mode = 0o755
		}
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, mode); err != nil {
			return err
		}
	}
	return nil
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
