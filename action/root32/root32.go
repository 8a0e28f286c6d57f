// Package root32 lets a job on a 64-bit machine run in a 32-bit system that stands
// in a folder of it. GitHub has no 32-bit runner, and AWS no 32-bit machine: the
// runner stays outside, and the program starts itself again inside.
//
// Who enters needs no rights: it gets namespaces of its own, in which the folder is
// the root, the machine's /proc, /sys, /dev and /tmp and the folders of the job stand
// at their places, and "uname -m" says i686. It is a root and no chroot, since
// the lanes of the test files are made with namespaces again.
package root32

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Word is the argument that makes this program enter a root. Whoever calls Run has to
// call Main when its first argument is Word.
const Word = "root32"

// The environment in which the agent says that jobs run in another root: where it
// stands, and the folders that it shares with the machine, with colons between.
const (
	EnvRoot  = "ORTEST_ROOT"
	EnvShare = "ORTEST_ROOT_SHARE"
)

// machines is what is the machine's own in every root of it.
var machines = []string{"/proc", "/sys", "/dev", "/tmp"}

// known are the files that say who and where one is.
var known = []string{"/etc/passwd", "/etc/group", "/etc/hosts", "/etc/resolv.conf"}

// Streams are where the program reads and writes inside.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Wanted reports that the environment names a root to enter.
func Wanted(environ []string) bool { return lookup(environ, EnvRoot) != "" }

// Run starts this program with args in the root that the environment names, in the
// same working directory, and returns its exit code. When ctx ends it is asked to stop.
func Run(ctx context.Context, args, environ []string, s Streams) (int, error) {
	root := lookup(environ, EnvRoot)
	if err := check(root); err != nil {
		return 0, fmt.Errorf("enter %s: %w", root, err)
	}
	cmd := exec.Command("/proc/self/exe", append([]string{Word, root, lookup(environ, EnvShare)}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.In, s.Out, s.Err
	cmd.Env = []string{} // none is not this process's
	for _, kv := range environ {
		if !strings.HasPrefix(kv, EnvRoot+"=") && !strings.HasPrefix(kv, EnvShare+"=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.SysProcAttr = attributes(os.Getuid(), os.Getgid())
	// The signal of a parent's death comes when its thread ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("enter %s: %w", root, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(unix.SIGTERM) }) // one that has ended needs none
	defer stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// check says what is wrong before anything is entered: inside, nobody could tell.
func check(root string) error {
	if !filepath.IsAbs(root) {
		return errors.New("it is not absolute")
	}
	if fi, err := os.Stat(root); err != nil || !fi.IsDir() {
		return errors.Join(errors.New("it is no folder"), err)
	}
	f, err := elf.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("read this program: %w", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			b, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
			loader := strings.TrimRight(string(b), "\x00")
			if _, there := os.Stat(filepath.Join(root, loader)); err != nil || there != nil {
				return fmt.Errorf("this program needs %s, which is not there: build it with CGO_ENABLED=0", loader)
			}
		}
	}
	return nil
}

// attributes are of the process that enters. An ordinary user gets a namespace in which
// it may mount, and nobody else is known.
func attributes(uid, gid int) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if uid != 0 {
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		a.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
	}
	return a
}

// Main enters a root, with the program's arguments after Word, and becomes the program
// there. It returns an exit code when it could not.
func Main(args []string) int {
	runtime.LockOSThread() // rights and personality are this thread's
	if len(args) < 3 {
		fmt.Fprintln(os.Stderr, "ortest root32: the action starts it, and nobody else")
		return 2
	}
	if err := enter(args[0], filepath.SplitList(args[1])); err != nil {
		fmt.Fprintf(os.Stderr, "ortest: enter %s: %v\n", args[0], err)
		return 3
	}
	err := syscall.Exec("/proc/self/exe", append([]string{"ortest"}, args[2:]...), os.Environ())
	fmt.Fprintf(os.Stderr, "ortest: start in %s: %v\n", args[0], err)
	return 3
}

func enter(root string, share []string) error {
	work, err := os.Getwd()
	if err != nil {
		return err
	}
	// Nothing that is mounted here is seen outside.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts private: %w", err)
	}
	// A mount of its own can become the root.
	if err := unix.Mount(root, root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mount it: %w", err)
	}
	for _, path := range append(append([]string{}, machines...), share...) {
		if err := bind(path, root+path); err != nil {
			return err
		}
	}
	for _, path := range known {
		there, err := os.Lstat(root + path)
		if _, here := os.Stat(path); err != nil || here != nil || !there.Mode().IsRegular() {
			continue // the root has its own, or needs none
		}
		if err := bind(path, root+path); err != nil {
			return err
		}
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("make it the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the old root: %w", err)
	}
	if err := os.Chdir(work); err != nil {
		return fmt.Errorf("the job's folder is not shared: %w", err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	const linux32 = 8 // PER_LINUX32: uname says i686
	if _, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, linux32, 0, 0); errno != 0 {
		return fmt.Errorf("become a 32-bit program's parent: %w", errno)
	}
	return nil
}

func bind(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("show %s in it: %w", from, err)
	}
	return nil
}

// lookup returns a variable's value, "" when it is not there.
func lookup(environ []string, name string) (value string) {
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			value = v
		}
	}
	return value
}
