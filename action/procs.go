package action

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
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
	for _, q := range processes() {
		if q.parent == p.self {
			p.before[q.pid] = true
		}
	}
	return p, nil
}

// spare keeps a child of ours, and what it starts, from being taken for the project's.
func (p *procs) spare(pid int) { p.before[pid] = true }

// process is a line of the process table.
type process struct {
	pid, parent, group int
	name               string
	zombie             bool
}

// processes reads the process table. What ends meanwhile is left out.
func processes() []process {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var all []process
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + d.Name() + "/stat")
		if err != nil {
			continue
		}
		if q, ok := parseStat(pid, stat); ok {
			all = append(all, q)
		}
	}
	return all
}

// parseStat reads /proc/PID/stat. The name in it may hold blanks and brackets,
// so the fields are counted from the last bracket.
func parseStat(pid int, stat []byte) (process, bool) {
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return process{}, false
	}
	fields := bytes.Fields(stat[end+1:])
	if len(fields) < 3 {
		return process{}, false
	}
	parent, err1 := strconv.Atoi(string(fields[1]))
	group, err2 := strconv.Atoi(string(fields[2]))
	if err1 != nil || err2 != nil {
		return process{}, false
	}
	return process{
		pid: pid, parent: parent, group: group,
		name: string(stat[open+1 : end]), zombie: fields[0][0] == 'Z',
	}, true
}

// strays lists our descendants that were not there before, and the members of a group.
func (p *procs) strays(group int) []process {
	all := processes()
	children := map[int][]process{}
	for _, q := range all {
		children[q.parent] = append(children[q.parent], q)
	}
	found := map[int]process{}
	var walk func(parent int)
	walk = func(parent int) {
		for _, q := range children[parent] {
			if _, seen := found[q.pid]; seen || parent == p.self && p.before[q.pid] {
				continue
			}
			found[q.pid] = q
			walk(q.pid)
		}
	}
	walk(p.self)
	for _, q := range all {
		if q.group == group && q.pid != p.self {
			found[q.pid] = q
		}
	}
	var out []process
	for _, q := range found {
		out = append(out, q)
	}
	slices.SortFunc(out, func(a, b process) int { return a.pid - b.pid })
	return out
}

// leftovers names what still runs after a command ended and does not end by itself.
func (p *procs) leftovers(group int) []string {
	deadline := time.Now().Add(grace)
	for {
		var names []string
		for _, q := range p.strays(group) {
			if !q.zombie {
				names = append(names, q.name)
			}
		}
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
			if !q.zombie {
				_ = unix.Kill(q.pid, unix.SIGKILL)
			}
			if q.parent == p.self {
				cpu += reap(q.pid)
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
		for _, q := range processes() {
			if q.zombie && q.parent == p.self && q.pid != command && !p.before[q.pid] {
				cpu += reap(q.pid)
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
