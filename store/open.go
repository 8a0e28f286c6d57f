package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/riverqueue/river"
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

// Open opens the database, creating or migrating it as needed. It waits for
// another process that is migrating, but not for one that works: a database
// that needs migrating while a server of an older version runs is an error.
// Every error says which file it is about and what to do.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", cfg.Path, err)
	}
	if err := usable(path); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	db, err := sql.Open("sqlite", source(path))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	// SQLite has one writer. With one connection, callers queue here in order
	// instead of polling the file's lock.
	db.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", source(path, "query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.Close())
	}
	read.SetMaxOpenConns(readers)
	s := &Store{db: db, read: read, path: path, log: cfg.Log}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, explain(err)), read.Close(), db.Close())
	}
	return s, nil
}

// source is the driver's name for a file. synchronous(FULL): what was
// answered with 202 outlives the machine's power, not only the process.
func source(path string, more ...string) string {
	q := url.Values{
		"_txlock": {"immediate"},
		"_pragma": append([]string{"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}, more...),
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// usable finds what SQLite would only call "unable to open database file".
func usable(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		dir, err := os.Stat(filepath.Dir(path))
		if err != nil || !dir.IsDir() {
			return fmt.Errorf("%s is not a directory: create it, or choose another path", filepath.Dir(path))
		}
		return nil
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
func (s *Store) connect(ctx context.Context) error {
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

func (s *Store) prepare(ctx context.Context) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	if err := s.claim(ctx); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	jobs, err := river.NewClient(riversqlite.New(s.db), &river.Config{Logger: quiet(s.log)})
	if err != nil {
		return fmt.Errorf("prepare jobs: %w", err)
	}
	s.jobs = jobs
	return nil
}

// claim marks an empty database as ours and refuses another program's.
func (s *Store) claim(ctx context.Context) error {
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
func explain(err error) error {
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
