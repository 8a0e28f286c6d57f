package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/process"
)

// Why a runner is stopped before its end.
var (
	errPieceDeadline = errors.New("piece is past its deadline")
	errStalePiece    = errors.New("piece is not this instance's any more")
)

const (
	spoolPoll = 100 * time.Millisecond
	reapEvery = time.Second
	killTime  = 20 * time.Second // for a job's processes to die
)

// piece runs one runner and hands over what its job reports. It returns an error
// only when the agent is to stop; then the piece is not finished but lost, and
// another instance will run it.
func (a *agent) piece(ctx context.Context, job runnerfleet.Assignment) error {
	a.Log.Info("piece begins", "piece", job.Piece, "goal", job.Goal)
	exit, reason := -1, ""
	l, err := a.newLane(job)
	if err != nil {
		reason = err.Error()
	} else {
		exit, reason, err = a.serveLane(ctx, l, job)
		err = errors.Join(err, l.spool.Close(), removeAll(l.dir))
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	err = a.retry(ctx, "finished", func(ctx context.Context) error {
		return a.client.Finished(ctx, job.Piece, exit, reason)
	})
	if errors.Is(err, runnerfleet.ErrStale) {
		err = nil
	}
	a.Log.Info("piece ends", "piece", job.Piece, "exit", exit, "reason", reason)
	return err
}

// serveLane runs the runner and hands over its entries beside it. The two end
// together: a piece that nobody wants any more stops its runner, and the
// entries are complete once the runner's last process is dead.
func (a *agent) serveLane(ctx context.Context, l *lane, job runnerfleet.Assignment) (exit int, reason string, err error) {
	rctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	a.serving(stop)
	defer a.serving(nil)
	if !job.Deadline.IsZero() {
		var cancel context.CancelFunc
		rctx, cancel = context.WithDeadlineCause(rctx, job.Deadline, errPieceDeadline)
		defer cancel()
	}
	ended := make(chan struct{})
	var runErr error
	go func() {
		defer close(ended)
		exit, reason, runErr = a.runRunner(rctx, l)
	}()
	uctx, cancel := linger(ctx, a.Grace)
	defer cancel()
	notes, upErr := a.upload(uctx, l.spool, job.Piece, ended)
	if errors.Is(upErr, runnerfleet.ErrStale) {
		stop(errStalePiece)
		upErr = nil
	} else if upErr != nil {
		stop(upErr)
	}
	<-ended
	if reason == "" {
		reason = strings.Join(notes, "; ")
	}
	return exit, reason, errors.Join(upErr, runErr)
}

// linger returns a context that ends some time after ctx does: what a stopping
// agent has in hand is worth a moment.
func linger(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-late.Done():
		case <-time.After(d):
			cancel(context.Cause(ctx))
		}
	})
	return late, func() { stop(); cancel(nil) }
}

// upload hands over entries in order as they appear, until the runner has ended and
// all of them are accepted. It returns what could not be handed over and why.
func (a *agent) upload(ctx context.Context, s *spool, piece string, ended <-chan struct{}) (notes []string, err error) {
	poll := time.NewTicker(spoolPoll)
	defer poll.Stop()
	for last := false; ; {
		for {
			e, ok, err := s.peek()
			if !ok {
				break
			}
			if err == nil {
				err = a.retry(ctx, "entry", func(ctx context.Context) error {
					return a.client.Entry(ctx, piece, e.meta, e.log)
				})
			}
			if err != nil && !unusable(err) {
				return notes, err
			}
			if err != nil {
				notes = append(notes, fmt.Sprintf("entry %d: %v", e.seq, err))
			}
			s.done()
		}
		if last {
			return notes, nil
		}
		select {
		case <-ended:
			last = true
		case <-ctx.Done():
			return notes, context.Cause(ctx)
		case <-poll.C:
		}
	}
}

// unusable reports that an entry itself is at fault, and not the way to the server.
func unusable(err error) bool {
	var status *runnerfleet.StatusError
	var path *os.PathError
	return errors.Is(err, runnerfleet.ErrInvalid) || errors.Is(err, errNotRegular) || errors.Is(err, errTooLong) ||
		errors.As(err, &path) || errors.As(err, &status) && status.Status == http.StatusRequestEntityTooLarge
}

// runRunner runs the lane's runner to its end, or until ctx ends, and kills
// whatever is left of it. The error says that something would not die.
func (a *agent) runRunner(ctx context.Context, l *lane) (exit int, reason string, err error) {
	cmd := exec.Command(l.argv[0], l.argv[1:]...)
	cmd.Dir, cmd.Env = l.path("run"), l.env
	if a.Output != nil { // a nil *os.File is no nil Writer
		cmd.Stdout, cmd.Stderr = a.Output, a.Output
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return -1, fmt.Sprintf("runner did not start: %v", err), nil
	}
	waited := make(chan error, 1)
	go func() { waited <- cmd.Wait() }()
	reap := time.NewTicker(reapEvery)
	defer reap.Stop()
	stop := ctx.Done()
	var overdue <-chan time.Time
	for running := true; running; {
		select {
		case <-waited:
			running = false
		case <-reap.C:
			reapOrphans(cmd.Process.Pid)
		case <-stop:
			stop, overdue = nil, time.After(a.Grace)
			signalAll(unix.SIGTERM)
		case <-overdue:
			overdue = nil
			signalAll(unix.SIGKILL)
		}
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTime)
	defer cancel()
	err = process.KillAll(late, descendants)
	exit = cmd.ProcessState.ExitCode()
	switch {
	case ctx.Err() != nil:
		return -1, context.Cause(ctx).Error(), err
	case exit < 0:
		return exit, "runner ended by " + cmd.ProcessState.String(), err
	}
	return exit, "", err
}

// descendants returns what the agent has started, at any remove: as subreaper it
// is the parent of those whose own parent is gone.
func descendants() ([]process.Process, error) {
	all, err := process.All()
	if err != nil {
		return nil, err
	}
	self := os.Getpid()
	return process.Descendants(all, func(p process.Process) bool { return p.Parent == self }), nil
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

// reapOrphans collects ended processes that came to the agent when their parents
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
