package main

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/ortest/ortest/plan"
)

// oldProject is a project that the old gen-user-data knows.
type oldProject struct {
	name, kind string
	modes      []string
	line       int
}

// obBlock is a rule of the old driver's program, as far as it is used.
type obBlock struct {
	file           string
	line           int
	repo, dir, ref string
	deps           []string
}

var (
	reOldProject = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,60}$`)
	reQuotedName = regexp.MustCompile(`^'([a-z0-9_-]+)'`) // in a comment
	reRule       = regexp.MustCompile(`^([A-Za-z0-9_.-]+)\s*\{`)
	reOldName    = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*$`)
	reGit        = regexp.MustCompile(`^\s*git\s+(https://github\.com/[\w.-]+/[\w.-]+?)(?:\.git)?\s+[\w~./-]*?([\w.-]+)(?:\s+(?:([A-Za-z0-9][\w./-]*)|\$\w+))?\s*;`)
	reDep        = regexp.MustCompile(`^\s*dep\s+([^;]+);`)
)

// Modes of the old gen-user-data: those with a mock of recv and send are not run
// by a suite that never waits for a socket.
var (
	oldModes     = []string{"t", "tr", "tw", "tv", "trv", "twv", "th", "thv", "tl", "to"}
	oldMockModes = []string{"tr", "tw", "trv", "twv"}
	oldCModes    = []string{"t", "tv"}
)

// readProjects reads gen-user-data.
func readProjects(text, file string) (all []oldProject, left []migrateNote, line int, err error) {
	for _, of := range []struct{ list, cpu, prefix, kind string }{
		{"@mods", "%cpu_mods", "ngx_", "nginx-module"},
		{"@lualibs", "%cpu_lualibs", "lua-", "lua-library"},
		{"@clibs", "", "", "c-library"},
	} {
		list, comments, found, err := perlVariable(text, of.list)
		if err == nil && !found {
			err = fmt.Errorf("line 1: it has no \"my %s =\"", of.list)
		}
		cpu := perlValue{}
		if err == nil && of.cpu != "" {
			cpu, _, _, err = perlVariable(text, of.cpu)
		}
		if err != nil {
			return nil, nil, 0, broken(file, err)
		}
		if line == 0 {
			line = list.line
		}
		alone, _, _ := cpu.pairs()
		for _, v := range list.items {
			p := oldProject{name: of.prefix + v.text, kind: of.kind, modes: oldModes, line: v.line}
			if v.kind != perlText || !reOldProject.MatchString(p.name) {
				left = append(left, noteAt(lineOf(file, v.line), clipped(v.text), "no project's name", "want lower-case letters, digits, _ and -"))
				continue
			}
			switch {
			case of.cpu == "":
				p.modes = oldCModes
			case slices.ContainsFunc(alone, func(k perlValue) bool { return k.text == v.text }):
				p.modes = slices.DeleteFunc(slices.Clone(oldModes), func(m string) bool { return slices.Contains(oldMockModes, m) })
			}
			all = append(all, p)
		}
		for _, c := range comments {
			if m := reQuotedName.FindStringSubmatch(c.text); m != nil {
				left = append(left, noteAt(lineOf(file, c.line), of.prefix+m[1], "commented out", "the old tool does not run it either"))
			}
		}
	}
	return all, left, line, nil
}

// readRules reads the rules of an opsboy program; template and program alike
// have those with a repository.
func readRules(text, file string, into map[string]obBlock) {
	name := ""
	n := 0
	for line := range strings.Lines(text) {
		n++
		if m := reRule.FindStringSubmatch(line); m != nil {
			name = m[1]
			if _, twice := into[name]; !twice {
				into[name] = obBlock{file: file, line: n}
			}
			continue
		}
		b := into[name]
		switch git, dep := reGit.FindStringSubmatch(line), reDep.FindStringSubmatch(line); {
		case strings.HasPrefix(line, "}"):
			name = ""
		case name == "" || b.file != file:
		case git != nil && b.repo == "":
			b.repo, b.dir, b.ref = git[1], git[2], git[3]
			into[name] = b
		case dep != nil:
			b.deps = append(b.deps, strings.Fields(dep[1])...)
			into[name] = b
		}
	}
}

// oldRepositories are where the old tools say that projects are.
type oldRepositories struct {
	rules map[string]obBlock // of the old driver for EC2, by target
	links map[string]string  // to which the old reports led
}

func (o oldCheckout) repositories() (oldRepositories, error) {
	all := oldRepositories{rules: make(map[string]obBlock), links: make(map[string]string)}
	for _, file := range []string{"samples/ortest-ec2.ob.tt", "samples/ortest-ec2.ob"} {
		text, _, err := o.read(file)
		if err != nil {
			return all, err
		}
		readRules(text, file, all.rules)
	}
	file := o.tool(oldLinks)
	text, _, err := o.read(file)
	if err != nil {
		return all, err
	}
	list, _, _, err := perlVariable(text, "%github_links")
	if err != nil {
		return all, broken(file, err)
	}
	keys, values, _ := list.pairs()
	for i, k := range keys {
		if at := values[i].items; len(at) == 2 && reOldName.MatchString(at[0].text) && reOldName.MatchString(at[1].text) {
			all.links[k.text] = "https://github.com/" + at[0].text + "/" + at[1].text
		}
	}
	return all, nil
}

