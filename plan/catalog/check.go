package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/recipe"
)

var (
	repoURL     = regexp.MustCompile(`^https://github\.com/[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)
	projectName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	variable    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// checker collects what is wrong, each with its place.
type checker struct {
	c    *Catalog
	srcs map[string]source
	bad  []error
}

func (k *checker) badAt(file, yamlPath, format string, args ...any) {
	k.bad = append(k.bad, fmt.Errorf("%s: %s", k.srcs[file].at(yamlPath), fmt.Sprintf(format, args...)))
}

// check looks at what the decoder cannot see: names that must exist, values
// that must make sense. It reports everything at once.
func (c *Catalog) check(srcs map[string]source) error {
	k := &checker{c: c, srcs: srcs}
	k.modes()
	k.kinds()
	k.arches()
	k.releases()
	k.units()
	k.recipes()
	for _, p := range c.projects {
		k.project(p)
	}
	k.expectations()
	return errors.Join(k.bad...)
}

func (k *checker) modes() {
	seen := map[string]bool{}
	for i, m := range k.c.modes {
		at := fmt.Sprintf("$[%d].name", i)
		if !strings.HasPrefix(m.Name, "t") || strings.Contains(m.Name, "-") || seen[m.Name] {
			k.badAt("modes.yaml", at, "mode %q: want a new name that begins with t and has no hyphen", m.Name)
		}
		seen[m.Name] = true
		if m.CPUShare <= 0 || m.CPUShare > 64 || m.PerBlock <= 0 || m.PerBlock > 3600 {
			k.badAt("modes.yaml", at, "mode %s: cpu_share and seconds_per_block must be positive and plausible", m.Name)
		}
		k.env("modes.yaml", fmt.Sprintf("$[%d].env", i), m.Env)
	}
}

func (k *checker) kinds() {
	for i, kd := range k.c.kinds {
		at := fmt.Sprintf("$[%d]", i)
		k.names(spot{"kinds.yaml", at + ".modes"}, "mode", kd.Modes, k.modeNames())
		k.names(spot{"kinds.yaml", at + ".units"}, "unit", kd.Units, append(k.unitNames(), k.toolNames()...))
		k.nginx(spot{"kinds.yaml", at + ".nginx.of"}, kd.Nginx)
		k.names(spot{"kinds.yaml", at + ".sources"}, "source", kd.Sources, k.sourceNames())
		k.env("kinds.yaml", at+".env", kd.Env)
		for _, m := range slices.Sorted(maps.Keys(kd.ModeEnv)) {
			k.name(spot{"kinds.yaml", at + ".mode_env." + m}, "mode", m, kd.Modes)
			k.env("kinds.yaml", at+".mode_env."+m, kd.ModeEnv[m])
		}
	}
}

func (k *checker) arches() {
	for i, a := range k.c.arches {
		at := fmt.Sprintf("$[%d]", i)
		if a.Name == "" || len(a.Types) == 0 {
			k.badAt("arches.yaml", at, "an arch needs a name and at least one instance type")
		}
		for j, t := range a.Types {
			if t.Name == "" || t.Cores < 1 || t.OnDemand <= 0 || t.Spot <= 0 || t.Spot > t.OnDemand {
				k.badAt("arches.yaml", fmt.Sprintf("%s.types[%d]", at, j), "instance type %q: want cores, and prices with spot no higher than on demand", t.Name)
			}
		}
	}
}

func (k *checker) releases() {
	for _, core := range slices.Sorted(maps.Keys(k.c.releases)) {
		for _, rel := range k.c.releases[core] {
			if _, ok := parseVersion(core); !ok || !strings.HasPrefix(rel, core+".") {
				k.badAt("releases.yaml", "$", "release %s is no release on core %s", rel, core)
			}
		}
	}
}

// units checks names and finds cycles: units are made true in order.
func (k *checker) units() {
	needs := map[string][]string{}
	for i, u := range k.c.units {
		k.names(spot{"units.yaml", fmt.Sprintf("$[%d].needs", i)}, "unit", u.Needs, k.unitNames())
		needs[u.Name] = u.Needs
	}
	state := map[string]int{} // 1 while below it, 2 when done
	var visit func(name string, trail []string) []string
	visit = func(name string, trail []string) []string {
		trail = append(trail, name)
		switch state[name] {
		case 1:
			return trail[slices.Index(trail, name):]
		case 2:
			return nil
		}
		state[name] = 1
		for _, n := range needs[name] {
			if cycle := visit(n, trail); cycle != nil {
				return cycle
			}
		}
		state[name] = 2
		return nil
	}
	for _, u := range k.c.units {
		if cycle := visit(u.Name, nil); cycle != nil {
			i := slices.Index(k.unitNames(), cycle[0])
			k.badAt("units.yaml", fmt.Sprintf("$[%d].needs", i), "units need each other in a circle: %s", strings.Join(cycle, " -> "))
			return
		}
	}
}

func (k *checker) project(p plan.Project) {
	file := "projects/" + p.Name + ".yaml"
	if p.Example {
		file = "examples/" + p.Name + ".yaml"
	}
	kd, ok := find(k.c.kinds, func(kd kind) bool { return kd.Name == p.Kind })
	if !ok {
		k.name(spot{file, "$.kind"}, "kind", p.Kind, k.kindNames())
		return
	}
	if !projectName.MatchString(p.Name) || slices.Contains(k.modeNames(), p.Name) {
		k.badAt(file, "$.name", "project %q: want letters, digits, _ . - and not a mode's name", p.Name)
	}
	switch {
	case p.Repo == "":
		k.badAt(file, "$.name", "repo is missing: want repo: https://github.com/OWNER/NAME")
	case !repoURL.MatchString(p.Repo):
		k.badAt(file, "$.repo", "repo %q: want https://github.com/OWNER/NAME", p.Repo)
	}
	for i, m := range p.Modes {
		at := spot{file, fmt.Sprintf("$.modes[%d]", i)}
		k.modeOf(at, kd, m)
		if slices.Index(p.Modes, m) != i {
			k.badAt(at.file, at.path, "mode %s stands twice", m)
		}
	}
	k.projectNames(p, kd, file)
	k.projectTest(p, kd, file)
}

// modeOf checks a mode that a project of this kind names.
func (k *checker) modeOf(at spot, kd kind, mode string) {
	if slices.Contains(k.modeNames(), mode) && !slices.Contains(kd.Modes, mode) {
		k.badAt(at.file, at.path, "projects of kind %s have no mode %s; they have %s", kd.Name, mode, strings.Join(kd.Modes, " "))
		return
	}
	k.name(at, "mode", mode, kd.Modes)
}

// nginx checks that another project's nginx, where it is taken, is that project's own.
func (k *checker) nginx(at spot, n *recipe.Nginx) {
	if n == nil || n.Of == "" {
		return
	}
	of, ok := find(k.c.projects, func(p plan.Project) bool { return p.Name == n.Of })
	if !ok {
		k.name(at, "project", n.Of, k.projectList())
		return
	}
	kd, _ := find(k.c.kinds, func(kd kind) bool { return kd.Name == of.Kind })
	if own := cmp.Or(of.Nginx, kd.Nginx); own == nil || own.Of != "" {
		k.badAt(at.file, at.path, "project %q has no nginx of its own", n.Of)
	}
}

func (k *checker) projectNames(p plan.Project, kd kind, file string) {
	if i := slices.Index(p.Needs, p.Name); i >= 0 {
		k.badAt(file, fmt.Sprintf("$.needs[%d]", i), "project %q needs itself", p.Name)
	}
	if i := slices.Index(p.Sources, p.Name); i >= 0 {
		k.badAt(file, fmt.Sprintf("$.sources[%d]", i), "project %q is a source of its own", p.Name)
	}
	k.names(spot{file, "$.needs"}, "project or source", p.Needs, append(k.projectList(), k.sourceNames()...))
	k.names(spot{file, "$.sources"}, "project or source", p.Sources, append(k.projectList(), k.sourceNames()...))
	k.names(spot{file, "$.optional"}, "need or source", p.Optional, append(slices.Clone(p.Needs), p.Sources...))
	k.pairs(spot{file, "$.pairs"}, p.Pairs)
	k.names(spot{file, "$.services"}, "service", p.Services, k.serviceNames())
	k.names(spot{file, "$.units"}, "unit", p.Units, append(k.unitNames(), k.toolNames()...))
	k.env(file, "$.env", p.Env)
	k.env(file, "$.test.env", p.Test.Env)
	for _, m := range slices.Sorted(maps.Keys(p.ModeEnv)) {
		k.modeOf(spot{file, "$.mode_env." + m}, kd, m)
		k.env(file, "$.mode_env."+m, p.ModeEnv[m])
	}
}

func (k *checker) projectTest(p plan.Project, kd kind, file string) {
	for i, argv := range p.Build {
		if len(argv) == 0 || argv[0] == "" {
			k.badAt(file, fmt.Sprintf("$.build[%d]", i), "a build command needs at least a program")
		}
	}
	k.nginx(spot{file, "$.nginx.of"}, p.Nginx)
	if p.Test.Glob == "" && kd.Test.Glob == "" {
		k.badAt(file, "$.test", "test.glob is missing, and kind %s has none", kd.Name)
	}
	if g := p.Test.Glob; g != "" && (path.IsAbs(g) || strings.Contains(g, "..")) {
		k.badAt(file, "$.test.glob", "glob %q must stay within the project", g)
	}
	for _, m := range slices.Sorted(maps.Keys(p.Test.Command)) {
		k.modeOf(spot{file, "$.test.command." + m}, kd, m)
	}
	if p.Test.Timeout < 0 || p.Order < 0 {
		k.badAt(file, "$", "order and timeout may not be negative")
	}
	for i, pattern := range p.Serial {
		at := fmt.Sprintf("$.serial[%d]", i)
		matches := func(f string) bool { ok, err := path.Match(pattern, f); return ok && err == nil }
		switch _, err := path.Match(pattern, ""); {
		case err != nil:
			k.badAt(file, at, "pattern %q of test files is not valid", pattern)
		case len(p.Files) > 0 && !slices.ContainsFunc(slices.Collect(maps.Keys(p.Files)), matches):
			k.badAt(file, at, "no test file under files is %q%s", pattern, suggest(pattern, slices.Sorted(maps.Keys(p.Files))))
		}
	}
	for _, f := range slices.Sorted(maps.Keys(p.Files)) {
		if n := p.Files[f]; n < 0 || n > 100_000 || path.IsAbs(f) || strings.Contains(f, "..") {
			k.badAt(file, "$.files", "file %q with %d blocks: want a path within the project and a plausible count", f, n)
		}
	}
}

// expectations must belong to a project; nobody would ever read the others.
func (k *checker) expectations() {
	for _, name := range slices.Sorted(maps.Keys(k.c.expectations)) {
		if !slices.Contains(k.projectList(), name) {
			k.bad = append(k.bad, fmt.Errorf("expectations/%s.yaml:1:1: unknown project %q%s", name, name, suggest(name, k.projectList())))
		}
	}
}

func (k *checker) env(file, at string, env map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !variable.MatchString(name) || strings.ContainsRune(env[name], 0) {
			k.badAt(file, at, "%q is no name of a variable", name)
		}
	}
}

// spot is a place in a file: a path such as "$.modes[1]".
type spot struct{ file, path string }

func (k *checker) names(at spot, what string, names, known []string) {
	for i, n := range names {
		k.name(spot{at.file, fmt.Sprintf("%s[%d]", at.path, i)}, what, n, known)
	}
}

func (k *checker) name(at spot, what, name string, known []string) {
	if !slices.Contains(known, name) {
		near := suggest(name, known)
		if own := k.ofRepo(name); slices.Contains(known, own) {
			near = "; did you mean " + own + "?"
		}
		k.badAt(at.file, at.path, "unknown %s %q%s", what, name, near)
	}
}

// ofRepo returns the project or source whose repository has this name: what
// people write who know lua-nginx-module and not ngx_lua.
func (k *checker) ofRepo(name string) string {
	for _, p := range k.c.projects {
		if path.Base(p.Repo) == name {
			return p.Name
		}
	}
	for _, s := range k.c.sources {
		if path.Base(s.Repo) == name {
			return s.Name
		}
	}
	return ""
}

func (k *checker) modeNames() []string {
	return namesOf(k.c.modes, func(m plan.Mode) string { return m.Name })
}
func (k *checker) kindNames() []string {
	return namesOf(k.c.kinds, func(v kind) string { return v.Name })
}
func (k *checker) unitNames() []string {
	return namesOf(k.c.units, func(u recipe.Unit) string { return u.Name })
}
func (k *checker) sourceNames() []string {
	return namesOf(k.c.sources, func(s recipe.Source) string { return s.Name })
}
func (k *checker) serviceNames() []string {
	return namesOf(k.c.services, func(s recipe.Service) string { return s.Name })
}
func (k *checker) projectList() []string {
	return namesOf(k.c.projects, func(p plan.Project) string { return p.Name })
}

func namesOf[T any](all []T, name func(T) string) []string {
	names := make([]string, len(all))
	for i, v := range all {
		names[i] = name(v)
	}
	return names
}
