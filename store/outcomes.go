package store

import (
	"context"
	"sync"
	"time"

	"github.com/ortest/ortest/bot"
)

// together is how long outcomes are gathered: a statement of many costs as much as one of one.
const together = 20 * time.Millisecond

// outcomes lets deliveries that are processed at the same time share a statement.
type outcomes struct {
	mu      sync.Mutex
	waiting []*outcome
	pace    pace
}

type outcome struct {
	guid, is string
	done     chan error
}

// enter lets an outcome wait. The first that waits leads the others, and waits
// itself when there was a statement a moment ago.
func (q *outcomes) enter(o *outcome, now time.Time) (lead bool, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, o)
	if len(q.waiting) > 1 {
		return false, 0
	}
	return true, q.pace.wait(now, together)
}

func (q *outcomes) take() []*outcome {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.waiting
	q.waiting = nil
	return all
}

// finish stores an outcome together with those that come at the same time.
func (s *Store) finish(ctx context.Context, guid, is string) error {
	o := &outcome{guid: guid, is: is, done: make(chan error, 1)}
	if lead, wait := s.ends.enter(o, time.Now()); lead {
		pause(ctx, wait)
		s.settle(context.WithoutCancel(ctx))
	}
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done(): // it may be stored all the same
		return ctx.Err()
	}
}

// settle stores what waits, and says to each what became of it.
func (s *Store) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushWithin)
	defer cancel()
	var all []*outcome
	rows, err := s.statement(ctx, func() (string, []any) {
		all = s.ends.take()
		var args []any
		for _, o := range all {
			args = append(args, o.guid, o.is)
		}
		return `UPDATE deliveries SET outcome = v.column2 FROM (VALUES ` + places(len(all), 2) + `) AS v WHERE guid = v.column1`, args
	})
	if all == nil { // not even begun
		all = s.ends.take()
	}
	for _, o := range all {
		said := err
		if err == nil && rows < int64(len(all)) {
			said = s.there(ctx, o.guid)
		}
		o.done <- said
	}
}

// there errs when a delivery is not.
func (s *Store) there(ctx context.Context, guid string) error {
	n := 0
	err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM deliveries WHERE guid = $1`, guid).Scan(&n)
	if err == nil && n == 0 {
		err = bot.ErrNotFound
	}
	return err
}
