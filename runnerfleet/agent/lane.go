package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ortest/ortest/runnerfleet"
)

// lane is one of the agent's: it has one piece after another, a folder, an account
// and a way to the server of its own.
type lane struct {
	*agent
	number  int
	dir     string
	account account
	client  *runnerfleet.Client
	pieces  int // so far

	mu   sync.Mutex
	stop context.CancelCauseFunc // ends the piece that is served; nil while there is none
}

func (a *agent) newLane(number int) (*lane, error) {
	who, err := findAccount(a.Users, number)
	if err != nil {
		return nil, err
	}
	l := &lane{
		agent: a, number: number, account: who, client: a.client.InLane(number),
		dir: filepath.Join(a.Dir, "lane-"+strconv.Itoa(number+1)),
	}
	return l, l.makeDirs()
}

// makeDirs makes what stays from one piece to the next: builds.
func (l *lane) makeDirs() error {
	mode := os.FileMode(0o700)
	if l.account.name != "" {
		mode = 0o711 // the account goes through, and lists nothing
	}
	for _, d := range []string{l.Dir, l.dir} {
		if err := os.MkdirAll(d, mode); err != nil {
			return fmt.Errorf("make lane: %w", err)
		}
		if err := os.Chmod(d, mode); err != nil {
			return fmt.Errorf("make lane: %w", err)
		}
	}
	work := filepath.Join(l.dir, "work")
	err := os.MkdirAll(work, 0o700)
	if err == nil && l.Root != "" {
		// Where the lane's folder shows in there; nobody writes to the place itself.
		err = os.MkdirAll(filepath.Join(l.Root, l.dir), 0o755)
	}
	if err == nil {
		err = l.account.give(work)
	}
	if err != nil {
		return fmt.Errorf("make lane: %w", err)
	}
	return nil
}

// run serves pieces until the fleet has no more, which is ErrNoMore.
func (l *lane) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.heartbeats(ctx) })
	g.Go(func() error {
		for {
			job, err := l.next(ctx)
			if err != nil {
				return err
			}
			if err := l.piece(ctx, job); err != nil {
				return err
			}
		}
	})
	return g.Wait()
}

// heartbeats returns only with an error: ErrNoMore when the instance has ended.
func (l *lane) heartbeats(ctx context.Context) error {
	tick := time.NewTicker(l.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		err := l.retry(ctx, "heartbeat", l.beat)
		if errors.Is(err, runnerfleet.ErrStale) {
			l.drop()
		} else if err != nil {
			return err
		}
	}
}

// drop ends the piece that is served, since nobody wants it any more.
func (l *lane) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stop != nil {
		l.stop(errStalePiece)
	}
}

// serving notes how the piece that is served can be ended; nil when it is over.
func (l *lane) serving(stop context.CancelCauseFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop = stop
}

// next waits for a piece. Once the machine is to be left, none is asked for.
func (l *lane) next(ctx context.Context) (job runnerfleet.Assignment, err error) {
	for {
		select {
		case <-l.leaving:
			if l.working.Add(-1) == 0 {
				close(l.left)
			}
			<-ctx.Done()
			return job, context.Cause(ctx)
		default:
		}
		var wait time.Duration
		err = l.retry(ctx, "next", func(ctx context.Context) (err error) {
			job, wait, err = l.client.Next(ctx)
			return err
		})
		if !errors.Is(err, runnerfleet.ErrWait) {
			return job, err
		}
		select {
		case <-ctx.Done():
			return job, context.Cause(ctx)
		case <-l.leaving:
		case <-time.After(wait):
		}
	}
}
