package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	checklistRow  = regexp.MustCompile(`(?m)^\| (\d+) \| [^|]+ \| ([^|]+) \|$`)
	checklistTest = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	declaredTest  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
)

// TestEveryPointOfTheChecklistIsTestedOrExcused reads docs/security.md: all thirty
// points, each with tests, or a dash and why, and no test that there is not.
func TestEveryPointOfTheChecklistIsTestedOrExcused(t *testing.T) {
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	known := declaredTests(t)
	rows := checklistRow.FindAllStringSubmatch(string(text), -1)
	if len(rows) != 30 {
		t.Fatalf("%d points, want 30", len(rows))
	}
	for i, row := range rows {
		if row[1] != strconv.Itoa(i+1) {
			t.Errorf("point %d is numbered %s", i+1, row[1])
		}
		tests := checklistTest.FindAllStringSubmatch(row[2], -1)
		if why, excused := strings.CutPrefix(row[2], "— "); len(tests) == 0 && (!excused || len(why) < 20) {
			t.Errorf("point %d has neither a test nor a reason: %s", i+1, row[2])
		}
	}
	for _, m := range checklistTest.FindAllStringSubmatch(string(text), -1) {
		if !known[m[1]] {
			t.Errorf("the page names %s, which is nowhere", m[1])
		}
	}
}

// declaredTests are the names of all tests of the module.
func declaredTests(t *testing.T) map[string]bool {
	t.Helper()
	known := make(map[string]bool)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		for _, m := range declaredTest.FindAllSubmatch(src, -1) {
			known[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}
