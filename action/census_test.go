package action

import (
	"slices"
	"testing"
	"testing/fstest"
)

func TestTestFiles(t *testing.T) {
	tree := fstest.MapFS{}
	for _, name := range []string{"t/b.t", "t/a.t", "t/sub/c.t", "t/sub/deep/d.t", "t/x.tt", "u/t/e.t", ".git/t/f.t", "a.t", "t/a+t"} {
		tree[name] = &fstest.MapFile{}
	}
	for _, tt := range []struct {
		name, glob string
		want       []string
	}{
		{"a star stays in its folder, and files are sorted", "t/*.t", []string{"t/a.t", "t/b.t"}},
		{"two stars cross any number of folders, none included", "t/**/*.t", []string{"t/a.t", "t/b.t", "t/sub/c.t", "t/sub/deep/d.t"}},
		{"a question mark is one character, a dot is a dot", "t/a.?", []string{"t/a.t"}},
		{"git's own folder is no part of the project", "**/f.t", nil},
		{"from the root everywhere", "**/e.t", []string{"u/t/e.t"}},
		{"a name without a pattern", "t/a+t", []string{"t/a+t"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := testFiles(tree, tt.glob)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("testFiles(%q) = %q, %v, want %q", tt.glob, got, err, tt.want)
			}
		})
	}
}

func TestAStrangeNameStopsThePieceWithAReason(t *testing.T) {
	cfg := config(t, script(), "t", one("t/a\nb.t", "1"))
	result, _ := ran(t, cfg)
	if result.End.Phase != PhaseCheckout || result.End.Reason != `the test file "t/a\nb.t" has a name that cannot be reported` {
		t.Errorf("end %+v", result.End)
	}
}
