// Package unit makes a machine have what its goals need: packages, firewall
// rules, addresses.
//
// A unit has a check and a way to make it true, and needs other units. What is
// true already costs its check. What cannot be made true is named with the
// command that failed and its last lines; units that do not need it are made
// nevertheless.
package unit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/ortest/ortest/plan/recipe"
)

// Machine is where units are made true. Its zero value is this machine.
type Machine struct {
	Env []string  // of checks; nil is the process's own
	Log io.Writer // what is done, and what it prints; nil is nowhere
}

// family is how a system installs packages.
type family struct {
	name      string
	packages  func(recipe.Unit) []string
	installed []string // lists what is installed, one name a line
	refresh   string
	install   string
}

var families = []family{
	{
		name: "apt-get", packages: func(u recipe.Unit) []string { return u.Apt },
		installed: []string{"dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n"},
		refresh:   "apt-get update -qq",
		install:   "DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends",
	},
	{
		name: "dnf", packages: func(u recipe.Unit) []string { return u.Dnf },
		installed: []string{"rpm", "--query", "--all", "--queryformat", "installed %{NAME}\n"},
		refresh:   "dnf -q makecache",
		install:   "dnf -q install -y",
	},
}

// familyOf finds how this machine installs packages; false for a stranger, on
// which packages are taken to be there.
func (m Machine) family() (family, bool) {
	for _, f := range families {
		if _, err := exec.LookPath(f.name); err == nil {
			return f, true
		}
	}
	return family{}, false
}

// Missing returns the units that are not true here, in their order.
func (m Machine) Missing(ctx context.Context, units []recipe.Unit) ([]recipe.Unit, error) {
	f, known := m.family()
	have := map[string]bool{}
	if known {
		out, err := exec.CommandContext(ctx, f.installed[0], f.installed[1:]...).Output()
		if err != nil {
			return nil, fmt.Errorf("list installed packages: %w", err)
		}
		for line := range strings.Lines(string(out)) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), "installed "); ok {
				have[name] = true
			}
		}
	}
	var missing []recipe.Unit
	for _, u := range units {
		lacks := known && u.Check == "" && slices.ContainsFunc(f.packages(u), func(p string) bool { return !have[p] })
		if lacks || u.Check != "" && !m.true(ctx, u) {
			missing = append(missing, u)
		}
	}
	return missing, ctx.Err()
}

// true runs a unit's check.
func (m Machine) true(ctx context.Context, u recipe.Unit) bool {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", u.Check)
	cmd.Env = m.environ()
	return cmd.Run() == nil
}

// environ adds the folders of the system's servers, which an ordinary user's
// search path lacks.
func (m Machine) environ() []string {
	env := m.Env
	if env == nil {
		env = os.Environ()
	}
	path := "/usr/local/bin:/usr/bin:/bin"
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	return append(slices.Clone(env), "PATH="+path+":/usr/local/sbin:/usr/sbin:/sbin")
}

// Describe says what a unit wants of this machine, in words for who has to do it.
func (m Machine) Describe(u recipe.Unit) string {
	f, known := m.family()
	if packages := f.packages; known && len(packages(u)) > 0 {
		return fmt.Sprintf("%s (%s %s)", u.Name, f.name, strings.Join(packages(u), " "))
	}
	if u.Make != "" {
		return fmt.Sprintf("%s (%s)", u.Name, u.Make)
	}
	return u.Name
}

// tail keeps the last lines of what is written to it.
type tail struct{ lines []byte }

const maxTail = 2000

func (t *tail) Write(b []byte) (int, error) {
	t.lines = append(t.lines, b...)
	if over := len(t.lines) - maxTail; over > 0 {
		t.lines = append([]byte(nil), t.lines[over:]...)
	}
	return len(b), nil
}

func (t *tail) last(n int) string {
	lines := bytes.Split(bytes.TrimSpace(t.lines), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], []byte("\n")))
}
