package action

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/action/source"
	"github.com/ortest/ortest/plan/recipe"
)

// keyOf names what is made of the parts.
func keyOf(name string, parts ...any) string {
	b, err := json.Marshal(parts)
	if err != nil {
		panic(err) // only plain values are given
	}
	sum := sha256.Sum256(b)
	return name + "-" + hex.EncodeToString(sum[:12])
}

// compiler finds the compiler, behind its cache where there is one, and says
// what of it goes into the name of a build.
func (r *run) compiler(ctx context.Context) error {
	r.vars["CC"] = "gcc"
	if r.program("ccache") != "" {
		r.vars["CC"] = "ccache gcc"
	}
	if strings.HasSuffix(r.result.Manifest.Arch, "x86_64") {
		r.vars["XCFLAGS_ARCH"] = "-msse4.2"
	}
	var out strings.Builder
	if _, err := r.procs.run(ctx, command{argv: []string{"gcc", "--version"}, dir: "/", env: r.env, limit: r.cfg.Limits.Build, output: 4096}, &out); err != nil {
		return &stopped{PhaseBuild, "gcc cannot be started"}
	}
	r.gcc, _, _ = strings.Cut(out.String(), "\n")
	return nil
}

// tools builds the tools whose variables the goal's environment names, or
// finds them built.
func (r *run) tools(ctx context.Context) error {
	text := fmt.Sprint(r.cfg.Project.Environ(r.cfg.Mode))
	for _, t := range r.cfg.Project.Recipe.Tools {
		named := func(name string) bool {
			return regexp.MustCompile(`\$\{?` + name + `\b`).MatchString(text)
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(t.Sets)), named) {
			continue
		}
		err := r.tool(ctx, t)
		var stop *stopped
		var missing *lacking
		switch {
		case errors.As(err, &missing) && r.instead(t):
			r.note("the machine's own %s is used: %v", t.Name, missing)
		case errors.As(err, &missing) && t.Optional:
			r.note("%s is left out: %v", t.Name, missing)
		case errors.As(err, &missing):
			return &stopped{PhaseBuild, fmt.Sprintf("%s needs %s: %v", r.cfg.Piece.Goal, t.Name, missing)}
		case errors.As(err, &stop) || ctx.Err() != nil:
			return err
		case err != nil:
			return &stopped{PhaseBuild, fmt.Sprintf("build %s: %v", t.Name, err)}
		}
	}
	return nil
}

// lacking is that the source of a tool cannot be had.
type lacking struct{ error }

// instead sets a tool's variables to what the machine has, if it has all.
func (r *run) instead(t recipe.Tool) bool {
	found := map[string]string{}
	for name, paths := range t.Else {
		i := slices.IndexFunc(paths, func(p string) bool { _, err := os.Stat(p); return err == nil })
		if i < 0 {
			return false
		}
		found[name] = paths[i]
	}
	maps.Copy(r.vars, found)
	return len(found) > 0
}

// material is what a tool is made of.
type material struct {
	id      string // commit or checksum
	version string // of an archive
	path    string // of the archive, or folder of the source
	patches []string
}

func (r *run) material(ctx context.Context, t recipe.Tool) (m material, err error) {
	if t.Source != "" {
		s := r.sourceOf(t.Source)
		if s == nil {
			return m, &lacking{fmt.Errorf("its source %s is missing", t.Source)}
		}
		m.id, m.path = s.Commit, s.dir
	} else {
		i := slices.IndexFunc(r.cfg.Project.Recipe.Archives, func(a recipe.Archive) bool { return a.Name == t.Archive })
		a, err := r.store().Archive(ctx, r.cfg.Project.Recipe.Archives[i], "")
		if err != nil {
			return m, &lacking{err}
		}
		m.id, m.path, m.version = a.SHA256, a.Path, a.Version
	}
	m.patches = r.patchesOf(t, m.version)
	return m, nil
}

// tool builds a tool, or finds it built, and sets its variables.
func (r *run) tool(ctx context.Context, t recipe.Tool) error {
	m, err := r.material(ctx, t)
	if err != nil && len(t.Instead) == 0 {
		return err
	}
	if err != nil {
		r.note("%s is made of what the machine has: %v", t.Name, err)
		m, t.Build = material{}, t.Instead
	}
	sums := make([]string, len(m.patches))
	for i, p := range m.patches {
		if sums[i], err = source.Sum(p); err != nil {
			return err
		}
	}
	key := keyOf(t.Name, m.id, t.Build, t.Env, r.vars["CC"], r.vars["XCFLAGS_ARCH"], r.gcc, sums, r.result.Manifest.Arch)
	out, err := r.store().Make(ctx, "tools", key, time.Time{}, func(out string) error {
		r.note("%s is built: %s", t.Name, cmp.Or(t.Title, t.Name))
		return r.makeTool(ctx, t, m, out)
	})
	if err != nil {
		return err
	}
	for name, value := range t.Sets {
		r.vars[name] = strings.ReplaceAll(value, "$OUT", out)
	}
	if m.version != "" {
		r.result.Manifest.Versions[t.Name] = m.version
	}
	return nil
}

func (r *run) makeTool(ctx context.Context, t recipe.Tool, m material, out string) error {
	dir, env := out+".build", r.toolEnv(t)
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var err error
	switch {
	case m.path == "":
	case t.Source != "":
		err = os.CopyFS(dir, os.DirFS(m.path))
	default:
		err = r.build(ctx, "/", env, "tar", "-xf", m.path, "-C", dir, "--strip-components=1")
	}
	if err != nil {
		return err
	}
	for _, p := range m.patches {
		if err := r.build(ctx, dir, env, "patch", "-p1", "-i", p); err != nil {
			return err
		}
	}
	env = append(env, "OUT="+out)
	for _, argv := range t.Build {
		if err := r.build(ctx, dir, env, r.argv(argv, env)...); err != nil {
			return err
		}
	}
	return nil
}

// patchesOf returns the patches of a tool that are there for the version.
func (r *run) patchesOf(t recipe.Tool, version string) []string {
	var paths []string
	for _, p := range t.Patches {
		name, file, _ := strings.Cut(strings.ReplaceAll(p, "$VERSION", version), "/")
		s := r.sourceOf(name)
		if s == nil {
			r.note("%s is built without %s: %s is missing", t.Name, file, name)
			continue
		}
		path := filepath.Join(s.dir, filepath.FromSlash(file))
		if _, err := os.Stat(path); err != nil {
			r.note("%s is built without %s: there is no such file", t.Name, file)
			continue
		}
		paths = append(paths, path)
	}
	return paths
}

// toolEnv is the environment in which tools and nginx are built: that of the
// build without what changes how programs run.
func (r *run) toolEnv(t recipe.Tool) []string {
	env := slices.DeleteFunc(slices.Clone(r.buildEnv), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.HasPrefix(name, "LD_") || strings.HasPrefix(name, "TEST_") || name == "MOCKEAGAIN" || name == "LUA_PATH"
	})
	dir := r.storeDir()
	env = append(env, "CCACHE_DIR="+filepath.Join(dir, "ccache"), "CCACHE_BASEDIR="+dir, "CCACHE_NOHASHDIR=1")
	for _, name := range slices.Sorted(maps.Keys(t.Env)) {
		env = append(env, name+"="+os.Expand(t.Env[name], func(n string) string { return r.vars[n] }))
	}
	return env
}
