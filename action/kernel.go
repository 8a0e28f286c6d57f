package action

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// kernelLog reads what the kernel said since it was opened: of a server that
// crashed, the test sees no more than a connection that ended.
//
// The kernel speaks of the whole machine, on which other files are tested.
type kernelLog struct {
	fd    int
	forks *forks
	root  atomic.Int64 // what the test file's processes descend from
	stop  chan struct{}
	lines chan []string
}

// Crashes are named in many ways; the old driver looked for the first only.
var reCrash = regexp.MustCompile(`segfault at |general protection|trap divide error|trap invalid opcode|trap stack segment|traps: `)

// openKernelLog returns nil where it may not be read, as for most users, and where
// the kernel's numbers of processes are not ours: in a container it would tell of
// every crash on the machine, and of none whose it was.
func openKernelLog() *kernelLog {
	if ns, err := os.Readlink("/proc/self/ns/pid"); err != nil || ns != firstPIDs {
		return nil
	}
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		unix.Close(fd)
		return nil
	}
	k := &kernelLog{fd: fd, forks: openForks(), stop: make(chan struct{}), lines: make(chan []string, 1)}
	k.root.Store(int64(os.Getpid()))
	go k.watch()
	return k
}

// Unowned ends the line of a crash of which nobody knows whose process it was: of
// files that are tested at the same time, each has it.
const Unowned = " (whose process it was is not known)"

// within says that the test file's processes descend from this one.
func (k *kernelLog) within(pid int) {
	if k != nil {
		k.root.Store(int64(pid))
	}
}

// crashes returns the lines of crashes and closes the log.
func (k *kernelLog) crashes() []string {
	if k == nil {
		return nil
	}
	close(k.stop)
	return <-k.lines
}

const kernelTick = 50 // milliseconds

// watch reads until it is stopped, and then what is left.
func (k *kernelLog) watch() {
	defer unix.Close(k.fd)
	defer k.forks.close()
	var lines []string
	for last := false; !last; {
		select {
		case <-k.stop:
			last = true
		default:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(k.fd), Events: unix.POLLIN}}, kernelTick)
		}
		k.forks.read()
		lines = k.read(lines)
	}
	k.lines <- lines
}

func (k *kernelLog) read(lines []string) []string {
	buf := make([]byte, 8<<10) // a record is no longer
	for {
		n, err := unix.Read(k.fd, buf)
		switch {
		case err == unix.EPIPE || err == unix.EINTR: // what was not read in time is lost
			continue
		case err != nil || n <= 0:
			return lines
		}
		if text := crashLine(buf[:n]); text != "" {
			switch is, known := k.elsewhere(text); {
			case !known:
				lines = append(lines, text+Unowned)
			case !is:
				lines = append(lines, text)
			}
		}
	}
}

var reWho = regexp.MustCompile(`\[([0-9]+)\]:? `)

// elsewhere tells that the process of a line descends from another than root.
func (k *kernelLog) elsewhere(line string) (is, known bool) {
	m := reWho.FindStringSubmatch(line)
	if m == nil {
		return false, false
	}
	pid, _ := strconv.Atoi(m[1])
	k.forks.read()
	return k.forks.elsewhere(pid, int(k.root.Load()))
}

// firstPIDs is the machine's own namespace of processes, in every kernel.
const firstPIDs = "pid:[4026531836]"

// crashLine returns the text of a record of /dev/kmsg that tells of one.
func crashLine(record []byte) string {
	_, text, _ := bytes.Cut(record, []byte(";"))
	text, _, _ = bytes.Cut(text, []byte("\n"))
	if !reCrash.Match(text) {
		return ""
	}
	return strings.ToValidUTF8(string(text), "?")
}
