package agent

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/runnerfleet/process"
)

// keeperOut is the keeper's descriptor for what became of the runner.
const keeperOut = 3

// anyone is the account of a lane that has none of its own.
const anyone = "-"

// Keep is the process between an agent and one runner: "UID:GID RUNNER ARG…", where
// "-" is the agent's own account. The runner's processes are its descendants,
// also those that detach themselves, and none outlives it: so each lane's are told
// from the others', with no name to go by and nothing that a job could drop.
// SIGTERM asks them to stop; the end of its input, which comes with the agent's own,
// kills them. Keep returns the process's exit code, 0 when it could do its work.
func Keep(args []string) int {
	unix.CloseOnExec(keeperOut)
	out := os.NewFile(keeperOut, "agent")
	exit, reason, err := keep(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lane:", err)
		return 1
	}
	if _, err := fmt.Fprintf(out, "%d %s", exit, reason); err != nil {
		return 1
	}
	return 0
}

func keep(args []string) (exit int, reason string, err error) {
	if len(args) < 2 {
		return -1, "", fmt.Errorf("want an account and a command line, not %q", args)
	}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// What is set for a thread alone is handed on by that thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return -1, "", fmt.Errorf("become subreaper: %w", err)
	}
	if args[0] != anyone {
		var uid, gid uint32
		if _, err := fmt.Sscanf(args[0], "%d:%d", &uid, &gid); err != nil {
			return -1, "", fmt.Errorf("read account %q: %w", args[0], err)
		}
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return -1, "", fmt.Errorf("give up privileges: %w", err)
		}
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGTERM)
	orphaned := make(chan struct{})
	go func() {
		defer close(orphaned)
		_, _ = os.Stdin.Read(make([]byte, 1)) // nothing is ever written: it ends
	}()
	if err := cmd.Start(); err != nil {
		return -1, fmt.Sprintf("runner did not start: %v", err), nil
	}
	watch(cmd, asked, orphaned)
	late, cancel := context.WithTimeout(context.Background(), killTime)
	defer cancel()
	if err := process.KillAll(late, descendants); err != nil {
		return -1, "", err
	}
	if exit = cmd.ProcessState.ExitCode(); exit < 0 {
		reason = "runner ended by " + cmd.ProcessState.String()
	}
	return exit, reason, nil
}

// watch waits for a runner's end, and passes on what it is asked.
func watch(cmd *exec.Cmd, asked <-chan os.Signal, orphaned <-chan struct{}) {
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		_ = cmd.Wait() // ProcessState says it
	}()
	reap := time.NewTicker(reapEvery)
	defer reap.Stop()
	for {
		select {
		case <-waited:
			return
		case <-reap.C:
			reapOrphans(cmd.Process.Pid)
		case <-asked:
			signalAll(unix.SIGTERM)
		case <-orphaned:
			orphaned = nil
			signalAll(unix.SIGKILL)
		}
	}
}

// descendants returns what this process has started, at any remove: as subreaper it
// is the parent of those whose own parent is gone.
func descendants() ([]process.Process, error) {
	return below(func(process.Process) bool { return true })
}

// below returns the descendants through those children that count.
func below(counts func(process.Process) bool) ([]process.Process, error) {
	all, err := process.All()
	if err != nil {
		return nil, err
	}
	self := os.Getpid()
	return process.Descendants(all, func(p process.Process) bool { return p.Parent == self && counts(p) }), nil
}

// signalAll asks every process of the job to stop. What fails here the kill at
// the end makes good.
func signalAll(sig unix.Signal) {
	ps, err := descendants()
	if err != nil {
		return
	}
	for _, p := range ps {
		_ = p.Signal(sig)
	}
}

// reapOrphans collects ended processes that came to the keeper when their parents
// died: a suite leaves thousands.
func reapOrphans(runner int) {
	ps, err := descendants()
	if err != nil {
		return
	}
	for _, p := range ps {
		if p.Zombie && p.PID != runner {
			process.Reap(p.PID)
		}
	}
}

// told reads what a keeper said of its runner.
func told(said string) (exit int, reason string, ok bool) {
	code, reason, _ := strings.Cut(said, " ")
	exit, err := strconv.Atoi(code)
	return exit, reason, err == nil
}
