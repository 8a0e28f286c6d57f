package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ortest/ortest/plan"
)

// Bounds of a list of targets: all goals by name fit several times.
const (
	maxTargets = 2000
	maxTarget  = 200
)

// projectOrder is the order in which a project's modes are listed when the
// project is named; when modes are named, their own order rules.
var projectOrder = []string{"t", "tr", "tw", "trv", "twv", "tv", "th", "thv", "tl", "to"}

// UnknownError says that a target is no goal, project or mode.
type UnknownError struct {
	Name    string   // at most 60 bytes of it
	What    string   // more exactly what is wrong; "" when nothing like it is known
	Nearest []string // what may have been meant, best first
}

// Error holds the name quoted, so that nothing in it can act on a terminal.
func (e *UnknownError) Error() string {
	msg := fmt.Sprintf("%q is no goal, project or mode", e.Name)
	if e.What != "" {
		msg = e.What
	}
	if len(e.Nearest) > 0 {
		msg += "; did you mean " + strings.Join(e.Nearest, " or ") + "?"
	}
	return msg
}

// Goals expands targets (goals, projects, modes) in order, each goal once, and
// drops what the exclude pattern matches, returning those names too. The
// errors are *UnknownError for a target and *plan.UsageError for the rest.
func (c *Catalog) Goals(targets []string, exclude string) (goals []plan.Goal, dropped []string, err error) {
	if len(targets) > maxTargets {
		return nil, nil, &plan.UsageError{What: fmt.Sprintf("%d targets are too many", len(targets)),
			Do: fmt.Sprintf("give at most %d; a mode such as tv or a project such as ngx_lua names many goals", maxTargets)}
	}
	re, err := plan.Request{Exclude: exclude}.Pattern()
	if err != nil {
		return nil, nil, err
	}
	seen := map[plan.Goal]bool{}
	for _, target := range targets {
		expanded, err := c.expand(target)
		if err != nil {
			return nil, nil, err
		}
		for _, g := range expanded {
			switch {
			case seen[g]:
			case exclude != "" && re.MatchString(g.String()):
				dropped = append(dropped, g.String())
			default:
				goals = append(goals, g)
			}
			seen[g] = true
		}
	}
	return goals, dropped, nil
}

// expand returns one target's goals.
func (c *Catalog) expand(target string) ([]plan.Goal, error) {
	if _, ok := c.Mode(target); ok {
		return c.ofMode(target), nil
	}
	if p, ok := c.Project(target); ok {
		return ofProject(p), nil
	}
	if len(target) <= maxTarget {
		g, err := plan.ParseGoal(target)
		p, known := c.Project(g.Project)
		if err == nil && p.HasMode(g.Mode) {
			return []plan.Goal{g}, nil
		}
		if _, mode := c.Mode(g.Mode); err == nil && known && mode {
			return nil, &UnknownError{Name: clip(target),
				What: fmt.Sprintf("%s is not tested in mode %s, only in %s", p.Name, g.Mode, strings.Join(p.Modes, " "))}
		}
	}
	return nil, &UnknownError{Name: clip(target), Nearest: c.nearest(target)}
}

func (c *Catalog) ofMode(mode string) []plan.Goal {
	var goals []plan.Goal
	for _, p := range c.projects {
		if p.Example == c.examplesOnly && p.HasMode(mode) {
			goals = append(goals, plan.Goal{Mode: mode, Project: p.Name})
		}
	}
	return goals
}

func ofProject(p plan.Project) []plan.Goal {
	modes := slices.Clone(p.Modes)
	slices.SortStableFunc(modes, func(a, b string) int {
		return rankOr(projectOrder, a) - rankOr(projectOrder, b)
	})
	goals := make([]plan.Goal, len(modes))
	for i, m := range modes {
		goals[i] = plan.Goal{Mode: m, Project: p.Name}
	}
	return goals
}

func rankOr(list []string, s string) int {
	if i := slices.Index(list, s); i >= 0 {
		return i
	}
	return len(list)
}

// nearest looks among projects and modes, and among the goals only when the
// name looks like one: 326 goals would drown the project that was meant.
func (c *Catalog) nearest(target string) []string {
	if len(target) > maxTarget {
		return nil
	}
	var names []string
	for _, p := range c.projects {
		names = append(names, p.Name)
	}
	mode, project, hyphen := strings.Cut(target, "-")
	if !hyphen || len(mode) > 3 || !strings.HasPrefix(mode, "t") {
		if len(target) <= 4 && strings.HasPrefix(target, "t") {
			names = append(namesOf(c.modes, func(m plan.Mode) string { return m.Name }), names...)
		}
		return plan.Nearest(target, names)
	}
	if p, ok := c.Project(project); ok {
		return prefixed(plan.Nearest(mode, p.Modes), "-"+project)
	}
	if _, ok := c.Mode(mode); ok {
		var goals []string
		for _, name := range plan.Nearest(project, names) {
			if p, _ := c.Project(name); p.HasMode(mode) {
				goals = append(goals, mode+"-"+name)
			}
		}
		if goals != nil {
			return goals
		}
	}
	for _, p := range c.projects {
		for _, m := range p.Modes {
			names = append(names, m+"-"+p.Name)
		}
	}
	return plan.Nearest(target, names)
}

func prefixed(names []string, suffix string) []string {
	for i := range names {
		names[i] += suffix
	}
	return names
}

// Check refuses what the request asks for and the catalog does not have: an
// arch, an nginx core, an instance type. The error is a *plan.UsageError.
func (c *Catalog) Check(r plan.Request) error {
	arch, ok := c.Arch(r.Options.Arch)
	if !ok {
		names := namesOf(c.arches, func(a Arch) string { return "'" + a.Name + "'" })
		return &plan.UsageError{Word: "-a " + clip(r.Options.Arch), What: "is no arch of the catalog", Do: "choose one of " + strings.Join(names, ", ")}
	}
	if err := c.CheckNginx(r.Options.Nginx); err != nil {
		return &plan.UsageError{Word: "-v " + clip(r.Options.Nginx), What: "is not possible: " + err.Error()}
	}
	if _, ok := arch.Instance(r.Options.InstanceType); !ok {
		types := namesOf(arch.Types, func(t Instance) string { return t.Name })
		return &plan.UsageError{Word: "-i " + clip(r.Options.InstanceType), What: "is no instance type for " + arch.Name, Do: "choose one of " + strings.Join(types, ", ")}
	}
	return nil
}

func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}
