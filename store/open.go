package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"github.com/ortest/ortest/bot"
)

// Open opens the database, creating or migrating it as needed. It waits for
// another process that is migrating. A SQLite file that needs migrating while a
// server of an older version works it is an error; replicas on PostgreSQL go on
// as long as the new schema lets them. Every error says which database it is
// about and what to do.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s, err := openEngine(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s.keep, s.intake, s.near = cfg.Keep, newIntake(), make(chan bot.Delivery, mostWaiting)
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", s.name, s.engine.explain(err)), s.engine.close())
	}
	return s, nil
}

// IsURL reports whether a database is named by a URL, not by a file.
func IsURL(database string) bool {
	return strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://")
}

func openEngine(ctx context.Context, cfg Config) (*Store, error) {
	if IsURL(cfg.Database) {
		return openPostgres(ctx, cfg)
	}
	return openLite(ctx, cfg)
}

func (s *Store) prepare(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	jobs, err := river.NewClient(s.engine.driver(), &river.Config{Logger: quiet(s.log)})
	if err != nil {
		return fmt.Errorf("prepare jobs: %w", err)
	}
	s.jobs = jobs
	return nil
}

// write runs do in a transaction: do must call nothing else of the Store. When
// write returns nil, what do did is durable; otherwise nothing of it is there.
func (s *Store) write(ctx context.Context, do func(tx *sql.Tx) error) error {
	return s.engine.explain(s.engine.write(ctx, do))
}

// statement is write for what outlives this process at once, and the loss of the
// machine's power only when it is on the disk: within a second, and before
// anything that is written later. It is for what comes again when it is lost.
// It asks the database once, where a transaction asks it three times.
func (s *Store) statement(ctx context.Context, make func() (query string, args []any)) (rows int64, err error) {
	rows, err = s.engine.statement(ctx, make)
	return rows, s.engine.explain(err)
}

// execute writes one statement and reports whether it changed a row.
func (s *Store) execute(ctx context.Context, query string, args ...any) (did bool, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		did, err = changed(tx.ExecContext(ctx, query, args...))
		return err
	})
	return did, err
}

// Ready errs when the database would not keep what it is given now.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.engine.there(); err != nil {
		return fmt.Errorf("database %s: %w", s.name, err)
	}
	return s.SetMark(ctx, "ready", time.Now())
}

// Wake calls Handlers.Woken in the process that leads, soon. It never blocks,
// and may come to nothing.
func (s *Store) Wake() { s.engine.wake() }
