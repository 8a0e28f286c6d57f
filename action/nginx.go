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
	b := nginxBuild{archive: r.archive}
	var err error
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

// core gets the archive of the nginx core, before minutes go into what it is built with.
func (r *run) core(ctx context.Context) error {
	if r.cfg.Project.Nginx == nil {
		return nil
	}
	i := slices.IndexFunc(r.cfg.Project.Recipe.Archives, func(a recipe.Archive) bool { return a.Name == "nginx" })
	if i < 0 {
		return &stopped{PhaseBuild, "the catalog does not say where nginx comes from"}
	}
	var err error
	if r.archive, err = r.store().Nginx(ctx, r.cfg.Project.Recipe.Archives[i], r.cfg.Piece.Options.Nginx); err != nil {
		return r.notBuilt(ctx, "nginx", err)
	}
	if r.archive.Note != "" {
		r.note("%s", r.archive.Note)
	}
	r.vars["NGINX_VERSION"] = r.archive.Version
	return nil
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
