// Package examples holds small projects under test, as a repository would:
// what `ortest demo` shows and the tests of the driver run.
//
// hello is nginx with Lua and a native part; tally is a C library. A variant
// is hello with one mistake in it: fail in an answer, memory in the native
// part, leak in what it remembers.
package examples

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// The prefix keeps .gitignore, which embedding leaves out otherwise.
//
//go:embed all:hello all:tally all:variants
var tree embed.FS

// Good is the variant without a mistake.
const Good = "good"

// Names returns the example projects, sorted.
func Names() []string { return []string{"hello", "tally"} }

// Variants returns the variants, Good first.
func Variants() []string { return []string{Good, "fail", "memory", "leak"} }

// Project returns the files of a project by their paths from its root. The
// variant says what hello contains; tally is the same in every one. The caller
// owns the map.
func Project(name, variant string) (map[string][]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("no example project %q: there are %s", name, strings.Join(Names(), ", "))
	}
	if !slices.Contains(Variants(), variant) {
		return nil, fmt.Errorf("no variant %q: there are %s", variant, strings.Join(Variants(), ", "))
	}
	files := map[string][]byte{}
	if err := overlay(files, name); err != nil {
		return nil, err
	}
	if name != "hello" || variant == Good {
		return files, nil
	}
	if err := overlay(files, path.Join("variants", variant)); err != nil {
		return nil, err
	}
	return files, nil
}

// Executable reports whether a file of a project is a program: it names its
// interpreter in its first line.
func Executable(content []byte) bool { return strings.HasPrefix(string(content), "#!") }

// overlay adds the files below dir, replacing those of the same path. What a
// build left behind in a work tree is not part of a project.
func overlay(files map[string][]byte, dir string) error {
	return fs.WalkDir(tree, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read example %s: %w", name, err)
		}
		if d.IsDir() {
			if d.Name() == "build" {
				return fs.SkipDir
			}
			return nil
		}
		content, err := tree.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read example %s: %w", name, err)
		}
		files[strings.TrimPrefix(name, dir+"/")] = content
		return nil
	})
}
