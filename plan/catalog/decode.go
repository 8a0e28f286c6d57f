package catalog

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/recipe"
)

// kind is what projects of one kind have in common.
type kind struct {
	Name     string                       `yaml:"name"`
	Modes    []string                     `yaml:"modes"`
	Packages []string                     `yaml:"packages"`
	Sources  []string                     `yaml:"sources"`
	Optional []string                     `yaml:"optional"`
	Units    []string                     `yaml:"units"`
	Build    [][]string                   `yaml:"build"`
	Nginx    *recipe.Nginx                `yaml:"nginx"`
	Test     plan.Test                    `yaml:"test"`
	Env      map[string]string            `yaml:"env"`
	ModeEnv  map[string]map[string]string `yaml:"mode_env"`
}

// source is a parsed file, kept for the places of what is wrong in it.
type source struct {
	name string
	file *ast.File
}

// at returns "projects/x.yaml:3:9" for a path such as "$.modes[1]". What has no
// place of its own, such as an item behind an alias, is where the alias stands.
func (s source) at(yamlPath string) string {
	for yamlPath != "" && s.file != nil {
		if p, err := yaml.PathString(yamlPath); err == nil {
			if node, err := p.FilterFile(s.file); err == nil && node.GetToken() != nil {
				pos := node.GetToken().Position
				return fmt.Sprintf("%s:%d:%d", s.name, pos.Line, pos.Column)
			}
		}
		yamlPath = yamlPath[:max(0, strings.LastIndexAny(yamlPath, ".["))]
	}
	return s.name + ":1:1"
}

// decodeAll decodes every file and returns where each came from.
func (c *Catalog) decodeAll(files map[string][]byte) (map[string]source, error) {
	srcs := map[string]source{}
	var bad []error
	into := map[string]any{
		"modes.yaml": &c.modes, "kinds.yaml": &c.kinds, "arches.yaml": &c.arches, "releases.yaml": &c.releases,
		"sources.yaml": &c.sources, "archives.yaml": &c.archives, "tools.yaml": &c.tools, "services.yaml": &c.services, "units.yaml": &c.units,
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		dir, base := path.Split(name)
		project := strings.TrimSuffix(base, ".yaml")
		if dir == "expectations/" {
			c.expectations[project] = files[name]
			continue
		}
		if name == settingsFile {
			c.settings = files[name]
			continue
		}
		p := plan.Project{Example: dir == "examples/"}
		dst := into[name]
		if dst == nil {
			dst = &p
		}
		src, err := decode(name, files[name], dst)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		srcs[name] = src
		if into[name] == nil {
			if p.Name != project {
				bad = append(bad, fmt.Errorf("%s: name is %q, but the file is %s", src.at("$.name"), p.Name, base))
				continue
			}
			c.projects = append(c.projects, p)
		}
	}
	return srcs, errors.Join(bad...)
}

// decode reads one file strictly. The library panics on some malformed input (a
// tag before a scalar where a list is wanted), which is an error here too.
func decode(name string, b []byte, dst any) (src source, err error) {
	defer func() {
		if r := recover(); r != nil {
			src, err = source{}, fmt.Errorf("%s:1:1: malformed YAML: %v", name, r)
		}
	}()
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return source{}, positioned(name, err, nil)
	}
	if len(file.Docs) > 1 { // the decoder would read the first and be silent about the others
		return source{}, fmt.Errorf("%s:%d:1: a second document begins; write one a file", name, file.Docs[1].Start.Position.Line)
	}
	if err := yaml.UnmarshalWithOptions(b, dst, yaml.Strict()); err != nil {
		return source{}, positioned(name, err, keysOf(reflect.TypeOf(dst)))
	}
	return source{name: name, file: file}, nil
}

// positioned rewrites a decoder's error as "file:line:col: message".
func positioned(name string, err error, keys []string) error {
	var ye yaml.Error
	if !errors.As(err, &ye) || ye.GetToken() == nil {
		return fmt.Errorf("%s:1:1: %w", name, err)
	}
	pos := ye.GetToken().Position
	msg := ye.GetMessage()
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		key := ye.GetToken().Value
		msg = fmt.Sprintf("unknown key %q%s", key, suggest(key, keys))
	}
	var node *yaml.UnexpectedNodeTypeError
	if errors.As(err, &node) && node.Expected == ast.SequenceType {
		msg = fmt.Sprintf("want a list, such as [%s]", ye.GetToken().Value)
	}
	return fmt.Errorf("%s:%d:%d: %s", name, pos.Line, pos.Column, msg)
}

// keysOf lists the keys that a type and the types within it know.
func keysOf(t reflect.Type) []string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return keysOf(t.Elem())
	case reflect.Struct:
		var keys []string
		for i := range t.NumField() {
			f := t.Field(i)
			if tag := f.Tag.Get("yaml"); tag != "" && tag != "-" {
				keys = append(keys, tag)
			}
			keys = append(keys, keysOf(f.Type)...)
		}
		return keys
	}
	return nil
}
