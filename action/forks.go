package action

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/action/lane"
)

// forks knows what every process of the machine was started by, also of one that is
// gone: the kernel's process events connector tells of each fork, and the table of
// processes of what was there before.
type forks struct {
	fd      int // -1 where the kernel does not tell
	parents map[int]int
}

// The messages of linux/connector.h and linux/cn_proc.h, which the kernel keeps as
// they are.
const (
	cnProc       = 1 // CN_IDX_PROC and CN_VAL_PROC
	cnListen     = 1 // PROC_CN_MCAST_LISTEN
	cnIgnore     = 2 // PROC_CN_MCAST_IGNORE
	cnHeader     = unix.NLMSG_HDRLEN + 20
	procAnswer   = 0 // PROC_EVENT_NONE
	procFork     = 1 // PROC_EVENT_FORK
	eventData    = cnHeader + 16
	mostEvent    = 4 << 10 // the kernel sends one at a time
	forksAtOnce  = 4 << 20 // bytes that wait between two looks
	mostAncestry = 1000
)

// openForks begins to listen. Whoever may not, as most users, knows of processes
// that live.
func openForks() *forks {
	f := &forks{fd: -1, parents: map[int]int{}}
	fd, err := listenForks()
	if err != nil {
		return f
	}
	f.fd = fd
	for _, p := range lane.Processes() { // now that it listens, so that none is between
		f.parents[p.PID] = p.Parent
	}
	return f
}

func listenForks() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return -1, fmt.Errorf("open connector: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, forksAtOnce) // with less, more is lost, and that is seen
	if err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnProc}); err == nil {
		err = tellConnector(fd, cnListen)
	}
	if err == nil {
		err = heard(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("listen to process events: %w", err)
	}
	return fd, nil
}

// heard reads the answer to our wish, which is there at once: it is none where the
// kernel would tell us nothing, as in a user namespace.
func heard(fd int) error {
	m := make([]byte, mostEvent)
	for {
		n, err := unix.Read(fd, m)
		if err != nil {
			return err
		}
		if e := binary.NativeEndian; n >= eventData+4 && e.Uint32(m[28:]) == uint32(os.Getpid())+1 && e.Uint32(m[cnHeader:]) == procAnswer {
			if no := syscall.Errno(e.Uint32(m[eventData:])); no != 0 {
				return no
			}
			return nil
		}
	}
}

// tellConnector says whether events are wanted. Kernels before 6.6 send them to
// nobody for as long as they are told, not for as long as somebody listens.
func tellConnector(fd int, want uint32) error {
	var m [cnHeader + 4]byte
	e := binary.NativeEndian
	e.PutUint32(m[0:], uint32(len(m)))
	e.PutUint16(m[4:], unix.NLMSG_DONE)
	e.PutUint32(m[16:], cnProc)
	e.PutUint32(m[20:], cnProc)
	e.PutUint32(m[28:], uint32(os.Getpid())) // which the answer counts on from
	e.PutUint16(m[32:], 4)
	e.PutUint32(m[cnHeader:], want)
	return unix.Sendto(fd, m[:], 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// close forgets all: numbers of processes are used again.
func (f *forks) close() {
	if f.fd >= 0 {
		_ = tellConnector(f.fd, cnIgnore)
		unix.Close(f.fd)
		f.fd = -1
		clear(f.parents)
	}
}

// read takes in what happened until now.
func (f *forks) read() {
	buf := make([]byte, mostEvent)
	for f.fd >= 0 {
		n, from, err := unix.Recvfrom(f.fd, buf, 0)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return
		case err != nil: // more than it kept: what is not known may be anybody's
			f.close()
		default:
			if s, ok := from.(*unix.SockaddrNetlink); ok && s.Pid == 0 {
				f.event(buf[:n])
			}
		}
	}
}

// event takes in a fork. A thread belongs to the process that it is one of.
func (f *forks) event(m []byte) {
	e := binary.NativeEndian
	if len(m) < eventData+16 || e.Uint32(m[cnHeader:]) != procFork {
		return
	}
	at := func(field int) int { return int(e.Uint32(m[eventData+4*field:])) }
	parent, child, process := at(1), at(2), at(3)
	if child != process {
		parent = process
	}
	f.parents[child] = parent
}

// elsewhere tells that a process descends from another than root. Of one that is gone it
// is not known where the kernel does not tell all.
func (f *forks) elsewhere(pid, root int) (is, known bool) {
	for range mostAncestry {
		if pid == root {
			return false, true
		}
		parent, seen := f.parents[pid]
		if !seen {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if err != nil {
				return f.fd >= 0, f.fd >= 0
			}
			p, ok := lane.ParseStat(pid, stat)
			if !ok {
				return false, false
			}
			parent = p.Parent
		}
		if parent == 0 {
			return true, true
		}
		pid = parent
	}
	return false, false
}
