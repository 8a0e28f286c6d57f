package github

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// book is a ledger that two processes have.
type book struct {
	at   []time.Time
	away error
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
