package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/runnerfleet"
)

// seed is what programs that knew a schema may have stored: each migration is run on a
// database that holds that and what the versions before could hold. BLOB(…) and LOG
// are written as each database has them.
var seed = map[database]map[int64]string{
	onSQLite: {
		1: `INSERT INTO deliveries (guid, event, payload, received_at) VALUES ('g1', 'ping', BLOB(7b7d), 1);
			INSERT INTO heads (repo, pull, sha, at) VALUES ('o/n', 1, 'abc', 1)`,
		2: `INSERT INTO runs (repo, pull, state, created_at, document) VALUES
				('o/n', 1, 'running', 1, '{"id":"1","repo":{"owner":"o","name":"n"},"state":"running","text":"/ortest","plan":{"limit":60},"pieces":[{"id":"p1","state":"waiting"},{"id":"p2","state":"finished","reason":"a\u0000b<\u003c"}],"shown":"x","dispatch":[{"nonce":"a","workflow_run":71},{"nonce":"b"}]}'),
				('o/n', 1, 'closed', 1, '{"id":"2","state":"closed"}');
			INSERT INTO commands VALUES ('o/n', 5, 0, 1), ('o/n', 6, 0, NULL);
			INSERT INTO answers VALUES ('o/n', 6, 0, 0, '{"comment":6}')`,
		3: `INSERT INTO entries VALUES (1, 'p1', 1, 0, 1, '{}', LOG)`,
		4: `INSERT INTO instances (id, bucket, run, attempt, arch, type, url, cloud_id, state, reason, owed, intended_at, launched_at, enrolled_at, seen_at, ended_at, deadline)
			VALUES ('i1', '1/b0', 1, 1, '', '', '', '', 'idle', '', 0, 1, 0, 0, 0, 0, 0)`,
		5: `UPDATE instances SET on_demand = 1, params = '{}', tries = 1, retry_at = 1`,
		6: `INSERT INTO approvals VALUES ('o/n', 1, 'abc', 'ada', 1); INSERT INTO results VALUES (1, 't-a', '{}'); INSERT INTO marks VALUES ('m', 1);
			INSERT INTO audit (at, who, did, repo, pull, run, sha, note) VALUES (1, 'ada', 'run', 'o/n', 1, '1', 'abc', '')`,
		7:  `INSERT INTO notes VALUES ('w', 4102444800000000)`,
		8:  `UPDATE instances SET taken = 1`,
		9:  ``, // what it added it has filled
		10: seedCatalogs,
		11: seedCreations,
		12: seedWorkflowRuns,
		13: seedPoints,
	},
	onPostgres: {
		9: `INSERT INTO deliveries (guid, event, payload, received_at) VALUES ('g1', 'ping', BLOB(7b7d), 1);
			INSERT INTO heads (repo, pull, sha, at) VALUES ('o/n', 1, 'abc', 1);
			INSERT INTO runs (repo, pull, state, created_at, document) VALUES
				('o/n', 1, 'running', 1, '{"id":"1","repo":{"owner":"o","name":"n"},"state":"running","text":"/ortest","shown":"x","trail":["a\u0000b"],"dispatch":[{"nonce":"a","workflow_run":71},{"nonce":"b"}]}'),
				('o/n', 1, 'closed', 1, '{"id":"2","state":"closed","dispatch":null}');
			INSERT INTO plans VALUES (1, '{"limit":60}'), (2, '{}'); INSERT INTO drives VALUES (1, 0), (2, 0);
			INSERT INTO pieces VALUES (1, 0, '{"id":"p1","state":"waiting"}'), (1, 1, '{"id":"p2","state":"finished","reason":"a\u0000b<\u003c"}');
			INSERT INTO commands VALUES ('o/n', '', 5, 0, 1, '/ortest'), ('o/n', '', 6, 0, NULL, '');
			INSERT INTO answers VALUES ('o/n', '', 6, 0, 0, 1, 0, '{"comment":6}');
			INSERT INTO entries VALUES (1, 'p1', 1, 0, 1, '{}', LOG);
			INSERT INTO instances (id, bucket, run, attempt, arch, type, url, cloud_id, state, reason, owed, intended_at, launched_at, enrolled_at, seen_at, ended_at, deadline, taken)
				VALUES ('i1', '1/b0', 1, 1, '', '', '', '', 'idle', '', 0, 1, 0, 0, 0, 0, 0, 1);
			INSERT INTO approvals VALUES ('o/n', 1, 'abc', 'ada', 1); INSERT INTO results VALUES (1, 't-a', '{}'); INSERT INTO marks VALUES ('m', 1);
			INSERT INTO audit (at, who, did, repo, pull, run, sha, note) VALUES (1, 'ada', 'run', 'o/n', 1, '1', 'abc', '');
			INSERT INTO notes VALUES ('w', 4102444800000000)`,
		10: seedCatalogs,
		11: seedCreations,
		12: seedWorkflowRuns,
		13: seedPoints,
	},
}

