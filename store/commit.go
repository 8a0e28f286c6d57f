package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// mostTogether bounds how many writes share a commit, and with it how long the next one waits.
const mostTogether = 16

// commits lets writes that come while one is being committed share the next
// commit, which costs as much as several of them.
type commits struct {
	mu      sync.Mutex
	busy    bool
	waiting []*change
}

var errThrew = errors.New("change panicked")

// change is one caller's part of a commit.
type change struct {
	do    func(tx *sql.Tx) error
	err   error
	threw any       // what do panicked with: for its own caller, not for the others
	turn  chan bool // true: this caller commits the next ones; false: it is done
}

// write returns when what do did is on the disk.
func (s *lite) write(ctx context.Context, do func(tx *sql.Tx) error) error {
	if err := s.hasty(ctx, do); err != nil {
		return err
	}
	if err := s.flushes.flush(s.path + "-wal"); err != nil {
		return fmt.Errorf("bring to the disk: %w", err)
	}
	return nil
}

// hasty runs do in a transaction, which holds the database's only write lock and
// this process's only writing connection. Others' changes may be committed with
// it, and none of them undoes another.
func (s *lite) hasty(ctx context.Context, do func(tx *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &change{do: do, turn: make(chan bool, 1)}
	if !s.commits.enter(c) && !<-c.turn {
		return c.end()
	}
	together := s.commits.take()
	s.commit(context.WithoutCancel(ctx), together)
	s.commits.leave()
	for _, o := range together {
		if o != c {
			o.turn <- false
		}
	}
	return c.end()
}

// end gives a caller what became of its change.
func (c *change) end() error {
	if c.threw != nil {
		panic(c.threw)
	}
	return c.err
}

// enter queues a change and reports whether its caller is to commit.
func (q *commits) enter(c *change) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, c)
	lead := !q.busy
	q.busy = true
	return lead
}

// take returns the changes of the next commit, the caller's own first.
func (q *commits) take() []*change {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), mostTogether)
	together := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return together
}

// leave hands the turn on to the first that waits.
func (q *commits) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy = len(q.waiting) > 0; q.busy {
		q.waiting[0].turn <- true
	}
}

// commit makes each change on its own within one transaction, and says to each
// what became of it.
func (s *lite) commit(ctx context.Context, together []*change) {
	fail := func(err error) {
		for _, c := range together {
			if c.err == nil {
				c.err = err
			}
		}
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		fail(fmt.Errorf("begin transaction: %w", err))
		return
	}
	good := 0
	for _, c := range together {
		if err := c.apart(ctx, tx); err != nil {
			fail(errors.Join(err, undo(tx)))
			return
		}
		if c.err == nil {
			good++
		}
	}
	if good == 0 {
		err = undo(tx)
	} else if err = tx.Commit(); err != nil {
		err = fmt.Errorf("commit: %w", errors.Join(err, undo(tx)))
	}
	if err != nil {
		fail(err)
	}
}

// apart makes one change so that it can be undone alone. The error is of the
// transaction, not of the change.
func (c *change) apart(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, "SAVEPOINT apart"); err != nil {
		return fmt.Errorf("begin change: %w", err)
	}
	c.guarded(tx)
	if c.err != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO apart"); err != nil {
			return fmt.Errorf("undo change: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, "RELEASE apart"); err != nil {
		return fmt.Errorf("end change: %w", err)
	}
	return nil
}

// guarded keeps a panic from ending others' changes too.
func (c *change) guarded(tx *sql.Tx) {
	defer func() {
		if v := recover(); v != nil {
			c.err, c.threw = errThrew, v
		}
	}()
	c.err = c.do(tx)
}

func undo(tx *sql.Tx) error {
	// After a commit there is nothing left to undo, and ErrTxDone says just that.
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}
