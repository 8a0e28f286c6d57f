package unit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/ortest/ortest/plan/recipe"
)

// Failure is why a unit is not true.
type Failure struct {
	Unit    string
	Command string // what was run; "" when nothing could be
	Last    string // its last lines
	Err     error
}

func (f *Failure) Error() string {
	if f.Command == "" {
		return fmt.Sprintf("unit %s: %v", f.Unit, f.Err)
	}
	return fmt.Sprintf("unit %s: %s: %v: %s", f.Unit, f.Command, f.Err, f.Last)
}

// Unwrap returns what the command ended with.
func (f *Failure) Unwrap() error { return f.Err }

// Make makes units true, those that they need first, and returns why some are
// not, by name. Units whose needs failed are among them. It needs the right to:
// an ordinary user's commands go through sudo, which must not ask. A unit stands
// after those that it needs.
func (m Machine) Make(ctx context.Context, units []recipe.Unit) (map[string]*Failure, error) {
	missing, err := m.Missing(ctx, units)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	k := &maker{m: m, failed: map[string]*Failure{}}
	if k.m.Log == nil {
		k.m.Log = io.Discard
	}
	if os.Geteuid() != 0 {
		k.sudo = []string{"sudo", "-n"}
		if why := mayNot(ctx); why != "" {
			for _, u := range missing {
				k.failed[u.Name] = &Failure{Unit: u.Name, Err: fmt.Errorf("making it true needs root, and %s: %s", why, m.Describe(u))}
			}
			return k.failed, nil
		}
	}
	k.packages(ctx, missing)
	for _, u := range missing {
		k.make(ctx, u)
	}
	return k.failed, ctx.Err()
}

// mayNot says why an ordinary user's commands cannot go through sudo, "" when they can.
func mayNot(ctx context.Context) string {
	if _, err := exec.LookPath("sudo"); err != nil {
		return "there is no sudo"
	}
	out, err := exec.CommandContext(ctx, "sudo", "-n", "true").CombinedOutput()
	if err == nil {
		return ""
	}
	var last tail
	_, _ = last.Write(out)
	return fmt.Sprintf("sudo does not let this user without asking (%s)", last.last(1))
}

// maker is one pass over the missing units.
type maker struct {
	m      Machine
	sudo   []string // before every command; none for root
	failed map[string]*Failure
}

// packages installs what all units lack at once, which is quicker than one after
// another. How it ends shows in the units: each that still lacks some tries by itself.
func (k *maker) packages(ctx context.Context, missing []recipe.Unit) {
	f, known := k.m.family()
	var all []string
	for _, u := range missing {
		if known {
			all = append(all, f.packages(u)...)
		}
	}
	if len(all) == 0 {
		return
	}
	install := f.install + " " + strings.Join(all, " ")
	fmt.Fprintf(k.m.Log, "ortest: this machine lacks %s; runs %s\n", strings.Join(names(missing), ", "), k.shown(install))
	if err := k.run(ctx, f.refresh+"\n"+install, k.m.Log); err != nil {
		fmt.Fprintf(k.m.Log, "ortest: not all at once: %v\n", err)
	}
}

// make makes one unit true, unless what it needs is not.
func (k *maker) make(ctx context.Context, u recipe.Unit) {
	for _, n := range u.Needs {
		if why := k.failed[n]; why != nil {
			k.failed[u.Name] = &Failure{Unit: u.Name, Err: fmt.Errorf("it needs %w", why)}
			return
		}
	}
	if still, err := k.m.Missing(ctx, []recipe.Unit{u}); err != nil || len(still) == 0 {
		return
	}
	fmt.Fprintf(k.m.Log, "ortest: unit %s is made true; runs %s\n", u.Name, k.shown(k.script(u)))
	var last tail
	err := k.run(ctx, k.script(u), io.MultiWriter(k.m.Log, &last))
	if still, _ := k.m.Missing(ctx, []recipe.Unit{u}); len(still) == 0 && err == nil {
		return
	}
	if err == nil {
		err = errors.New("its check still fails")
	}
	k.failed[u.Name] = &Failure{Unit: u.Name, Command: k.shown(k.script(u)), Last: last.last(5), Err: err}
}

func names(units []recipe.Unit) (all []string) {
	for _, u := range units {
		all = append(all, u.Name)
	}
	return all
}

// shown is a script as it is told: in one line, with whom it runs as.
func (k *maker) shown(script string) string {
	line := strings.ReplaceAll(strings.TrimSpace(script), "\n", "; ")
	return strings.Join(append(k.sudo[:len(k.sudo):len(k.sudo)], line), " ")
}

// script is what makes a unit true: its packages, then its own commands.
func (k *maker) script(u recipe.Unit) string {
	var b strings.Builder
	if f, known := k.m.family(); known && len(f.packages(u)) > 0 {
		fmt.Fprintf(&b, "%s %s\n", f.install, strings.Join(f.packages(u), " "))
	}
	b.WriteString(u.Make)
	return b.String()
}

// run gives a script to the shell, as root. It is not handed over in a file: no other
// user of the machine can change it on the way.
func (k *maker) run(ctx context.Context, script string, out io.Writer) error {
	argv := append(k.sudo[:len(k.sudo):len(k.sudo)], "/bin/sh", "-e")
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = k.m.environ(), out, out
	cmd.Stdin = strings.NewReader("PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin\nexport PATH\n{ :\n" + script + "\n} </dev/null\n")
	return cmd.Run()
}
