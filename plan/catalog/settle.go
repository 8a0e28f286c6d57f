package catalog

import (
	"maps"
	"slices"
	"strings"

	"github.com/ortest/ortest/plan"
)

// settle puts the projects in order and fills in what their kinds say. It
// runs on checked data and cannot fail.
func (c *Catalog) settle() {
	rank := map[string]int{}
	for i, k := range c.kinds {
		rank[k.Name] = i
	}
	own := map[string]plan.Project{}
	for _, p := range c.projects {
		own[p.Name] = p
	}
	for i := range c.projects {
		k, _ := find(c.kinds, func(k kind) bool { return k.Name == c.projects[i].Kind })
		c.inherit(&c.projects[i], k)
	}
	for i := range c.projects {
		c.cook(&c.projects[i], own)
	}
	slices.SortStableFunc(c.projects, func(a, b plan.Project) int {
		switch {
		case a.Example != b.Example:
			if b.Example {
				return -1
			}
			return 1
		case !a.Example && a.Kind != b.Kind:
			return rank[a.Kind] - rank[b.Kind]
		case a.Order != b.Order:
			// A project without a place of its own comes last.
			return place(a) - place(b)
		}
		return strings.Compare(a.Name, b.Name)
	})
}

func place(p plan.Project) int {
	if p.Order == 0 {
		return 1 << 30
	}
	return p.Order
}

// inherit completes p from its kind: what p says wins, lists of the machine's
// needs are joined.
func (c *Catalog) inherit(p *plan.Project, k kind) {
	if p.Modes == nil {
		p.Modes = k.Modes
	}
	slices.SortStableFunc(p.Modes, func(a, b string) int { return c.modeRank(a) - c.modeRank(b) })
	if p.Build == nil {
		p.Build = k.Build
	}
	if p.Nginx == nil {
		p.Nginx = k.Nginx
	}
	if p.Test.Glob == "" {
		p.Test.Glob = k.Test.Glob
	}
	if p.Test.Prove == nil {
		p.Test.Prove = k.Test.Prove
	}
	p.Packages = union(k.Packages, p.Packages)
	p.Optional = union(k.Optional, p.Optional)
	p.Sources = union(k.Sources, p.Sources)
	p.Units = union(k.Units, p.Units)
	p.Env = merge(k.Env, p.Env)
	modeEnv := map[string]map[string]string{}
	for _, m := range p.Modes {
		if env := merge(k.ModeEnv[m], p.ModeEnv[m]); len(env) > 0 {
			modeEnv[m] = env
		}
	}
	p.ModeEnv = modeEnv
}

func (c *Catalog) modeRank(mode string) int {
	return slices.IndexFunc(c.modes, func(m plan.Mode) bool { return m.Name == mode })
}

func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

func merge(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, b)
	return all
}
