package arch

import (
	"cmp"
	"os"
	"slices"
	"testing"
)

// TestHouse holds the module to every rule.
func TestHouse(t *testing.T) {
	tree, err := Parse(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Files) < 10 {
		t.Fatalf("only %d Go files: this is not the module", len(tree.Files))
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