const (
	seedCatalogs     = `INSERT INTO catalogs VALUES ('0011223344556677', BLOB(00))`
	seedCreations    = `INSERT INTO creations VALUES (1, 1)`
	seedPoints       = `INSERT INTO points VALUES (1, 1, 2)`
	seedWorkflowRuns = `INSERT INTO workflow_runs VALUES ('o/n', 72, 2)`
)

// seedLog is the log of the stored entry.
const seedLog = "ok 1\n"

var blobs = regexp.MustCompile(`BLOB\(([0-9a-f]*)\)`)

// sql writes statements as the database has them.
func (db database) sql(t *testing.T, statements string) string {
	t.Helper()
	packed := must[[]byte](t)(pack([]byte(seedLog)))
	log := fmt.Sprintf("BLOB(%x), %d, BLOB(%x)", packed, len(seedLog), sha256.Sum256([]byte(seedLog)))
	as := `x'$1'`
	if db == onPostgres {
		as = `'\x$1'`
	}
	return blobs.ReplaceAllString(strings.ReplaceAll(statements, "LOG", log), as)
}

// leftBy makes a database as the programs up to a schema have left it, with a job in
// its queue, and returns its name. No table of it is empty.
func leftBy(t *testing.T, db database, schema int64) string {
	t.Helper()
	ctx, name := t.Context(), db.name(t)
	s := must[*Store](t)(openEngine(ctx, Config{Database: name, Log: slog.New(slog.DiscardHandler)}))
	exec := func(statements string) {
		t.Helper()
		if _, err := s.db.ExecContext(ctx, db.sql(t, statements)); err != nil {
			t.Fatalf("%s: %v", statements, err)
		}
	}
	p := must[*goose.Provider](t)(s.ourMigrations())
	for _, m := range p.ListSources() {
		if m.Version > schema {
			break
		}
		must[[]*goose.MigrationResult](t)(p.UpTo(ctx, m.Version))
		some, known := seed[db][m.Version]
		if !known {
			t.Fatalf("migration %d has no seed: add one, so that the next is tested on it", m.Version)
		}
		exec(some)
		for _, table := range tablesOf(t, s, db) {
			var n int
			if err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM `+table).Scan(&n); err != nil || n == 0 {
				t.Errorf("schema %d leaves %s with %d rows: its seed has to fill it (%v)", m.Version, table, n, err)
			}
		}
	}
	queue := must[*rivermigrate.Migrator[*sql.Tx]](t)(s.queueMigrations())
	must[*rivermigrate.MigrateResult](t)(queue.Migrate(ctx, rivermigrate.DirectionUp, nil))
	exec(`INSERT INTO river_job (kind, args, queue, max_attempts) VALUES ('drive', '{"run":1}', 'runs', 10000)`)
	if err := s.engine.close(); err != nil {
		t.Fatal(err)
	}
	return name
}

// tablesOf returns the names of our own tables.
func tablesOf(t *testing.T, s *Store, db database) []string {
	t.Helper()
	query := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	if db == onPostgres {
		query = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`
	}
	scan := func(scan func(...any) error) (name string, err error) { return name, scan(&name) }
	names := must[[]string](t)(collect(t.Context(), s.db, scan, query))
	return slices.DeleteFunc(names, func(name string) bool { return name == versionTable || strings.HasPrefix(name, "river_") })
}

// schemas returns the numbers of the migrations, and the first whose programs may work
// beside ours.
func schemas(t *testing.T, db database) (all []int64, since int64) {
	t.Helper()
	s := db.fresh(t)
	p := must[*goose.Provider](t)(s.ourMigrations())
	for _, m := range p.ListSources() {
		all = append(all, m.Version)
	}
	if err := s.read.QueryRowContext(t.Context(), `SELECT since FROM compatible`).Scan(&since); err != nil {
		t.Fatal(err)
	}
	return all, since
}

// TestMigrationsKeepWhatIsStored opens what each schema could hold, as the first
// server of this version does, and works it.
func TestMigrationsKeepWhatIsStored(t *testing.T) { onBoth(t, testMigrationsKeepWhatIsStored) }

func testMigrationsKeepWhatIsStored(t *testing.T, db database) {
	all, _ := schemas(t, db)
	for i, schema := range all {
		if testing.Short() && i < len(all)-1 {
			continue // the last goes through all of them; the race detector takes a minute for each
		}
		t.Run(fmt.Sprint("schema ", schema), func(t *testing.T) {
			t.Parallel()
			s := open(t, leftBy(t, db, schema))
			checkKept(t, s, schema)
			if schema < 2 {
				return
			}
			driven, handled := make(chan string, 100), make(chan string, 100)
			work(t, s, Handlers{
				Delivery: func(ctx context.Context, guid string) error {
					handled <- guid
					return s.FinishDelivery(ctx, guid, "done")
				},
				Answers: func(context.Context) error { return nil },
				Drive:   func(_ context.Context, run string) error { driven <- run; return nil },
			})
			check(t, "the live run is driven, not the closed one", soon(t, driven), "1")
			check(t, "the open delivery is handled", soon(t, handled), "g1")
			next := add(t, s, aRun(7))
			check(t, "the next run", next.ID, "3")
		})
	}
}

func soon(t *testing.T, c <-chan string) string {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(40 * time.Second):
		t.Fatal("never")
		return ""
	}
}

