package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// How a session is kept.
const (
	watchEvery  = 50 * time.Millisecond // so long a right may be held that is lost, when the connection ended
	askEvery    = time.Second           // and so long, with askWithin, when it only fell silent
	askWithin   = 5 * time.Second       // what takes longer counts as lost
	leadEvery   = time.Second           // a process asks whether it may lead
	leadAfter   = 10 * watchEvery       // and leads so long after another may have
	migrateWait = time.Minute           // for another process that migrates
)

// errBusy says that another process has the right.
var errBusy = errors.New("another process has it")

// session is a connection whose advisory locks are what this process alone may
// do: PostgreSQL gives them up with the connection, so a successor of a killed
// process need not wait. When the connection is lost, everything that was done
// by these rights has its context ended.
type session struct {
	conf *pgx.ConnConfig
	log  *slog.Logger
	mu   sync.Mutex
	conn *pgx.Conn // nil while there is none; it is no pool's, whose next user would have the locks
	held map[string]*right
	stop context.CancelFunc // of the watch
}

// right is what ends the context of one that was taken.
type right struct{ end context.CancelCauseFunc }

// take takes the right to a key, or returns errBusy. The context ends when the
// right is lost or the one given ends.
func (s *session) take(ctx context.Context, key string) (owned context.Context, release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.held[key]; twice {
		return nil, nil, errBusy // the lock itself would let the same session in
	}
	if err := s.open(ctx); err != nil {
		return nil, nil, err
	}
	got := false
	err = s.ask(ctx, func(ctx context.Context) error {
		return s.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended(current_schema() || $1, 0))`, key).Scan(&got)
	})
	if err != nil {
		return nil, nil, err
	}
	if !got {
		return nil, nil, errBusy
	}
	owned, end := context.WithCancelCause(ctx)
	r := &right{end}
	s.held[key] = r
	return owned, func() { s.release(key, r) }, nil
}

func (s *session) release(key string, r *right) {
	r.end(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[key] != r {
		return // lost, with the connection; another may have it by now
	}
	delete(s.held, key)
	_ = s.ask(context.Background(), func(ctx context.Context) error { // an error loses the connection, and the lock with it
		_, err := s.conn.Exec(ctx, `SELECT pg_advisory_unlock(hashtextextended(current_schema() || $1, 0))`, key)
		return err
	})
}

// open makes the connection, and watches it until it is lost.
func (s *session) open(ctx context.Context) error {
	if s.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, s.conf)
	if err != nil {
		return fmt.Errorf("connect for locks: %w", err)
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.conn, s.stop = conn, stop
	go s.watch(watch)
	return nil
}

func (s *session) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	asked := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		// The check is one system call; what is asked goes to the server and back.
		ended := ctx.Err() == nil && s.conn.PgConn().CheckConn() != nil //nolint:staticcheck // what it does not see, the question does
		if ctx.Err() == nil && (ended || time.Since(asked) >= askEvery) {
			asked = time.Now()
			_ = s.ask(ctx, func(ctx context.Context) error { // an error loses the connection, which is what is to be known
				_, err := s.conn.Exec(ctx, `SELECT 1`)
				return err
			})
		}
		s.mu.Unlock()
	}
}

// ask does something with the connection; an error loses it, since what it holds
// is not known any more.
func (s *session) ask(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askWithin)
	defer cancel()
	err := do(ctx)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("lock in database: %w", err)
	if len(s.held) > 0 {
		s.log.Warn("the connection that holds this process's rights is lost; what it did by them stops", "rights", len(s.held), "err", err)
	}
	s.drop(err)
	return err
}

func (s *session) drop(cause error) {
	for key, r := range s.held {
		r.end(cause)
		delete(s.held, key)
	}
	if s.conn == nil {
		return
	}
	s.stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx) // whatever it says, it is closed
	s.conn = nil
}

func (s *session) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(nil)
}

func (e *pg) own(ctx context.Context, key string) (context.Context, func(), error) {
	return e.session.take(ctx, " ortest "+key)
}

// migrating waits for another process that migrates.
func (e *pg) migrating(ctx context.Context) (func() error, error) {
	ctx, cancel := context.WithTimeout(ctx, migrateWait)
	defer cancel()
	_, release, err := await(ctx, e, "migrate")
	if errors.Is(err, errBusy) {
		return nil, errors.New("another ortest is migrating this database and does not come to an end: look at its log")
	}
	if err != nil {
		return nil, err
	}
	return func() error { release(); return nil }, nil
}

// lead waits until this process may lead, and leads until ctx ends or do errs.
func (e *pg) lead(ctx context.Context, do func(ctx context.Context) error) error {
	tick := time.NewTicker(leadEvery)
	defer tick.Stop()
	others := false
	for said := ""; ; {
		owned, release, err := e.own(ctx, "lead")
		switch {
		case err == nil:
			if others { // the one before may only be about to notice that it leads no more
				pause(owned, leadAfter)
			}
			if owned.Err() == nil {
				e.log.Info("this process leads")
				go e.listen(owned)
				err = do(owned)
			}
			lost := owned.Err() != nil && ctx.Err() == nil
			others = others || lost
			release()
			if err != nil && !lost {
				return err
			}
		case errors.Is(err, errBusy):
			others = true
		case ctx.Err() == nil && said != err.Error():
			said = err.Error()
			e.log.Warn("cannot ask whether this process leads", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
