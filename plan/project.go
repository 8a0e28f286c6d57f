package plan

import (
	"maps"
	"slices"

	"github.com/ortest/ortest/plan/recipe"
)

// Project is a repository under test and how its suite is built and run.
type Project struct {
	Name     string                       `json:"name" yaml:"name"`
	Title    string                       `json:"title,omitempty" yaml:"title"`
	Kind     string                       `json:"kind" yaml:"kind"`         // says which modes exist and what the defaults are
	Repo     string                       `json:"repo" yaml:"repo"`         // https://github.com/OWNER/NAME
	Dir      string                       `json:"dir,omitempty" yaml:"dir"` // of the checkout; "" is the repository's name
	Ref      string                       `json:"ref,omitempty" yaml:"ref"` // that others take it at; "" is the default branch
	Order    int                          `json:"order,omitempty" yaml:"order"`
	Modes    []string                     `json:"modes" yaml:"modes"`       // in the catalog's order
	Packages []string                     `json:"packages" yaml:"packages"` // Debian
	Needs    []string                     `json:"needs,omitempty" yaml:"needs"`
	Optional []string                     `json:"optional,omitempty" yaml:"optional"` // of needs and sources: left out where they cannot be had
	Requires string                       `json:"requires,omitempty" yaml:"requires"` // a variable without which no nginx is built with it
	Pairs    []recipe.Pair                `json:"pairs,omitempty" yaml:"pairs"`       // versions that it insists on
	Sources  []string                     `json:"sources,omitempty" yaml:"sources"`   // checked out beside it, not built in
	Services []string                     `json:"services,omitempty" yaml:"services"` // running while it is tested
	Units    []string                     `json:"units,omitempty" yaml:"units"`       // what the machine must have or be
	Build    [][]string                   `json:"build,omitempty" yaml:"build"`       // argument lists, in order, no shell
	Nginx    *recipe.Nginx                `json:"nginx,omitempty" yaml:"nginx"`       // that the suite runs on; nil: the machine's, if any
	Recipe   recipe.Recipe                `json:"recipe,omitzero" yaml:"-"`           // what all these names stand for
	Test     Test                         `json:"test" yaml:"test"`
	Env      map[string]string            `json:"env,omitempty" yaml:"env"`
	ModeEnv  map[string]map[string]string `json:"mode_env,omitempty" yaml:"mode_env"` // by mode; wins over Env
	Serial   []string                     `json:"serial,omitempty" yaml:"serial"`     // test files that may not share a machine with another lane
	Files    map[string]int               `json:"files,omitempty" yaml:"files"`       // test file to its number of blocks, as last counted
	Example  bool                         `json:"example,omitempty" yaml:"-"`         // not part of what a mode expands to
}

// Test says how a project's test files are found and run.
type Test struct {
	Glob    string              `json:"glob" yaml:"glob"` // from the project's root; ** crosses directories
	Prove   []string            `json:"prove,omitempty" yaml:"prove"`
	Env     map[string]string   `json:"env,omitempty" yaml:"env"`         // only while testing, not while building
	Timeout int                 `json:"timeout,omitempty" yaml:"timeout"` // seconds a single file may take; 0: the action's own limit
	Command map[string][]string `json:"command,omitempty" yaml:"command"` // by mode: an argument list instead of prove
}

// HasMode reports whether the project's suite runs in the mode.
func (p Project) HasMode(mode string) bool { return slices.Contains(p.Modes, mode) }

// Environ returns the variables of one goal, while building and testing alike:
// the mode's, then the project's, then the project's for that mode. Values may
// name other variables as $NAME or ${NAME}; whoever sets them expands them.
func (p Project) Environ(m Mode) map[string]string {
	env := maps.Clone(m.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, p.Env)
	maps.Copy(env, p.ModeEnv[m.Name])
	return env
}
