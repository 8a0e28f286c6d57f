package action

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/action/lane"
)

// command is a program to run and what bounds it.
type command struct {
	argv   []string
	dir    string
	env    []string
	limit  time.Duration
	output int64 // bytes; more of it ends the command

	cores  bool           // of what dies gdb prints the stack at the end
	begun  func(pid int)  // is told what all of it in a lane descends from
	file   string         // the test file that it tests
	share  string         // folder that its maker reads also when it is in a lane
	shared func(*os.File) // is given that folder if it is in a lane
}

// outcome is how a command ended.
type outcome struct {
	exit     int    // -1 when a signal ended it
	signal   string // such as SIGKILL
	timedOut bool
	tooMuch  bool // it printed more than it may
	wall     time.Duration
	cpu      time.Duration // of everything it started and we saw end
	full     bool          // it wrote all that it may
	left     []string      // names of the processes that ran at its end
	lost     bool          // somebody outside killed its lane
	unread   bool          // valgrind wrote more than is read
}

// why says what ended a command that did not end well, "" when it did.
func (o outcome) why(limit time.Duration) string {
	switch {
	case o.timedOut:
		return fmt.Sprintf("took longer than %s", limit)
	case o.tooMuch:
		return "printed too much"
	case o.signal != "":
		return "was ended by " + o.signal
	case o.exit != 0:
		return fmt.Sprintf("exited with %d", o.exit)
	}
	return ""
}

// run runs a command in a process group of its own, its output and errors in
// one stream to out. When it returns, nothing that the command started lives.
func (p *procs) run(ctx context.Context, c command, out io.Writer) (outcome, error) {
	if err := ctx.Err(); err != nil {
		return outcome{}, err
	}
	begun := time.Now()
	cmd, reader, err := c.start()
	if err != nil {
		return outcome{}, fmt.Errorf("start %s: %w", c.argv[0], err)
	}
	defer reader.Close()
	full := make(chan struct{})
	sink := &lane.Capped{W: out, Left: c.output, Full: func() { close(full) }}
	var copying sync.WaitGroup
	copying.Go(func() { sink.Copy(reader) })
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	over := make(chan struct{})
	var orphans time.Duration
	var reaping sync.WaitGroup
	reaping.Go(func() { orphans = p.reapOrphans(cmd.Process.Pid, over) })
	o := p.await(ctx, cmd.Process.Pid, c.limit, full, ended)
	close(over)
	reaping.Wait()
	o.wall = time.Since(begun)
	if !o.timedOut && !o.tooMuch && ctx.Err() == nil {
		o.left = append(o.left, p.leftovers(cmd.Process.Pid)...)
	}
	swept := p.sweep(cmd.Process.Pid)
	// Whoever still holds the pipe's end is not ours to wait for.
	_ = reader.SetReadDeadline(time.Now().Add(time.Second))
	copying.Wait()
	// It may have ended by itself before anyone saw that it printed too much.
	o.tooMuch = sink.Left < 0

	state := cmd.ProcessState
	o.cpu = state.UserTime() + state.SystemTime() + orphans + swept
	o.exit = state.ExitCode()
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		o.signal = unix.SignalName(status.Signal())
	}
	return o, errors.Join(ctx.Err(), sink.Err)
}

// start starts a command, and returns the end of the pipe that it prints to.
func (c command) start() (*exec.Cmd, *os.File, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer writer.Close()
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	if path := lookPath(c.argv[0], c.env); path != "" {
		cmd.Path, cmd.Err = path, nil
	}
	cmd.Dir, cmd.Env = c.dir, c.env
	cmd.Stdout, cmd.Stderr = writer, writer
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		reader.Close()
		return nil, nil, err
	}
	return cmd, reader, nil
}

// await waits for the end of a process, or brings it about.
func (p *procs) await(ctx context.Context, pid int, limit time.Duration, full <-chan struct{}, ended <-chan error) outcome {
	var o outcome
	timer := time.NewTimer(limit)
	defer timer.Stop()
	hold := lane.NewHold(pid, limit)
	look := time.NewTicker(hold.Every())
	defer look.Stop()
	for {
		select {
		case <-ended:
			return o
		case now := <-look.C:
			if hold.Over(lane.Processes(), now) {
				o.left = append(o.left, p.cut(pid)...)
			}
			continue
		case <-timer.C:
			o.timedOut, o.left = true, p.names(pid)
		case <-full:
			o.tooMuch = true
		case <-ctx.Done():
		}
		_ = unix.Kill(-pid, unix.SIGKILL)
		<-ended
		return o
	}
}

// lookPath finds a program in the search path of the environment it will have,
// which is not ours.
func lookPath(name string, env []string) string {
	r := run{env: env}
	return r.program(name)
}
