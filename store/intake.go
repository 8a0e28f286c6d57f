package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ortest/ortest/bot"
)

// How deliveries are taken in.
const (
	mostWaiting   = 1000                 // beyond it the next is refused at once: GitHub shows it as failed, and is asked for it again
	mostBytes     = 64 << 20             // of their payloads, likewise
	mostAtOnce    = 100                  // in one transaction
	flushersAtOne = 2                    // transactions at once, where the database has more than one
	flushWithin   = 8 * time.Second      // GitHub waits for ten
	gather        = 2 * time.Millisecond // between two transactions: each costs as much as dozens of deliveries
)

// ErrBusy says that more deliveries wait to be stored than may.
var ErrBusy = errors.New("too many deliveries wait to be stored")

// intake lets deliveries that come while a transaction is under way share the next one.
type intake struct {
	mu      sync.Mutex
	waiting []*arrival
	bytes   int
	led     bool // somebody of those that wait will store them
	pace    pace
	turn    chan struct{}
}

// arrival is a delivery that waits to be stored.
type arrival struct {
	bot.Delivery
	fresh bool
	err   error
	done  chan struct{}
	lead  bool
}

func newIntake() *intake { return &intake{turn: make(chan struct{}, flushersAtOne)} }

// enter lets a delivery wait, or refuses it.
func (q *intake) enter(d bot.Delivery) (*arrival, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= mostWaiting || q.bytes+len(d.Payload) > mostBytes {
		return nil, ErrBusy
	}
	a := &arrival{Delivery: d, done: make(chan struct{}), lead: !q.led}
	q.led = true
	q.waiting, q.bytes = append(q.waiting, a), q.bytes+len(d.Payload)
	return a, nil
}

// take returns those that are stored next. The first of those left leads them.
func (q *intake) take() []*arrival {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), mostAtOnce)
	together := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	for _, a := range together {
		q.bytes -= len(a.Payload)
	}
	q.led = len(q.waiting) > 0
	return together
}

// delay is how long to gather more.
func (q *intake) delay(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pace.wait(now, gather)
}

// pace keeps statements apart.
type pace struct{ last time.Time }

// wait is how long until the next one may begin, which then does; the first after a
// while does not wait.
func (p *pace) wait(now time.Time, apart time.Duration) time.Duration {
	wait := max(0, p.last.Add(apart).Sub(now))
	p.last = now.Add(wait)
	return wait
}

// receive stores a delivery together with those that come at the same time.
func (s *Store) receive(ctx context.Context, d bot.Delivery) (fresh bool, err error) {
	a, err := s.intake.enter(d)
	if err != nil {
		return false, err
	}
	if a.lead {
		s.flush(context.WithoutCancel(ctx))
	}
	select {
	case <-a.done:
		return a.fresh, a.err
	case <-ctx.Done(): // it may be stored all the same
		return false, ctx.Err()
	}
}

// flush stores what waits until another leads the rest, or nothing is left.
func (s *Store) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushWithin)
	defer cancel()
	s.intake.turn <- struct{}{}
	defer func() { <-s.intake.turn }()
	pause(ctx, s.intake.delay(time.Now()))
	for more := true; more; {
		var together []*arrival
		rows, err := s.statement(ctx, func() (string, []any) {
			together = s.intake.take()
			return insertDeliveries(together)
		})
		if together == nil { // not even begun
			together = s.intake.take()
		}
		near := s.works.Load() // asked once: what has a job is not handed on, too
		if err == nil {
			err = s.sift(ctx, together, rows, near)
		}
		for _, a := range together {
			a.err = err
			close(a.done)
		}
		if err == nil && near { // answers first
			s.hand(together)
		}
		s.intake.mu.Lock()
		more = len(s.intake.waiting) > 0 && len(together) == mostAtOnce
		s.intake.mu.Unlock()
	}
}

func insertDeliveries(all []*arrival) (query string, args []any) {
	const columns = 4
	args = make([]any, 0, columns*len(all))
	for _, a := range all {
		args = append(args, a.GUID, a.Event, a.Payload, micros(a.ReceivedAt))
	}
	return `INSERT INTO deliveries (guid, event, payload, received_at) VALUES ` + places(len(all), columns) + ` ON CONFLICT (guid) DO NOTHING`, args
}

// sift marks those that are to be processed: what was added, and what was there
// and has no outcome. It makes a job of them unless they are worked near.
func (s *Store) sift(ctx context.Context, all []*arrival, added int64, near bool) error {
	var open map[string]bool // nil: all of them
	if added < int64(len(all)) {
		var err error
		if open, err = s.unprocessed(ctx, all); err != nil {
			return err
		}
	}
	var job deliveryJob
	for _, a := range all {
		if a.fresh = open == nil || open[a.GUID]; a.fresh {
			job.GUIDs = append(job.GUIDs, a.GUID)
		}
	}
	if len(job.GUIDs) == 0 || near {
		return nil
	}
	return s.write(ctx, func(tx *sql.Tx) error { return s.push(ctx, tx, job) })
}

func (s *Store) unprocessed(ctx context.Context, all []*arrival) (map[string]bool, error) {
	guids := make([]any, len(all))
	for i, a := range all {
		guids[i] = a.GUID
	}
	open, err := collect(ctx, s.read, text, `SELECT guid FROM deliveries WHERE outcome = '' AND guid IN `+places(1, len(all)), guids...)
	is := make(map[string]bool, len(open))
	for _, guid := range open {
		is[guid] = true
	}
	return is, err
}

// places is rows of placeholders: ($1, $2), ($3, $4).
func places(rows, columns int) string {
	var b strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	return b.String() + ")"
}
