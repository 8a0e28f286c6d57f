package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/process"
)

// envFleet tells apart instances of the same name in two fleets on a machine.
const envFleet = "ORTEST_FLEET"

// errAlive means that a process of the machine has its lock.
var errAlive = errors.New("machine is alive")

// marks is what every process of the machine was started with, unless it
// dropped its environment.
func (m *machine) marks() []string {
	return []string{runnerfleet.EnvInstance + "=" + m.id, envFleet + "=" + m.fleet}
}

// lock returns the machine's alive file, locked; errAlive when a process of the
// machine inherited the lock from an earlier call.
func (m *machine) lock() (*os.File, error) {
	f, err := os.OpenFile(m.path("alive"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errAlive
	}
	return nil, fmt.Errorf("lock: %w", err)
}

// start runs the agent in a session of its own and writes down which process it
// is. The child holds the lock from its first moment, before it even is the agent.
func (m *machine) start(c *Cloud, l runnerfleet.Launch, alive *os.File) error {
	token := l.Token
	l.Token = ""
	if err := m.write("launch.json", l); err != nil {
		return err
	}
	if err := os.WriteFile(m.path("token"), []byte(token), 0o600); err != nil {
		return err
	}
	if err := os.MkdirAll(m.path("work"), 0o700); err != nil {
		return err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	out, err := os.OpenFile(m.path("agent.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	p, err := os.StartProcess(c.Exe[0], c.Exe, &os.ProcAttr{
		Dir:   m.path("work"),
		Env:   append(append(slices.Clone(c.Env), m.marks()...), m.settings(l)...),
		Files: []*os.File{null, out, out, alive},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	defer func() { _ = p.Release() }()
	return m.recordPID(p.Pid)
}

// settings are for the agent alone.
func (m *machine) settings(l runnerfleet.Launch) []string {
	return []string{
		runnerfleet.EnvURL + "=" + l.URL,
		runnerfleet.EnvTokenFile + "=" + m.path("token"),
		runnerfleet.EnvDir + "=" + m.path("work"),
		runnerfleet.EnvDeadline + "=" + l.Deadline.UTC().Format(time.RFC3339Nano),
	}
}

// recordPID writes down the agent. One that has ended and was reaped already is
// left unrecorded, as if it had never been.
func (m *machine) recordPID(pid int) error {
	p, err := process.Read(pid)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("agent ended at once")
	}
	if err != nil {
		return err
	}
	return m.remember(p)
}

// record of an agent. Process numbers and start times begin again at a boot.
type record struct {
	process.Process
	Boot string `json:"boot"`
}

func (m *machine) remember(p process.Process) error {
	boot, err := bootID()
	if err != nil {
		return err
	}
	return m.write("process.json", record{Process: p, Boot: boot})
}

// agent returns the recorded agent, a zero one when there is none in this boot.
func (m *machine) agent() (process.Process, error) {
	b, err := os.ReadFile(m.path("process.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return process.Process{}, nil
	}
	var r record
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	boot, berr := bootID()
	if err := errors.Join(err, berr); err != nil {
		return process.Process{}, fmt.Errorf("read agent's process: %w", err)
	}
	if r.Boot != boot {
		return process.Process{}, nil
	}
	return r.Process, nil
}

func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}

// write replaces one of the machine's files whole, or not at all.
func (m *machine) write(name string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	if err := os.WriteFile(m.path(name+".new"), b, 0o600); err != nil {
		return err
	}
	return os.Rename(m.path(name+".new"), m.path(name))
}

// adopt records an agent that was started before a crash took the record: the
// session leader with the settings that an agent does not hand on. It returns false
// when there is none.
func (m *machine) adopt() (bool, error) {
	all, err := process.All()
	if err != nil {
		return false, err
	}
	own := append(m.marks(), runnerfleet.EnvDir+"="+m.path("work"))
	for _, p := range all {
		if p.Session == p.PID && !p.Zombie && p.Environ(own...) {
			m.log.Info("agent adopted", "instance", m.id, "pid", p.PID)
			return true, m.remember(p)
		}
	}
	return false, nil
}

// find returns every process of the machine.
func (m *machine) find() ([]process.Process, error) {
	agent, err := m.agent()
	if err != nil {
		return nil, err
	}
	all, err := process.All()
	if err != nil {
		return nil, err
	}
	alive, err := os.Stat(m.path("alive"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// The number of a session stays taken only as long as its leader lives.
	leads := agent.PID != 0 && agent.Alive()
	self := os.Getpid()
	return process.Descendants(all, func(p process.Process) bool {
		switch {
		case p.PID == self:
			return false
		case p.PID == agent.PID && p.Start == agent.Start, leads && p.Session == agent.PID:
			return true
		}
		return p.Environ(m.marks()...) || alive != nil && p.Holds(alive)
	}), nil
}

func (m *machine) kill(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, killTime)
	defer cancel()
	return process.KillAll(ctx, m.find)
}

// end kills the machine, removes its files but for the evidence, and marks it gone.
func (m *machine) end(ctx context.Context) error {
	if err := m.kill(ctx); err != nil {
		return err
	}
	if err := removeAll(m.path("work")); err != nil {
		return fmt.Errorf("remove work: %w", err)
	}
	if err := os.Remove(m.path("token")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove token: %w", err)
	}
	return os.WriteFile(m.path("gone"), nil, 0o600)
}

// evidenceFor is how long what is left of a machine stays: longer than any run lasts,
// which might launch it again.
const evidenceFor = 30 * 24 * time.Hour

// over reports whether the machine is gone, and in the end removes what is left of it.
func (m *machine) over() bool {
	at, err := os.Stat(m.path("gone"))
	if err != nil {
		return false
	}
	if time.Since(at.ModTime()) >= evidenceFor {
		if err := os.RemoveAll(m.dir); err != nil {
			m.log.Warn("machine's files stay", "instance", m.id, "err", err)
		}
	}
	return true
}

// removeAll removes a tree in which a job may have taken away its own rights.
func removeAll(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o700) // before WalkDir reads it
		}
		return nil
	})
	return os.RemoveAll(dir)
}
