package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/plan"
)

// goals is how many the largest request has.
const goals = 326

// BenchmarkEntryOfManyGoals stores what a piece reports of a run of every goal, and
// moves a piece: what is written is the growth of SQLite's log.
func BenchmarkEntryOfManyGoals(b *testing.B) {
	ctx, name := b.Context(), filepath.Join(b.TempDir(), "ortest.db")
	s := open(b, name)
	if _, err := s.db.ExecContext(ctx, `PRAGMA wal_autocheckpoint = 0`); err != nil {
		b.Fatal(err)
	}
	r := aRun(1)
	r.Plan.Buckets, r.Pieces = nil, nil
	for i := range goals {
		p := plan.Piece{Goal: plan.Goal{Mode: "tv", Project: fmt.Sprintf("project-%03d", i)}, Part: 1, Parts: 1}
		r.Plan.Buckets = append(r.Plan.Buckets, plan.Bucket{Pieces: []plan.Piece{p}})
		r.Pieces = append(r.Pieces, bot.Piece{ID: fmt.Sprintf("p%d", i+1), Piece: p, State: bot.Dispatched, Attempt: 1, Nonce: strings.Repeat("a", 32)})
	}
	r = add(b, s, r)
	wal := func() int64 {
		info, err := os.Stat(name + "-wal")
		if err != nil {
			b.Fatal(err)
		}
		return info.Size()
	}
	b.Run("entry", func(b *testing.B) {
		before, n := wal(), 0
		for b.Loop() {
			e := bot.StoredEntry{Piece: fmt.Sprintf("p%d", n%goals+1), Attempt: 1, Seq: n / goals, Meta: []byte(`{"seq":1,"file":{"path":"t/001.t","exit":0}}`), Log: []byte("ok 1\n")}
			if err := s.AddEntry(ctx, r.ID, e); err != nil {
				b.Fatal(err)
			}
			if err := s.drive(ctx, driveJob{Run: number(r.ID)}, Handlers{Drive: func(context.Context, string) error { return nil }}); err != nil {
				b.Fatal(err)
			}
			n++
		}
		b.ReportMetric(float64(wal()-before)/float64(n), "written-B/op")
	})
	b.Run("piece", func(b *testing.B) {
		before, n := wal(), 0
		for b.Loop() {
			_, err := s.UpdateRun(ctx, r.ID, func(r *bot.Run) bool {
				p := &r.Pieces[n%goals]
				p.Runner, p.Instance = int64(n), fmt.Sprintf("1-b%d-a1", n)
				return true
			})
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		b.ReportMetric(float64(wal()-before)/float64(n), "written-B/op")
	})
}
