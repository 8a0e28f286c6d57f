package action

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// buildAll runs the project's build commands, unless a kept build took their place.
func (r *run) buildAll(ctx context.Context) error {
	if r.kept == "" {
		for _, args := range r.cfg.Project.Build {
			if err := r.buildOne(ctx, r.argv(args, r.buildEnv)); err != nil {
				return err
			}
		}
		r.keep()
	}
	return r.versions(ctx)
}

func (r *run) buildOne(ctx context.Context, argv []string) error {
	fmt.Fprintln(r.spool, strings.Join(argv, " "))
	got, err := r.procs.run(ctx, command{
		argv: argv, dir: r.src, env: r.buildEnv,
		limit: r.cfg.Limits.Build, output: r.cfg.Limits.Output,
	}, r.spool)
	switch {
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission):
		return &stopped{PhaseBuild, fmt.Sprintf("%s cannot be started", argv[0])}
	case err != nil:
		return err
	}
	if why := got.why(r.cfg.Limits.Build); why != "" {
		return &stopped{PhaseBuild, strings.Join(argv, " ") + " " + why}
	}
	return nil
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
	if r.cfg.Work == "" {
		return nil
	}
	key, err := r.buildKey(commit)
	if err != nil {
		return err
	}
	r.key = key
	from := filepath.Join(r.cfg.Work, key)
	if _, err := os.Stat(from); err != nil || r.cfg.Piece.Options.Force {
		return nil
	}
	if err := os.CopyFS(r.src, os.DirFS(from)); err != nil {
		// A broken build in the store costs a new build and nothing else.
		r.cfg.Logger.Warn("kept build is not usable", "err", err)
		return os.RemoveAll(r.src)
	}
	r.kept = key
	r.note("build %s was made before on this machine", key)
	return nil
}

// keep copies the build to where other pieces find it. Whoever is first wins;
// that it cannot be kept is no reason to fail.
func (r *run) keep() {
	if r.cfg.Work == "" {
		return
	}
	if err := r.keepAs(filepath.Join(r.cfg.Work, r.key)); err != nil {
		r.cfg.Logger.Warn("build is not kept", "err", err)
	}
}

func (r *run) keepAs(to string) error {
	if err := os.MkdirAll(r.cfg.Work, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(r.cfg.Work, "new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.CopyFS(filepath.Join(tmp, "tree"), os.DirFS(r.src)); err != nil {
		return err
	}
	if r.cfg.Piece.Options.Force {
		if err := os.RemoveAll(to); err != nil {
			return err
		}
	}
	if err := os.Rename(filepath.Join(tmp, "tree"), to); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}
