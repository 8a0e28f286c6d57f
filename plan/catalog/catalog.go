// Package catalog knows what can be tested: projects, modes, arches, releases,
// and where each project's expectations lie.
//
// The data are YAML files, one per project, embedded in the binary and
// overlaid from a directory of the same layout. A catalog is read whole and
// checked whole before anyone sees it; it never changes afterwards, so a new
// revision is another *Catalog that takes the old one's place.
package catalog

import (
	"fmt"
	"slices"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/recipe"
)

// Catalog is one revision of the data. What its methods return is a copy at
// the top level only: treat maps and slices within as read-only.
type Catalog struct {
	Revision string // 16 hex digits of the content's hash

	modes        []plan.Mode
	kinds        []kind
	projects     []plan.Project
	arches       []Arch
	releases     releases
	sources      []recipe.Source
	archives     []recipe.Archive
	tools        []recipe.Tool
	services     []recipe.Service
	units        []recipe.Unit
	expectations map[string][]byte
	settings     []byte
	files        map[string][]byte // all of it, by path
	packed       func() ([]byte, error)
	examplesOnly bool // modes expand to the example projects
}

// Arch is an architecture and the machines that have it.
type Arch struct {
	Name     string     `yaml:"name" json:"name"`
	Image    string     `yaml:"image" json:"image"`         // pattern of the machine image's name; the newest is taken
	PricesOf string     `yaml:"prices_of" json:"prices_of"` // date of the prices, YYYY-MM-DD
	Types    []Instance `yaml:"types" json:"types"`         // the first is the default
}

// Alike lists the instance types with as many cores as the default one, itself first:
// a plan's minutes hold for all of them.
func (a Arch) Alike() (names []string) {
	for _, t := range a.Types {
		if t.Cores == a.Types[0].Cores {
			names = append(names, t.Name)
		}
	}
	return names
}

// Instance is an instance type. Prices are dollars per hour.
type Instance struct {
	Name     string  `yaml:"name" json:"name"`
	Cores    int     `yaml:"cores" json:"cores"`
	OnDemand float64 `yaml:"on_demand" json:"on_demand"`
	Spot     float64 `yaml:"spot" json:"spot"`
}

// Modes returns the modes in the order in which they are listed for people.
func (c *Catalog) Modes() []plan.Mode { return slices.Clone(c.modes) }

// Projects returns all projects in the old tool's order, the examples last.
func (c *Catalog) Projects() []plan.Project { return slices.Clone(c.projects) }

// Arches returns the architectures; the first is the default.
func (c *Catalog) Arches() []Arch { return slices.Clone(c.arches) }

// Mode returns a mode by name.
func (c *Catalog) Mode(name string) (plan.Mode, bool) {
	return find(c.modes, func(m plan.Mode) bool { return m.Name == name })
}

// Project returns a project by name, examples included.
func (c *Catalog) Project(name string) (plan.Project, bool) {
	return find(c.projects, func(p plan.Project) bool { return p.Name == name })
}

// Goal returns a goal's project and mode, or an error that names what there is not.
func (c *Catalog) Goal(g plan.Goal) (plan.Project, plan.Mode, error) {
	project, ok := c.Project(g.Project)
	mode, has := c.Mode(g.Mode)
	if !ok || !has || !project.HasMode(g.Mode) {
		return plan.Project{}, plan.Mode{}, fmt.Errorf("catalog %s has no goal %s", c.Revision, g)
	}
	return project, mode, nil
}

// Arch returns an architecture by name, such as "linux x86_64".
func (c *Catalog) Arch(name string) (Arch, bool) {
	return find(c.arches, func(a Arch) bool { return a.Name == name })
}

// Source returns an auxiliary repository by name.
func (c *Catalog) Source(name string) (recipe.Source, bool) {
	return find(c.sources, func(s recipe.Source) bool { return s.Name == name })
}

// Expectations returns the bytes of a project's expectations file as they are;
// package report reads them. False: the project has none.
func (c *Catalog) Expectations(project string) ([]byte, bool) {
	b, ok := c.expectations[project]
	return slices.Clone(b), ok
}

// settingsFile may stand beside the catalog's own files, so that what a bot is
// told changes with them: reviewed, by revision, rolled back.
const settingsFile = "settings.yaml"

// Settings returns the bytes of settings.yaml as they are; who runs a bot reads
// them. False: there is none.
func (c *Catalog) Settings() ([]byte, bool) { return slices.Clone(c.settings), c.settings != nil }

// Instance returns the arch's instance type of that name; "" is the default.
func (a Arch) Instance(name string) (Instance, bool) {
	if name == "" && len(a.Types) > 0 {
		return a.Types[0], true
	}
	return find(a.Types, func(t Instance) bool { return t.Name == name })
}

func find[T any](all []T, is func(T) bool) (found T, ok bool) {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], true
	}
	return found, false
}
