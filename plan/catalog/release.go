package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// releases maps an nginx core to the OpenResty releases that bundle it.
type releases map[string][]string

// Releases returns the OpenResty releases that bundle an nginx core, oldest
// first; none when there is no such core.
func (c *Catalog) Releases(core string) []string { return slices.Clone(c.releases[core]) }

// Cores returns the nginx cores that a release bundles, oldest first.
func (c *Catalog) Cores() []string {
	return slices.SortedFunc(maps.Keys(c.releases), compareVersions)
}

// Core returns the nginx core that -v means: "" is the newest.
func (c *Catalog) Core(asked string) string {
	if asked == "" {
		return c.newestCore()
	}
	return asked
}

// CheckNginx accepts a core that a release bundles, and "" for the newest.
// The error names the nearest cores that would work.
func (c *Catalog) CheckNginx(core string) error {
	if core == "" || len(c.releases[core]) > 0 {
		return nil
	}
	want, ok := parseVersion(core)
	if !ok || len(want) != 3 {
		return fmt.Errorf("nginx %q is no core version; want one such as %s", core, c.newestCore())
	}
	cores := c.Cores()
	i, _ := slices.BinarySearchFunc(cores, core, compareVersions)
	var near []string
	if i > 0 {
		near = append(near, cores[i-1])
	}
	if i < len(cores) {
		near = append(near, cores[i])
	}
	return fmt.Errorf("no OpenResty release bundles nginx %s; the nearest that would work: %s", core, strings.Join(near, ", "))
}

// Tick tells what kind of release an OpenResty version is: "tock" is the first
// on a new nginx core, "tick" is new packages on the same core. It looks at the
// releases it knows, so that a version not yet in the catalog can be asked about.
func (c *Catalog) Tick(version string) (string, error) {
	v, ok := parseVersion(version)
	if !ok || len(v) != 4 {
		return "", fmt.Errorf("%q is no OpenResty version: want four numbers, such as 1.29.2.1", version)
	}
	core := version[:strings.LastIndexByte(version, '.')]
	for _, known := range c.releases[core] {
		if compareVersions(known, version) < 0 {
			return "tick", nil
		}
	}
	return "tock", nil
}

// release is an OpenResty release as it is shown.
type release struct {
	Release string `yaml:"release" json:"release"`
	Core    string `yaml:"core" json:"core"`
	Kind    string `yaml:"kind" json:"kind"`             // tick or tock
	Before  string `yaml:"before" json:"before"`         // the release before it, on the same core for a tick
	Known   bool   `yaml:"in_catalog" json:"in_catalog"` // false: not in releases.yaml yet
}

// release looks at a version of four numbers, whether or not it is known yet.
func (c *Catalog) release(version string) (release, bool) {
	kind, err := c.Tick(version)
	if err != nil {
		return release{}, false
	}
	r := release{Release: version, Core: version[:strings.LastIndexByte(version, '.')], Kind: kind}
	for _, core := range c.Cores() {
		for _, known := range c.releases[core] {
			if known == version {
				r.Known = true
			}
			if compareVersions(known, version) < 0 {
				r.Before = known
			}
		}
	}
	return r, true
}

func (c *Catalog) newestCore() string {
	cores := c.Cores()
	if len(cores) == 0 {
		return "1.29.2"
	}
	return cores[len(cores)-1]
}

func parseVersion(s string) ([]int, bool) {
	var nums []int
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || strconv.Itoa(n) != part {
			return nil, false
		}
		nums = append(nums, n)
	}
	return nums, len(nums) == 3 || len(nums) == 4
}

func compareVersions(a, b string) int {
	va, _ := parseVersion(a)
	vb, _ := parseVersion(b)
	return cmp.Or(slices.Compare(va, vb), strings.Compare(a, b))
}
