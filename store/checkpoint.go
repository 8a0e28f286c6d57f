package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// When SQLite's log is brought into its file.
const (
	checkpointEvery = 50 * time.Millisecond // little each time: writers wait where a flush of much is under way
	logPages        = 64 << 10              // from so many on, 256 MiB, the log begins anew, which writers wait for
)

// checkpoints brings the log into the file beside the writes instead of within
// one of them, which would take a hundred times as long as the others. It returns
// when ctx ends.
func (s *lite) checkpoints(ctx context.Context) {
	if err := s.checkpointUntil(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("the database's log is not brought into its file beside the writes", "err", err)
	}
}

func (s *lite) checkpointUntil(ctx context.Context) (err error) {
	db, err := sql.Open("sqlite", source(s.path, "deferred"))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := s.db.ExecContext(ctx, `PRAGMA wal_autocheckpoint = 0`); err != nil {
		return err
	}
	defer func() {
		_, again := s.db.ExecContext(context.WithoutCancel(ctx), `PRAGMA wal_autocheckpoint = 1000`)
		err = errors.Join(err, again)
	}()
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for said := ""; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := checkpoint(ctx, db); err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			s.log.Warn("the database's log could not be brought into its file", "err", s.explain(err))
		}
	}
}

func checkpoint(ctx context.Context, db *sql.DB) error {
	var busy, pages, done int64
	for range 2 {
		if err := db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(PASSIVE)`).Scan(&busy, &pages, &done); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		if pages < logPages {
			return nil
		}
	}
	// All but what came meanwhile is in the file already: writers wait for the rest only.
	if err := db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(RESTART)`).Scan(&busy, &pages, &done); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}