// checkKept looks for what the seeds stored.
func checkKept(t *testing.T, s *Store, schema int64) {
	t.Helper()
	ctx, repo := t.Context(), bot.Repo{Owner: "o", Name: "n"}
	check(t, "delivery", must[bot.Delivery](t)(s.Delivery(ctx, "g1")).Event, "ping")
	check(t, "head", must[bot.Head](t)(s.HeadAt(ctx, repo, 1, noon, "")).SHA, "abc")
	if schema < 2 {
		return
	}
	r := must[bot.Run](t)(s.Run(ctx, "1"))
	check(t, "run", []any{r.Text, r.Shown, r.Plan.Limit}, []any{"/ortest", "x", time.Duration(60)})
	check(t, "its pieces", r.Pieces, []bot.Piece{{ID: "p1", State: bot.Waiting}, {ID: "p2", State: bot.Finished, Reason: "a\x00b<<"}})
	check(t, "the closed run", must[bot.Run](t)(s.Run(ctx, "2")).State, bot.Closed)
	check(t, "whose a workflow run is", must[string](t)(s.RunOf(ctx, repo, 71)), "1")
	check(t, "answers", len(must[[]bot.Answer](t)(s.UnpostedAnswers(ctx))), 1)
	check(t, "command", must[map[int]string](t)(s.Commands(ctx, repo, bot.InComment, 5)), map[int]string{0: "/ortest"})
	if schema >= 3 {
		check(t, "log", string(must[[]bot.StoredEntry](t)(s.Entries(ctx, "1", "p1"))[0].Log), seedLog)
	}
	if schema >= 4 {
		in := must[runnerfleet.Instance](t)(s.Instance(ctx, "i1"))
		check(t, "instance", in.State, runnerfleet.Idle)
	}
	if schema >= 6 {
		check(t, "approval", must[string](t)(s.Approved(ctx, repo, 1, "abc")), "ada")
		check(t, "results", len(must[map[string]json.RawMessage](t)(s.Results(ctx, "1"))), 1)
		check(t, "mark", must[time.Time](t)(s.Mark(ctx, "m")).UnixMicro(), int64(1))
		check(t, "audit", must[[]bot.Audit](t)(s.AuditLog(ctx, 0, 1))[0].Who, "ada")
	}
	if schema >= 7 {
		check(t, "notes", must[[]string](t)(s.Noted(ctx, noon)), []string{"w"})
	}
	if schema >= 10 {
		check(t, "catalog", must[[]byte](t)(s.Catalog(ctx, "0011223344556677")), []byte{0})
	}
	if schema >= 11 {
		check(t, "creations", len(must[[]time.Time](t)(s.Created(ctx, 1, time.Time{}))), 1)
	}
	if schema >= 13 {
		check(t, "points", len(must[[]time.Time](t)(s.Spent(ctx, 1, time.Time{}))), 2)
	}
}

