// Package recipe says what a goal needs beside its project: repositories that
// lie beside it, tools that are built for it, units that the machine must have
// or be, servers that run while it is tested, and the nginx it runs on.
//
// Recipes are the catalog's data. A value in them may name variables as $NAME,
// and $$ is a dollar;
// whoever carries a recipe out expands them, and no shell reads a command that
// is an argument list.
package recipe

import "strings"

// Source is a repository that is checked out beside a project.
type Source struct {
	Name     string   `json:"name" yaml:"name"`
	Repo     string   `json:"repo" yaml:"repo"`                   // https://github.com/OWNER/NAME
	Also     []string `json:"also,omitempty" yaml:"also"`         // where it lies as well, such as under an old owner
	Ref      string   `json:"ref,omitempty" yaml:"ref"`           // branch, tag or commit; "" is the default branch
	Dir      string   `json:"dir,omitempty" yaml:"dir"`           // the checkout's folder; "" is the repository's name
	Optional bool     `json:"optional,omitempty" yaml:"-"`        // the goal does without, and says so
	Requires string   `json:"requires,omitempty" yaml:"requires"` // a variable without which it is of no use, such as LIBDRIZZLE_LIB
	Pairs    []Pair   `json:"pairs,omitempty" yaml:"pairs"`       // versions that it insists on
}

// Slug is OWNER/NAME of the repository.
func (s Source) Slug() string {
	return strings.TrimSuffix(strings.TrimPrefix(s.Repo, "https://github.com/"), ".git")
}

// Pin is what the source's commit is written down under: all who take the same
// branch of the same repository take the same commit. It is owner/name, in lower
// case, with @REF where it is not the default branch.
func (s Source) Pin() string {
	pin := strings.ToLower(s.Slug())
	if s.Ref != "" {
		pin += "@" + s.Ref
	}
	return pin
}

// Pair says that one version of a source works with one version of another
// only, and where both write their version down.
type Pair struct {
	With  string `json:"with" yaml:"with"` // a source or project
	Here  Place  `json:"here" yaml:"here"`
	There Place  `json:"there" yaml:"there"`
}

// Place is where a file says a version.
type Place struct {
	File  string `json:"file" yaml:"file"`
	Match string `json:"match" yaml:"match"` // RE2; its first group is the version
}

// Archive is a file that is downloaded. Versions without a checksum are taken
// as they come, and what came is part of every name that is made of it.
type Archive struct {
	Name    string            `json:"name" yaml:"name"`
	URL     string            `json:"url" yaml:"url"` // $VERSION stands for the version
	Version string            `json:"version" yaml:"version"`
	SHA256  map[string]string `json:"sha256,omitempty" yaml:"sha256"` // by version
}

// Tool is built once on a machine for everything that goes into it. It is
// made of an archive or of a source, in a copy that is thrown away, and put into
// a folder of its own, which the commands know as $OUT.
type Tool struct {
	Name     string              `json:"name" yaml:"name"`
	Title    string              `json:"title,omitempty" yaml:"title"`
	Source   string              `json:"source,omitempty" yaml:"source"`
	Archive  string              `json:"archive,omitempty" yaml:"archive"`
	Needs    []string            `json:"needs,omitempty" yaml:"needs"`     // other tools, whose variables it sees
	Patches  []string            `json:"patches,omitempty" yaml:"patches"` // files of sources, applied with patch -p1: SOURCE/PATH
	Env      map[string]string   `json:"env,omitempty" yaml:"env"`         // of the commands
	Build    [][]string          `json:"build" yaml:"build"`
	Instead  [][]string          `json:"instead,omitempty" yaml:"instead"`   // commands in place of Build where the source cannot be had
	Sets     map[string]string   `json:"sets" yaml:"sets"`                   // variables that whoever needs the tool sees
	Else     map[string][]string `json:"else,omitempty" yaml:"else"`         // where its source cannot be had: variables, each from the first path that exists
	Optional bool                `json:"optional,omitempty" yaml:"optional"` // goals do without where its source cannot be had
}

// Unit is something that a machine must have or be. Its scripts are for a
// shell: they are the catalog's own and nothing of a stranger is in them.
type Unit struct {
	Name  string   `json:"name" yaml:"name"`
	Title string   `json:"title,omitempty" yaml:"title"`
	Needs []string `json:"needs,omitempty" yaml:"needs"`
	Apt   []string `json:"apt,omitempty" yaml:"apt"`     // packages of Debian and Ubuntu
	Dnf   []string `json:"dnf,omitempty" yaml:"dnf"`     // packages of Amazon Linux
	Check string   `json:"check,omitempty" yaml:"check"` // succeeds when it is true; none: when the packages are there
	Make  string   `json:"make,omitempty" yaml:"make"`   // makes it true
	Lane  bool     `json:"lane,omitempty" yaml:"lane"`   // of the network: made true in each lane, not on the machine
	Modes string   `json:"modes,omitempty" yaml:"modes"` // only the modes that have one of these letters; "" is all
}

// Service is a server that runs while a project is tested, with data of its own.
type Service struct {
	Name         string            `json:"name" yaml:"name"`
	Unit         string            `json:"unit" yaml:"unit"`                           // has its program
	Init         [][]string        `json:"init,omitempty" yaml:"init"`                 // makes $DATA, once a machine
	Start        []string          `json:"start" yaml:"start"`                         // in $DATA, stays in the foreground
	Check        []string          `json:"check,omitempty" yaml:"check"`               // succeeds once it serves; none: Port is asked
	Unprivileged bool              `json:"unprivileged,omitempty" yaml:"unprivileged"` // refuses to be root's
	Port         int               `json:"port,omitempty" yaml:"port"`                 // on 127.0.0.1
	Env          map[string]string `json:"env,omitempty" yaml:"env"`                   // for the tests: how they find it
}

// Nginx is how the nginx of a suite comes to be.
type Nginx struct {
	Of        string   `json:"of,omitempty" yaml:"of"`               // another project's, built with that project's modules
	Script    []string `json:"script,omitempty" yaml:"script"`       // in the project's folder; calls ngx-build with the arguments of configure
	Configure []string `json:"configure,omitempty" yaml:"configure"` // the arguments, where there is no such script
	Add       []string `json:"add,omitempty" yaml:"add"`             // sources that are built in beside what the script names
}

// Recipe is everything that one project's goals need, in the order in which it
// is to be made.
type Recipe struct {
	Sources  []Source  `json:"sources,omitempty"`
	Archives []Archive `json:"archives,omitempty"`
	Tools    []Tool    `json:"tools,omitempty"`
	Units    []Unit    `json:"units,omitempty"`
	Services []Service `json:"services,omitempty"`
}
