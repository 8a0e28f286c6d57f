package action

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
)

// gitConfig keeps hooks, helpers and background work out of a checkout.
var gitConfig = []string{
	"-c", "core.hooksPath=/dev/null", "-c", "credential.helper=", "-c", "core.fsmonitor=false",
	"-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "advice.detachedHead=false", "-c", "color.ui=false",
}

// gitEnv is the environment of git: no configuration but ours, no questions,
// and no transport that runs a program.
func (r *run) gitEnv() []string {
	return []string{
		"PATH=" + lookup(r.env, "PATH"), "HOME=" + r.tmp, "TMPDIR=" + r.tmp, "LANG=C.UTF-8",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + filepath.Join(r.tmp, "gitconfig"), "GIT_TERMINAL_PROMPT=0",
		"GIT_ALLOW_PROTOCOL=http:https:file", "GIT_LFS_SKIP_SMUDGE=1",
	}
}

// git runs git, its output to out.
func (r *run) git(ctx context.Context, out io.Writer, dir string, args ...string) error {
	argv := append(append([]string{"git"}, gitConfig...), args...)
	got, err := r.procs.run(ctx, command{
		argv: argv, dir: dir, env: r.gitEnv(), limit: r.cfg.Limits.Fetch, output: r.cfg.Limits.Output,
	}, out)
	if err != nil {
		return err
	}
	if why := got.why(r.cfg.Limits.Fetch); why != "" {
		return fmt.Errorf("git %s %s", args[0], why)
	}
	return nil
}

// checkout brings the project's commit into the workspace, from a build kept
// there or from the server, and proves that it is the one.
func (r *run) checkout(ctx context.Context) error {
	if err := r.resolve(ctx); err != nil {
		return err
	}
	commit := r.project.Commit
	r.result.Manifest.Commit = commit
	if err := r.restore(commit); err != nil {
		return err
	}
	if r.kept == "" {
		if err := r.again(ctx, func() error { return r.store().Fetch(ctx, r.project.URL, commit, r.src) }); err != nil {
			return r.notCheckedOut(ctx, err)
		}
	}
	var got strings.Builder
	if err := r.git(ctx, &got, r.src, "rev-parse", "HEAD"); err != nil {
		return r.notCheckedOut(ctx, err)
	}
	if head := strings.TrimSpace(got.String()); head != commit {
		return r.notCheckedOut(ctx, fmt.Errorf("%s is checked out, not %s", head, commit))
	}
	fmt.Fprintln(r.spool, "git log -1")
	if err := r.git(ctx, r.spool, r.src, "--no-pager", "log", "-1", "--no-decorate", "--no-show-signature"); err != nil {
		return r.notCheckedOut(ctx, err)
	}
	return r.layOut(ctx)
}

func (r *run) notCheckedOut(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &stopped{PhaseCheckout, fmt.Sprintf("check out %s: %v", r.cfg.Piece.Repo, err)}
}

// again repeats what needs the server until it works or the time is up: the
// server may be away for a moment, and a piece lost to that costs a machine.
func (r *run) again(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Limits.Fetch)
	defer cancel()
	for wait := time.Second; ; wait = min(2*wait, 15*time.Second) {
		err := do()
		if err == nil || ctx.Err() != nil || r.cfg.Mirror != "" {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}
