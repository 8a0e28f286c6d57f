package store

import (
	"testing"

	"github.com/ortest/ortest/bot"
)

func TestPiece(t *testing.T) { onBoth(t, testPiece) }

func testPiece(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	first := aRun(1)
	first.Pieces = append(first.Pieces, first.Pieces[0], first.Pieces[0])
	first.Pieces[1].ID, first.Pieces[2].ID = "p2", "p4" // the third is numbered otherwise
	r := add(t, s, first)
	for _, id := range []string{"p1", "p2", "p4"} {
		check(t, "piece "+id, must[bot.Piece](t)(s.Piece(ctx, r.ID, id)), *r.Piece(id))
	}
	for _, at := range [][2]string{{r.ID, "p3"}, {r.ID, "p9"}, {r.ID, "p0"}, {r.ID, ""}, {r.ID, "p-1"}, {"2", "p1"}, {"01", "p1"}} {
		_, err := s.Piece(ctx, at[0], at[1])
		wantErr(t, "piece "+at[1]+" of run "+at[0], err, bot.ErrNotFound)
	}
}

func TestRunOf(t *testing.T) { onBoth(t, testRunOf) }

func testRunOf(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	add(t, s, aRun(1))
	r := add(t, s, aRun(2))
	must[bot.Run](t)(s.UpdateRun(ctx, r.ID, func(r *bot.Run) bool {
		r.Dispatch = []bot.Dispatch{{Nonce: "a", WorkflowRun: 71}, {Nonce: "b"}, {Nonce: "c", WorkflowRun: 73}}
		return true
	}))
	shouted := hello
	shouted.Name = "HELLO"
	for _, id := range []int64{71, 73} {
		check(t, "its run", must[string](t)(s.RunOf(ctx, shouted, id)), r.ID)
	}
	_, err := s.RunOf(ctx, hello, 0)
	wantErr(t, "one that is not sent yet", err, bot.ErrNotFound)
	_, err = s.RunOf(ctx, bot.Repo{Owner: "o", Name: "n"}, 71)
	wantErr(t, "the same number elsewhere", err, bot.ErrNotFound)
}
