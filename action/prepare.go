package action

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ortest/ortest/action/unit"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/recipe"
)

// Unmet says why units are not true, by name. MakeUnits returns it, and the
// pieces that need one of them tell it as their reason.
type Unmet map[string]error

// MakeUnits makes true what goals of projects need of this machine: packages,
// and what is of the network unless each test file gets a lane of its own. It
// needs root, or sudo that does not ask; log hears what is done.
func MakeUnits(ctx context.Context, projects []plan.Project, modes []plan.Mode, lanes bool, log io.Writer) (Unmet, error) {
	failed, err := unit.Machine{Log: log}.Make(ctx, Units(projects, modes, lanes))
	if err != nil {
		return nil, fmt.Errorf("make units true: %w", err)
	}
	unmet := Unmet{}
	for name, f := range failed {
		unmet[name] = f
	}
	return unmet, nil
}

// Units lists what MakeUnits makes true, each once.
func Units(projects []plan.Project, modes []plan.Mode, lanes bool) (all []recipe.Unit) {
	for i, p := range projects {
		for _, u := range unitsOf(p, modes[i]) {
			known := slices.ContainsFunc(all, func(o recipe.Unit) bool { return o.Name == u.Name })
			if !known && !(u.Lane && lanes) {
				all = append(all, u)
			}
		}
	}
	return all
}

// unitsOf lists the units of a goal: the project's own for its modes, and each
// package that is named without a unit.
func unitsOf(p plan.Project, m plan.Mode) []recipe.Unit {
	var units []recipe.Unit
	var named []string
	for _, u := range p.Recipe.Units {
		named = append(named, u.Apt...)
		if u.Modes == "" || strings.ContainsAny(m.Name[1:], u.Modes) {
			units = append(units, u)
		}
	}
	for _, pkg := range p.Packages {
		if slices.Contains(named, pkg) || pkg == "valgrind" && !m.Valgrind {
			continue
		}
		u := recipe.Unit{Name: pkg, Apt: []string{pkg}}
		if what, ok := provides[pkg]; ok {
			u.Check = "command -v " + what
			if filepath.IsAbs(what) {
				u.Check = "test -e " + what
			}
		}
		units = append(units, u)
	}
	return append(units, recipe.Unit{Name: "git", Apt: []string{"git"}, Dnf: []string{"git"}, Check: "command -v git"},
		recipe.Unit{Name: "prove", Apt: []string{"perl"}, Dnf: []string{"perl-Test-Harness"}, Check: "command -v prove"})
}

// provides says how to see that a package is there without asking for it by
// name: the same program may come from elsewhere.
var provides = map[string]string{
	"nginx-light": "nginx", "nginx": "nginx", "gcc": "gcc", "make": "make", "perl": "prove",
	"valgrind": "valgrind", "git": "git", "ccache": "ccache", "dnsutils": "dig",
	"libnginx-mod-http-lua": "/usr/lib/nginx/modules/ngx_http_lua_module.so",
}

// prepare makes the environment and checks that the machine has what the goal
// needs. All that is missing is named at once.
func (r *run) prepare(ctx context.Context) error {
	// A 64-bit machine runs a 32-bit suite without complaint, and proves nothing by it.
	if want := r.cfg.Piece.Options.Arch; want != Arch() && (want == i386 || Arch() == i386) {
		return &stopped{PhasePrepare, fmt.Sprintf("the piece is for %s, and this system is %s", want, Arch())}
	}
	r.environs()
	machine := unit.Machine{Env: r.env, Log: r.spool}
	var here []recipe.Unit
	for _, u := range unitsOf(r.cfg.Project, r.cfg.Mode) {
		if !u.Lane || !r.cfg.Lanes {
			here = append(here, u)
			continue
		}
		if u.Make != "" {
			r.setup = append(r.setup, []string{"/bin/sh", "-c", u.Make})
		}
	}
	missing, err := machine.Missing(ctx, here)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		var what []string
		for _, u := range missing {
			if why := r.cfg.Unmet[u.Name]; why != nil {
				what = append(what, why.Error())
				continue
			}
			what = append(what, machine.Describe(u))
		}
		return &stopped{PhasePrepare, "missing: " + strings.Join(what, ", ")}
	}
	if err := os.MkdirAll(r.cfg.Workspace, 0o755); err != nil {
		return fmt.Errorf("make workspace: %w", err)
	}
	return nil
}

// program returns the path of a program in the goal's search path, or "".
func (r *run) program(name string) string {
	for _, dir := range filepath.SplitList(lookup(r.env, "PATH")) {
		path := filepath.Join(dir, name)
		if fi, err := os.Stat(path); err == nil && !fi.IsDir() && fi.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
