package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/ortest/ortest/bot"
)

func ids(runs []bot.Run) (all []string) {
	for _, r := range runs {
		all = append(all, r.ID)
	}
	return all
}

func TestRuns(t *testing.T) { onBoth(t, testRuns) }

func testRuns(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	first := add(t, s, aRun(1))
	check(t, "the first ID", first.ID, "1")
	check(t, "a run comes back as it was stored", must[bot.Run](t)(s.Run(ctx, "1")), first)

	second := aRun(2)
	second.Pull = 2
	check(t, "the second ID", add(t, s, second).ID, "2")
	elsewhere := aRun(1)
	elsewhere.Repo = bot.Repo{Owner: "ortest-examples", Name: "tally"}
	check(t, "the same comment id of another repository is another command", add(t, s, elsewhere).ID, "3")
	again := aRun(1)
	again.Index = 1
	check(t, "the second command of a comment is another one", add(t, s, again).ID, "4")

	check(t, "runs of a pull request, newest first", ids(must[[]bot.Run](t)(s.Runs(ctx, hello, 1))), []string{"4", "1"})
	check(t, "recent runs", ids(must[[]bot.Run](t)(s.RecentRuns(ctx, 3))), []string{"4", "3", "2"})
	check(t, "no recent runs", ids(must[[]bot.Run](t)(s.RecentRuns(ctx, 0))), []string(nil))
	must[bot.Run](t)(s.UpdateRun(ctx, "3", func(r *bot.Run) bool { r.State = bot.Closed; return true }))
	check(t, "live runs, oldest first", ids(must[[]bot.Run](t)(s.LiveRuns(ctx))), []string{"1", "2", "4"})

	for _, id := range []string{"5", "", "0", "-1", "01", "x", "1 "} {
		_, err := s.Run(ctx, id)
		wantErr(t, "run "+id, err, bot.ErrNotFound)
		_, err = s.UpdateRun(ctx, id, func(*bot.Run) bool { return true })
		wantErr(t, "update of run "+id, err, bot.ErrNotFound)
	}
}

func TestACommandIsSeenOnceWhateverItBecomes(t *testing.T) {
	onBoth(t, testACommandIsSeenOnceWhateverItBecomes)
}

func testACommandIsSeenOnceWhateverItBecomes(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	add(t, s, aRun(1))
	_, err := s.AddRun(ctx, aRun(1))
	wantErr(t, "a second run", err, bot.ErrSeen)
	otherCase := aRun(1)
	otherCase.Repo.Owner = "Ortest-Examples"
	_, err = s.AddRun(ctx, otherCase)
	wantErr(t, "a second run of the repository in another case", err, bot.ErrSeen)
	wantErr(t, "an answer after a run", s.AddAnswer(ctx, bot.Answer{Repo: hello, Comment: 1}), bot.ErrSeen)

	if err := s.AddAnswer(ctx, bot.Answer{Repo: hello, Comment: 2}); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "a second answer", s.AddAnswer(ctx, bot.Answer{Repo: hello, Comment: 2}), bot.ErrSeen)
	_, err = s.AddRun(ctx, aRun(2))
	wantErr(t, "a run after an answer", err, bot.ErrSeen)
	check(t, "nothing is left of what was refused", ids(must[[]bot.Run](t)(s.RecentRuns(ctx, 9))), []string{"1"})
	check(t, "the next ID", add(t, s, aRun(3)).ID, "2")
}

func TestUpdateRun(t *testing.T) { onBoth(t, testUpdateRun) }

func testUpdateRun(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	before := add(t, s, aRun(1))
	got := must[bot.Run](t)(s.UpdateRun(ctx, "1", func(r *bot.Run) bool { r.Sticky = 5; return false }))
	check(t, "what is not wanted is not returned", got, before)
	check(t, "what is not wanted is not stored", must[bot.Run](t)(s.Run(ctx, "1")), before)

	got = must[bot.Run](t)(s.UpdateRun(ctx, "1", func(r *bot.Run) bool { r.Sticky, r.ID = 5, "7"; return true }))
	want := before
	want.Sticky = 5
	check(t, "the ID stays", got, want)
	check(t, "the change is stored", must[bot.Run](t)(s.Run(ctx, "1")), want)

	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic of a change is swallowed")
			}
		}()
		_, _ = s.UpdateRun(ctx, "1", func(r *bot.Run) bool { r.Sticky = 6; panic("change") })
	}()
	check(t, "a panic changes nothing and frees the database", must[bot.Run](t)(s.Run(ctx, "1")), want)
}

func TestTwoHandlesLoseNoUpdate(t *testing.T) { onBoth(t, testTwoHandlesLoseNoUpdate) }

