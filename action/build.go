package action

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// buildAll builds the tools, the suite's nginx and the project, or finds them
// built, and makes the environment of the tests from what it got.
func (r *run) buildAll(ctx context.Context) error {
	if r.cfg.Project.Nginx != nil || len(r.cfg.Project.Recipe.Tools) > 0 {
		for _, step := range []func(context.Context) error{r.compiler, r.core, r.tools, r.nginx} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		r.environs()
	}
	if r.kept == "" {
		for _, args := range r.cfg.Project.Build {
			if err := r.build(ctx, r.src, r.buildEnv, r.argv(args, r.buildEnv)...); err != nil {
				return err
			}
		}
		r.keep(ctx)
	}
	if err := r.serve(ctx); err != nil {
		return err
	}
	return r.versions(ctx)
}

// build runs one command of a build.
func (r *run) build(ctx context.Context, dir string, env []string, argv ...string) error {
	fmt.Fprintln(r.spool, strings.Join(argv, " "))
	said := &buildLog{w: r.spool, project: r.src + "/"}
	got, err := r.procs.run(ctx, command{
		argv: argv, dir: dir, env: env,
		limit: r.cfg.Limits.Build, output: r.cfg.Limits.Output,
	}, said)
	if err == nil {
		err = said.end()
	}
	switch {
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission):
		return &stopped{PhaseBuild, fmt.Sprintf("%s cannot be started", argv[0])}
	case err != nil:
		return err
	}
	if why := got.why(r.cfg.Limits.Build); why != "" {
		reason := strings.Join(argv, " ") + " " + why
		if len(reason) > 200 {
			reason = argv[0] + " " + why
		}
		if said.first != "" {
			reason += ": " + said.first
		}
		return &stopped{PhaseBuild, reason}
	}
	return nil
}

// quietly runs a command of which only the end is of interest.
func (r *run) quietly(ctx context.Context, dir string, env []string, argv ...string) bool {
	got, err := r.procs.run(ctx, command{argv: argv, dir: dir, env: env, limit: r.cfg.Limits.Build, output: r.cfg.Limits.Output}, io.Discard)
	return err == nil && got.exit == 0
}

// reError finds the lines in which compilers, linkers and configure say what is wrong.
var reError = regexp.MustCompile(`^(?:\S+?:[0-9]+:(?:[0-9]+:)? (?:fatal )?error: .*|.*: undefined reference to .*|(?:\S*/)?configure: error: .*)$`)

// buildLog passes on what a build prints, and keeps the first line that says what
// is wrong, which is the cause of those that follow. In such lines the project's
// files have their names from its root, as they are known to who reads of them:
// nginx is built elsewhere.
type buildLog struct {
	w       io.Writer
	project string // its folder with a slash
	rest    []byte // of a line that has not ended
	first   string
}

// maxLine is where a line that does not end is passed on as it is.
const maxLine = 64 << 10

func (l *buildLog) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n') + 1
		if i == 0 {
			i = len(b)
		}
		l.rest = append(l.rest, b[:i]...)
		b = b[i:]
		if l.rest[len(l.rest)-1] != '\n' && len(l.rest) < maxLine {
			continue
		}
		if err := l.end(); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// end passes on a line, or what is left of one.
func (l *buildLog) end() error {
	line := l.rest
	l.rest = nil
	if text, _ := bytes.CutSuffix(line, []byte("\n")); reError.Match(text) {
		line = bytes.ReplaceAll(line, []byte(l.project), nil)
		if l.first == "" {
			text, _ = bytes.CutSuffix(line, []byte("\n"))
			l.first = string(text[:min(len(text), 500)])
		}
	}
	_, err := l.w.Write(line)
	return err
}

// buildKey names a build by everything that goes into it.
func (r *run) buildKey(commit string) (string, error) {
	env := make([]string, 0, len(r.buildEnv))
	for _, kv := range r.buildEnv {
		// These name the folders of this piece alone.
		if name, _, _ := strings.Cut(kv, "="); name != "TMPDIR" && name != "HOME" {
			env = append(env, strings.ReplaceAll(kv, r.cfg.Workspace, "."))
		}
	}
	b, err := json.Marshal([]any{r.cfg.Piece.Repo, commit, r.cfg.Project.Build, r.cfg.Piece.Options.Nginx,
		r.cfg.Piece.Options.CCOpt, r.result.Manifest.Arch, env})
	if err != nil {
		return "", fmt.Errorf("name build: %w", err)
	}
	sum := sha256.Sum256(b)
	return r.cfg.Piece.name() + "-" + hex.EncodeToString(sum[:12]), nil
}

// restore copies a build of the commit into the workspace, if one was kept.
func (r *run) restore(commit string) error {
	if r.cfg.Work == "" || len(r.cfg.Project.Build) == 0 {
		return nil
	}
	key, err := r.buildKey(commit)
	if err != nil {
		return err
	}
	r.key = key
	from, err := r.store().Kept(projectBuilds, key, r.since())
	if err == nil && from != "" {
		err = os.CopyFS(r.src, os.DirFS(from))
	}
	switch {
	case err != nil:
		// A broken build in the store costs a new build and nothing else.
		r.cfg.Logger.Warn("kept build is not usable", "err", err)
		return os.RemoveAll(r.src)
	case from != "":
		r.kept = key
		r.note("build %s was made before on this machine", key)
	}
	return nil
}

// projectBuilds is where projects' own builds are kept, beside the others of the store.
const projectBuilds = "project"

// since is when a build must have been made to be used again: ever, unless a clean
// rebuild was asked for; then what this run has made.
func (r *run) since() time.Time {
	if r.cfg.Piece.Options.Force {
		return r.cfg.Began
	}
	return time.Time{}
}

// keep copies the build to where other pieces find it. Whoever is first wins;
// that it cannot be kept is no reason to fail.
func (r *run) keep(ctx context.Context) {
	if r.key == "" {
		return
	}
	_, err := r.store().Keep(ctx, projectBuilds, r.key, func(tmp string) error { return os.CopyFS(tmp, os.DirFS(r.src)) })
	if err != nil {
		r.cfg.Logger.Warn("build is not kept", "err", err)
	}
}
