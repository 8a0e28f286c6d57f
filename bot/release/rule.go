package release

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
)

// Rule says which branches and tags are tested, and how.
type Rule struct {
	Repository string        `yaml:"repository"` // OWNER/NAME; "" is each that the App is installed on
	Branches   []string      `yaml:"branches"`   // patterns, as of path.Match
	Tags       []string      `yaml:"tags"`
	Every      time.Duration `yaml:"every"`    // tested again when the newest results are older; 0: only when pushed
	Targets    []string      `yaml:"targets"`  // goals, projects and modes; none: the repository's own projects
	Arches     []string      `yaml:"arches"`   // none: the default one
	Nginx      []string      `yaml:"nginx"`    // cores; none: the newest
	Tick       []string      `yaml:"tick"`     // modes of a release on a core that is known already; none: all
	Override   time.Duration `yaml:"override"` // how long a failure may be overridden; a week when zero
}

// Validate says what cannot be.
func (r Rule) Validate() error {
	var bad []error
	if len(r.Branches)+len(r.Tags) == 0 {
		bad = append(bad, errors.New("branches, tags: name at least one pattern"))
	}
	for _, p := range append(slices.Clone(r.Branches), r.Tags...) {
		if _, err := path.Match(p, "x"); err != nil || p == "" {
			bad = append(bad, fmt.Errorf("branches, tags: %q is no pattern: *, ? and [a-z] stand for characters other than a slash", p))
		}
	}
	if owner, name, ok := strings.Cut(r.Repository, "/"); r.Repository != "" && (!ok || owner == "" || name == "" || strings.Contains(name, "/")) {
		bad = append(bad, fmt.Errorf("repository: %q is not OWNER/NAME", r.Repository))
	}
	if r.Every != 0 && r.Every < time.Minute || r.Override < 0 {
		bad = append(bad, errors.New("every, override: less than a minute"))
	}
	return errors.Join(bad...)
}

// Ref is a branch or a tag, and the commit that it is at.
type Ref struct {
	Name string
	Tag  bool
	Head string
}

// covers reports whether a rule is about a ref of a repository.
func (r Rule) covers(repo string, ref Ref) bool {
	if r.Repository != "" && !strings.EqualFold(r.Repository, repo) {
		return false
	}
	patterns := r.Branches
	if ref.Tag {
		patterns = r.Tags
	}
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, ref.Name)
		return ok && err == nil
	})
}

// cell is where goals run: an arch and an nginx core.
type cell struct{ Arch, Nginx string }

// cells are those of a rule, in its order.
func (r Rule) cells() []cell {
	arches, cores := r.Arches, r.Nginx
	if len(arches) == 0 {
		arches = []string{"linux x86_64"}
	}
	if len(cores) == 0 {
		cores = []string{""}
	}
	var all []cell
	for _, a := range arches {
		for _, n := range cores {
			all = append(all, cell{a, n})
		}
	}
	return all
}

// request is what a cell of a release asks for, and its goals. On a core that came
// with an earlier release already ("tick") only the modes of Tick are run.
func (r Rule) request(c *catalog.Catalog, repo string, at cell) (plan.Request, []plan.Goal, error) {
	req := plan.Request{
		Targets: slices.Clone(r.Targets), Split: "auto", Limit: time.Hour, Options: plan.Options{Arch: at.Arch, Nginx: at.Nginx},
	}
	if len(req.Targets) == 0 {
		for _, p := range c.Projects() {
			if strings.EqualFold(strings.TrimSuffix(strings.TrimPrefix(p.Repo, "https://github.com/"), ".git"), repo) {
				req.Targets = append(req.Targets, p.Name)
			}
		}
	}
	if len(req.Targets) == 0 {
		return req, nil, fmt.Errorf("the catalog has no project of %s: name targets in the rule", repo)
	}
	if err := errors.Join(req.Validate(), c.Check(req)); err != nil {
		return req, nil, err
	}
	goals, _, err := c.Goals(req.Targets, "")
	if err != nil {
		return req, nil, err
	}
	if len(r.Tick) > 0 && !tock(c, at.Nginx) {
		goals = slices.DeleteFunc(goals, func(g plan.Goal) bool { return !slices.Contains(r.Tick, g.Mode) })
	}
	if len(goals) == 0 {
		return req, nil, errors.New("the rule names no goal")
	}
	return req, goals, nil
}

// tock reports whether a core is new: one release at most has bundled it.
func tock(c *catalog.Catalog, core string) bool { return len(c.Releases(c.Core(core))) <= 1 }

// stages cuts goals into what runs one after another: t of everything, then tv and
// to, then the rest. A stage without goals is left out.
func stages(goals []plan.Goal) [][]plan.Goal {
	all := make([][]plan.Goal, 3)
	for _, g := range goals {
		at := 2
		switch g.Mode {
		case "t":
			at = 0
		case "tv", "to":
			at = 1
		}
		all[at] = append(all[at], g)
	}
	return slices.DeleteFunc(all, func(s []plan.Goal) bool { return len(s) == 0 })
}
