package store

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/internal/postgrestest"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/runnerfleet"
)

var (
	_ bot.Store         = (*Store)(nil)
	_ runnerfleet.Store = (*Store)(nil)
)

// noon has no part below a second, as GitHub's times.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

var hello = bot.Repo{Installation: 7, Owner: "ortest-examples", Name: "hello"}

func open(t testing.TB, name string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Database: name, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// database is a kind of database.
type database string

const (
	onSQLite   database = "SQLite"
	onPostgres database = "PostgreSQL"
)

// onBoth runs a test over each kind.
func onBoth(t *testing.T, test func(t *testing.T, db database)) {
	t.Parallel() // they wait more than they work
	for _, db := range []database{onSQLite, onPostgres} {
		t.Run(string(db), func(t *testing.T) {
			t.Parallel()
			test(t, db)
		})
	}
}

// cluster is the server of all tests, started by the first that needs it.
var cluster = sync.OnceValues(func() (*postgrestest.Cluster, error) { return postgrestest.Start("fsync=off") })

// name returns a new database's.
func (db database) name(t testing.TB) string {
	t.Helper()
	if db == onSQLite {
		return filepath.Join(t.TempDir(), "ortest.db")
	}
	c, err := cluster()
	if err != nil {
		t.Fatal(err)
	}
	url, err := c.Database()
	if err != nil {
		t.Fatal(err)
	}
	return url
}

func (db database) fresh(t testing.TB) *Store {
	t.Helper()
	return open(t, db.name(t))
}

// aRun is a run of the first command of a comment.
func aRun(comment int64) bot.Run {
	return bot.Run{
		Repo: hello, Pull: 1, Head: "4b825dc642cb6eb9a060e54bf8d69288fbee4904", Base: "main", Comment: comment,
		Text: "/ortest hello", Author: "maintainer", State: bot.Accepted, CreatedAt: noon, Deadline: noon.Add(time.Hour),
		Plan:   plan.Plan{Limit: time.Hour, Buckets: []plan.Bucket{{Pieces: []plan.Piece{{Goal: plan.Goal{Mode: "tv", Project: "hello"}, Part: 1, Parts: 1}}}}},
		Pieces: []bot.Piece{{ID: "p1", State: bot.Waiting, Attempt: 1, Piece: plan.Piece{Goal: plan.Goal{Mode: "tv", Project: "hello"}, Part: 1, Parts: 1}}},
	}
}

func add(t testing.TB, s *Store, r bot.Run) bot.Run {
	t.Helper()
	r, err := s.AddRun(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func check(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestDeliveries(t *testing.T) { onBoth(t, testDeliveries) }

func testDeliveries(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	d := bot.Delivery{GUID: "g1", Event: "issue_comment", Payload: []byte(`{"a":"\u0000ü"}`), ReceivedAt: noon}

	check(t, "a new GUID is fresh", must[bool](t)(s.AddDelivery(ctx, d)), true)
	other := d
	other.Payload = []byte(`{}`)
	check(t, "a GUID that is not processed is fresh again", must[bool](t)(s.AddDelivery(ctx, other)), true)
	check(t, "the first payload stays", must[bot.Delivery](t)(s.Delivery(ctx, "g1")), d)

	if err := s.FinishDelivery(ctx, "g1", "run 1"); err != nil {
		t.Fatal(err)
	}
	check(t, "a processed GUID is not fresh", must[bool](t)(s.AddDelivery(ctx, d)), false)
	check(t, "the outcome is kept", must[bot.Delivery](t)(s.Delivery(ctx, "g1")).Outcome, "run 1")

	_, err := s.Delivery(ctx, "g2")
	wantErr(t, "an unknown delivery", err, bot.ErrNotFound)
	wantErr(t, "finishing an unknown delivery", s.FinishDelivery(ctx, "g2", "x"), bot.ErrNotFound)
	if err := s.FinishDelivery(ctx, "g1", ""); err == nil {
		t.Error("an empty outcome is accepted")
	}
	for _, d := range []bot.Delivery{{Event: "ping"}, {GUID: "g3"}} {
		if _, err := s.AddDelivery(ctx, d); err == nil {
			t.Errorf("a delivery without GUID or event is accepted: %+v", d)
		}
	}
}

func TestDeliveriesAreForgottenAfterTheirTimeOnceProcessed(t *testing.T) {
	onBoth(t, testDeliveriesAreForgottenAfterTheirTimeOnceProcessed)
}

func testDeliveriesAreForgottenAfterTheirTimeOnceProcessed(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	for _, d := range []bot.Delivery{
		{GUID: "old and open", Event: "e", ReceivedAt: noon.Add(-time.Microsecond)},
		{GUID: "old", Event: "e", ReceivedAt: noon.Add(-time.Microsecond)},
		{GUID: "exactly at the limit", Event: "e", ReceivedAt: noon},
	} {
		must[bool](t)(s.AddDelivery(ctx, d))
		if d.GUID != "old and open" {
			if err := s.FinishDelivery(ctx, d.GUID, "done"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.forgetDeliveries(ctx, noon); err != nil {
		t.Fatal(err)
	}
	for guid, want := range map[string]error{"old and open": nil, "old": bot.ErrNotFound, "exactly at the limit": nil} {
		_, err := s.Delivery(ctx, guid)
		wantErr(t, guid, err, want)
	}
}

func TestHeads(t *testing.T) { onBoth(t, testHeads) }

func testHeads(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	at := func(sec int) time.Time { return noon.Add(time.Duration(sec) * time.Second) }
	for _, h := range []bot.Head{{SHA: "aaa", At: at(0)}, {SHA: "ccc", At: at(20)}, {SHA: "bbb", At: at(10)}, {SHA: "aaa", At: at(0)}, {SHA: "b2", At: at(10)}} {
		if err := s.AddHead(ctx, hello, 1, h); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		at     time.Time
		rather string
		want   string
		err    error
	}{
		{name: "of two in one second, the one named", at: at(10), rather: "bbb", want: "bbb"},
		{name: "one of another second is not it", at: at(10), rather: "aaa", want: "b2"},
		{name: "before the first", at: at(-1), err: bot.ErrNotFound},
		{name: "exactly at the first", at: at(0), want: "aaa"},
		{name: "a microsecond before the second", at: at(10).Add(-time.Microsecond), want: "aaa"},
		{name: "of two in one second, the one stored last", at: at(10), want: "b2"},
		{name: "the order of storing is not the order of time", at: at(19), want: "b2"},
		{name: "after the last", at: at(1000), want: "ccc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := s.HeadAt(ctx, hello, 1, tt.at, tt.rather)
			wantErr(t, "HeadAt", err, tt.err)
			check(t, "head", got.SHA, tt.want)
		})
	}
	_, err := s.HeadAt(ctx, hello, 2, at(1000), "")
	wantErr(t, "another pull request has heads of its own", err, bot.ErrNotFound)
	upper := bot.Repo{Owner: "Ortest-Examples", Name: "HELLO"}
	check(t, "case of the repository", must[bot.Head](t)(s.HeadAt(ctx, upper, 1, at(20), "")), bot.Head{SHA: "ccc", At: at(20)})
}
