package lane

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// family is all processes of the lane but the first. Every orphan is a child of
// process 1, which must take it off the process table at once: a test that
// waits for a server's end asks whether there is such a process.
type family struct {
	dead chan death
	seen []death // taken from dead by who waited for another
	once sync.Once
}

// death is a process that was reaped.
type death struct {
	pid    int
	status unix.WaitStatus
	cpu    time.Duration // its own, and that of the children it had waited for
}

func (d death) exit() (code int, signal string) {
	if d.status.Signaled() {
		return -1, unix.SignalName(d.status.Signal())
	}
	return d.status.ExitStatus(), ""
}

// start starts a program in a session of its own.
func (f *family) start(argv []string, dir string, env []string, out *os.File) (int, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Dir: dir, Env: env, Files: []uintptr{null.Fd(), out.Fd(), out.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, err
	}
	f.once.Do(func() { go f.reap() })
	return pid, nil
}

// reap waits for every child until there is none, and starts over with the next
// one: start is called again only after the last has ended or with one alive.
func (f *family) reap() {
	for {
		var d death
		var usage unix.Rusage
		pid, err := unix.Wait4(-1, &d.status, 0, &usage)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			// No child: the next one is not far.
			time.Sleep(time.Millisecond)
			continue
		}
		d.pid, d.cpu = pid, time.Duration(usage.Utime.Nano()+usage.Stime.Nano())
		f.dead <- d
	}
}

// alive returns the names of the processes that run, by number.
func (f *family) alive() map[int]string {
	found := map[int]string{}
	for _, p := range Processes() {
		if p.PID != 1 && !p.Dead {
			found[p.PID] = p.Name
		}
	}
	return found
}

// end kills everything, what forks meanwhile too, and returns what died.
func (f *family) end() []death {
	var died []death
	for until := time.Now().Add(closing / 2); time.Now().Before(until); {
		if err := unix.Kill(-1, unix.SIGKILL); err == unix.ESRCH {
			time.Sleep(2 * time.Millisecond) // who was taken off the table is about to be told
			return append(died, f.drain()...)
		}
		died = append(died, f.drain()...)
		time.Sleep(time.Millisecond)
	}
	return died
}

func (f *family) drain() (died []death) {
	died, f.seen = f.seen, nil
	for {
		select {
		case d := <-f.dead:
			died = append(died, d)
		default:
			return died
		}
	}
}

// serviceTime is how long a service may take to serve.
const serviceTime = 60 * time.Second

// begin starts a service and waits until it serves.
func (f *family) begin(s Service, env []string, hungUp <-chan struct{}) error {
	dir := s.Dir
	if dir == "" {
		dir = "/tmp"
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("start service %s: %w", s.Name, err)
	}
	log, err := os.Create(filepath.Join("/tmp", "service-"+s.Name+".log"))
	if err != nil {
		return fmt.Errorf("start service %s: %w", s.Name, err)
	}
	defer log.Close()
	env = with(env, s.Env)
	pid, err := f.start(s.Start, dir, env, log)
	if err != nil {
		return fmt.Errorf("start service %s: %s: %w", s.Name, s.Start[0], err)
	}
	for until := time.Now().Add(serviceTime); ; {
		if f.serves(s, dir, env, log) {
			return nil
		}
		why := "does not serve after " + serviceTime.String()
		for _, d := range f.drain() {
			if code, signal := d.exit(); d.pid == pid && (code != 0 || signal != "") {
				why, until = fmt.Sprintf("exited with %d %s", code, signal), time.Time{}
			}
		}
		select {
		case <-hungUp:
			why, until = "is not wanted any more", time.Time{}
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(until) {
			return fmt.Errorf("service %s %s: %s", s.Name, strings.TrimSpace(why), tail(log.Name()))
		}
	}
}

// with returns an environment with other values in it: of two with one name most
// programs would take the first.
func with(env []string, values map[string]string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		_, other := values[name]
		return other
	})
	for k, v := range values {
		env = append(env, k+"="+v)
	}
	return env
}

// serves asks once whether a service serves.
func (f *family) serves(s Service, dir string, env []string, log *os.File) bool {
	switch {
	case len(s.Check) > 0:
		pid, err := f.start(s.Check, dir, env, log)
		for err == nil {
			d := <-f.dead
			if d.pid == pid {
				code, signal := d.exit()
				return code == 0 && signal == ""
			}
			f.seen = append(f.seen, d)
		}
		return false
	case s.Port > 0:
		return listens(s.Port)
	}
	return true
}

// listens reports whether somebody listens on a port, without a connection that
// the service would have to serve.
func listens(port int) bool {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && f[3] == "0A" {
				return true
			}
		}
	}
	return false
}

// tail returns the last lines of a file in one line.
func tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return lastLines(b)
}

// lastLines returns the end of an output in one line.
func lastLines(b []byte) string {
	if len(b) == 0 {
		return "it printed nothing"
	}
	b = b[max(0, len(b)-500):]
	return clean(strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", " | "))
}
