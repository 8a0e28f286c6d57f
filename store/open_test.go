package store

import (
	"database/sql"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/ortest/ortest/bot"
)

func TestOpenSaysWhatToDo(t *testing.T) {
	sqlite := func(t *testing.T, path, statement string) {
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
	t.Run("a directory that is not there", func(t *testing.T) {
		_, err := Open(t.Context(), Config{Database: filepath.Join(t.TempDir(), "a", "ortest.db"), Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), "create it") {
			t.Errorf("got %v", err)
		}
	})
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

// Each migration is run on a database that holds what the version before it
// could hold, as a server's does.
func TestMigrationsKeepWhatIsStored(t *testing.T) {
	ctx := t.Context()
	seeds := map[int64]string{
		1: `INSERT INTO deliveries (guid, event, payload, received_at) VALUES ('g1', 'ping', x'7b7d', 1); INSERT INTO heads (repo, pull, sha, at) VALUES ('o/n', 1, 'abc', 1)`,
		2: `INSERT INTO runs (repo, pull, state, created_at, document) VALUES ('o/n', 1, 'running', 1, '{"id":"1","text":"/ortest","plan":{"limit":60},"pieces":[{"id":"p1","state":"waiting"},{"id":"p2","state":"finished","reason":"a\u0000b<\u003c"}],"shown":"x"}');
			INSERT INTO commands VALUES ('o/n', 5, 0, 1), ('o/n', 6, 0, NULL); INSERT INTO answers VALUES ('o/n', 6, 0, 0, '{"comment":6}')`,
		3: `INSERT INTO entries VALUES (1, 'p1', 1, 0, 1, '{}', x'', 0, x'')`,
		4: `INSERT INTO instances (id, bucket, run, attempt, arch, type, url, cloud_id, state, reason, owed, intended_at, launched_at, enrolled_at, seen_at, ended_at, deadline)
			VALUES ('i1', '1/b0', 1, 1, '', '', '', '', 'idle', '', 0, 1, 0, 0, 0, 0, 0)`,
		5: `UPDATE instances SET on_demand = 1, params = '{}', tries = 1, retry_at = 1`,
		6: `INSERT INTO approvals VALUES ('o/n', 1, 'abc', 'ada', 1); INSERT INTO results VALUES (1, 't-a', '{}'); INSERT INTO marks VALUES ('m', 1);
			INSERT INTO audit (at, who, did, repo, pull, run, sha, note) VALUES (1, 'ada', 'run', 'o/n', 1, '1', 'abc', '')`,
		7:  `INSERT INTO notes VALUES ('w', 1)`,
		8:  `UPDATE instances SET taken = 1`,
		9:  `INSERT INTO runs (repo, pull, state, created_at, document) VALUES ('o/n', 2, 'running', 1, '{"id":"2"}')`,
		10: `INSERT INTO catalogs VALUES ('0011223344556677', x'00')`,
		11: `INSERT INTO creations VALUES (1, 1)`,
	}
	path := filepath.Join(t.TempDir(), "ortest.db")
	db, err := sql.Open("sqlite", source(path, "immediate"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Sub(migrations, "migrations/sqlite3")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA application_id = 1869771891"); err != nil {
		t.Fatal(err)
	}
	sources := p.ListSources()
	for _, m := range sources {
		if _, err := p.UpTo(ctx, m.Version); err != nil {
			t.Fatal(err)
		}
		if seeds[m.Version] == "" {
			t.Fatalf("migration %d has no seed: add one, so that the next is tested on it", m.Version)
		}
		if _, err := db.Exec(seeds[m.Version]); err != nil {
			t.Fatalf("seed %d: %v", m.Version, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, path) // adds the job queue's own
	check(t, "delivery", must[bot.Delivery](t)(s.Delivery(ctx, "g1")).Event, "ping")
	r := must[bot.Run](t)(s.Run(ctx, "1"))
	check(t, "run", []any{r.Text, r.Shown, r.Plan.Limit}, []any{"/ortest", "x", time.Duration(60)})
	check(t, "its pieces", r.Pieces, []bot.Piece{{ID: "p1", State: bot.Waiting}, {ID: "p2", State: bot.Finished, Reason: "a\x00b<<"}})
	check(t, "answers", len(must[[]bot.Answer](t)(s.UnpostedAnswers(ctx))), 1)
	check(t, "command", must[map[int]string](t)(s.Commands(ctx, bot.Repo{Owner: "o", Name: "n"}, bot.InComment, 5)), map[int]string{0: "/ortest"})
	if in, err := s.Instance(ctx, "i1"); err != nil || in.State != "idle" {
		t.Errorf("instance %+v, %v", in, err)
	}
}

func TestEveryMigrationCanBeTakenBack(t *testing.T) {
	s := onSQLite.fresh(t)
	p, err := s.ourMigrations()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.DownTo(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
}
