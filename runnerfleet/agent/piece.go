package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/runnerfleet"
)

// Why a runner is stopped before its end.
var (
	errPieceDeadline = errors.New("piece is past its deadline")
	errStalePiece    = errors.New("piece is not this instance's any more")
	errIdle          = errors.New("no job came for the runner: its workflow run is over")
)

// errBroken means that the machine serves nobody any more: the agent gives it up.
var errBroken = errors.New("machine is of no use")

const (
	spoolPoll = 100 * time.Millisecond
	reapEvery = time.Second
	killTime  = 20 * time.Second // for a job's processes to die
)

// piece runs one runner and hands over what its job reports. It returns an error
// only when the agent is to stop; then the piece is not finished but lost, and
// another instance will run it.
func (l *lane) piece(ctx context.Context, job runnerfleet.Assignment) error {
	l.Log.Info("piece begins", "piece", job.Piece, "goal", job.Goal, "lane", l.number)
	exit, reason := -1, ""
	p, err := l.newPlace(job)
	switch {
	case errors.Is(err, errAssignment):
		reason = err.Error()
	case err != nil: // a full disk, say: no piece would do better here
		return fmt.Errorf("%w: %w", errBroken, err)
	default:
		exit, reason, err = l.serve(ctx, p, job)
		if cerr := p.close(); cerr != nil {
			err = errors.Join(err, fmt.Errorf("%w: %w", errBroken, cerr))
		}
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	err = l.retry(ctx, "finished", func(ctx context.Context) error {
		return l.client.Finished(ctx, job.Piece, exit, reason)
	})
	if errors.Is(err, runnerfleet.ErrStale) {
		err = nil
	}
	l.Log.Info("piece ends", "piece", job.Piece, "exit", exit, "reason", reason, "lane", l.number)
	return err
}

// serve runs the runner and hands over its entries beside it. The two end
// together: a piece that nobody wants any more stops its runner, and the
// entries are complete once the runner's last process is dead.
func (l *lane) serve(ctx context.Context, p *place, job runnerfleet.Assignment) (exit int, reason string, err error) {
	rctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	l.serving(stop)
	defer l.serving(nil)
	if !job.Deadline.IsZero() {
		var cancel context.CancelFunc
		rctx, cancel = context.WithDeadlineCause(rctx, job.Deadline, errPieceDeadline)
		defer cancel()
	}
	if l.Idle > 0 {
		idle := time.AfterFunc(l.Idle, func() {
			if !p.began() {
				stop(errIdle)
			}
		})
		defer idle.Stop()
	}
	ended := make(chan struct{})
	var runErr error
	go func() {
		defer close(ended)
		exit, reason, runErr = l.runners(rctx, p)
	}()
	uctx, cancel := linger(ctx, l.Grace)
	defer cancel()
	notes, upErr := l.upload(uctx, p.spool, job.Piece, ended)
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
	if errors.Is(context.Cause(rctx), errIdle) {
		upErr = errIdle // the jobs of the other pieces will not come either
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
func (l *lane) upload(ctx context.Context, s *spool, piece string, ended <-chan struct{}) (notes []string, err error) {
	poll := time.NewTicker(spoolPoll)
	defer poll.Stop()
	for last := false; ; {
		for {
			e, ok, err := s.peek()
			if !ok {
				break
			}
			if err == nil {
				err = l.retry(ctx, "entry", func(ctx context.Context) error {
					return l.client.Entry(ctx, piece, e.meta, e.log)
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

// runners starts the runner, and again where its exit code says that this may
// help. The error says that the machine will run nothing.
func (l *lane) runners(ctx context.Context, p *place) (exit int, reason string, err error) {
	for n := 1; ; n++ {
		exit, reason, err = l.runner(ctx, p)
		if err != nil || exit < 0 {
			return exit, reason, err
		}
		if reason = p.refused(); reason != "" {
			return exit, reason, nil
		}
		v := verdicts[exit]
		switch {
		case v.broken:
			return exit, v.why, fmt.Errorf("%w: %s", errBroken, v.why)
		case !v.again || p.began():
			return exit, v.why, nil
		case n == starts:
			return exit, fmt.Sprintf("%s, %d times", v.why, starts), nil
		}
		l.Log.Warn("runner starts again", "exit", exit, "reason", v.why)
		select {
		case <-ctx.Done():
			return -1, context.Cause(ctx).Error(), nil
		case <-time.After(l.Again):
		}
	}
}

// runner runs the place's runner to its end, or until ctx ends, and whatever is
// left of it is killed. The error says that something would not die.
func (l *lane) runner(ctx context.Context, p *place) (exit int, reason string, err error) {
	cmd := exec.Command(l.Keeper[0], append(append(l.Keeper[1:len(l.Keeper):len(l.Keeper)], l.account.spec()), p.argv...)...)
	cmd.Dir, cmd.Env = p.path("run"), p.env
	if l.Output != nil { // a nil *os.File is no nil Writer
		cmd.Stdout, cmd.Stderr = l.Output, l.Output
	}
	k, err := l.keep(cmd)
	if err != nil {
		return -1, "", fmt.Errorf("start keeper: %w", err)
	}
	stop := ctx.Done()
	var overdue <-chan time.Time
	for running := true; running; {
		select {
		case <-k.ended:
			running = false
		case <-stop:
			stop, overdue = nil, time.After(l.Grace)
			_ = cmd.Process.Signal(unix.SIGTERM)
		case <-overdue:
			overdue = nil
			_ = k.hold.Close()
		}
	}
	exit, reason, err = l.release(ctx, k)
	if ctx.Err() != nil {
		return -1, context.Cause(ctx).Error(), err
	}
	return exit, reason, err
}
