package store

import (
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
)

func at(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }

func TestTheAuditLogIsOnlyAddedTo(t *testing.T) { onBoth(t, testTheAuditLogIsOnlyAddedTo) }

func testTheAuditLogIsOnlyAddedTo(t *testing.T, db database) {
	s, ctx := db.fresh(t), t.Context()
	repo := bot.Repo{Owner: "o", Name: "n"}
	for _, by := range []string{"ada", "bob"} {
		if err := s.AddApproval(ctx, repo, 1, bot.Head{SHA: "abc", At: at(1)}, by); err != nil {
			t.Fatal(err)
		}
	}
	check(t, "the first approval stays", must[string](t)(s.Approved(ctx, repo, 1, "abc")), "ada")
	check(t, "no approval", must[string](t)(s.Approved(ctx, repo, 2, "abc")), "")
	for _, sql := range []string{`DELETE FROM audit`, `UPDATE audit SET who = 'eve'`} {
		if _, err := s.db.ExecContext(ctx, sql); err == nil || !strings.Contains(err.Error(), "only added to") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	r := add(t, s, aRun(1))
	if _, err := s.UpdateRun(ctx, r.ID, func(r *bot.Run) bool { r.Cancelled, r.State = "bob", bot.Ended; return true }); err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, a := range must[[]bot.Audit](t)(s.AuditLog(ctx, 0, 100)) {
		did = append(did, a.Did+" "+a.Who)
	}
	check(t, "lines", did, []string{"approve ada", "run " + r.Author, "cancel bob", "end " + r.Author})
	check(t, "after the last", len(must[[]bot.Audit](t)(s.AuditLog(ctx, 4, 100))), 0)
}

func TestMarksAndResults(t *testing.T) { onBoth(t, testMarksAndResults) }

func testMarksAndResults(t *testing.T, db database) {
	s, ctx := db.fresh(t), t.Context()
	check(t, "no mark", must[time.Time](t)(s.Mark(ctx, "m")).IsZero(), true)
	for _, n := range []int{1, 2} {
		if err := s.SetMark(ctx, "m", at(n)); err != nil {
			t.Fatal(err)
		}
	}
	check(t, "the last mark", must[time.Time](t)(s.Mark(ctx, "m")), at(2))
	r := add(t, s, aRun(1))
	for _, doc := range []string{`{"goal":"first"}`, `{"goal":"second"}`} {
		if err := s.PutResult(ctx, r.ID, "t-a", []byte(doc)); err != nil {
			t.Fatal(err)
		}
	}
	results, err := s.Results(ctx, r.ID)
	if err != nil || len(results) != 1 || string(results["t-a"]) != `{"goal":"first"}` {
		t.Errorf("results %s, %v; want the first", results, err)
	}
}
