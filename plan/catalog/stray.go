package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ortest/ortest/plan"
)

// Strays returns a sentence for each kind of durations that no plan will ever
// use: of goals and of arches that the catalog does not have. A slip in a name
// would otherwise look like a goal that was never measured.
func (c *Catalog) Strays(h *plan.History) []string {
	goals, arches := map[string]int{}, map[string]int{}
	for _, o := range h.All() {
		if _, ok := c.Arch(o.Arch); !ok {
			arches[o.Arch]++
		} else if o.Goal != "" && !c.has(o.Goal) {
			goals[o.Goal]++
		}
	}
	archNames := namesOf(c.arches, func(a Arch) string { return a.Name })
	var said []string
	for _, of := range []struct {
		what  string
		names map[string]int
		near  func(name string) []string
	}{
		{"arch", arches, func(name string) []string { return plan.Nearest(name, archNames) }},
		{"goal", goals, c.nearest},
	} {
		n := 0
		var names []string
		for _, name := range slices.Sorted(maps.Keys(of.names)) {
			n += of.names[name]
			text := fmt.Sprintf("%q", clip(name))
			if near := of.near(name); len(near) > 0 && len(names) < listed {
				text += fmt.Sprintf(" (%s?)", near[0])
			}
			names = append(names, text)
		}
		if n > 0 {
			said = append(said, fmt.Sprintf("%d durations are of no %s of the catalog: %s", n, of.what, list(names)))
		}
	}
	return said
}

func (c *Catalog) has(goal string) bool {
	g, err := plan.ParseGoal(goal)
	p, ok := c.Project(g.Project)
	return err == nil && ok && p.HasMode(g.Mode)
}

// elsewhere says which of the goals without a duration have one on another arch.
func (e *estimator) elsewhere(missing []string) []string {
	found := map[string][]string{}
	for _, o := range e.h.All() {
		if o.Phase == "" && slices.Contains(missing, o.Goal) && !slices.Contains(found[o.Arch], o.Goal) {
			found[o.Arch] = append(found[o.Arch], o.Goal)
		}
	}
	var said []string
	for _, a := range e.c.arches {
		if names := found[a.Name]; a.Name != e.r.Options.Arch && len(names) > 0 {
			said = append(said, fmt.Sprintf("%d goals without a duration on %s have one on %s: %s", len(names), e.r.Options.Arch, a.Name, list(names)))
		}
	}
	return said
}

// listed is how many names a sentence holds.
const listed = 10

func list(names []string) string {
	if more := len(names) - listed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:listed], " "), more)
	}
	return strings.Join(names, " ")
}
