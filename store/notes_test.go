package store

import (
	"testing"
	"time"
)

func TestNotes(t *testing.T) { onBoth(t, testNotes) }

func testNotes(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	at := time.Now().Truncate(time.Microsecond)
	for word, until := range map[string]time.Time{"b": at.Add(time.Hour), "a": at.Add(2 * time.Hour)} {
		if err := s.Note(ctx, word, until); err != nil {
			t.Fatal(err)
		}
	}
	for _, sooner := range []time.Duration{time.Minute, time.Hour} {
		if err := s.Note(ctx, "a", at.Add(sooner)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		at   time.Time
		want []string
	}{
		{"all that is noted, in order", at, []string{"a", "b"}},
		{"just before its time is over", at.Add(time.Hour - time.Microsecond), []string{"a", "b"}},
		{"its time is over; a sooner end has not shortened the other's", at.Add(time.Hour), []string{"a"}},
		{"all are over", at.Add(2 * time.Hour), nil},
	} {
		check(t, tt.name, must[[]string](t)(s.Noted(ctx, tt.at)), tt.want)
	}
}
