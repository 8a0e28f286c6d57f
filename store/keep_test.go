package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/runnerfleet"
)

func TestWhatIsOverIsForgottenInTime(t *testing.T) { onBoth(t, testWhatIsOverIsForgottenInTime) }

func testWhatIsOverIsForgottenInTime(t *testing.T, db database) {
	for _, tt := range []struct {
		name      string
		keep      Keep
		age       time.Duration
		closed    bool
		run, logs bool // are left
	}{
		{"for ever", Keep{}, 1000 * time.Hour, true, true, true},
		{"its logs, exactly at their limit, stay", Keep{Logs: time.Hour, Runs: 2 * time.Hour}, time.Hour, true, true, true},
		{"its logs go before its results", Keep{Logs: time.Hour, Runs: 2 * time.Hour}, time.Hour + time.Microsecond, true, true, false},
		{"a run, exactly at its limit, stays", Keep{Logs: time.Hour, Runs: 2 * time.Hour}, 2 * time.Hour, true, true, false},
		{"a run goes with all that it has", Keep{Runs: 2 * time.Hour}, 2*time.Hour + time.Microsecond, true, false, false},
		{"a run that lives is never too old", Keep{Logs: time.Hour, Runs: time.Hour}, 1000 * time.Hour, false, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, s := t.Context(), db.fresh(t)
			s.keep = tt.keep
			id := old(t, s, 7, tt.closed)
			if _, err := s.forget(ctx, noon.Add(tt.age)); err != nil {
				t.Fatal(err)
			}
			_, err := s.Run(ctx, id)
			check(t, "the run is left", !errors.Is(err, bot.ErrNotFound), tt.run)
			check(t, "its logs are left", len(must[[]bot.StoredEntry](t)(s.Entries(ctx, id, "p1"))) > 0, tt.logs)
			check(t, "its result is left", len(must[map[string][]byte](t)(results(ctx, s, id))) > 0, tt.run)
			_, err = s.Instance(ctx, id+"-b0-a1")
			check(t, "its instance is left", !errors.Is(err, runnerfleet.ErrNotFound), tt.run)
			lines := must[map[int]string](t)(s.Commands(ctx, hello, "", 7))
			check(t, "its command is known", len(lines), 1)
			_, err = s.AddRun(ctx, aRun(7))
			wantErr(t, "its command again", err, bot.ErrSeen)
		})
	}
}

// old stores a run as of noon, with something of everything.
func old(t *testing.T, s *Store, comment int64, closed bool) (id string) {
	t.Helper()
	ctx := t.Context()
	r := add(t, s, aRun(comment))
	err := errors.Join(
		s.AddEntry(ctx, r.ID, bot.StoredEntry{Piece: "p1", Attempt: 1, Meta: []byte(`{}`), Log: []byte("ok 1\n")}),
		s.PutResult(ctx, r.ID, "tv-hello", []byte(`{}`)),
		s.AddInstance(ctx, runnerfleet.Instance{ID: r.ID + "-b0-a1", Bucket: r.ID + "/b0", State: runnerfleet.Gone}),
	)
	if closed {
		_, uerr := s.UpdateRun(ctx, r.ID, func(r *bot.Run) bool { r.State = bot.Closed; return true })
		err = errors.Join(err, uerr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

func results(ctx context.Context, s *Store, id string) (map[string][]byte, error) {
	all, err := s.Results(ctx, id)
	raw := make(map[string][]byte)
	for goal, r := range all {
		raw[goal] = r
	}
	return raw, err
}

func TestManyRunsAreForgottenALittleAtATime(t *testing.T) {
	onBoth(t, testManyRunsAreForgottenALittleAtATime)
}

func testManyRunsAreForgottenALittleAtATime(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	s.keep = Keep{Runs: time.Hour}
	for n := range forgottenAtOnce + 1 {
		old(t, s, int64(n+1), true)
	}
	for _, left := range []int{1, 0} {
		more, err := s.forget(ctx, noon.Add(2*time.Hour))
		if err != nil || more != (left > 0) {
			t.Errorf("more %v, error %v", more, err)
		}
		check(t, "runs left", len(must[[]bot.Run](t)(s.RecentRuns(ctx, 100))), left)
	}
}

func TestOldAnswersAndHeadsAreForgotten(t *testing.T) { onBoth(t, testOldAnswersAndHeadsAreForgotten) }

func testOldAnswersAndHeadsAreForgotten(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	s.keep = Keep{Runs: time.Hour}
	for n, a := range []bot.Answer{{Posted: 5, At: noon}, {Posted: 0, At: noon}, {Posted: 6, At: noon.Add(time.Hour)}} {
		a.Repo, a.Pull, a.Comment = hello, 1, int64(n+1)
		if err := s.AddAnswer(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 3 {
		if err := s.AddHead(ctx, hello, 1, bot.Head{SHA: fmt.Sprint(n), At: noon.Add(time.Duration(n) * time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	must[bool](t)(s.forget(ctx, noon.Add(2*time.Hour)))
	var left []int64
	for _, a := range must[[]bot.Answer](t)(s.Answers(ctx, hello, 1)) {
		left = append(left, a.Comment)
	}
	check(t, "answers left: the new one and the one that is owed", left, []int64{3, 2})
	check(t, "the last head", must[bot.Head](t)(s.HeadAt(ctx, hello, 1, noon.Add(time.Hour), "")).SHA, "2")
	_, err := s.HeadAt(ctx, hello, 1, noon.Add(time.Minute), "")
	wantErr(t, "the heads before", err, bot.ErrNotFound)
}

func TestADeliveryOfAClockThatWasAheadIsOpen(t *testing.T) {
	onBoth(t, testADeliveryOfAClockThatWasAheadIsOpen)
}

func testADeliveryOfAClockThatWasAheadIsOpen(t *testing.T, db database) {
	ctx, s, now := t.Context(), db.fresh(t), time.Now()
	for guid, at := range map[string]time.Duration{"ahead": time.Hour, "young": -time.Second, "old": -time.Hour} {
		must[bool](t)(s.AddDelivery(ctx, bot.Delivery{GUID: guid, Event: "ping", ReceivedAt: now.Add(at)}))
	}
	var open []string
	err := s.write(ctx, func(tx *sql.Tx) (err error) {
		open, err = s.openDeliveries(ctx, tx, now.Add(-time.Minute))
		return err
	})
	wantErr(t, "looking", err, nil)
	check(t, "those that are open long enough", open, []string{"old", "ahead"})
}