// of returns the rule of a project with its repository; without one it is nowhere.
func (r oldRepositories) of(name, links string) (rule obBlock, where string) {
	rule = r.rules[name]
	if git := r.rules[name+"-git"]; rule.repo == "" && git.repo != "" {
		git.deps = rule.deps
		rule = git
	}
	where = fmt.Sprintf("%s:%d", rule.file, rule.line)
	if rule.repo == "" {
		rule.repo, where = r.links[name], links
	}
	rule.deps = append(slices.Clone(rule.deps), r.rules["t-"+name].deps...)
	return rule, where
}

// projects carries over what the catalog lacks.
func (m *migration) projects() error {
	file := m.from.tool(oldGoals)
	part := migratedPart{Name: "projects", Source: file}
	defer func() { m.Parts = append(m.Parts, part) }()
	text, ok, err := m.from.read(file)
	if err != nil {
		return err
	}
	if !ok {
		part.missing("it is not there: the projects are the catalog's")
		return nil
	}
	all, left, line, err := readProjects(text, file)
	if err != nil {
		return err
	}
	at, err := m.from.repositories()
	if err != nil {
		return err
	}
	part.Source, part.Found = fmt.Sprintf("%s:%d", file, line), len(all)+len(left)
	part.leave(left...)
	fresh := m.unknown(all, at, &part)
	for _, p := range fresh {
		rule, where := at.of(p.name, m.from.tool(oldLinks))
		f := projectFile{from: fmt.Sprintf("%s:%d, %s", file, p.line, where)}
		f.Name, f.Kind, f.Repo, f.Modes, f.Ref = p.name, p.kind, rule.repo, p.modes, rule.ref
		if rule.dir != path.Base(rule.repo) {
			f.Dir = rule.dir
		}
		rest := m.needs(&f, rule.deps, fresh)
		m.overlay["projects/"+p.name+".yaml"] = f.text()
		part.carry(noteAt(lineOf(file, p.line), p.name, "carried", f.Repo))
		if len(rest) > 0 {
			part.say(noteAt(lineOf(rule.file, rule.line), p.name, "rules not carried",
				strings.Join(rest, " ")+": the kind "+p.kind+" brings what most of its projects need; add the units that it lacks"))
		}
	}
	return nil
}

// unknown returns the projects that the catalog lacks and that have a repository.
func (m *migration) unknown(all []oldProject, at oldRepositories, part *migratedPart) (fresh []oldProject) {
	file := m.from.tool(oldGoals)
	for _, p := range all {
		has, known := m.catalog.Project(p.name)
		rule, _ := at.of(p.name, "")
		switch {
		case known:
			part.know(noteAt(lineOf(file, p.line), p.name, "known already", "the catalog has it"))
			if !slices.Equal(has.Modes, p.modes) {
				part.say(noteAt(lineOf(file, p.line), p.name, "other modes",
					fmt.Sprintf("the old tool runs %s, the catalog %s; the catalog's are kept", strings.Join(p.modes, " "), strings.Join(has.Modes, " "))))
			}
		case rule.repo == "":
			part.leave(noteAt(lineOf(file, p.line), p.name, "no repository",
				"neither samples/ortest-ec2.ob nor gen-report says where it is; docs/add-a-project.md says how to write its file"))
		default:
			fresh = append(fresh, p)
		}
	}
	return fresh
}

// needs sorts what a rule depends on; rest is what the catalog has no word for.
func (m *migration) needs(f *projectFile, deps []string, fresh []oldProject) (rest []string) {
	for _, dep := range deps {
		service := strings.TrimPrefix(dep, "run-")
		is := func(of func(plan.Project) []string, name string) bool {
			return slices.ContainsFunc(m.catalog.Projects(), func(p plan.Project) bool { return slices.Contains(of(p), name) })
		}
		switch {
		case dep == f.Name || dep == f.Name+"-git":
		case is(func(p plan.Project) []string { return []string{p.Name} }, dep),
			is(func(p plan.Project) []string { return p.Needs }, dep),
			slices.ContainsFunc(fresh, func(o oldProject) bool { return o.name == dep }):
			f.Needs = appendNew(f.Needs, dep)
		case is(func(p plan.Project) []string { return p.Services }, service):
			f.Services = appendNew(f.Services, service)
		default:
			rest = appendNew(rest, dep)
		}
	}
	return rest
}

func appendNew(all []string, name string) []string {
	if slices.Contains(all, name) {
		return all
	}
	return append(all, name)
}

// projectFile is what of a project's file the old tools know. Its values are of
// letters that YAML takes as they are.
type projectFile struct {
	from string
	plan.Project
}

func (f projectFile) text() []byte {
	var s strings.Builder
	fmt.Fprintf(&s, "# Carried over from opsboy by ortest migrate: %s.\n", f.from)
	put := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&s, "%s: %s\n", key, value)
		}
	}
	list := func(key string, values []string) {
		if len(values) > 0 {
			put(key, "["+strings.Join(values, ", ")+"]")
		}
	}
	put("name", f.Name)
	put("kind", f.Kind)
	put("repo", f.Repo)
	put("dir", f.Dir)
	put("ref", f.Ref)
	list("modes", f.Modes)
	list("needs", f.Needs)
	list("services", f.Services)
	return []byte(s.String())
}
