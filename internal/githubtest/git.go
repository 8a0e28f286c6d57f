package githubtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// gitDir holds the bare repositories, OWNER/NAME.git, and runs git on them.
type gitDir struct {
	root string
	bin  string
}

func newGitDir(root string) (gitDir, error) {
	bin, err := exec.LookPath("git")
	if err != nil {
		return gitDir{}, fmt.Errorf("find git: %w", err)
	}
	return gitDir{root: root, bin: bin}, nil
}

func (g gitDir) path(fullName string) string {
	return filepath.Join(g.root, filepath.FromSlash(fullName)+".git")
}

// gitEnv keeps every configuration but the repository's own away from git.
func gitEnv() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0",
	}
}

// errNoObject is what asking git for something that is not there returns.
var errNoObject = errors.New("no such object")

// run runs git in a repository and returns what it printed.
func (g gitDir) run(ctx context.Context, fullName string, args ...string) ([]byte, error) {
	return g.feed(ctx, fullName, nil, args...)
}

// feed is run with an input.
func (g gitDir) feed(ctx context.Context, fullName string, in []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, g.bin, append([]string{"--git-dir", g.path(fullName)}, args...)...)
	cmd.Env = gitEnv()
	cmd.Stdin = bytes.NewReader(in)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("git %s in %s: %w: %s", args[0], fullName, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// create makes a bare repository that gives any commit it holds to whoever
// asks for it by its SHA, as GitHub does. One that exists is left alone.
func (g gitDir) create(ctx context.Context, fullName string) error {
	if err := os.MkdirAll(filepath.Dir(g.path(fullName)), 0o755); err != nil {
		return fmt.Errorf("create repository %s: %w", fullName, err)
	}
	if _, err := g.run(ctx, fullName, "init", "--quiet", "--bare", "--initial-branch=main"); err != nil {
		return err
	}
	_, err := g.run(ctx, fullName, "config", "uploadpack.allowAnySHA1InWant", "true")
	return err
}

// resolve returns the full SHA of the commit that a branch, tag or SHA names.
func (g gitDir) resolve(ctx context.Context, fullName, ref string) (string, error) {
	if ref == "" || strings.HasPrefix(ref, "-") || strings.ContainsAny(ref, " :^~?*[\\") {
		return "", errNoObject
	}
	for _, full := range []string{"refs/heads/" + ref, "refs/tags/" + ref, ref} {
		out, err := g.run(ctx, fullName, "rev-parse", "--verify", "--quiet", "--end-of-options", full+"^{commit}")
		if err == nil {
			return strings.TrimSpace(string(out)), nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
	return "", errNoObject
}

// isBranchOrTag reports whether ref names one, as a dispatch demands.
func (g gitDir) isBranchOrTag(ctx context.Context, fullName, ref string) bool {
	for _, full := range []string{"refs/heads/" + ref, "refs/tags/" + ref} {
		if _, err := g.run(ctx, fullName, "show-ref", "--verify", "--quiet", full); err == nil {
			return true
		}
	}
	return false
}

// file returns the bytes of a path of a commit.
func (g gitDir) file(ctx context.Context, fullName, sha, path string) ([]byte, error) {
	out, err := g.run(ctx, fullName, "cat-file", "blob", sha+":"+path)
	if err != nil {
		return nil, errors.Join(errNoObject, err)
	}
	return out, nil
}

// isGitPath reports whether a request speaks git's smart protocol.
func isGitPath(path string) bool {
	return strings.HasSuffix(path, "/info/refs") || strings.HasSuffix(path, "/git-upload-pack") ||
		strings.HasSuffix(path, "/git-receive-pack")
}

// ServeHTTP serves fetches through git's own backend. Pushes are refused by it,
// since nothing allows them.
func (g gitDir) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3)
	if len(parts) != 3 || !loginPattern.MatchString(parts[0]) || !namePattern.MatchString(parts[1]) {
		http.NotFound(w, r)
		return
	}
	r = r.Clone(r.Context())
	r.URL.Path = "/" + parts[0] + "/" + strings.TrimSuffix(parts[1], ".git") + ".git/" + parts[2]
	r.Header.Del("Authorization") // the repositories are public
	backend := cgi.Handler{
		Path: g.bin,
		Args: []string{"http-backend"},
		Dir:  g.root,
		Env:  append(gitEnv(), "GIT_PROJECT_ROOT="+g.root, "GIT_HTTP_EXPORT_ALL=1"),
	}
	backend.ServeHTTP(w, r)
}
