package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// poolSize is how many connections a process has when the URL does not say
// (pool_max_conns): jobs, pages and webhooks at once. Seven more are in no pool:
// quickSize, one by which River listens, one for what the process alone may do,
// and one to hear what it is told as the one that leads.
const poolSize = 16

// quickSize is how many more there are for what need not wait for the server's disk.
const quickSize = 4

// leastPostgres is the oldest PostgreSQL that its makers still mend.
const leastPostgres = 140000

// tries is how often a transaction is made that PostgreSQL gave up in favour of another.
const tries = 5

// pg is a PostgreSQL database, which any number of processes work.
type pg struct {
	pool    *pgxpool.Pool
	db      *sql.DB // over the pool
	quick   *sql.DB // commits there do not wait for the server's disk
	session session
	bell    bell
	log     *slog.Logger
}

func openPostgres(ctx context.Context, cfg Config) (*Store, error) {
	conf, err := pgxpool.ParseConfig(cfg.Database)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err) // pgx leaves the password out
	}
	if err := passfile(cfg.Database); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	conn := conf.ConnConfig
	name := fmt.Sprintf("postgres://%s/%s", net.JoinHostPort(conn.Host, strconv.Itoa(int(conn.Port))), conn.Database)
	if !strings.Contains(cfg.Database, "pool_max_conns") {
		conf.MaxConns = poolSize
	}
	if conn.ConnectTimeout == 0 {
		conn.ConnectTimeout = 5 * time.Second
	}
	conn.RuntimeParams["application_name"] = "ortest"
	// What a vanished machine holds must be free again within half a minute.
	for key, value := range map[string]string{
		"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
		"idle_in_transaction_session_timeout": "60s",
	} {
		conn.RuntimeParams[key] = value
	}
	pool, err := pgxpool.NewWithConfig(ctx, conf)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", name, err)
	}
	quick := conn.Copy()
	quick.RuntimeParams["synchronous_commit"] = "off"
	e := &pg{pool: pool, db: stdlib.OpenDBFromPool(pool), quick: stdlib.OpenDB(*quick), log: cfg.Log}
	e.quick.SetMaxOpenConns(quickSize)
	e.quick.SetMaxIdleConns(quickSize)
	e.session = session{conf: conn, log: cfg.Log, held: make(map[string]*right)}
	err = e.fits(ctx)
	if err == nil {
		err = e.warm(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", name, e.explain(err)), e.close())
	}
	return &Store{db: e.db, read: e.db, engine: e, name: name, log: cfg.Log}, nil
}

// passfile errs when the URL names a file of passwords that cannot be read: pgx would
// go on without one, and the server would call the password wrong.
func passfile(database string) error {
	u, err := url.Parse(database)
	if err != nil || u.Query().Get("passfile") == "" {
		return nil
	}
	f, err := os.Open(u.Query().Get("passfile"))
	if err != nil {
		return fmt.Errorf("read passfile: %w", err)
	}
	return f.Close()
}

// fits refuses a server that would not keep what it is given, and a database
// that is another program's.
func (e *pg) fits(ctx context.Context) error {
	var version int
	var encoding string
	const settings = `SELECT current_setting('server_version_num')::int, current_setting('server_encoding')`
	if err := e.db.QueryRowContext(ctx, settings).Scan(&version, &encoding); err != nil {
		return err
	}
	if version < leastPostgres {
		return fmt.Errorf("its PostgreSQL is %d.%d: use %d or newer", version/10000, version%10000, leastPostgres/10000)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("its encoding is %s: create one with CREATE DATABASE ortest ENCODING 'UTF8' TEMPLATE template0", encoding)
	}
	var all int
	const tables = `SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'`
	if err := e.db.QueryRowContext(ctx, tables).Scan(&all); err != nil {
		return err
	}
	ours, err := e.tables(ctx, versionTable, queueTable)
	if err == nil && ours == 0 && all > 0 {
		return errors.New("it is another program's: create a database for ortest alone")
	}
	return err
}

// warm opens the connections that webhooks use: the first of them would wait for it.
func (e *pg) warm(ctx context.Context) error {
	var all []io.Closer
	defer func() {
		for _, c := range all {
			_ = c.Close() // it goes back
		}
	}()
	for range flushersAtOne {
		c, err := e.quick.Conn(ctx)
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	return nil
}

func (e *pg) dialect() goose.Dialect              { return goose.DialectPostgres }
func (e *pg) driver() riverdriver.Driver[*sql.Tx] { return riverdatabasesql.New(e.db) }

func (e *pg) worker(cfg *river.Config) (worker, error) {
	// River listens; this is for jobs that are put off.
	cfg.FetchPollInterval = 250 * time.Millisecond
	return river.NewClient(riverpgxv5.New(e.pool), cfg)
}

func (e *pg) close() error {
	e.session.close()
	err := errors.Join(e.quick.Close(), e.db.Close())
	e.pool.Close()
	return err
}

func (e *pg) tables(ctx context.Context, names ...string) (n int, err error) {
	for _, name := range names {
		var there bool
		if err := e.db.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`, name).Scan(&there); err != nil {
			return 0, err
		}
		n += bit(there)
	}
	return n, nil
}

// write makes a change in a transaction of its own; PostgreSQL itself lets those
// that come at once share a flush of its log.
func (e *pg) write(ctx context.Context, do func(tx *sql.Tx) error) error {
	return again(func() error { return e.once(ctx, do) })
}

// statement is on the server's disk within three of its wal_writer_delay (0.6 s).
// Its end before that loses what it stored, as the machine's loses it with SQLite.
func (e *pg) statement(ctx context.Context, make func() (query string, args []any)) (rows int64, err error) {
	query, args := make()
	err = again(func() error {
		rows, err = affected(e.quick.ExecContext(ctx, query, args...))
		return err
	})
	return rows, err
}

// again does what PostgreSQL undid because of others.
func again(do func() error) error {
	for try := 1; ; try++ {
		err := do()
		var coded *pgconn.PgError
		// serialization_failure, deadlock_detected: nothing of it was done.
		if try == tries || !errors.As(err, &coded) || coded.Code != "40001" && coded.Code != "40P01" {
			return err
		}
	}
}

func (e *pg) once(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := e.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing; otherwise the first error counts
	if err := do(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// hold locks rows against changes. Not FOR UPDATE: rows that refer to them may be added.
func (e *pg) hold(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
	_, err := tx.ExecContext(ctx, query+` FOR NO KEY UPDATE`, args...)
	return err
}

// work needs no right: the queue hands each job to one process.
func (e *pg) work(context.Context) (func() error, error) { return func() error { return nil }, nil }

// there has nothing to look at: a server that is away says so itself.
func (e *pg) there() error { return nil }

// explain adds what to do to errors that a person can do something about.
func (e *pg) explain(err error) error {
	var coded *pgconn.PgError
	var away *pgconn.ConnectError
	switch {
	case errors.As(err, &coded):
		switch coded.Code {
		case "3D000":
			return fmt.Errorf("there is no such database: CREATE DATABASE it: %w", err)
		case "28P01", "28000":
			return fmt.Errorf("user or password is wrong, or pg_hba.conf does not let it in: %w", err)
		case "42501":
			return fmt.Errorf("the user must own the database: %w", err)
		case "53100":
			return fmt.Errorf("the database server's disk is full: make room: %w", err)
		case "53300":
			return fmt.Errorf("the server has no connection left: raise its max_connections, or lower pool_max_conns in the URL: %w", err)
		}
	case errors.As(err, &away):
		return fmt.Errorf("the database server does not answer: %w", err)
	}
	return err
}
