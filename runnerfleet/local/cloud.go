// Package local is a cloud whose machines are processes of this one: each
// instance is a detached agent with everything that its jobs start.
//
// DIR/INSTANCE holds what is known of one:
//
//	launch.json   what was asked for, written before anything starts
//	alive         an open file that the agent and all it starts inherit; locked
//	              while one of them lives, so no crash between starting an agent
//	              and writing it down can start a second
//	process.json  the agent's process number and start time
//	token         the one-time token, until the agent has read it
//	agent.log     what agent and runners print; it stays
//	work          the agent's directory
//	gone          nothing of the instance is left
//
// A process belongs to an instance by its environment's marker, by holding alive
// open, or by session and descent of its living agent. One that gives up all of
// these, and whose agent is killed from outside, is not found.
package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/process"
)

// Cloud runs instances as processes. Dir, Exe and Log are required. One process
// at a time may use a Dir; the instances outlive it and are found by the next.
type Cloud struct {
	Dir string   // absolute
	Exe []string // the agent's command line, whose first is a path
	// Env is the agents' whole environment but for what a launch adds; this process's
	// own, which may hold credentials, is not handed on.
	Env []string
	Log *slog.Logger

	// One call at a time: the calls are cheap, and a machine must not be looked
	// at while it is half started. The agents' requests do not come through here.
	mu sync.Mutex
}

var _ runnerfleet.Cloud = (*Cloud)(nil)

// killTime is how long the processes of a machine may take to die.
const killTime = 20 * time.Second

// instanceID admits what InstanceID makes; an ID becomes a directory.
var instanceID = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*$`)

// Launch starts the instance's agent, unless it was ever started before. The cloud's
// ID is the instance's.
func (c *Cloud) Launch(ctx context.Context, l runnerfleet.Launch) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, err := c.machine(l.Instance)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return "", fmt.Errorf("make machine: %w", err)
	}
	if m.gone() || m.recorded() {
		return m.id, nil
	}
	alive, err := m.lock()
	if errors.Is(err, errAlive) {
		// It was started, and the record of it was lost in a crash.
		if found, err := m.adopt(); err != nil || found {
			return m.id, err
		}
		if err := m.kill(ctx); err != nil {
			return "", err
		}
		alive, err = m.lock()
	}
	if err != nil {
		return "", err
	}
	defer alive.Close()
	if err := m.start(c, l, alive); err != nil {
		return "", fmt.Errorf("start agent: %w", err)
	}
	return m.id, nil
}

// List returns the machines that are not gone. One whose agent has died is a
// machine that crashed or was switched off: what its jobs left behind is
// killed, and then it is listed a last time, not running.
func (c *Cloud) List(ctx context.Context) ([]runnerfleet.Machine, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries, err := os.ReadDir(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list machines: %w", err)
	}
	var all []runnerfleet.Machine
	for _, e := range entries {
		m, err := c.machine(e.Name())
		if err != nil || !e.IsDir() || m.over() {
			continue
		}
		running, known, err := m.check(ctx)
		if err != nil {
			return nil, fmt.Errorf("check %s: %w", m.id, err)
		}
		if known {
			l, at := m.launched()
			all = append(all, runnerfleet.Machine{
				CloudID: m.id, Instance: m.id, Running: running, LaunchedAt: at, Deadline: l.Deadline,
			})
		}
	}
	return all, nil
}

// Terminate kills every process of the instance, as a machine's loss of power
// would, and returns once none is left.
func (c *Cloud) Terminate(ctx context.Context, cloudID string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, err := c.machine(cloudID)
	if err != nil {
		return err
	}
	if _, err := os.Stat(m.dir); errors.Is(err, fs.ErrNotExist) || m.gone() {
		return nil
	}
	return m.end(ctx)
}

func (c *Cloud) machine(id string) (*machine, error) {
	if !instanceID.MatchString(id) {
		return nil, fmt.Errorf("%q is no instance id", id)
	}
	return &machine{id: id, fleet: c.Dir, dir: filepath.Join(c.Dir, id), log: c.Log}, nil
}

// machine is one instance's directory.
type machine struct {
	id, fleet, dir string
	log            *slog.Logger
}

func (m *machine) path(name string) string { return filepath.Join(m.dir, name) }

func (m *machine) has(name string) bool {
	_, err := os.Stat(m.path(name))
	return err == nil
}

func (m *machine) gone() bool     { return m.has("gone") }
func (m *machine) recorded() bool { return m.has("process.json") }

// launched returns what was asked for, and when.
func (m *machine) launched() (l runnerfleet.Launch, at time.Time) {
	if fi, err := os.Stat(m.path("launch.json")); err == nil {
		at = fi.ModTime()
	}
	b, err := os.ReadFile(m.path("launch.json"))
	if err != nil || json.Unmarshal(b, &l) != nil {
		return runnerfleet.Launch{}, at
	}
	return l, at
}

// check reports whether the machine runs, and whether it ever did.
func (m *machine) check(ctx context.Context) (running, known bool, err error) {
	if !m.recorded() {
		f, err := m.lock()
		if err == nil {
			return false, false, f.Close() // never started, or dead before it did anything
		}
		if !errors.Is(err, errAlive) {
			return false, false, err
		}
		if found, err := m.adopt(); err != nil {
			return false, true, err
		} else if !found {
			return false, true, m.end(ctx)
		}
	}
	p, err := m.agent()
	if err != nil {
		return false, true, err
	}
	if p.PID != 0 {
		process.Reap(p.PID)
	}
	if p.PID != 0 && p.Alive() {
		return true, true, nil
	}
	return false, true, m.end(ctx)
}
