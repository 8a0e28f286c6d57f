package github

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// book is a ledger that two processes have.
type book struct {
	at     []time.Time
	points []time.Time
	asked  int // how often for points
	away   error
}

func (b *book) Created(_ context.Context, _ int64, since time.Time) (all []time.Time, err error) {
	for _, at := range b.at {
		if at.After(since) {
			all = append(all, at)
		}
	}
	return all, b.away
}

func (b *book) Create(_ context.Context, _ int64, at time.Time) error {
	if b.away == nil {
		b.at = append(b.at, at)
	}
	return b.away
}

func (b *book) Spent(_ context.Context, _ int64, since time.Time) (all []time.Time, err error) {
	b.asked++
	for _, at := range b.points {
		if at.After(since) {
			all = append(all, at)
		}
	}
	return all, b.away
}

func (b *book) Spend(_ context.Context, _ int64, points int, at time.Time) error {
	if b.away == nil {
		b.points = append(b.points, slices.Repeat([]time.Time{at}, points)...)
		slices.SortFunc(b.points, time.Time.Compare)
	}
	return b.away
}

func TestReplicasShareThePoints(t *testing.T) {
	start := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	read := httptest.NewRequestWithContext(inLane(t.Context(), acks), http.MethodGet, "/x", http.NoBody)
	sweep := httptest.NewRequestWithContext(inLane(t.Context(), cosmetics), http.MethodGet, "/x", http.NoBody)
	write := httptest.NewRequestWithContext(inLane(t.Context(), acks), http.MethodPatch, "/x", http.NoBody)
	for _, tt := range []struct {
		name  string
		away  error
		reads int // by one replica, at the start
		after time.Duration
		req   *http.Request
		wait  time.Duration // of the other's next
	}{
		{name: "834 leave a whole purse", reads: 834, req: read},
		{name: "849 leave one", reads: 849, req: read},
		{name: "849 leave no write: the first points are free a minute after they are spent at the latest", reads: 849, req: write, wait: time.Minute + purseFor - 10*time.Second, after: 10 * time.Second},
		{name: "850 leave none; the last of them were set aside one by one, for at once", reads: 850, after: 20 * time.Second, req: read, wait: 40 * time.Second},
		{name: "after exactly that time there are some", reads: 850, after: time.Minute + purseFor, req: read},
		{name: "a third is kept from sweeps", reads: 567, after: 20 * time.Second, req: sweep, wait: 40*time.Second + purseFor},
		{name: "and from nothing else", reads: 567, after: 20 * time.Second, req: read},
		{name: "without the ledger each has all", reads: 850, away: errors.New("away"), after: time.Second, req: read},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &book{away: tt.away}
			one, other := newTransport(nil, slog.New(slog.DiscardHandler)), newTransport(nil, slog.New(slog.DiscardHandler))
			one.ledger, other.ledger = b, b
			for i := range tt.reads {
				if wait, err := one.reserve(read, start); wait != 0 || err != nil {
					t.Fatalf("read %d waits %v, %v", i, wait, err)
				}
			}
			if asked := (tt.reads + purseOf - 1) / purseOf; tt.away == nil && b.asked > asked+purseOf {
				t.Errorf("%d reads asked %d times", tt.reads, b.asked)
			}
			wait, err := other.reserve(tt.req, start.Add(tt.after))
			if wait != tt.wait || err != nil {
				t.Errorf("waits %v, %v; want %v", wait, err, tt.wait)
			}
		})
	}
}

// TestManyReplicasStayBelowGitHubsPoints lets three read as much as they may, and counts
// what GitHub sees in any minute.
func TestManyReplicasStayBelowGitHubsPoints(t *testing.T) {
	start := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	b := new(book)
	read := httptest.NewRequestWithContext(inLane(t.Context(), acks), http.MethodGet, "/x", http.NoBody)
	var all [3]*transport
	var free [3]time.Time
	for i := range all {
		all[i] = newTransport(nil, slog.New(slog.DiscardHandler))
		all[i].ledger, free[i] = b, start
	}
	var sent []time.Time
	for now := start; now.Before(start.Add(5 * time.Minute)); now = now.Add(20 * time.Millisecond) {
		for i, one := range all {
			if free[i].After(now) {
				continue
			}
			if wait, err := one.reserve(read, now); err == nil {
				free[i] = now.Add(wait)
				sent = append(sent, free[i])
			}
		}
	}
	slices.SortFunc(sent, time.Time.Compare)
	most := 0
	for i := range sent {
		n, _ := slices.BinarySearchFunc(sent, sent[i].Add(time.Minute), time.Time.Compare)
		most = max(most, n-i)
	}
	if most > 850+3*purseOf || len(sent) < 5*700 {
		t.Errorf("%d reads, and %d in a minute", len(sent), most)
	}
	t.Logf("%d reads in five minutes, at most %d in one; the ledger was asked %d times", len(sent), most, b.asked)
}

func TestReplicasShareTheLimitsOfContent(t *testing.T) {
	start := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	create := httptest.NewRequestWithContext(inLane(t.Context(), acks), http.MethodPost, "/repos/o/n/issues/1/comments", http.NoBody)
	read := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x", http.NoBody)
	for _, tt := range []struct {
		name  string
		away  error
		made  int // by one replica
		after time.Duration
		wait  time.Duration // of the other's next
		err   error
	}{
		{name: "74 of a minute leave one", made: 74},
		{name: "75 of a minute leave none", made: 75, after: 20 * time.Second, wait: 40 * time.Second},
		{name: "after exactly a minute there are places", made: 75, after: time.Minute},
		{name: "480 of an hour leave none, also to one that begins now", made: 480, after: 20 * time.Minute, wait: 40 * time.Minute, err: errBudget},
		{name: "without the ledger each has all places", made: 75, away: errors.New("away"), after: time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &book{away: tt.away}
			one, other := newTransport(nil, slog.New(slog.DiscardHandler)), newTransport(nil, slog.New(slog.DiscardHandler))
			one.ledger, other.ledger = b, b
			for i := range tt.made {
				if tt.made > 75 {
					b.at = append(b.at, start) // as if over the hour
				} else if wait, err := one.reserve(create, start); wait != 0 || err != nil {
					t.Fatalf("creation %d waits %v, %v", i, wait, err)
				}
			}
			wait, err := other.reserve(create, start.Add(tt.after))
			if wait != tt.wait || !errors.Is(err, tt.err) {
				t.Errorf("waits %v, %v; want %v, %v", wait, err, tt.wait, tt.err)
			}
			if wait, err := other.reserve(read, start.Add(tt.after)); wait != 0 || err != nil {
				t.Errorf("a read waits %v, %v", wait, err)
			}
		})
	}
}
