package store

import (
	"testing"

	"github.com/ortest/ortest/bot"
)

// TestWhatIsRememberedOfARunIsWhatIsStored changes a run by one process and reads it by
// another, which has read it before.
func TestWhatIsRememberedOfARunIsWhatIsStored(t *testing.T) {
	onBoth(t, testWhatIsRememberedOfARunIsWhatIsStored)
}

func testWhatIsRememberedOfARunIsWhatIsStored(t *testing.T, db database) {
	ctx, name := t.Context(), db.name(t)
	one, other := open(t, name), open(t, name)
	first := aRun(1)
	first.Pieces = append(first.Pieces, first.Pieces[0], first.Pieces[0])
	for i, id := range []string{"p1", "p2", "p3"} {
		first.Pieces[i].ID, first.Pieces[i].Trouble = id, []string{"a", "b", "c"} // JSON makes room for four
	}
	r := add(t, one, first)
	read := func(s *Store) bot.Run { t.Helper(); return must[bot.Run](t)(s.Run(ctx, r.ID)) }
	check(t, "read at first", read(other).Pieces, first.Pieces)
	for range 2 { // also from memory
		mine := read(other)
		mine.Pieces[0].Trouble = append(mine.Pieces[0].Trouble, "mine")
		mine.Pieces[1].Attempt = 9
		check(t, "what a reader makes of it is its own", read(other).Pieces, first.Pieces)
		check(t, "also when another appends", append(read(other).Pieces[0].Trouble, "other")[3], "other")
		check(t, "and stays", mine.Pieces[0].Trouble[3], "mine")
	}
	change := func(do func(r *bot.Run)) bot.Run {
		t.Helper()
		return must[bot.Run](t)(one.UpdateRun(ctx, r.ID, func(r *bot.Run) bool { do(r); return true }))
	}
	want := change(func(r *bot.Run) {
		r.Pieces[1].State, r.Pieces[1].Trouble = bot.Finished, append(r.Pieces[1].Trouble, "d")
	})
	check(t, "a piece changes", read(other), want)
	check(t, "what UpdateRun returns", want.Pieces[1].Trouble, []string{"a", "b", "c", "d"})
	want = change(func(r *bot.Run) { r.Pieces = r.Pieces[:1] })
	check(t, "there are fewer", read(other), want)
	want = change(func(r *bot.Run) { r.Pieces = append(r.Pieces, first.Pieces[1]) })
	check(t, "there are more", read(other), want)
	want = change(func(r *bot.Run) { r.State = bot.Closed })
	check(t, "it is closed", read(other), want)
	check(t, "and no longer remembered", len(other.memory.runs), 0)
	for i := range mostRemembered + 1 {
		add(t, one, aRun(int64(i+2)))
	}
	check(t, "more than are remembered", len(must[[]bot.Run](t)(other.LiveRuns(ctx))), mostRemembered+1)
	check(t, "are remembered", len(other.memory.runs), mostRemembered)
}
