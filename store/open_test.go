package store

import (
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestOpenSaysWhatToDo(t *testing.T) {
	sqlite := func(t *testing.T, path, statement string) {
		err := usable(path)
		if err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("sqlite", source(path, "immediate"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		make func(t *testing.T, path string)
		says []string
	}{
		{name: "a directory", make: func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}, says: []string{"is a directory", "name a file in it"}},
		{name: "a file of something else", make: func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, says: []string{"not an SQLite database", "choose another path"}},
		{name: "another program's database", make: func(t *testing.T, path string) {
			sqlite(t, path, `CREATE TABLE bookmarks (url TEXT)`)
		}, says: []string{"another program's", "choose another path"}},
		{name: "a newer schema", make: func(t *testing.T, path string) {
			open(t, path)
			sqlite(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1); UPDATE compatible SET since = 999`)
		}, says: []string{"schema version is for an ortest that knows 999", "use the newer ortest"}},
		{name: "a newer job queue", make: func(t *testing.T, path string) {
			open(t, path)
			sqlite(t, path, `INSERT INTO river_migration (line, version) VALUES ('main', 999)`)
		}, says: []string{"job queue is newer", "use the newer ortest"}},
		{name: "a damaged file", make: func(t *testing.T, path string) {
			open(t, path)
			sqlite(t, path, `PRAGMA wal_checkpoint(TRUNCATE)`)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := 100; i < len(b); i++ { // all but SQLite's header
				b[i] = 0xff
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}, says: []string{"damaged", "restore a backup"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ortest.db")
			tt.make(t, path)
			s, err := Open(t.Context(), Config{Database: path, Log: slog.New(slog.DiscardHandler)})
			if err == nil {
				t.Fatal("it opens", s.Close())
			}
			for _, want := range append(tt.says, path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
	t.Run("a file of passwords that is not there", func(t *testing.T) {
		_, err := Open(t.Context(), Config{Database: "postgres://ortest@127.0.0.1:1/ortest?passfile=/nowhere/pgpass", Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), "read passfile: open /nowhere/pgpass: no such file") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a directory that is not there", func(t *testing.T) {
		_, err := Open(t.Context(), Config{Database: filepath.Join(t.TempDir(), "a", "ortest.db"), Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), "create it") {
			t.Errorf("got %v", err)
		}
	})
}

// TestNothingIsMadeInThePlaceOfAFileThatWasTakenAway: the log that lies beside it would be
// brought into the new one, and the old one be damaged when it is put back.
func TestNothingIsMadeInThePlaceOfAFileThatWasTakenAway(t *testing.T) {
	path := onSQLite.name(t)
	s := open(t, path)
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	for range readers { // those beyond the ones that there are, are new
		if c, err := s.read.Conn(t.Context()); err == nil {
			t.Cleanup(func() { _ = c.Close() }) // all at once
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a file again: %v", err)
	}
}

func TestAPathMayHaveAnyCharacter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?c#d%20e&f'ü")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := open(t, filepath.Join(dir, "x.db"))
	add(t, s, aRun(1))
	if _, err := os.Stat(filepath.Join(dir, "x.db")); err != nil {
		t.Error(err)
	}
}

func TestManyProcessesMayOpenANewDatabaseAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ortest.db")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := Open(t.Context(), Config{Database: path, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
