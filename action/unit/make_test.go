package unit

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ortest/ortest/plan/recipe"
)

// machine is this one with a stand-in for sudo in the search path, so that the test
// is the same for root and for an ordinary user.
func machine(t *testing.T, log *bytes.Buffer) Machine {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "sudo"), []byte("#!/bin/sh\n[ \"$1\" = -n ] && shift\nexec \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return Machine{Log: log}
}

func TestMake(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, needs ...string) recipe.Unit {
		path := filepath.Join(dir, name)
		return recipe.Unit{Name: name, Needs: needs, Check: "test -e " + path, Make: "echo x >> " + path}
	}
	units := []recipe.Unit{
		file("first"),
		{Name: "broken", Check: "false", Make: "echo one; echo two >&2; exit 3"},
		{Name: "untrue", Check: "false", Make: "true"},
		file("after-broken", "broken"),
		file("after-that", "after-broken"),
		file("last", "first"),
		{Name: "reader", Check: "test -e " + filepath.Join(dir, "reader"), Make: "cat > " + filepath.Join(dir, "reader")},
		{Name: "quotes", Check: "test -e " + filepath.Join(dir, "quotes"), Make: "x='a \"b\"'\nprintf '%s' \"$x\" > " + filepath.Join(dir, "quotes")},
	}
	var log bytes.Buffer
	failed, err := machine(t, &log).Make(t.Context(), units)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"broken":       "exit status 3: one\ntwo",
		"untrue":       "its check still fails",
		"after-broken": "unit after-broken: it needs unit broken:",
		"after-that":   "unit after-that: it needs unit after-broken: it needs unit broken:",
	} {
		if f := failed[name]; f == nil || !strings.Contains(f.Error(), want) {
			t.Errorf("%s: %v, want %q", name, f, want)
		}
		delete(failed, name)
	}
	if len(failed) > 0 {
		t.Errorf("also failed: %v", failed)
	}
	for name, want := range map[string]string{"first": "x\n", "last": "x\n", "reader": "", "quotes": `a "b"`} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v; want %q", name, b, err, want)
		}
	}
	for _, want := range []string{"echo one; echo two >&2; exit 3", "unit first is made true; runs "} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log %q does not tell %q", log.String(), want)
		}
	}
	if !strings.Contains(log.String(), "one\ntwo\n") {
		t.Errorf("log %q has not what the commands print", log.String())
	}

	again, err := machine(t, &log).Make(t.Context(), []recipe.Unit{units[0], units[5]})
	if err != nil || len(again) > 0 {
		t.Errorf("what is true already: %v, %v", again, err)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "first")); string(b) != "x\n" {
		t.Errorf("what is true already was made again: %q", b)
	}
}

func TestWithoutTheRightNothingIsTried(t *testing.T) {
	for _, tt := range []struct{ name, sudo, want string }{
		{"sudo that asks", "#!/bin/sh\necho sudo: a password is required >&2\nexit 1\n", "sudo does not let this user without asking (sudo: a password is required)"},
		{"sudo that does not", "#!/bin/sh\nexit 0\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bin := t.TempDir()
			if err := os.WriteFile(filepath.Join(bin, "sudo"), []byte(tt.sudo), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			if got := mayNot(t.Context()); got != tt.want {
				t.Errorf("got %q", got)
			}
		})
	}
	t.Setenv("PATH", t.TempDir())
	if got := mayNot(t.Context()); got != "there is no sudo" {
		t.Errorf("got %q", got)
	}
}
