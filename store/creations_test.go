package store

import (
	"testing"
	"time"
)

func TestCreationsAreSharedAndForgotten(t *testing.T) { onBoth(t, testCreationsAreSharedAndForgotten) }

func testCreationsAreSharedAndForgotten(t *testing.T, db database) {
	ctx, name := t.Context(), db.name(t)
	one, other := open(t, name), open(t, name)
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for i, at := range []time.Time{now.Add(-time.Hour), now.Add(-time.Minute), now} {
		s := []*Store{one, other}[i%2]
		if err := s.Create(ctx, 1, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := one.Create(ctx, 2, now); err != nil {
		t.Fatal(err)
	}
	got := must[[]time.Time](t)(other.Created(ctx, 1, now.Add(-time.Hour)))
	if len(got) != 2 || !got[0].Equal(now.Add(-time.Minute)) || !got[1].Equal(now) {
		t.Errorf("after an hour ago: %v", got)
	}
	if err := one.Create(ctx, 1, now.Add(3*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := must[[]time.Time](t)(one.Created(ctx, 1, time.Time{})); len(got) != 1 {
		t.Errorf("three hours later: %v", got)
	}
}

func TestPointsAreSharedAndForgotten(t *testing.T) { onBoth(t, testPointsAreSharedAndForgotten) }

func testPointsAreSharedAndForgotten(t *testing.T, db database) {
	ctx, name := t.Context(), db.name(t)
	one, other := open(t, name), open(t, name)
	for i, at := range []time.Time{noon.Add(-time.Minute), noon, noon.Add(time.Second)} {
		if err := []*Store{one, other}[i%2].Spend(ctx, 1, i+1, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := one.Spend(ctx, 2, 7, noon); err != nil {
		t.Fatal(err)
	}
	later := noon.Add(time.Second)
	check(t, "after a minute ago", must[[]time.Time](t)(other.Spent(ctx, 1, noon.Add(-time.Minute))), []time.Time{noon, noon, later, later, later})
	if err := one.Spend(ctx, 1, 1, noon.Add(keepPoints+time.Microsecond)); err != nil {
		t.Fatal(err)
	}
	check(t, "five minutes later", len(must[[]time.Time](t)(one.Spent(ctx, 1, time.Time{}))), 3+1)
}
