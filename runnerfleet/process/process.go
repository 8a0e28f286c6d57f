// Package process finds the processes of this machine in /proc and ends them,
// never by name: a process is known by its number and the time it started,
// and it belongs to somebody by descent, session, environment or an open file.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Process is one process as it was when it was read.
type Process struct {
	PID     int    `json:"pid"`
	Start   uint64 `json:"start"` // clock ticks since boot; with PID it names the process for good
	Parent  int    `json:"-"`
	Session int    `json:"-"`
	Zombie  bool   `json:"-"` // has ended and waits for its parent
}

// Read returns a process, or an error that is fs.ErrNotExist when there is none.
func Read(pid int) (Process, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		if errors.Is(err, unix.ESRCH) {
			err = fs.ErrNotExist
		}
		return Process{}, err
	}
	return parseStat(b)
}

// parseStat reads proc(5)'s stat. The name in parentheses may hold anything, so
// the fields count from the last parenthesis.
func parseStat(b []byte) (Process, error) {
	head, _, ok := bytes.Cut(b, []byte(" ("))
	end := bytes.LastIndexByte(b, ')')
	if !ok || end < 0 {
		return Process{}, fmt.Errorf("read stat: %q has no name", b)
	}
	f := strings.Fields(string(b[end+1:]))
	if len(f) < 20 {
		return Process{}, fmt.Errorf("read stat: %d fields after the name, want 20", len(f))
	}
	var p Process
	var errs [4]error
	p.PID, errs[0] = strconv.Atoi(string(head))
	p.Parent, errs[1] = strconv.Atoi(f[1])
	p.Session, errs[2] = strconv.Atoi(f[3])
	p.Start, errs[3] = strconv.ParseUint(f[19], 10, 64)
	p.Zombie = f[0] == "Z" || f[0] == "X"
	return p, errors.Join(errs[:]...)
}

// All returns the processes of this machine. One that ends meanwhile is left out.
func All() ([]Process, error) {
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var all []Process
	for _, n := range names {
		pid, err := strconv.Atoi(n.Name())
		if err != nil {
			continue
		}
		if p, err := Read(pid); err == nil {
			all = append(all, p)
		}
	}
	return all, nil
}

// Alive reports whether this very process still runs; a zombie does not.
func (p Process) Alive() bool {
	now, err := Read(p.PID)
	return err == nil && now.Start == p.Start && !now.Zombie
}

// Environ reports whether the process was started with all of the settings, each
// "KEY=value". Another user's environment cannot be read and has none.
func (p Process) Environ(settings ...string) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID))
	if err != nil {
		return false
	}
	have := make(map[string]bool)
	for kv := range strings.SplitSeq(string(b), "\x00") {
		have[kv] = true
	}
	for _, s := range settings {
		if !have[s] {
			return false
		}
	}
	return true
}

// Holds reports whether the process has the file open.
func (p Process) Holds(file fs.FileInfo) bool {
	dir := fmt.Sprintf("/proc/%d/fd", p.PID)
	fds, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if at, err := os.Stat(dir + "/" + fd.Name()); err == nil && os.SameFile(at, file) {
			return true
		}
	}
	return false
}

// Signal sends to this very process, and to no other that has its number by now.
// That it has ended is no error.
func (p Process) Signal(sig unix.Signal) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", p.PID, err)
	}
	defer unix.Close(fd)
	if !p.Alive() {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal process %d: %w", p.PID, err)
	}
	return nil
}

// Descendants returns the processes below roots, the roots included where they
// are among all.
func Descendants(all []Process, roots func(Process) bool) []Process {
	children := make(map[int][]Process, len(all))
	var found []Process
	seen := make(map[int]bool)
	for _, p := range all {
		children[p.Parent] = append(children[p.Parent], p)
		if roots(p) {
			found, seen[p.PID] = append(found, p), true
		}
	}
	for i := 0; i < len(found); i++ {
		for _, c := range children[found[i].PID] {
			if !seen[c.PID] {
				found, seen[c.PID] = append(found, c), true
			}
		}
	}
	return found
}

// KillAll kills what find finds until all of it is dead and find finds nothing
// more, twice: the environment of a process in the middle of an exec cannot be
// read. All are stopped before one is killed: a child whose parent died first
// could no longer be found by its descent. Zombies among the finds are reaped
// where they are ours. It gives up when ctx ends.
func KillAll(ctx context.Context, find func() ([]Process, error)) error {
	wait := time.NewTicker(5 * time.Millisecond)
	defer wait.Stop()
	h := hunt{}
	for empty := 0; ; {
		ps, err := find()
		if err != nil {
			return err
		}
		left, err := h.round(ps)
		if left > 0 {
			empty = 0
		} else if empty++; empty == 2 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, fmt.Errorf("%d processes left: %w", left, ctx.Err()))
		case <-wait.C:
		}
	}
}

// hunt is every process that was found so far: one that is dying may be found
// by nothing any more.
type hunt map[identity]Process

type identity struct {
	pid   int
	start uint64
}

// round stops what was not found before; when there is nothing new, it kills all.
// It returns how many live.
func (h hunt) round(found []Process) (left int, err error) {
	var errs []error
	fresh := false
	for _, p := range found {
		id := identity{p.PID, p.Start}
		if _, old := h[id]; p.Zombie {
			Reap(p.PID)
		} else if !old {
			h[id], fresh = p, true
			errs = append(errs, p.Signal(unix.SIGSTOP))
		}
	}
	for _, p := range h {
		if !p.Alive() {
			continue
		}
		left++
		if !fresh {
			errs = append(errs, p.Signal(unix.SIGKILL))
		}
	}
	return left, errors.Join(errs...)
}

// Reap collects an ended child of ours; of any other process it does nothing.
func Reap(pid int) {
	var status unix.WaitStatus
	_, _ = unix.Wait4(pid, &status, unix.WNOHANG, nil)
}
