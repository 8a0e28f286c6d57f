package arch

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// What stands between these lines of the document is drawn from the code; go
// generate writes it.
const (
	drawingBegins = "<!-- drawn from the imports by go generate ./internal/arch -->\n"
	drawingEnds   = "<!-- until here -->\n"
)

// graph has the rooms that each room imports.
type graph map[string][]string

// graph returns who imports whom in what is shipped. The root, examples and
// internal are left out: they are for tests and the demo.
func (t Tree) graph() graph {
	g := graph{}
	aside := func(dir string) bool {
		return below(dir, "internal") || slices.Contains(forTests, dir)
	}
	for dir := range t.packages() {
		if !aside(dir) {
			g[dir] = nil
		}
	}
	t.imports(func(f File, imported string, _ Offence) {
		to, ours := strings.CutPrefix(imported, module)
		to = path.Join(".", to)
		if ours && !f.Test && !aside(f.Dir()) && !aside(to) && !slices.Contains(g[f.Dir()], to) {
			g[f.Dir()] = append(g[f.Dir()], to)
		}
	})
	for _, to := range g {
		slices.Sort(to)
	}
	return g
}

// reaches reports whether from imports to, itself or through others.
func (g graph) reaches(from, to string) bool {
	return slices.ContainsFunc(g[from], func(next string) bool { return next == to || g.reaches(next, to) })
}

// least leaves out each arrow that others lead to as well: all of them in one
// drawing are a hedge.
func (g graph) least() graph {
	out := graph{}
	for from, all := range g {
		for _, to := range all {
			if !slices.ContainsFunc(all, func(via string) bool { return via != to && g.reaches(via, to) }) {
				out[from] = append(out[from], to)
			}
		}
	}
	return out
}

// drawing is the Mermaid diagram of the rooms, those of a wing in one frame.
func (t Tree) drawing() string {
	g := t.graph()
	name := strings.NewReplacer("/", "_", ".", "_")
	wings := map[string][]string{}
	for _, dir := range slices.Sorted(maps.Keys(g)) {
		wings[wing(dir)] = append(wings[wing(dir)], dir)
	}
	var b strings.Builder
	b.WriteString("```mermaid\nflowchart TD\n")
	for _, w := range slices.Sorted(maps.Keys(wings)) {
		frame, indent := len(wings[w]) > 1, "    "
		if frame {
			fmt.Fprintf(&b, "    subgraph wing_%s[%s]\n", w, w)
			indent += indent
		}
		for _, dir := range wings[w] {
			fmt.Fprintf(&b, "%s%s[%s]\n", indent, name.Replace(dir), dir)
		}
		if frame {
			b.WriteString("    end\n")
		}
	}
	least := g.least()
	for _, from := range slices.Sorted(maps.Keys(least)) {
		for _, to := range least[from] {
			fmt.Fprintf(&b, "    %s --> %s\n", name.Replace(from), name.Replace(to))
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// redrawn returns the document with the drawing that the code has.
func (t Tree) redrawn(doc string) (string, error) {
	before, rest, begun := strings.Cut(doc, drawingBegins)
	_, after, ended := strings.Cut(rest, drawingEnds)
	if !begun || !ended {
		return "", fmt.Errorf("%s has no place for the drawing of the imports: %q and %q", architecture, drawingBegins, drawingEnds)
	}
	return before + drawingBegins + t.drawing() + drawingEnds + after, nil
}

func checkDrawing(t Tree) []Offence {
	doc, bad := t.text(architecture)
	if bad != nil {
		return bad
	}
	want, err := t.redrawn(doc)
	if err != nil {
		return []Offence{{Path: architecture, Text: err.Error()}}
	}
	if want != doc {
		return []Offence{{Path: architecture, Text: "the imports are others than drawn; go generate ./internal/arch draws\n" + t.drawing()}}
	}
	return nil
}
