package arch

import (
	"fmt"
	"go/ast"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	architecture = "docs/architecture.md"
	dependencies = "docs/dependencies.md"
)

func documentRules() []Rule {
	return []Rule{
		{architecture + " shows the import table", checkTableShown},
		{architecture + " draws the states that the code has", checkStates},
		{dependencies + " has a reason for each direct dependency", checkReasons},
		{"go.mod requires directly what is imported, and nothing else", checkDirect},
		{architecture + " draws the imports that the code has", checkDrawing},
		{"a link in a document leads to a file, and to a heading that it has", checkLinks},
		{"a decision is in the list of decisions", checkDecisions},
		{"a picture is small, and a document shows it", checkPictures},
	}
}

// text returns a document, or the offence of its absence.
func (t Tree) text(name string) (string, []Offence) {
	b, err := fs.ReadFile(t.FS, name)
	if err != nil {
		return "", []Offence{{Path: name, Text: err.Error()}}
	}
	return string(b), nil
}

// String returns the room as a line of the document's table.
func (r Room) String() string {
	may := "nothing of ours"
	if len(r.May) > 0 {
		may = strings.Join(r.May, ", ")
	}
	return fmt.Sprintf("%-22s → %s", r.Path, may)
}

var tableRow = regexp.MustCompile(`(?m)^[a-z0-9/.]+ +→ .*$`)

func checkTableShown(t Tree) []Offence {
	doc, bad := t.text(architecture)
	if bad != nil {
		return bad
	}
	want := make([]string, len(rooms))
	for i, r := range rooms {
		want[i] = r.String()
	}
	if got := tableRow.FindAllString(doc, -1); !slices.Equal(got, want) {
		return []Offence{{Path: architecture, Text: "the table should be\n" + strings.Join(want, "\n")}}
	}
	return nil
}

// machines are the state types and where they are declared.
var machines = []struct{ dir, name string }{
	{"bot", "RunState"}, {"bot", "PieceState"}, {"runnerfleet", "State"},
}

// checkStates compares the constants of each state type with the names in the
// diagram below the heading that names the type.
func checkStates(t Tree) (out []Offence) {
	doc, bad := t.text(architecture)
	if bad != nil {
		return bad
	}
	for _, m := range machines {
		heading := m.dir + "." + m.name
		want := t.constants(m.dir, m.name)
		got := drawn(doc, heading)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			out = append(out, Offence{Path: architecture, Text: fmt.Sprintf("%s: the diagram has %q, the code %q", heading, got, want)})
		}
	}
	return out
}

// constants returns the values of a package's string constants of a type.
func (t Tree) constants(dir, typeName string) (values []string) {
	t.nodes(func(f File) bool { return f.Dir() == dir && !f.Test }, func(_ File, n ast.Node) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return
		}
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != typeName {
			return
		}
		for _, v := range spec.Values {
			if lit, ok := v.(*ast.BasicLit); ok {
				s, err := strconv.Unquote(lit.Value)
				if err == nil {
					values = append(values, s)
				}
			}
		}
	})
	return values
}

var arrow = regexp.MustCompile(`(?m)^ *(\S+) --> ([^\s:]+)`)

// drawn returns the states in the first Mermaid diagram after a heading.
func drawn(doc, heading string) (names []string) {
	_, rest, _ := strings.Cut(doc, "`"+heading+"`")
	_, rest, _ = strings.Cut(rest, "```mermaid\n")
	diagram, _, _ := strings.Cut(rest, "```")
	for _, m := range arrow.FindAllStringSubmatch(diagram, -1) {
		for _, name := range m[1:] {
			if name != "[*]" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

var (
	required = regexp.MustCompile(`(?m)^(?:require )?\t?([a-z0-9.-]+\.[a-z]+/\S+) v\S+( // indirect)?$`)
	reason   = regexp.MustCompile("(?m)^\\| `([^` ]+/[^` ]+)` \\|")
)

// direct returns the modules that go.mod requires for our own sake.
func (t Tree) direct() (modules []string, bad []Offence) {
	mod, bad := t.text("go.mod")
	for _, m := range required.FindAllStringSubmatch(mod, -1) {
		if m[2] == "" {
			modules = append(modules, m[1])
		}
	}
	return modules, bad
}

// checkReasons compares the direct dependencies with the first column of the
// document's table, both ways.
func checkReasons(t Tree) (out []Offence) {
	want, bad := t.direct()
	doc, bad2 := t.text(dependencies)
	if bad = append(bad, bad2...); bad != nil {
		return bad
	}
	var have []string
	for _, m := range reason.FindAllStringSubmatch(doc, -1) {
		have = append(have, m[1])
	}
	return append(lacking(want, have, dependencies, "has no reason for "), lacking(have, want, dependencies, "explains what go.mod does not require: ")...)
}

// checkDirect compares the direct dependencies with what is imported, both
// ways. It is the part of go mod tidy that needs no network.
func checkDirect(t Tree) []Offence {
	want, bad := t.direct()
	if bad != nil {
		return bad
	}
	var have []string
	t.imports(func(_ File, imported string, _ Offence) {
		host, _, _ := strings.Cut(imported, "/")
		if !strings.Contains(host, ".") || below(imported, module) {
			return
		}
		name := imported
		for _, m := range want {
			if below(imported, m) && (name == imported || len(m) > len(name)) {
				name = m
			}
		}
		if !slices.Contains(have, name) {
			have = append(have, name)
		}
	})
	return append(lacking(have, want, "go.mod", "does not require by itself "), lacking(want, have, "go.mod", "requires what nothing imports: ")...)
}

// lacking makes an offence of each name that the others lack.
func lacking(names, others []string, where, text string) (out []Offence) {
	for _, name := range names {
		if !slices.Contains(others, name) {
			out = append(out, Offence{Path: where, Text: text + name})
		}
	}
	return out
}
