package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"

	"github.com/ortest/ortest/runnerfleet/process"
)

// keepers are the living ones of an agent. A child of the agent that is none of them
// was left behind by one that was killed, and is killed too.
type keepers struct {
	mu   sync.Mutex
	pids map[int]bool
}

// kept is a keeper that was started.
type kept struct {
	cmd   *exec.Cmd
	hold  io.Closer // its end kills all of the keeper's
	ended chan struct{}
	said  []byte
	err   error
}

// keep starts a keeper.
func (s *keepers) keep(cmd *exec.Cmd) (*kept, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	cmd.ExtraFiles = []*os.File{w}
	s.mu.Lock()
	err = cmd.Start()
	if err == nil {
		if s.pids == nil {
			s.pids = make(map[int]bool)
		}
		s.pids[cmd.Process.Pid] = true
	}
	s.mu.Unlock()
	if err != nil {
		return nil, errors.Join(err, in.Close(), r.Close())
	}
	k := &kept{cmd: cmd, hold: in, ended: make(chan struct{})}
	go func() {
		defer close(k.ended)
		defer r.Close()
		k.said, k.err = io.ReadAll(io.LimitReader(r, 1000))
		_ = cmd.Wait() // what it said is what counts
	}()
	return k, nil
}

// release takes what an ended keeper said, and ends what it should have ended.
func (s *keepers) release(ctx context.Context, k *kept) (exit int, reason string, err error) {
	_ = k.hold.Close()
	s.mu.Lock()
	delete(s.pids, k.cmd.Process.Pid)
	s.mu.Unlock()
	exit, reason, ok := told(string(k.said))
	if ok && k.err == nil && k.cmd.ProcessState.Success() {
		return exit, reason, nil
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTime)
	defer cancel()
	if err := process.KillAll(late, s.strays); err != nil {
		return -1, "", err
	}
	return -1, fmt.Sprintf("its keeper ended by %s", k.cmd.ProcessState), nil
}

// strays returns what belongs to no living keeper.
func (s *keepers) strays() ([]process.Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return below(func(p process.Process) bool { return !s.pids[p.PID] })
}
