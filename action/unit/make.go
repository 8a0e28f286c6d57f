package unit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-task/task/v3"
	taskerrors "github.com/go-task/task/v3/errors"
	"github.com/goccy/go-yaml"

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
// an ordinary user's commands go through sudo, which must not ask.
func (m Machine) Make(ctx context.Context, units []recipe.Unit) (map[string]*Failure, error) {
	missing, err := m.Missing(ctx, units)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ortest-units-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	g := &graph{m: m, dir: dir, failed: map[string]*Failure{}}
	if g.m.Log == nil {
		g.m.Log = io.Discard
	}
	if os.Geteuid() != 0 {
		if _, err := exec.LookPath("sudo"); err != nil {
			for _, u := range missing {
				g.failed[u.Name] = &Failure{Unit: u.Name, Err: fmt.Errorf("making it true needs root, and there is no sudo: %s", m.Describe(u))}
			}
			return g.failed, nil
		}
		g.sudo = "sudo -n "
	}
	if err := g.write(missing); err != nil {
		return nil, err
	}
	g.packages(ctx, missing)
	for _, u := range missing {
		g.make(ctx, u)
	}
	return g.failed, ctx.Err()
}

// graph is the missing units as a file of tasks, which the task engine orders,
// checks and runs.
type graph struct {
	m      Machine
	dir    string
	sudo   string
	failed map[string]*Failure
}

// taskOf is a unit as the engine reads it.
type taskOf struct {
	Deps   []string `yaml:"deps,omitempty"`
	Status []string `yaml:"status,omitempty"`
	Cmds   []string `yaml:"cmds,omitempty"`
	Run    string   `yaml:"run"`
}

// allPackages installs what all units lack at once, which is quicker than one
// after another; where it fails each unit tries by itself.
const allPackages = "all-packages"

func (g *graph) write(missing []recipe.Unit) error {
	f, known := g.m.family()
	tasks := map[string]taskOf{}
	var all []string
	for _, u := range missing {
		var script strings.Builder
		if pkgs := f.packages; known && len(pkgs(u)) > 0 {
			fmt.Fprintf(&script, "%s %s\n", f.install, strings.Join(pkgs(u), " "))
			all = append(all, pkgs(u)...)
		}
		if u.Make != "" {
			fmt.Fprintln(&script, u.Make)
		}
		t := taskOf{Run: "once"}
		for _, n := range u.Needs {
			if slices.ContainsFunc(missing, func(o recipe.Unit) bool { return o.Name == n }) {
				t.Deps = append(t.Deps, n)
			}
		}
		if u.Check != "" {
			t.Status = []string{u.Check}
		}
		if err := g.script(&t, u.Name, script.String()); err != nil {
			return err
		}
		tasks[u.Name] = t
	}
	t := taskOf{Run: "once"}
	if len(all) > 0 {
		if err := g.script(&t, allPackages, f.refresh+"\n"+f.install+" "+strings.Join(all, " ")+"\n"); err != nil {
			return err
		}
	}
	tasks[allPackages] = t
	b, err := yaml.Marshal(map[string]any{"version": "3", "tasks": tasks})
	if err != nil {
		return fmt.Errorf("write tasks: %w", err)
	}
	return os.WriteFile(filepath.Join(g.dir, "Taskfile.yml"), b, 0o600)
}

// script gives a task its commands as one file: the engine need not know what
// is quoted in it, and sudo is asked once.
func (g *graph) script(t *taskOf, name, text string) error {
	if text == "" {
		return nil
	}
	file := filepath.Join(g.dir, name+".sh")
	t.Cmds = []string{g.sudo + "sh -e " + file}
	return os.WriteFile(file, []byte("PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin\nexport PATH\n"+text), 0o644)
}

// packages installs all packages at once. How it ends shows in the units.
func (g *graph) packages(ctx context.Context, missing []recipe.Unit) {
	text, err := os.ReadFile(filepath.Join(g.dir, allPackages+".sh"))
	if err != nil {
		return
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	fmt.Fprintf(g.m.Log, "ortest: this machine lacks %d units; runs %s%s\n", len(missing), g.sudo, lines[len(lines)-1])
	if err := g.run(ctx, allPackages, g.m.Log); err != nil {
		fmt.Fprintf(g.m.Log, "ortest: not all at once: %v\n", err)
	}
}

// make makes one unit true, unless what it needs is not.
func (g *graph) make(ctx context.Context, u recipe.Unit) {
	for _, n := range u.Needs {
		if why := g.failed[n]; why != nil {
			g.failed[u.Name] = &Failure{Unit: u.Name, Err: fmt.Errorf("it needs %w", why)}
			return
		}
	}
	still, err := g.m.Missing(ctx, []recipe.Unit{u})
	if err != nil || len(still) == 0 {
		return
	}
	var last tail
	err = g.run(ctx, u.Name, io.MultiWriter(g.m.Log, &last))
	if still, _ := g.m.Missing(ctx, still); len(still) == 0 && err == nil {
		return
	}
	if err == nil {
		err = errors.New("its check still fails")
	}
	var run *taskerrors.TaskRunError
	if errors.As(err, &run) {
		err = run.Err
	}
	g.failed[u.Name] = &Failure{Unit: u.Name, Command: g.sudo + g.m.Describe(u), Last: last.last(5), Err: err}
}

// run hands a task to the engine.
func (g *graph) run(ctx context.Context, name string, out io.Writer) error {
	e := task.NewExecutor(
		task.WithDir(g.dir), task.WithStdout(out), task.WithStderr(out), task.WithStdin(strings.NewReader("")),
		task.WithSilent(true), task.WithColor(false), task.WithConcurrency(1), task.WithTempDir(task.TempDir{Remote: g.dir, Fingerprint: g.dir}),
	)
	if err := e.Setup(); err != nil {
		return fmt.Errorf("read tasks: %w", err)
	}
	return e.Run(ctx, &task.Call{Task: name})
}
