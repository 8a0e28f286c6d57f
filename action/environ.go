package action

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// inherited are the variables of the job that a project may see. All others
// stay behind: a workflow's hold tokens.
var inherited = []string{"PATH", "HOME", "USER", "LOGNAME"}

// strictCore is what -c has each server of a suite begin with: lua-resty-core with
// buffers so small that it has to let them grow, and traces that stitch at once.
const strictCore = `jit.opt.start('minstitch=0') require('resty.core.base').set_string_buf_size(1) require('resty.core.regex').set_buf_grow_ratio(1)`

// environs makes the environments of the build and of the tests from scratch.
func (r *run) environs() {
	base := map[string]string{
		"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": r.tmp, "TMPDIR": r.tmp,
		"LANG": "C.UTF-8", "SHELL": "/bin/sh", "TERM": "dumb",
	}
	for _, kv := range r.cfg.Env {
		if k, v, ok := strings.Cut(kv, "="); ok && v != "" && slices.Contains(inherited, k) {
			base[k] = v
		}
	}
	base["PATH"] = withSystem(base["PATH"])

	goal := r.cfg.Project.Environ(r.cfg.Mode)
	r.buildEnv = r.expanded(base, goal)
	maps.Copy(goal, r.cfg.Project.Test.Env)
	if r.cfg.Piece.Options.RestyCore && r.cfg.Project.Nginx != nil {
		goal["TEST_NGINX_INIT_BY_LUA"] = strictCore
	}
	r.withServices(goal)
	r.env = r.expanded(base, goal)
}

// withSystem appends the folders of the system's servers, which an ordinary
// user's search path lacks.
func withSystem(path string) string {
	have := filepath.SplitList(path)
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if !slices.Contains(have, dir) {
			have = append(have, dir)
		}
	}
	return strings.Join(have, string(filepath.ListSeparator))
}

// expanded merges the goal's variables into the base. A value may name others;
// its own name in it means the base's value.
func (r *run) expanded(base, goal map[string]string) []string {
	var value func(name string, above []string) string
	value = func(name string, above []string) string {
		v, ok := goal[name]
		if !ok || slices.Contains(above, name) {
			return cmp.Or(base[name], r.variable(name))
		}
		above = append(slices.Clone(above), name)
		return os.Expand(v, func(n string) string { return value(n, above) })
	}
	merged := maps.Clone(base)
	for name := range goal {
		merged[name] = value(name, nil)
	}
	env := make([]string, 0, len(merged))
	for _, name := range slices.Sorted(maps.Keys(merged)) {
		env = append(env, name+"="+merged[name])
	}
	return env
}

// variable is what the catalog's values may name although no command sees it.
func (r *run) variable(name string) string {
	switch name {
	case "$":
		return "$"
	case "ORTEST_WORK":
		return r.cfg.Workspace
	case "ORTEST_PROJECT":
		return r.src
	case "NGINX_VERSION":
		return cmp.Or(r.vars[name], r.cfg.Piece.Options.Nginx)
	case "USE_STAP":
		if !r.cfg.Piece.Options.NoSystemTap && r.program("stap") != "" {
			return "1"
		}
	}
	return r.vars[name]
}

// argv expands the variables in a command of the catalog. No shell reads it.
func (r *run) argv(args, env []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = os.Expand(a, func(name string) string { return cmp.Or(r.variable(name), lookup(env, name)) })
	}
	return out
}

// lookup returns a variable of an environment, "" when it is not there.
func lookup(env []string, name string) string {
	for _, kv := range env {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			return v
		}
	}
	return ""
}
