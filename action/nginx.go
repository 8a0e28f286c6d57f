package action

import (
	"cmp"
	"context"
	"errors"
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

// nginxBuild is all that goes into an nginx.
type nginxBuild struct {
	archive source.Archive
	args    []string // of configure
	named   []string // the same, with the sources' commits in place of their folders
	patches []string // in order
}

// nginx builds the nginx of the suite, or finds it built.
func (r *run) nginx(ctx context.Context) error {
	n := r.cfg.Project.Nginx
	if n == nil {
		return nil
	}
	b, err := r.nginxBuild(ctx, n)
	if err != nil {
		return err
	}
	sums := make([]string, len(b.patches))
	for i, p := range b.patches {
		if sums[i], err = source.Sum(p); err != nil {
			return r.notBuilt(ctx, "nginx", err)
		}
	}
	key := keyOf("nginx-"+b.archive.Version, b.archive.SHA256, b.named, sums, r.gcc, r.result.Manifest.Arch)
	made := false
	out, err := r.store().Make(ctx, "nginx", key, r.since(), func(out string) error {
		made = true
		return r.makeNginx(ctx, b, out)
	})
	if err != nil {
		return r.notBuilt(ctx, "nginx", err)
	}
	if !made {
		r.note("build %s was made before on this machine", key)
	}
	r.vars["NGINX"] = out
	return nil
}

// notBuilt is a stop, unless it is one or the run is at its end.
func (r *run) notBuilt(ctx context.Context, what string, err error) error {
	var stop *stopped
	if errors.As(err, &stop) || ctx.Err() != nil {
		return cmp.Or(ctx.Err(), err)
	}
	return &stopped{PhaseBuild, fmt.Sprintf("build %s: %v", what, err)}
}

func (r *run) nginxBuild(ctx context.Context, n *recipe.Nginx) (nginxBuild, error) {
	var b nginxBuild
	var err error
	if b.archive, err = r.core(ctx); err != nil {
		return b, err
	}
	r.vars["NGINX_VERSION"] = b.archive.Version
	dir := r.src
	if n.Of != "" && n.Of != r.cfg.Project.Name {
		of := r.sourceOf(n.Of)
		if of == nil {
			return b, &stopped{PhaseBuild, fmt.Sprintf("the suite runs on the nginx of %s, which was left out", n.Of)}
		}
		dir = of.link
	}
	args := n.Configure
	if len(n.Script) > 0 {
		if args, err = r.askScript(ctx, n.Script, dir); err != nil {
			return b, err
		}
	}
	options, err := r.nginxOptions(ctx, b.archive)
	if err != nil {
		return b, err
	}
	if b.args, err = r.configureArgs(args, dir, options); err != nil {
		return b, err
	}
	for _, a := range b.args {
		for _, s := range r.beside {
			a = strings.ReplaceAll(a, s.dir, s.Name+"@"+s.Commit)
		}
		b.named = append(b.named, strings.ReplaceAll(a, r.src, r.cfg.Project.Name+"@"+r.result.Manifest.Commit))
	}
	if b.patches, err = r.nginxPatches(b.archive.Version); err != nil {
		return b, err
	}
	return b, nil
}

// core gets the archive of the nginx core.
func (r *run) core(ctx context.Context) (source.Archive, error) {
	i := slices.IndexFunc(r.cfg.Project.Recipe.Archives, func(a recipe.Archive) bool { return a.Name == "nginx" })
	if i < 0 {
		return source.Archive{}, &stopped{PhaseBuild, "the catalog does not say where nginx comes from"}
	}
	a, err := r.store().Nginx(ctx, r.cfg.Project.Recipe.Archives[i], r.cfg.Piece.Options.Nginx)
	if err != nil {
		return a, r.notBuilt(ctx, "nginx", err)
	}
	if a.Note != "" {
		r.note("%s", a.Note)
	}
	return a, nil
}

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

// notApplied are the patches of OpenResty that change what it is called, what
// Windows needs, or what a fixed core has; the pool's has rules of its own.
var notApplied = []string{"server_header", "win32", "no_pool", "CVE-"}

// nginxPatches lists OpenResty's patches for a core and, where the mode has no
// optimised build, the one that gives every allocation to malloc.
func (r *run) nginxPatches(version string) ([]string, error) {
	var patches []string
	if s := r.sourceOf("openresty"); s != nil {
		for _, dir := range []string{filepath.Join(s.dir, "patches", "nginx", version), filepath.Join(s.dir, "patches")} {
			found, err := filepath.Glob(filepath.Join(dir, "nginx-"+version+"-*.patch"))
			if err != nil {
				return nil, err
			}
			patches = append(patches, found...)
		}
	}
	if len(patches) == 0 {
		r.note("nginx %s is built without OpenResty's patches: there are none for it", version)
	}
	patches = slices.DeleteFunc(patches, func(p string) bool {
		return slices.ContainsFunc(notApplied, func(word string) bool { return strings.Contains(filepath.Base(p), word) })
	})
	if !r.cfg.Mode.Optimised {
		patches = append(patches, r.noPool(version)...)
	}
	return patches, nil
}

// noPool finds the patch of the core's version, or of the nearest before it.
func (r *run) noPool(version string) []string {
	s := r.sourceOf("no-pool-nginx")
	if s == nil {
		r.note("nginx is built with its pools: no-pool-nginx is missing")
		return nil
	}
	found, _ := filepath.Glob(filepath.Join(s.dir, "nginx-*-no_pool.patch"))
	best := ""
	for _, p := range found {
		v := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(p), "nginx-"), "-no_pool.patch")
		if source.Compare(v, version) <= 0 && (best == "" || source.Compare(v, best) > 0) {
			best = v
		}
	}
	if best == "" {
		r.note("nginx is built with its pools: no-pool-nginx has no patch for %s", version)
		return nil
	}
	path := filepath.Join(s.dir, "nginx-"+best+"-no_pool.patch")
	if best == version {
		return []string{path}
	}
	r.note("the no-pool patch of nginx %s is used: there is none for %s", best, version)
	moved, err := r.forVersion(path, best, version)
	if err != nil {
		r.note("nginx is built with its pools: %v", err)
		return nil
	}
	return []string{moved}
}

