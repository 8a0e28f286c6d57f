package catalog

import (
	"slices"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/recipe"
)

// cook resolves the names in a project into its recipe. It runs on checked data
// and on projects that have what their kinds say; own are the projects as their
// files say them.
func (c *Catalog) cook(p *plan.Project, own map[string]plan.Project) {
	names := union(p.Needs, p.Sources)
	optional, units := slices.Clone(p.Optional), slices.Clone(p.Units)
	if p.Nginx != nil && p.Nginx.Of != "" {
		of, _ := c.Project(p.Nginx.Of)
		n := *of.Nginx
		n.Of = of.Name
		p.Nginx = &n
		names = union(names, append([]string{of.Name}, union(of.Needs, of.Sources)...))
		optional, units = union(optional, of.Optional), union(units, of.Units)
	}
	// What a source needs beside itself is needed too: ngx_lua is of no use
	// without LuaJIT. What is optional brings nothing along.
	for i := 0; i < len(names); i++ {
		if slices.Contains(optional, names[i]) {
			continue
		}
		names = union(names, own[names[i]].Sources)
		optional = union(optional, own[names[i]].Optional)
	}
	for _, t := range c.tools {
		if slices.Contains(units, t.Name) && t.Source != "" && !slices.Contains(names, t.Source) {
			names, optional = append(names, t.Source), append(optional, t.Source)
		}
	}
	for _, name := range names {
		if name != p.Name {
			s := c.asSource(name)
			s.Optional = slices.Contains(optional, name)
			p.Recipe.Sources = append(p.Recipe.Sources, s)
		}
	}
	for _, name := range p.Services {
		s, _ := find(c.services, func(s recipe.Service) bool { return s.Name == name })
		p.Recipe.Services = append(p.Recipe.Services, s)
		units = union(units, []string{s.Unit})
	}
	c.things(&p.Recipe, units)
	for _, u := range p.Recipe.Units {
		p.Packages = union(p.Packages, u.Apt)
	}
}

// asSource returns a project or a source as what is checked out beside another.
func (c *Catalog) asSource(name string) recipe.Source {
	if s, ok := c.Source(name); ok {
		return s
	}
	p, _ := c.Project(name)
	return recipe.Source{Name: p.Name, Repo: p.Repo, Ref: p.Ref, Dir: p.Dir, Requires: p.Requires, Pairs: p.Pairs}
}

// things sorts names into tools and units, what they need first.
func (c *Catalog) things(r *recipe.Recipe, names []string) {
	for _, t := range c.tools {
		if !slices.Contains(names, t.Name) {
			continue
		}
		r.Tools = append(r.Tools, t)
		if a, ok := find(c.archives, func(a recipe.Archive) bool { return a.Name == t.Archive }); ok {
			r.Archives = append(r.Archives, a)
		}
	}
	if a, ok := find(c.archives, func(a recipe.Archive) bool { return a.Name == "nginx" }); ok {
		r.Archives = append(r.Archives, a)
	}
	seen := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		u, ok := find(c.units, func(u recipe.Unit) bool { return u.Name == name })
		if !ok || seen[name] {
			return
		}
		seen[name] = true
		for _, n := range u.Needs {
			add(n)
		}
		r.Units = append(r.Units, u)
	}
	for _, n := range names {
		add(n)
	}
}
