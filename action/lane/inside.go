package lane

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/action/crash"
)

// fdTold is where process 1 reports; the standard streams come before it.
const fdTold = 3

// setupCaps are what process 1 of an ordinary user needs to set up the lane,
// and gives up before it runs anything.
var setupCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER}

// stacks is the word for who reads the cores.
const stacks = "stacks"

// entered tells process 1 that the lane is set up: it starts itself again then,
// since capabilities belong to threads and end surely with the program only.
const entered = "entered"

// send writes what the two lives of process 1 read: the lane, then the command.
func send(w io.Writer, l Lane, c Command) error {
	for _, v := range []any{l, job{l.Services, c}} {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		b = append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

type job struct {
	Services []Service `json:"services"`
	Command  Command   `json:"command"`
}

// receive reads one value and not a byte more: the next is for the next life.
func receive(r io.Reader, v any) error {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(r, b); err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	return json.Unmarshal(b, v)
}

// Main is process 1 of a lane, with the program's arguments after Word. It
// returns the exit code of the program.
func Main(args []string) int {
	if len(args) > 1 && args[0] == stacks {
		return printStacks(args[1], args[2:])
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "ortest lane: this is no lane; ortest run makes them")
		return 2
	}
	// Whoever is in the lane may send signals, and none ends it. They are not
	// ignored, which the command would inherit, but taken and not looked at.
	signal.Notify(make(chan os.Signal, 1))
	unix.CloseOnExec(fdTold)
	told := os.NewFile(fdTold, "told")
	var r report
	if len(args) == 0 {
		// Returns only when it could not.
		r.Failed = fmt.Sprintf("set up lane: %v", enter())
	} else if err := serve(&r); err != nil {
		r.Failed = err.Error()
	}
	if err := json.NewEncoder(told).Encode(r); err != nil {
		return 3
	}
	return 0
}

// enter sets up the lane and starts this program again in it.
func enter() error {
	runtime.LockOSThread() // what it gives up is given up by this thread
	var l Lane
	if err := receive(os.Stdin, &l); err != nil {
		return err
	}
	if err := loopback(); err != nil {
		return err
	}
	if err := mounts(l); err != nil {
		return err
	}
	if l.Share != "" {
		if err := handOver(l.Share); err != nil {
			return err
		}
	}
	if err := setup(l.Setup); err != nil {
		return err
	}
	if os.Getuid() != 0 {
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
			return fmt.Errorf("give up capabilities: %w", err)
		}
	}
	if _, err := unix.FcntlInt(fdTold, unix.F_SETFD, 0); err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", []string{"ortest", Word, entered}, os.Environ())
}

// setup runs commands that need the capabilities. The lock that iptables takes
// is that of the machine unless it is told another.
func setup(commands [][]string) error {
	for _, argv := range commands {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = "/"
		cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "XTABLES_LOCKFILE=/tmp/.xtables.lock"}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, lastLines(out))
		}
	}
	return nil
}

// loopback switches the lane's only interface on. Anybody may listen on any port of
// it, a name server say: there is nobody to be kept off.
func loopback() error {
	_ = os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0) // else only root may
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("switch loopback on: %w", err)
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("switch loopback on: %w", err)
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("switch loopback on: %w", err)
	}
	return nil
}

// serve starts the services, runs the command and ends everything.
func serve(r *report) error {
	var j job
	if err := receive(os.Stdin, &j); err != nil {
		return err
	}
	hungUp := make(chan struct{})
	go func() {
		// Nothing more is sent: what comes is the end.
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(hungUp)
	}()
	family := &family{dead: make(chan death, 64)}
	for _, s := range j.Services {
		if err := family.begin(s, j.Command.Env, hungUp); err != nil {
			return err
		}
	}
	if err := crash.Keep(j.Command.Cores); err != nil {
		return err
	}
	begun := time.Now()
	var err error
	if r.Outcome, err = family.run(j.Command, hungUp); err == nil && j.Command.Cores {
		family.stacks(j.Command, begun, hungUp)
	}
	return err
}

// run runs the command until it ends, is too late or is not wanted any more,
// and then ends all that is left.
func (f *family) run(c Command, hungUp <-chan struct{}) (Outcome, error) {
	var o Outcome
	before := f.alive()
	begun := time.Now()
	pid, err := f.start(c.Argv, c.Dir, c.Env, os.Stdout)
	if err != nil {
		return o, fmt.Errorf("start %s: %w", c.Argv[0], err)
	}
	limit := time.NewTimer(c.Limit)
	defer limit.Stop()
	hold := NewHold(pid, c.Limit)
	look := time.NewTicker(hold.Every())
	defer look.Stop()
	var all, services time.Duration
	for ended := false; !ended; {
		select {
		case d := <-f.dead:
			all += d.cpu
			if before[d.pid] != "" {
				services += d.cpu
			}
			if d.pid == pid {
				o.Exit, o.Signal = d.exit()
				o.Left = append(o.Left, f.left(before)...)
				ended = true
			}
		case now := <-look.C:
			if hold.Over(Processes(), now) {
				o.Left = append(o.Left, f.cut(before, pid)...)
			}
		case <-limit.C:
			o.TimedOut, o.Exit, o.Signal, ended = true, -1, "SIGKILL", true
			o.Left = f.names(before)
		case <-hungUp:
			o.Exit, o.Signal, ended = -1, "SIGKILL", true
		}
	}
	o.Wall = time.Since(begun)
	for _, d := range f.end() {
		if before[d.pid] == "" {
			all += d.cpu
		}
	}
	o.CPU = all - services
	o.Full = full()
	return o, nil
}

// stacks has the cores read that the command left. A program of its own does it,
// since process 1 waits for whoever ends.
func (f *family) stacks(c Command, begun time.Time, hungUp <-chan struct{}) {
	cores := crash.Find(c.Dir, begun)
	select {
	case <-hungUp:
		return
	default:
	}
	if len(cores) == 0 {
		return
	}
	f.drain()
	pid, err := f.start(append([]string{"/proc/self/exe", Word, stacks, c.Gdb}, cores...), c.Dir, c.Env, os.Stdout)
	for err == nil {
		select {
		case d := <-f.dead:
			if d.pid == pid {
				return
			}
		case <-hungUp:
			f.end()
			return
		}
	}
}

// printStacks is that program.
func printStacks(gdb string, cores []string) int {
	dir, err := os.Getwd() // of the command
	if err != nil {
		return 3
	}
	if err := crash.Report(context.Background(), cores, dir, gdb, os.Stdout); err != nil {
		fmt.Println("ortest: read cores:", err)
		return 3
	}
	return 0
}

// left names the processes that still run and do not end by themselves.
func (f *family) left(before map[int]string) []string {
	for until := time.Now().Add(100 * time.Millisecond); ; {
		names := f.names(before)
		if len(names) == 0 || time.Now().After(until) {
			return names
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// names lists the processes that run now and are no service's.
func (f *family) names(before map[int]string) []string {
	var names []string
	for pid, name := range f.alive() {
		if before[pid] == "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// cut ends what a command left behind while it still runs, and names it.
func (f *family) cut(before map[int]string, command int) []string {
	var names []string
	for pid, name := range f.alive() {
		if before[pid] == "" && pid != command {
			_ = unix.Kill(pid, unix.SIGKILL)
			names = append(names, name)
		}
	}
	return names
}

// full tells whether all is used that may be written.
func full() bool {
	var st unix.Statfs_t
	err := unix.Statfs("/tmp", &st)
	return err == nil && (st.Bavail == 0 || st.Files > 0 && st.Ffree == 0)
}
