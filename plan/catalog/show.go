package catalog

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/ortest/ortest/plan"
)

// Summary says in a line what the catalog holds.
func (c *Catalog) Summary() string {
	goals, examples := 0, 0
	for _, p := range c.projects {
		if p.Example {
			examples++
			continue
		}
		goals += len(p.Modes)
	}
	return fmt.Sprintf("catalog %s: %d projects and %d examples, %d modes, %d goals, %d arches, %d nginx cores, expectations of %d projects",
		c.Revision, len(c.projects)-examples, examples, len(c.modes), goals, len(c.arches), len(c.releases), len(c.expectations))
}

// core is a nginx core as it is shown.
type core struct {
	Core     string   `yaml:"core" json:"core"`
	Releases []string `yaml:"releases" json:"releases"`
}

// Show returns a project with what its kind gives it, a mode, an arch, an nginx
// core or an OpenResty release by name, to be written as YAML or JSON. *UnknownError has the nearest names.
func (c *Catalog) Show(name string) (any, error) {
	if p, ok := c.Project(name); ok {
		return p, nil
	}
	if m, ok := c.Mode(name); ok {
		return m, nil
	}
	if a, ok := c.Arch(name); ok {
		return a, nil
	}
	if r := c.Releases(name); r != nil {
		return core{name, r}, nil
	}
	if r, ok := c.release(name); ok {
		return r, nil
	}
	known := namesOf(c.projects, func(p plan.Project) string { return p.Name })
	known = append(known, namesOf(c.modes, func(m plan.Mode) string { return m.Name })...)
	known = append(known, namesOf(c.arches, func(a Arch) string { return a.Name })...)
	known = append(known, c.Cores()...)
	unknown := &UnknownError{Name: clip(name), What: fmt.Sprintf("%q is no project, mode, arch, nginx core or release of the catalog", clip(name))}
	if _, ok := parseVersion(name); ok { // of versions the next ones are near, not those that look alike
		unknown.What = c.CheckNginx(name).Error()
	} else {
		unknown.Nearest = plan.Nearest(name, known)
	}
	return nil, unknown
}

// WriteYAML writes what Show returned; WriteJSON likewise.
func WriteYAML(w io.Writer, shown any) error {
	b, err := yaml.Marshal(shown)
	if err != nil {
		return fmt.Errorf("show: %w", err)
	}
	_, err = w.Write(b)
	return err
}

// WriteJSON writes what Show returned as indented JSON.
func WriteJSON(w io.Writer, shown any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(shown)
}

// Line joins goals as ortest goals prints them.
func Line(goals []plan.Goal) string {
	return strings.Join(namesOf(slices.Clone(goals), plan.Goal.String), " ")
}
