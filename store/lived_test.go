package store

import (
	"testing"
	"time"
)

func TestLived(t *testing.T) { onBoth(t, testLived) }

func testLived(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	add(t, s, aRun(1))
	add(t, s, aRun(2))
	for _, in := range []struct {
		id, bucket      string
		launched, ended time.Duration // after noon; below 0: never
	}{
		{"i1", "1/b0", 0, 10 * time.Minute},
		{"i2", "1/b1", 5 * time.Minute, -1},
		{"i3", "2/b0", -1, 30 * time.Minute},                     // never launched
		{"i4", "2/b1", -2 * time.Hour, 0},                        // before
		{"i5", "canary-x64", 0, time.Hour},                       // of no run
		{"i6", "2/b2", time.Minute, time.Minute - 1*time.Second}, // clocks differ
	} {
		one := anInstance(in.id, in.bucket, 0)
		if in.launched != -1 {
			one.LaunchedAt = noon.Add(in.launched)
		}
		if in.ended != -1 {
			one.EndedAt = noon.Add(in.ended)
		}
		if err := s.AddInstance(ctx, one); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Lived(ctx, noon, noon.Add(time.Hour))
	if err != nil || len(got) != 2 || got["1"] != 65*time.Minute || got["2"] != 0 {
		t.Errorf("lived %v, %v; want 65 minutes for run 1, one that ended and one that lives", got, err)
	}
}
