package plan

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Nearest returns up to three of the known names that a person may have meant
// by name, best first; none when nothing is close. A name that the wrong one
// begins or holds counts as close, because people write "redis" for
// "lua-resty-redis". Longer names than 64 bytes have no nearest.
func Nearest(name string, known []string) []string {
	if name == "" || len(name) > 64 {
		return nil
	}
	type scored struct {
		name string
		cost int
	}
	var near []scored
	for _, k := range known {
		cost, ok := distance(strings.ToLower(name), strings.ToLower(k))
		if ok {
			near = append(near, scored{k, cost})
		}
	}
	slices.SortStableFunc(near, func(a, b scored) int { return a.cost - b.cost })
	var names []string
	for _, s := range near {
		// Something twice as far as the best is noise beside it.
		if len(names) == 3 || s.cost > 2*near[0].cost+2 {
			break
		}
		if !slices.Contains(names, s.name) {
			names = append(names, s.name)
		}
	}
	return names
}

// distance is twice the edit distance, so that a part of a name can cost a
// little more than one edit and less than two; ok says whether it is close.
func distance(name, known string) (cost int, ok bool) {
	edits := levenshtein.ComputeDistance(name, known)
	allowed := 1 + len(name)/4
	if edits <= allowed {
		return 2 * edits, true
	}
	if len(name) >= 3 && strings.Contains(known, name) {
		return 3, true
	}
	return 0, false
}
