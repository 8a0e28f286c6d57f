package arch

import (
	"cmp"
	"flag"
	"os"
	"slices"
	"testing"
)

//go:generate go test -run ^TestHouse$/docs/draws_the_imports . -update

var update = flag.Bool("update", false, "draw the imports in docs/architecture.md again")

// TestHouse holds the module to every rule.
func TestHouse(t *testing.T) {
	tree, err := Parse(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Files) < 10 {
		t.Fatalf("only %d Go files: this is not the module", len(tree.Files))
	}
	if *update {
		redraw(t, tree)
	}
	for _, rule := range Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			found := rule.Check(tree)
			slices.SortFunc(found, func(a, b Offence) int {
				return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
			})
			for _, o := range found {
				t.Error(o)
			}
		})
	}
}

// redraw writes the drawing that the code has into the document.
func redraw(t *testing.T, tree Tree) {
	t.Helper()
	doc, bad := tree.text(architecture)
	if bad != nil {
		t.Fatal(bad)
	}
	doc, err := tree.redrawn(doc)
	if err == nil {
		err = os.WriteFile("../../"+architecture, []byte(doc), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