// forVersion copies a patch with another version in the lines that it is known
// to change: those that say the version.
func (r *run) forVersion(path, from, to string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	text := strings.ReplaceAll(string(b), from, to)
	text = strings.ReplaceAll(text, source.Number(from), source.Number(to))
	moved := filepath.Join(r.tmp, "for-"+to, filepath.Base(path))
	if err := os.MkdirAll(filepath.Dir(moved), 0o755); err != nil {
		return "", err
	}
	return moved, os.WriteFile(moved, []byte(text), 0o644)
}

// makeNginx builds an nginx into the folder.
func (r *run) makeNginx(ctx context.Context, b nginxBuild, out string) error {
	env := r.toolEnv(recipe.Tool{})
	dir := out + ".build"
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(r.storeDir(), "core", b.archive.SHA256))); err != nil {
		return err
	}
	if err := r.patch(ctx, b, dir, env); err != nil {
		return err
	}
	configure := "./configure"
	if _, err := os.Stat(filepath.Join(dir, "configure")); err != nil {
		configure = "./auto/configure"
	}
	for _, argv := range [][]string{
		append([]string{configure, "--prefix=" + out}, b.args...), {"make", "-j2"}, {"make", "install"},
	} {
		if err := r.build(ctx, dir, env, argv...); err != nil {
			return err
		}
	}
	return nil
}

// patch applies the patches of a core; some fit only after others that come later.
func (r *run) patch(ctx context.Context, b nginxBuild, dir string, env []string) error {
	left := b.patches
	for len(left) > 0 {
		var again []string
		for _, p := range left {
			argv := []string{"patch", "-p1", "--forward", "--silent", "--batch", "--input", p}
			if !r.quietly(ctx, dir, env, append(argv, "--dry-run")...) {
				again = append(again, p)
				continue
			}
			if err := r.build(ctx, dir, env, argv...); err != nil {
				return err
			}
		}
		if len(again) == len(left) {
			for _, p := range again {
				r.note("%s does not fit and is left out", filepath.Base(p))
			}
			return nil
		}
		left = again
	}
	return nil
}
