// Package store keeps what must survive: deliveries, runs, answers, entries
// with their logs, pull requests' heads and the fleet's instances.
//
// It is one SQLite file, which one process works, or a PostgreSQL database,
// which any number of replicas work together. Every method is one transaction,
// and one that changes something stores, in that transaction, the job that will
// act on the change; deliveries alone are worked where they come in. The rows are the truth and a job is only a push: Work looks
// through the rows when it starts and every few seconds after, so that a job lost
// with its process is replaced at once instead of when the queue calls it stuck.
//
// Jobs come at least once. Two jobs for the same run are never worked at the
// same time, by whichever replica.
//
// Times are kept in microseconds and come back in UTC. The SQL is what SQLite
// and PostgreSQL both speak; where they differ is in engine.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"

	"github.com/ortest/ortest/bot"
)

// Config says where the database is.
type Config struct {
	// Database is a file of SQLite's, created when it does not exist; its directory
	// must. Files with -wal, -shm and .lock after its name appear beside it. Or it is
	// the URL of a PostgreSQL database of ortest's own: postgres://USER@HOST/NAME.
	Database string
	// Log must not be nil.
	Log *slog.Logger
	// Keep is how long what is over stays; the process that leads removes it.
	Keep Keep
}

// Store is an open database; several processes may hold one on the same.
// It implements bot.Store and runnerfleet.Store. Its zero value cannot work:
// Open makes one.
type Store struct {
	db     *sql.DB // SQLite: the one connection that writes
	read   *sql.DB // connections that see what was committed, and hold up no write
	engine engine
	intake *intake
	memory memory
	near   chan bot.Delivery // those that Work has yet to see
	nearby sync.Map          // GUID to bot.Delivery: those that Work is about to process
	ends   outcomes
	works  atomic.Bool            // Work is under way in this process
	jobs   *river.Client[*sql.Tx] // only inserts; Work has a client of its own
	name   string                 // the file, or the URL without what is secret
	keep   Keep
	log    *slog.Logger
}

// Close releases the database. Work must have returned.
func (s *Store) Close() error {
	if err := s.engine.close(); err != nil {
		return fmt.Errorf("close database %s: %w", s.name, err)
	}
	return nil
}

// rower is a *sql.DB or a *sql.Tx.
type rower interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// collect returns what scan makes of each row of a query.
func collect[T any](ctx context.Context, db rower, scan func(scan func(...any) error) (T, error), query string, args ...any) (all []T, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// micros is t as it is kept; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the reverse of micros.
func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// changed reports whether a statement changed a row.
func changed(res sql.Result, err error) (bool, error) {
	n, err := affected(res, err)
	return n > 0, err
}

func affected(res sql.Result, err error) (rows int64, _ error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// plain is text as PostgreSQL takes it: UTF-8 without NUL.
func plain(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
