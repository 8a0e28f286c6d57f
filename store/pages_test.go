package store

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
)

func TestPagesGoBackwards(t *testing.T) { onBoth(t, testPagesGoBackwards) }

func testPagesGoBackwards(t *testing.T, db database) {
	s, ctx := db.fresh(t), t.Context()
	for n := range 5 {
		r := add(t, s, aRun(int64(n+1)))
		goal := []string{"t-a", "t-b"}[n%2]
		if err := s.PutResult(ctx, r.ID, goal, json.RawMessage(`{"n":"`+r.ID+`"}`)); err != nil {
			t.Fatal(err)
		}
	}
	check(t, "the newest", must[[]string](t)(s.RunIDs(ctx, "", 2)), []string{"5", "4"})
	check(t, "before the last of them", must[[]string](t)(s.RunIDs(ctx, "4", 2)), []string{"3", "2"})
	check(t, "before what is no run", len(must[[]string](t)(s.RunIDs(ctx, "x", 2))), 0)

	var seen []string
	each := func(run string, at time.Time, result json.RawMessage) error {
		seen = append(seen, run+" "+string(result))
		check(t, "when", at.IsZero(), false)
		return nil
	}
	if err := s.GoalResults(ctx, "t-a", "", 2, each); err != nil {
		t.Fatal(err)
	}
	if err := s.GoalResults(ctx, "t-a", "3", 2, each); err != nil {
		t.Fatal(err)
	}
	check(t, "results", seen, []string{`5 {"n":"5"}`, `3 {"n":"3"}`, `1 {"n":"1"}`})

	seen = nil
	err := s.Goals(ctx, func(goal, run string, n int, _ json.RawMessage) error {
		seen = append(seen, goal+" "+run)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "goals", seen, []string{"t-a 5", "t-b 4"})

	last := must[[]bot.Audit](t)(s.AuditBefore(ctx, 0, 2))
	check(t, "audit", []int64{last[0].ID, last[1].ID}, []int64{5, 4})
	check(t, "audit before", must[[]bot.Audit](t)(s.AuditBefore(ctx, 2, 9))[0].ID, int64(1))
}
