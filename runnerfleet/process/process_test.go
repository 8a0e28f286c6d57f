package process

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	tail := " 1 200 300 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654321 1000 20"
	for _, tt := range []struct {
		name, in string
		want     Process
		err      bool
	}{
		{"a sleeping process", "42 (prove) S" + tail, Process{PID: 42, Parent: 1, Session: 300, Start: 987654321}, false},
		{"a name that looks like the end of one", "42 (a) Z 7 (b) S" + tail, Process{PID: 42, Parent: 1, Session: 300, Start: 987654321}, false},
		{"a zombie", "42 (prove) Z" + tail, Process{PID: 42, Parent: 1, Session: 300, Start: 987654321, Zombie: true}, false},
		{"a cut line", "42 (prove) S 1 200", Process{}, true},
		{"no name", "42 S 1", Process{}, true},
		{"a number that is none", "x (prove) S" + tail, Process{}, true},
		{"nothing", "", Process{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseStat([]byte(tt.in))
			if (err != nil) != tt.err || err == nil && got != tt.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

// start runs a shell script and returns its process once that has printed a line.
func start(t *testing.T, script string, env ...string) (*exec.Cmd, Process) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env = env
	if _, err := cmd.StdinPipe(); err != nil { // so that read waits
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	p, err := Read(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, p
}

func TestRead(t *testing.T) {
	self, err := Read(os.Getpid())
	if err != nil || self.PID != os.Getpid() || self.Parent != os.Getppid() || self.Start == 0 || !self.Alive() {
		t.Errorf("self = %+v, %v", self, err)
	}
	if _, err := Read(1 << 30); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no process: %v, want fs.ErrNotExist", err)
	}
	other := self
	other.Start++
	if other.Alive() {
		t.Error("a process with our number and another start is alive")
	}
}

func TestEnviron(t *testing.T) {
	_, p := start(t, "echo; read x", "A=1", "B=2")
	for _, tt := range []struct {
		name string
		ask  []string
		want bool
	}{
		{"one setting", []string{"A=1"}, true},
		{"both settings", []string{"A=1", "B=2"}, true},
		{"one right, one wrong", []string{"A=1", "B=3"}, false},
		{"the beginning of one", []string{"A="}, false},
	} {
		if got := p.Environ(tt.ask...); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestHolds(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	_, with := start(t, "exec 5<"+f.Name()+"; echo; read x")
	_, without := start(t, "echo; read x")
	if !with.Holds(fi) || without.Holds(fi) {
		t.Errorf("holder %v, other %v; want true, false", with.Holds(fi), without.Holds(fi))
	}
}

func TestSignalOnlyThisProcess(t *testing.T) {
	_, p := start(t, "echo; read x")
	stale := p
	stale.Start--
	if err := stale.Signal(unix.SIGKILL); err != nil {
		t.Errorf("signal to a process that is no more: %v", err)
	}
	if !p.Alive() {
		t.Error("the process that has the number now was hit")
	}
	if err := (Process{PID: 1 << 22, Start: 1}).Signal(unix.SIGKILL); err != nil {
		t.Errorf("signal to nobody: %v", err)
	}
}

func TestDescendants(t *testing.T) {
	all := []Process{{PID: 1}, {PID: 2, Parent: 1}, {PID: 3, Parent: 2}, {PID: 4, Parent: 3}, {PID: 5, Parent: 1}}
	got := Descendants(all, func(p Process) bool { return p.PID == 2 || p.PID == 3 })
	var pids []int
	for _, p := range got {
		pids = append(pids, p.PID)
	}
	slices.Sort(pids)
	if !slices.Equal(pids, []int{2, 3, 4}) {
		t.Errorf("got %v, want 2 3 4, each once", pids)
	}
}

func TestKillAllCatchesThoseThatFork(t *testing.T) {
	cmd, root := start(t, "trap '' TERM; echo; while :; do sleep 600 & sleep 0.01; done")
	find := func() ([]Process, error) {
		all, err := All()
		return Descendants(all, func(p Process) bool { return p.PID == root.PID }), err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var seen []Process
	err := KillAll(ctx, func() ([]Process, error) {
		ps, err := find()
		seen = append(seen, ps...)
		return ps, err
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for _, p := range seen {
		if p.Alive() {
			t.Errorf("%+v is alive", p)
		}
	}
}

func TestKillAllGivesUp(t *testing.T) {
	_, p := start(t, "echo; read x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p2 := p
	p2.Start++ // cannot be hit, and is always found
	if err := KillAll(ctx, func() ([]Process, error) { return []Process{p2}, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's end", err)
	}
}