func TestEveryMigrationCanBeTakenBack(t *testing.T) { onBoth(t, testEveryMigrationCanBeTakenBack) }

func testEveryMigrationCanBeTakenBack(t *testing.T, db database) {
	ctx := t.Context()
	all, _ := schemas(t, db)
	s := open(t, leftBy(t, db, all[len(all)-1]))
	p := must[*goose.Provider](t)(s.ourMigrations())
	must[[]*goose.MigrationResult](t)(p.DownTo(ctx, 0))
	must[[]*goose.MigrationResult](t)(p.Up(ctx))
}

// older is what programs say to the database that know a schema since which ours lets
// them work beside it. It is copied from those programs and never changed: what they
// say has to work as long as compatible.since lets them.
var older = []struct {
	since      int64
	statements string
}{
	{9, `INSERT INTO deliveries (guid, event, payload, received_at) VALUES ('g2', 'ping', BLOB(7b7d), 2) ON CONFLICT (guid) DO NOTHING;
		UPDATE deliveries SET outcome = 'done' WHERE guid = 'g2';
		INSERT INTO commands (repo, place, comment, idx, line) VALUES ('o/n', '', 8, 0, '/ortest');
		INSERT INTO runs (repo, pull, state, created_at, document) VALUES ('o/n', 1, 'accepted', 2, '{}');
		INSERT INTO plans (run, document) VALUES (3, '{"limit":60}');
		INSERT INTO drives (run, queued) VALUES (3, 0);
		UPDATE commands SET run = 3 WHERE repo = 'o/n' AND place = '' AND comment = 8 AND idx = 0;
		INSERT INTO pieces (run, idx, document) VALUES (3, 0, '{"id":"p1","state":"waiting"}') ON CONFLICT (run, idx) DO UPDATE SET document = excluded.document;
		UPDATE runs SET repo = 'o/n', pull = 1, state = 'running', created_at = 2, document = '{"id":"3","repo":{"owner":"o","name":"n"},"state":"running","text":"/ortest","shown":"x","dispatch":[{"nonce":"c","workflow_run":73}]}' WHERE id = 3;
		INSERT INTO audit (at, who, did, repo, pull, run, sha, note) VALUES (2, 'ada', 'run', 'o/n', 1, '3', 'abc', '');
		UPDATE drives SET queued = 1 WHERE run = 3 AND queued = 0;
		INSERT INTO entries (run, piece, attempt, seq, received_at, meta, log, size, sha256) VALUES (3, 'p1', 1, 0, 1, '{}', LOG) ON CONFLICT (run, piece, attempt, seq) DO NOTHING;
		INSERT INTO results (run, goal, document) VALUES (3, 't-a', '{}') ON CONFLICT (run, goal) DO UPDATE SET document = excluded.document;
		INSERT INTO marks (name, at) VALUES ('m', 2) ON CONFLICT (name) DO UPDATE SET at = excluded.at;
		INSERT INTO notes (word, until) VALUES ('w2', 4102444800000000) ON CONFLICT (word) DO UPDATE SET until = excluded.until WHERE excluded.until > notes.until`},
	{10, `INSERT INTO catalogs (revision, packed) VALUES ('8899aabbccddeeff', BLOB(00)) ON CONFLICT (revision) DO NOTHING`},
	{11, `DELETE FROM creations WHERE installation = 1 AND at < 0; INSERT INTO creations (installation, at) VALUES (1, 2)`},
	{12, `INSERT INTO workflow_runs (repo, id, run) VALUES ('o/n', 74, 3) ON CONFLICT (repo, id) DO NOTHING`},
}

