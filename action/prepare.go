package action

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// need is something that a machine must have, and the Debian package it is in.
type need struct {
	what string // a program, or the path of a file
	pkg  string
}

// provides says how to see that a Debian package is there without asking dpkg:
// on other systems the same program comes from elsewhere.
var provides = map[string]string{
	"nginx-light": "nginx", "nginx": "nginx", "gcc": "gcc", "make": "make", "perl": "prove",
	"valgrind": "valgrind", "git": "git", "ccache": "ccache", "dnsutils": "dig",
	"libnginx-mod-http-lua": "/usr/lib/nginx/modules/ngx_http_lua_module.so",
}

// prepare makes the environment and checks that the machine has what the goal
// needs. All that is missing is named at once.
func (r *run) prepare(ctx context.Context) error {
	r.environs()
	var missing []string
	for _, n := range r.needs() {
		if !r.has(ctx, n) {
			missing = append(missing, fmt.Sprintf("%s (Debian package %s)", n.what, n.pkg))
		}
	}
	if len(missing) > 0 {
		return &stopped{PhasePrepare, "missing: " + strings.Join(missing, ", ")}
	}
	if err := os.MkdirAll(r.cfg.Workspace, 0o755); err != nil {
		return fmt.Errorf("make workspace: %w", err)
	}
	return nil
}

func (r *run) needs() []need {
	needs := []need{{"git", "git"}, {"prove", "perl"}}
	for _, pkg := range r.cfg.Project.Packages {
		what, ok := provides[pkg]
		if !ok {
			what = pkg
		}
		if what == "prove" || what == "valgrind" && !r.cfg.Mode.Valgrind {
			continue
		}
		needs = append(needs, need{what, pkg})
	}
	return needs
}

func (r *run) has(ctx context.Context, n need) bool {
	if filepath.IsAbs(n.what) {
		_, err := os.Stat(n.what)
		return err == nil
	}
	if _, ok := provides[n.pkg]; ok {
		return r.program(n.what) != ""
	}
	// A library: only the package manager knows.
	dpkg := r.program("dpkg-query")
	if dpkg == "" {
		return true
	}
	var out strings.Builder
	got, err := r.procs.run(ctx, command{
		argv: []string{dpkg, "--show", "--showformat=${db:Status-Status}", n.pkg},
		dir:  "/", env: r.env, limit: time.Minute, output: 4096,
	}, &out)
	return err == nil && got.exit == 0 && strings.HasPrefix(out.String(), "installed")
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
