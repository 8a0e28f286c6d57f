package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// What wakes the leader, wherever it is.
const (
	bellChannel = "ortest_wake"
	bellDelay   = 20 * time.Millisecond // rings that come within it are one
)

// bell carries a wake from any process to the one that leads.
type bell struct {
	waits atomic.Bool
	call  atomic.Pointer[func()]
}

// wake notifies the leader, which may be this process.
func (e *pg) wake() {
	if !e.bell.waits.CompareAndSwap(false, true) {
		return
	}
	time.AfterFunc(bellDelay, func() {
		e.bell.waits.Store(false)
		ctx, cancel := context.WithTimeout(context.Background(), askWithin)
		defer cancel()
		if _, err := e.db.ExecContext(ctx, `SELECT pg_notify($1, '')`, bellChannel); err != nil {
			e.log.Debug("the leader was not woken", "err", err)
		}
	})
}

func (e *pg) woken(call func()) { e.bell.call.Store(&call) }

// listen calls what is to be woken while this process leads. It calls it at
// first too: what was rung before it listened went unheard.
func (e *pg) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if err := e.hear(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("cannot hear what wakes the leader", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (e *pg) hear(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, e.session.conf)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // the first error counts
	if _, err := conn.Exec(ctx, `LISTEN `+bellChannel); err != nil {
		return err
	}
	for {
		if call := e.bell.call.Load(); call != nil {
			(*call)()
		}
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
	}
}