// TestTheVersionBeforeWorksBeside opens what an older program has left, as the first
// replica of this version does, and lets the older one go on.
func TestTheVersionBeforeWorksBeside(t *testing.T) { onBoth(t, testTheVersionBeforeWorksBeside) }

func testTheVersionBeforeWorksBeside(t *testing.T, db database) {
	all, since := schemas(t, db)
	for i, schema := range all[:len(all)-1] {
		if schema < since { // it ends with "use the newer ortest": TestAnOlderProgramBesideANewerSchema
			continue
		}
		if testing.Short() && i < len(all)-2 {
			continue
		}
		t.Run(fmt.Sprint("schema ", schema), func(t *testing.T) {
			t.Parallel()
			ctx, repo := t.Context(), bot.Repo{Owner: "o", Name: "n"}
			s := open(t, leftBy(t, db, schema))
			for _, o := range older {
				if o.since > schema {
					break
				}
				if _, err := s.db.ExecContext(ctx, db.sql(t, o.statements)); err != nil {
					t.Fatalf("what a program of schema %d says: %v", schema, err)
				}
			}
			r := must[bot.Run](t)(s.Run(ctx, "3"))
			check(t, "its run", []any{r.State, r.Plan.Limit, r.Pieces}, []any{bot.Running, time.Duration(60), []bot.Piece{{ID: "p1", State: bot.Waiting}}})
			check(t, "its log", string(must[[]bot.StoredEntry](t)(s.Entries(ctx, "3", "p1"))[0].Log), seedLog)
			_, err := s.RunOf(ctx, repo, 73)
			wantErr(t, "its workflow run, which only the poll finds", err, bot.ErrNotFound)
			must[bot.Run](t)(s.UpdateRun(ctx, "3", func(r *bot.Run) bool { r.Shown = "y"; return true }))
			check(t, "once ours has driven the run", must[string](t)(s.RunOf(ctx, repo, 73)), "3")
			check(t, "its mark", must[time.Time](t)(s.Mark(ctx, "m")).UnixMicro(), int64(2))
		})
	}
}

// TestAFileIsMigratedOnlyOnceItsServerHasLeft is SQLite's upgrade, which stops the old
// server first.
func TestAFileIsMigratedOnlyOnceItsServerHasLeft(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	all, _ := schemas(t, onSQLite)
	name := leftBy(t, onSQLite, all[len(all)-2])
	old := must[*Store](t)(openEngine(ctx, Config{Database: name, Log: slog.New(slog.DiscardHandler)}))
	release, err := old.engine.work(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, Config{Database: name, Log: old.log}); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("beside the old server: %v", err)
	}
	if err := errors.Join(release(), old.engine.close()); err != nil {
		t.Fatal(err)
	}
	checkKept(t, open(t, name), all[len(all)-2])
}
