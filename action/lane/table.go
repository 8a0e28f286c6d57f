package lane

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"
)

// Process is a line of the process table.
type Process struct {
	PID, Parent, Group int
	Name               string // as the process likes it
	Dead               bool   // and nobody has asked how it ended
}

// Processes reads the process table. What ends meanwhile is left out.
func Processes() []Process {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var all []Process
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + d.Name() + "/stat")
		if err != nil {
			continue
		}
		if p, ok := ParseStat(pid, stat); ok {
			all = append(all, p)
		}
	}
	return all
}

// ParseStat reads /proc/PID/stat. The name in it may hold blanks and brackets,
// so the fields are counted from the last bracket.
func ParseStat(pid int, stat []byte) (Process, bool) {
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return Process{}, false
	}
	fields := bytes.Fields(stat[end+1:])
	if len(fields) < 3 {
		return Process{}, false
	}
	parent, err1 := strconv.Atoi(string(fields[1]))
	group, err2 := strconv.Atoi(string(fields[2]))
	if err1 != nil || err2 != nil {
		return Process{}, false
	}
	return Process{PID: pid, Parent: parent, Group: group, Name: clean(string(stat[open+1 : end])), Dead: fields[0][0] == 'Z'}, true
}

// clean makes a process name fit for a line of a log.
func clean(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(name, "?"))
}

// Hold notices a command that waits for output alone: what it ran has ended, and
// something that this left behind keeps the output open. To wait for the time
// limit would cost that time and then the result.
type Hold struct {
	pid   int
	bears time.Duration
	since time.Time
}

// mostHold is enough for a server that ends slowly, under valgrind say.
const mostHold = 30 * time.Second

// NewHold watches a command that may take so long.
func NewHold(pid int, limit time.Duration) *Hold {
	return &Hold{pid: pid, bears: min(mostHold, limit/4)}
}

// Every is how often Over is to be asked.
func (h *Hold) Every() time.Duration { return max(h.bears/8, time.Millisecond) }

// Over reports whether the command has waited for too long.
func (h *Hold) Over(all []Process, now time.Time) bool {
	dead, alive := 0, 0
	for _, p := range all {
		if p.Parent == h.pid {
			if p.Dead {
				dead++
			} else {
				alive++
			}
		}
	}
	if dead == 0 || alive > 0 {
		h.since = time.Time{}
		return false
	}
	if h.since.IsZero() {
		h.since = now
	}
	return now.Sub(h.since) >= h.bears
}
