package action

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ortest/ortest/action/source"
	"github.com/ortest/ortest/plan/recipe"
)

// ngxBuild stands in for the ngx-build of nginx-devel-utils, which the projects'
// own scripts call with the arguments of configure: it writes them down. How
// nginx is built with them is the same for all projects, and is done here.
const ngxBuild = "#!/bin/sh\nprintf '%s\\0' \"$@\" > \"$ORTEST_NGX_BUILD\"\n"

// askScript runs a project's own build script up to where it would build, and
// returns the arguments of configure that it wants.
func (r *run) askScript(ctx context.Context, script []string, dir string) ([]string, error) {
	bin := filepath.Join(r.tmp, "bin")
	asked := filepath.Join(r.tmp, "ngx-build.args")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(bin, "ngx-build"), []byte(ngxBuild), 0o755); err != nil {
		return nil, err
	}
	r.environs()
	env := r.toolEnv(recipe.Tool{})
	path := bin + ":" + lookup(env, "PATH")
	// The shell takes PWD for the name of its folder only if it is that folder.
	env = append(env, "PATH="+path, "PWD="+dir, "ORTEST_NGX_BUILD="+asked)
	if err := r.build(ctx, dir, env, r.argv(script, env)...); err != nil {
		return nil, r.notBuilt(ctx, strings.Join(script, " "), err)
	}
	b, err := os.ReadFile(asked)
	if err != nil {
		return nil, &stopped{PhaseBuild, fmt.Sprintf("%s does not call ngx-build", script[0])}
	}
	args := strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
	// The version, and what forces a build, come before the arguments.
	i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "--") })
	return args[max(i, 0):], nil
}

// nginxOptions returns the text in which a core says what its configure takes.
func (r *run) nginxOptions(ctx context.Context, a source.Archive) (string, error) {
	dir, err := r.store().Keep(ctx, "core", a.SHA256, func(tmp string) error {
		return r.build(ctx, "/", r.toolEnv(recipe.Tool{}), "tar", "-xf", a.Path, "-C", tmp, "--strip-components=1")
	})
	if err != nil {
		return "", r.notBuilt(ctx, a.Path, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "auto", "options"))
	if err != nil {
		return "", &stopped{PhaseBuild, fmt.Sprintf("%s is no source of nginx: it has no auto/options", a.Path)}
	}
	return string(b), nil
}

// configureArgs turns what a script wants into what configure gets, by the
// rules of ngx-build: the mode's compiler flags come in by variables.
func (r *run) configureArgs(args []string, dir, options string) ([]string, error) {
	get := func(name string) string { return lookup(r.buildEnv, name) }
	ccOpt := strings.TrimSpace(get("NGX_BUILD_OPT") + " " + r.cfg.Piece.Options.CCOpt)
	var out []string
	var cc, ld string
	for _, a := range append(slices.Clone(args), strings.Fields(get("NGX_BUILD_EXTRA_CONFIG_OPTS"))...) {
		name, value, _ := strings.Cut(a, "=")
		switch {
		case name == "--with-debug" && get("NGX_BUILD_NO_DEBUG") != "", name == "--with-cc":
		case name == "--with-cc-opt":
			cc = cleanPaths(value)
		case name == "--with-ld-opt":
			ld = cleanPaths(value)
		case name == "--add-module":
			module, err := r.module(value, dir)
			if err != nil {
				return nil, err
			}
			if module != "" {
				out = append(out, "--add-module="+module)
			}
		case strings.HasPrefix(name, "--with") && !strings.Contains(options, name+")") && !strings.Contains(options, name+"="):
			r.note("configure does not know %s in this nginx: left out", name)
		case !slices.Contains(out, a):
			out = append(out, a)
		}
	}
	if !slices.Contains(out, "--with-poll_module") {
		out = append(out, "--with-poll_module")
	}
	cc = strings.TrimSpace(get("NGX_BUILD_CC_OPTS") + " " + withoutLevel(cc) + " " + ccOpt)
	ld = strings.TrimSpace(get("NGX_BUILD_LD_OPTS") + " " + ld)
	return append(out, "--with-cc="+get("NGX_BUILD_CC"), "--with-cc-opt="+cc, "--with-ld-opt="+ld), nil
}

// withoutLevel drops a level of optimisation: the mode's takes its place.
func withoutLevel(opt string) string {
	words := slices.DeleteFunc(strings.Fields(opt), func(w string) bool {
		return len(w) <= 3 && strings.HasPrefix(w, "-O")
	})
	return strings.Join(words, " ")
}

// cleanPaths drops options whose variable was empty, which would take the next
// word for their folder, and empty folders of a run path.
func cleanPaths(opt string) string {
	var words []string
	for w := range strings.FieldsSeq(opt) {
		if path, ok := strings.CutPrefix(w, "-Wl,-rpath,"); ok {
			dirs := slices.DeleteFunc(strings.Split(path, ":"), func(d string) bool { return d == "" })
			if len(dirs) == 0 {
				continue
			}
			w = "-Wl,-rpath," + strings.Join(dirs, ":")
		}
		if w != "-I" && w != "-L" {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

// module finds the folder of a module, "" for one that the goal does without.
func (r *run) module(path, dir string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	path = filepath.Clean(path)
	for _, s := range r.cfg.Project.Recipe.Sources {
		name := cmp.Or(s.Dir, filepath.Base(s.Repo))
		if path != filepath.Join(r.cfg.Workspace, name) || s.Requires == "" || r.vars[s.Requires] != "" {
			continue
		}
		if !s.Optional {
			return "", &stopped{PhaseBuild, fmt.Sprintf("%s cannot be built: %s needs %s, which is missing", r.cfg.Piece.Goal, s.Name, s.Requires)}
		}
		r.note("nginx is built without %s: %s is missing", s.Name, s.Requires)
		return "", nil
	}
	path = r.shared(path)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if filepath.Dir(path) != filepath.Clean(r.cfg.Workspace) {
		return "", &stopped{PhaseBuild, fmt.Sprintf("the build script adds the module %s, and there is none", path)}
	}
	for _, s := range r.cfg.Project.Recipe.Sources {
		if !s.Optional && cmp.Or(s.Dir, filepath.Base(s.Repo)) == filepath.Base(path) {
			return "", &stopped{PhaseBuild, fmt.Sprintf("the module %s is missing", s.Name)}
		}
	}
	r.note("nginx is built without %s: it is not checked out", filepath.Base(path))
	return "", nil
}

// shared returns where a path in the workspace lies for everybody: an nginx with a
// goal's own folders in it would be built again for each goal.
func (r *run) shared(path string) string {
	for _, s := range r.beside {
		if rest, ok := strings.CutPrefix(path, s.link); ok && (rest == "" || rest[0] == '/') {
			return s.dir + rest
		}
	}
	return path
}
