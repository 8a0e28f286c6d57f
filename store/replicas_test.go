package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/internal/postgrestest"
)

// eventually waits until is says true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(40 * time.Second)
	for !is() {
		select {
		case <-late:
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

// herd counts who drives and who leads, over all replicas.
type herd struct {
	t       *testing.T
	mu      sync.Mutex
	busy    map[string]bool
	drives  int
	leads   atomic.Int64
	leading atomic.Int64
	woken   atomic.Int64
}

func (h *herd) handlers(s *Store) Handlers {
	return Handlers{
		Delivery: func(ctx context.Context, guid string) error { return s.FinishDelivery(ctx, guid, "done") },
		Answers:  func(context.Context) error { return nil },
		Drive: func(ctx context.Context, run string) error {
			h.mu.Lock()
			if h.busy[run] {
				h.t.Errorf("run %s is driven twice at once", run)
			}
			h.busy[run] = true
			h.drives++
			h.mu.Unlock()
			defer func() {
				h.mu.Lock()
				defer h.mu.Unlock()
				h.busy[run] = false
			}()
			_, err := s.Metas(ctx, run)
			return err
		},
		Alone: func(ctx context.Context) error {
			if h.leading.Add(1) > 1 {
				h.t.Error("two lead at once")
			}
			h.leads.Add(1)
			<-ctx.Done()
			h.leading.Add(-1)
			return nil
		},
		Woken: func() { h.woken.Add(1) },
	}
}

// TestReplicasShareTheWork has three work one database: a run is driven by one at
// a time, one leads, and when it loses its connection another does.
func TestReplicasShareTheWork(t *testing.T) {
	ctx, name := t.Context(), onPostgres.name(t)
	h := &herd{t: t, busy: make(map[string]bool)}
	var all []*Store
	for range 3 {
		s := open(t, name)
		all = append(all, s)
		work(t, s, h.handlers(s))
	}
	var wg sync.WaitGroup
	const runs, entries, deliveries = 4, 30, 200
	for i := range runs {
		r := add(t, all[i%3], aRun(int64(i+1)))
		wg.Go(func() {
			for seq := range entries {
				if err := all[seq%3].AddEntry(ctx, r.ID, bot.StoredEntry{Piece: "p1", Attempt: 1, Seq: seq, Meta: []byte(`{}`)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range deliveries {
		wg.Go(func() {
			if _, err := all[i%3].AddDelivery(ctx, bot.Delivery{GUID: fmt.Sprint("g", i/2), Event: "ping", ReceivedAt: time.Now()}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	open := func() (n int) {
		if err := all[0].read.QueryRowContext(ctx, `SELECT count(*) FROM deliveries WHERE outcome = ''`).Scan(&n); err != nil {
			t.Error(err)
		}
		return n
	}
	eventually(t, "every delivery is processed", func() bool { return open() == 0 })
	eventually(t, "one leads", func() bool { return h.leading.Load() == 1 })
	before := h.woken.Load()
	for _, s := range all {
		s.Wake()
	}
	eventually(t, "whoever leads is woken", func() bool { return h.woken.Load() > before })

	leads := h.leads.Load()
	const end = `SELECT pg_terminate_backend(pid) FROM pg_locks
		WHERE locktype = 'advisory' AND (classid::bigint << 32 | objid::bigint) = hashtextextended(current_schema() || ' ortest lead', 0)`
	if _, err := all[0].db.ExecContext(ctx, end); err != nil { // once: the next one waits a moment before it leads
		t.Fatal(err)
	}
	eventually(t, "another leads", func() bool { return h.leads.Load() > leads && h.leading.Load() == 1 })
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.drives < runs {
		t.Errorf("%d drives of %d runs", h.drives, runs)
	}
}

// TestPostgresMayBeAway ends the server under a replica that works: what comes
// meanwhile is refused, and when it is back everything goes on.
func TestPostgresMayBeAway(t *testing.T) {
	t.Parallel()
	c, err := postgrestest.Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx := t.Context()
	s := must[*Store](t)(Open(ctx, Config{Database: c.URL(url.Values{}), Log: slog.New(slog.NewTextHandler(t.Output(), nil))}))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &herd{t: t, busy: make(map[string]bool)}
	work(t, s, h.handlers(s))
	must[bool](t)(s.AddDelivery(ctx, bot.Delivery{GUID: "before", Event: "ping", ReceivedAt: time.Now()}))
	eventually(t, "it leads", func() bool { return h.leading.Load() == 1 })
	if err := c.Down(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddDelivery(ctx, bot.Delivery{GUID: "meanwhile", Event: "ping", ReceivedAt: time.Now()}); err == nil {
		t.Error("a delivery is stored without a database")
	}
	eventually(t, "it leads no more", func() bool { return h.leading.Load() == 0 })
	if err := c.Up(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "deliveries are taken again", func() bool {
		_, err := s.AddDelivery(ctx, bot.Delivery{GUID: "after", Event: "ping", ReceivedAt: time.Now()})
		return err == nil
	})
	for _, guid := range []string{"before", "after"} {
		eventually(t, guid+" is processed", func() bool {
			d, err := s.Delivery(ctx, guid)
			return err == nil && d.Outcome == "done"
		})
	}
	eventually(t, "it leads again", func() bool { return h.leading.Load() == 1 })
}

// TestTooManyWaitingAreRefusedAtOnce fills the intake while the database is held.
func TestTooManyWaitingAreRefusedAtOnce(t *testing.T) {
	s, ctx := onSQLite.fresh(t), t.Context()
	held, err := s.db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var refused atomic.Int64
	for i := range mostWaiting + mostAtOnce + 50 {
		wg.Go(func() {
			_, err := s.AddDelivery(ctx, bot.Delivery{GUID: fmt.Sprint("g", i), Event: "ping", ReceivedAt: time.Now()})
			switch {
			case errors.Is(err, ErrBusy):
				refused.Add(1)
			case err != nil:
				t.Error(err)
			}
		})
	}
	eventually(t, "some are refused", func() bool { return refused.Load() >= 50 })
	if err := held.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	var stored int64
	if err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM deliveries`).Scan(&stored); err != nil || stored+refused.Load() != mostWaiting+mostAtOnce+50 {
		t.Errorf("%d stored and %d refused, %v", stored, refused.Load(), err)
	}
}

// TestAnOlderProgramBesideANewerSchema works while the schema lets it, and stops when it does not.
func TestAnOlderProgramBesideANewerSchema(t *testing.T) {
	onBoth(t, testAnOlderProgramBesideANewerSchema)
}

func testAnOlderProgramBesideANewerSchema(t *testing.T, db database) {
	ctx, name := t.Context(), db.name(t)
	s := open(t, name)
	over := make(chan error, 1)
	h := &herd{t: t, busy: make(map[string]bool)}
	go func() { over <- s.Work(ctx, h.handlers(s)) }()
	eventually(t, "it leads", func() bool { return h.leading.Load() == 1 })
	newer := func(statement string) {
		t.Helper()
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	newer(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)`)
	add(t, open(t, name), aRun(1)) // a schema that was added to
	newer(`UPDATE compatible SET since = 999`)
	select {
	case err := <-over:
		wantErr(t, "what works ends", err, errNewer)
	case <-time.After(30 * time.Second):
		t.Error("it works on")
	}
	if _, err := Open(ctx, Config{Database: name, Log: s.log}); !errors.Is(err, errNewer) {
		t.Errorf("it opens: %v", err)
	}
}

// TestAFullDiskIsSaidAndGotOver lets the file grow no more for a while.
func TestAFullDiskIsSaidAndGotOver(t *testing.T) {
	s, ctx := onSQLite.fresh(t), t.Context()
	pages := func(most int) {
		t.Helper()
		if _, err := s.db.ExecContext(ctx, fmt.Sprintf(`PRAGMA max_page_count = %d`, most)); err != nil {
			t.Fatal(err)
		}
	}
	pages(1) // what it has already
	big := bot.Delivery{GUID: "g1", Event: "push", Payload: make([]byte, 1<<20)}
	if _, err := s.AddDelivery(ctx, big); err == nil || !strings.Contains(err.Error(), "make room") {
		t.Errorf("a full disk says %v", err)
	}
	pages(1 << 30)
	must[bool](t)(s.AddDelivery(ctx, big))
	if err := s.Ready(ctx); err != nil {
		t.Error(err)
	}
}

func TestAFileThatIsTakenAwayEndsTheWork(t *testing.T) {
	t.Parallel()
	ctx, name := t.Context(), onSQLite.name(t)
	s := open(t, name)
	over := make(chan error, 1)
	h := &herd{t: t, busy: make(map[string]bool)}
	go func() { over <- s.Work(ctx, h.handlers(s)) }()
	eventually(t, "it leads", func() bool { return h.leading.Load() == 1 })
	if err := os.Rename(name, name+".away"); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(ctx); err == nil || !strings.Contains(err.Error(), "taken away") {
		t.Errorf("it is ready: %v", err)
	}
	if err := <-over; err == nil || !strings.Contains(err.Error(), "taken away") {
		t.Errorf("the work ended with %v", err)
	}
}
