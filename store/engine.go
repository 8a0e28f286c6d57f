package store

import (
	"context"
	"database/sql"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
)

// engine is where SQLite and PostgreSQL differ.
type engine interface {
	// dialect is goose's name for it, and of the folder below migrations.
	dialect() goose.Dialect
	// driver adds jobs in the transactions of the rows they serve, and migrates the queue.
	driver() riverdriver.Driver[*sql.Tx]
	// worker works the jobs.
	worker(cfg *river.Config) (worker, error)
	// tables counts those of the names that exist.
	tables(ctx context.Context, names ...string) (int, error)
	// migrating takes the sole right to migrate until release.
	migrating(ctx context.Context) (release func() error, err error)
	// write runs do in a transaction of its own, or undoes it.
	write(ctx context.Context, do func(tx *sql.Tx) error) error
	// statement runs one, made as late as can be, and returns how many rows it changed.
	// It outlives this process at once, and the machine's power a moment later.
	statement(ctx context.Context, make func() (query string, args []any)) (rows int64, err error)
	// hold keeps a row from being changed by others until the transaction ends.
	hold(ctx context.Context, tx *sql.Tx, query string, args ...any) error
	// work takes the right to work jobs until release.
	work(ctx context.Context) (release func() error, err error)
	// lead calls do while no other process leads, until ctx ends or do errs.
	lead(ctx context.Context, do func(ctx context.Context) error) error
	// own takes the sole right to a key. It returns errBusy when another process
	// has it; the context ends when the right is lost.
	own(ctx context.Context, key string) (owned context.Context, release func(), err error)
	// wake lets woken be called in the process that leads.
	wake()
	woken(call func())
	// there errs when what is open is no longer what the name stands for.
	there() error
	// explain adds what to do to errors that a person can do something about.
	explain(err error) error
	close() error
}

// worker is a River client, whatever its transactions are.
type worker interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	StopAndCancel(ctx context.Context) error
}
