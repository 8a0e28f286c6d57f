package catalog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "catalog")
	k := Kept{Dir: dir}
	builtIn := embeddedCatalog(t).Revision
	inForce := func(want string) {
		t.Helper()
		c, err := k.Current()
		if err != nil || c.Revision != want {
			t.Errorf("in force: %v, %v; want %s", c, err, want)
		}
		all, err := k.All()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			if r.InForce != (r.Revision == want) || r.BuiltIn != (r.Revision == builtIn) {
				t.Errorf("listed: %+v", r)
			}
		}
	}
	inForce(builtIn)

	first, err := k.Use(overlay(map[string]string{"projects/new.yaml": good}))
	if err != nil {
		t.Fatal(err)
	}
	inForce(first.Revision)
	second, err := k.Use(overlay(map[string]string{"projects/newer.yaml": strings.ReplaceAll(good, "new", "newer")}))
	if err != nil {
		t.Fatal(err)
	}
	inForce(second.Revision)
	if c, _ := k.Current(); c != nil {
		if _, ok := c.Project("new"); ok {
			t.Error("a revision is swapped whole, but the one before shines through")
		}
	}

	if _, err := k.Use(overlay(map[string]string{"projects/new.yaml": good + "servces: [redis]\n"})); err == nil || !strings.Contains(err.Error(), "projects/new.yaml:4:1: unknown key") {
		t.Errorf("a broken revision gives %v", err)
	}
	inForce(second.Revision)

	if _, err := k.Rollback(first.Revision); err != nil {
		t.Fatal(err)
	}
	inForce(first.Revision)
	var unknown *UnknownError
	if _, err := k.Rollback("0123456789abcdef"); !errors.As(err, &unknown) || !strings.Contains(err.Error(), first.Revision) {
		t.Errorf("a revision that nobody kept gives %v", err)
	}
	if _, err := k.Rollback("../" + first.Revision); !errors.As(err, &unknown) {
		t.Errorf("a path gives %v", err)
	}
	if _, err := k.Rollback(builtIn); err != nil {
		t.Fatal(err)
	}
	inForce(builtIn)

	kept := filepath.Join(dir, second.Revision, "projects", "newer.yaml")
	for text, want := range map[string]string{
		strings.ReplaceAll(good, "new", "newer") + "# changed\n": "its files were changed after it was kept",
		"name: newer\nkind: c-libary\n":                          "projects/newer.yaml:2:7: unknown kind",
	} {
		if err := os.WriteFile(kept, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := k.Rollback(second.Revision); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("rollback to changed files gives %v, want %s", err, want)
		}
		inForce(builtIn)
	}
	if c, err := k.Use(overlay(map[string]string{"projects/newer.yaml": strings.ReplaceAll(good, "new", "newer")})); err != nil || c.Revision != second.Revision {
		t.Errorf("using the right files again gives %v", err)
	}
	inForce(second.Revision)
	left, err := filepath.Glob(filepath.Join(dir, "new-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