func testTwoHandlesLoseNoUpdate(t *testing.T, db database) {
	ctx, name := t.Context(), db.name(t)
	one, two := open(t, name), open(t, name)
	add(t, one, aRun(1))
	const each = 40
	var wg sync.WaitGroup
	for _, s := range []*Store{one, two} {
		for range 2 {
			wg.Go(func() {
				for range each {
					if _, err := s.UpdateRun(ctx, "1", func(r *bot.Run) bool { r.Sticky++; return true }); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	check(t, "updates", must[bot.Run](t)(two.Run(ctx, "1")).Sticky, int64(4*each))
}

func TestTwoHandlesGiveACommandOneRun(t *testing.T) { onBoth(t, testTwoHandlesGiveACommandOneRun) }

func testTwoHandlesGiveACommandOneRun(t *testing.T, db database) {
	ctx, name := t.Context(), db.name(t)
	one, two := open(t, name), open(t, name)
	var mu sync.Mutex
	var got []string
	var wg sync.WaitGroup
	for i := range 20 {
		s := []*Store{one, two}[i%2]
		wg.Go(func() {
			r, err := s.AddRun(ctx, aRun(int64(i/4)))
			if err != nil && !errors.Is(err, bot.ErrSeen) {
				t.Error(err)
			}
			if err == nil {
				mu.Lock()
				got = append(got, r.ID)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(got)
	check(t, "runs of five commands, each asked for four times", got, []string{"1", "2", "3", "4", "5"})
}

func TestAnswers(t *testing.T) { onBoth(t, testAnswers) }

func testAnswers(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	a := bot.Answer{Repo: hello, Pull: 1, Comment: 2, Text: "/ortest t-helo", Author: "maintainer", Body: "Did you mean `t-hello`?"}
	b := a
	b.Comment, b.Understood = 1, true
	for _, x := range []bot.Answer{a, b} {
		if err := s.AddAnswer(ctx, x); err != nil {
			t.Fatal(err)
		}
	}
	check(t, "owed, oldest comment first", must[[]bot.Answer](t)(s.UnpostedAnswers(ctx)), []bot.Answer{b, a})
	b.Posted = 77
	if err := s.PutAnswer(ctx, b); err != nil {
		t.Fatal(err)
	}
	check(t, "a posted one is not owed", must[[]bot.Answer](t)(s.UnpostedAnswers(ctx)), []bot.Answer{a})
	a.Index = 1
	wantErr(t, "an answer that was never added", s.PutAnswer(ctx, a), bot.ErrNotFound)
}

func TestEntries(t *testing.T) { onBoth(t, testEntries) }

func testEntries(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	add(t, s, aRun(1))
	long := bytes.Repeat([]byte("ok 1 - TEST 1: hello\n\x00\xff"), 5_000)
	entry := func(attempt, seq int, log []byte) bot.StoredEntry {
		return bot.StoredEntry{Piece: "p1", Attempt: attempt, Seq: seq, Meta: json.RawMessage(`{"seq": ` + strconv.Itoa(seq) + `,  "end":{}}`), Log: log}
	}
	for _, e := range []bot.StoredEntry{entry(2, 0, []byte("b")), entry(1, 1, long), entry(1, 0, []byte("a")), entry(1, 0, []byte("other"))} {
		if err := s.AddEntry(ctx, "1", e); err != nil {
			t.Fatal(err)
		}
	}
	other := entry(1, 0, []byte("x"))
	other.Piece = "p2"
	if err := s.AddEntry(ctx, "1", other); err != nil {
		t.Fatal(err)
	}
	check(t, "by attempt and seq, the first bytes of each", must[[]bot.StoredEntry](t)(s.Entries(ctx, "1", "p1")),
		[]bot.StoredEntry{entry(1, 0, []byte("a")), entry(1, 1, long), entry(2, 0, []byte("b"))})
	check(t, "no entries", must[[]bot.StoredEntry](t)(s.Entries(ctx, "2", "p1")), []bot.StoredEntry(nil))
	wantErr(t, "an entry of a run that is not there", s.AddEntry(ctx, "2", entry(1, 0, nil)), bot.ErrNotFound)
	for _, meta := range []string{"", "{", `{} {}`, "{\"end\":\"\xff\"}"} {
		bad := entry(1, 5, nil)
		bad.Meta = json.RawMessage(meta)
		if err := s.AddEntry(ctx, "1", bad); err == nil {
			t.Errorf("an entry that is not JSON is stored: %q", meta)
		}
	}
	var size int
	if err := s.db.QueryRowContext(ctx, `SELECT length(log) FROM entries WHERE size = $1`, len(long)).Scan(&size); err != nil || size > len(long)/20 {
		t.Errorf("a log of %d bytes takes %d (%v)", len(long), size, err)
	}
}

func TestALogHasALimit(t *testing.T) { onBoth(t, testALogHasALimit) }

func testALogHasALimit(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	add(t, s, aRun(1))
	log := make([]byte, maxLog+1)
	e := bot.StoredEntry{Piece: "p1", Attempt: 1, Meta: json.RawMessage(`{}`), Log: log}
	if err := s.AddEntry(ctx, "1", e); err == nil {
		t.Error("a log of one byte more is stored")
	}
	e.Log = log[:maxLog]
	if err := s.AddEntry(ctx, "1", e); err != nil {
		t.Errorf("a log of exactly the limit: %v", err)
	}
	if got := must[[]bot.StoredEntry](t)(s.Entries(ctx, "1", "p1")); len(got[0].Log) != maxLog {
		t.Errorf("%d bytes came back", len(got[0].Log))
	}
}

func TestADamagedLogIsNoLog(t *testing.T) { onBoth(t, testADamagedLogIsNoLog) }

func testADamagedLogIsNoLog(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	add(t, s, aRun(1))
	whole, err := pack([]byte("not ok 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := pack([]byte("ok 1    \n"))
	if err != nil {
		t.Fatal(err)
	}
	longer, err := pack([]byte("not ok 1\nok 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddEntry(ctx, "1", bot.StoredEntry{Piece: "p1", Attempt: 1, Meta: json.RawMessage(`{}`), Log: []byte("not ok 1\n")}); err != nil {
		t.Fatal(err)
	}
	for name, packed := range map[string][]byte{"cut": whole[:len(whole)-9], "another one": other, "a longer one": longer, "empty": {}} {
		if _, err := s.db.ExecContext(ctx, `UPDATE entries SET log = $1`, packed); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Entries(ctx, "1", "p1"); err == nil {
			t.Errorf("%s: came back as %q", name, got[0].Log)
		}
	}
}
