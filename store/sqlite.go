package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// applicationID marks the file as ours in SQLite's header: "orts".
const applicationID = 0x6f727473

// readers is how many connections read at once.
const readers = 4

// primaryCode is the part of SQLite's codes that says what kind of error it is.
const primaryCode = 0xff

// lite is a SQLite file. One process at a time works it.
type lite struct {
	db, read *sql.DB
	commits  commits
	flushes  flushes
	path     string
	file     os.FileInfo // at the path when it was opened
	log      *slog.Logger
	call     atomic.Pointer[func()] // what wake calls
	held     sync.Map               // what somebody is alone with, by key
}

func openLite(ctx context.Context, cfg Config) (*Store, error) {
	path, err := filepath.Abs(cfg.Database)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", cfg.Database, err)
	}
	if err := usable(path); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	db, err := sql.Open("sqlite", source(path, "immediate"))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	// SQLite has one writer. With one connection, callers queue here in order
	// instead of polling the file's lock.
	db.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", source(path, "deferred", "query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.Close())
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	e := &lite{db: db, read: read, path: path, log: cfg.Log}
	if err = e.connect(ctx); err == nil {
		err = e.claim(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, e.explain(err)), e.close())
	}
	if e.file, err = os.Stat(path); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), e.close())
	}
	return &Store{db: db, read: read, engine: e, name: path, log: cfg.Log}, nil
}

func (s *lite) dialect() goose.Dialect              { return goose.DialectSQLite3 }
func (s *lite) driver() riverdriver.Driver[*sql.Tx] { return riversqlite.New(s.db) }
func (s *lite) close() error                        { return errors.Join(s.read.Close(), s.db.Close()) }

func (s *lite) worker(cfg *river.Config) (worker, error) {
	cfg.FetchPollInterval = cfg.FetchCooldown // SQLite notifies nobody
	return river.NewClient(riversqlite.New(s.db), cfg)
}

func (s *lite) tables(ctx context.Context, names ...string) (n int, err error) {
	for _, name := range names {
		var one int
		if err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE name = $1`, name).Scan(&one); err != nil {
			return 0, err
		}
		n += one
	}
	return n, nil
}

func (s *lite) migrating(ctx context.Context) (func() error, error) {
	held, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	return held.Close, nil
}

func (s *lite) work(ctx context.Context) (func() error, error) {
	held, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { s.checkpoints(ctx) })
	return func() error {
		stop()
		wg.Wait()
		return held.Close()
	}, nil
}

func (s *lite) statement(ctx context.Context, make func() (query string, args []any)) (rows int64, err error) {
	err = s.hasty(ctx, func(tx *sql.Tx) error {
		query, args := make()
		rows, err = affected(tx.ExecContext(ctx, query, args...))
		return err
	})
	return rows, err
}

// hold has nothing to do: whoever writes is alone.
func (s *lite) hold(context.Context, *sql.Tx, string, ...any) error { return nil }

// lead is for whoever works, who is alone.
func (s *lite) lead(ctx context.Context, do func(ctx context.Context) error) error { return do(ctx) }

// own is a matter of this process: no other works the file.
func (s *lite) own(ctx context.Context, key string) (context.Context, func(), error) {
	if _, held := s.held.LoadOrStore(key, true); held {
		return nil, nil, errBusy
	}
	return ctx, func() { s.held.Delete(key) }, nil
}

func (s *lite) wake() {
	if call := s.call.Load(); call != nil {
		(*call)()
	}
}

func (s *lite) woken(call func()) { s.call.Store(&call) }

// source is the driver's name for a file. synchronous(NORMAL): a commit does not
// wait for the disk, which the others that write would wait for; write does, after it.
func source(path, txlock string, more ...string) string {
	q := url.Values{
		// No connection makes a file where the one that was there is gone: the log of the
		// one would be brought into the other.
		"mode":    {"rw"},
		"_txlock": {txlock},
		"_pragma": append([]string{"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)"}, more...),
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// there finds a file that was removed or replaced: SQLite would go on writing into
// what nobody will ever open again.
func (s *lite) there() error {
	now, err := os.Stat(s.path)
	if err == nil && !os.SameFile(now, s.file) {
		err = errors.New("another file is in its place")
	}
	if err != nil {
		return fmt.Errorf("the database file was taken away while it is open: %w; put it back or restore a backup, and start again", err)
	}
	return nil
}

// usable makes the file, or finds what SQLite would only call "unable to open database file".
func usable(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		dir, err := os.Stat(filepath.Dir(path))
		if err != nil || !dir.IsDir() {
			return fmt.Errorf("%s is not a directory: create it, or choose another path", filepath.Dir(path))
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644) // nothing at all is an empty database
		if err != nil {
			return fmt.Errorf("%w: give this user the right to write there", err)
		}
		return f.Close()
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("it is a directory: name a file in it, such as %s", filepath.Join(path, "ortest.db"))
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("%w: give this user the right to read and write it", err)
	}
	return f.Close()
}

// connect makes the connection. Beginning with WAL does not wait for other
// processes that open or close the file, as everything later does, so it is tried again.
func (s *lite) connect(ctx context.Context) error {
	limit := time.NewTimer(lockWait)
	defer limit.Stop()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		err := s.db.PingContext(ctx)
		var coded *sqlite.Error
		if !errors.As(err, &coded) || coded.Code()&primaryCode != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return err
		case <-retry.C:
		}
	}
}

// claim marks an empty database as ours and refuses another program's.
func (s *lite) claim(ctx context.Context) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		var id, tables int64
		if err := tx.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
			return err
		}
		if id == applicationID {
			return nil
		}
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
			return err
		}
		if id != 0 || tables != 0 {
			return errors.New("it is another program's SQLite database: choose another path")
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
		return err
	})
}

// explain adds what to do to SQLite's codes that a person can do something about.
func (s *lite) explain(err error) error {
	var coded *sqlite.Error
	if !errors.As(err, &coded) {
		return err
	}
	switch coded.Code() & primaryCode {
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("it is not an SQLite database: choose another path, or move the file away: %w", err)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("it is damaged: restore a backup, or save what is left with the sqlite3 shell's .recover: %w", err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fmt.Errorf("file and directory must be writable: %w", err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("the disk is full: make room: %w", err)
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("another process has kept it locked: end that process: %w", err)
	}
	return err
}
