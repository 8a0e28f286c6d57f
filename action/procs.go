package action

import (
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/action/lane"
)

// procs finds and ends what commands leave behind. A daemon leaves its process
// group and its session, but not the subreaper above it.
type procs struct {
	self   int
	before map[int]bool // children that are not the project's
}

const (
	grace     = 100 * time.Millisecond // for what is ending by itself
	sweepTime = 5 * time.Second
	sweepTick = 5 * time.Millisecond
	reapTick  = 50 * time.Millisecond
)

func newProcs() (*procs, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become subreaper: %w", err)
	}
	p := &procs{self: os.Getpid(), before: map[int]bool{}}
	for _, q := range lane.Processes() {
		if q.Parent == p.self {
			p.before[q.PID] = true
		}
	}
	return p, nil
}

// spare keeps a child of ours, and what it starts, from being taken for the project's.
func (p *procs) spare(pid int) { p.before[pid] = true }

// strays lists our descendants that were not there before, and the members of a group.
func (p *procs) strays(group int) []lane.Process {
	all := lane.Processes()
	children := map[int][]lane.Process{}
	for _, q := range all {
		children[q.Parent] = append(children[q.Parent], q)
	}
	found := map[int]lane.Process{}
	var walk func(parent int)
	walk = func(parent int) {
		for _, q := range children[parent] {
			if _, seen := found[q.PID]; seen || parent == p.self && p.before[q.PID] {
				continue
			}
			found[q.PID] = q
			walk(q.PID)
		}
	}
	walk(p.self)
	for _, q := range all {
		if q.Group == group && q.PID != p.self {
			found[q.PID] = q
		}
	}
	var out []lane.Process
	for _, q := range found {
		out = append(out, q)
	}
	slices.SortFunc(out, func(a, b lane.Process) int { return a.PID - b.PID })
	return out
}

// cut ends what a command left behind while it still runs, and names it.
func (p *procs) cut(command int) []string {
	var names []string
	for _, q := range p.strays(command) {
		if q.PID != command && !q.Dead {
			_ = unix.Kill(q.PID, unix.SIGKILL)
			names = append(names, q.Name)
		}
	}
	return names
}

// names lists what of a command runs now.
func (p *procs) names(group int) []string {
	var names []string
	for _, q := range p.strays(group) {
		if !q.Dead {
			names = append(names, q.Name)
		}
	}
	return names
}

// leftovers names what still runs after a command ended and does not end by itself.
func (p *procs) leftovers(group int) []string {
	deadline := time.Now().Add(grace)
	for {
		names := p.names(group)
		if len(names) == 0 || time.Now().After(deadline) {
			return names
		}
		time.Sleep(sweepTick)
	}
}

// sweep kills and reaps all that is left, and returns the CPU time it had used.
// It looks again until there is nothing: a process may fork while it is killed.
func (p *procs) sweep(group int) time.Duration {
	var cpu time.Duration
	deadline := time.Now().Add(sweepTime)
	for {
		left := p.strays(group)
		if len(left) == 0 || time.Now().After(deadline) {
			return cpu
		}
		for _, q := range left {
			if !q.Dead {
				_ = unix.Kill(q.PID, unix.SIGKILL)
			}
			if q.Parent == p.self {
				cpu += reap(q.PID)
			}
		}
		time.Sleep(sweepTick)
	}
}

// reapOrphans takes orphans that ended off the process table until over, and
// returns the CPU time they had used: a test that waits for a server's end asks
// whether there is such a process.
func (p *procs) reapOrphans(command int, over <-chan struct{}) (cpu time.Duration) {
	tick := time.NewTicker(reapTick)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return cpu
		case <-tick.C:
		}
		for _, q := range lane.Processes() {
			if q.Dead && q.Parent == p.self && q.PID != command && !p.before[q.PID] {
				cpu += reap(q.PID)
			}
		}
	}
}

// reap takes an ended child off the process table.
func reap(pid int) time.Duration {
	var status unix.WaitStatus
	var usage unix.Rusage
	if got, err := unix.Wait4(pid, &status, unix.WNOHANG, &usage); err != nil || got != pid {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
