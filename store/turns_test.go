package store

import (
	"testing"
	"time"
)

func TestTurns(t *testing.T) {
	const begin, fail, succeed = "begin", "fail", "succeed"
	type step struct {
		do    string
		job   int64
		after time.Duration // from the start
		has   bool          // the turn, or a repeat
		wait  time.Duration
	}
	ms := time.Millisecond
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{name: "one after another", steps: []step{{begin, 1, 0, true, 0}, {succeed, 1, 0, false, 0}, {begin, 2, 0, true, 0}}},
		{name: "a job that comes meanwhile means once more", steps: []step{
			{begin, 1, 0, true, 0}, {begin, 2, 0, false, 0}, {begin, 3, 0, false, 0}, {succeed, 1, 0, true, 0},
			{begin, 1, 0, true, 0}, {succeed, 1, 0, false, 0}}},
		{name: "a failed job comes back, and others leave it to that", steps: []step{
			{begin, 1, 0, true, 0}, {fail, 1, 0, true, 500 * ms},
			{begin, 2, 499 * ms, false, 0}, {begin, 1, 499 * ms, true, 0}, {succeed, 1, 499 * ms, false, 0}}},
		{name: "a failed job that does not come back stops nobody", steps: []step{
			{begin, 1, 0, true, 0}, {fail, 1, 0, true, 500 * ms}, {begin, 2, 500 * ms, true, 0}}},
		{name: "each failure in a row doubles the wait", steps: []step{
			{begin, 1, 0, true, 0}, {fail, 1, 0, true, 500 * ms}, {begin, 1, 1000 * ms, true, 0}, {fail, 1, 0, true, 1000 * ms},
			{begin, 1, 3000 * ms, true, 0}, {fail, 1, 0, true, 2000 * ms}}},
		{name: "a job that comes during a failure is part of the repeat", steps: []step{
			{begin, 1, 0, true, 0}, {begin, 2, 0, false, 0}, {fail, 1, 0, true, 500 * ms}, {begin, 1, 500 * ms, true, 0}, {succeed, 1, 500 * ms, false, 0}}},
		{name: "a success ends the row of failures", steps: []step{
			{begin, 1, 0, true, 0}, {fail, 1, 0, true, 500 * ms}, {begin, 1, 1000 * ms, true, 0}, {succeed, 1, 1000 * ms, false, 0},
			{begin, 2, 1000 * ms, true, 0}, {fail, 2, 1000 * ms, true, 500 * ms}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			turns := &turns{keys: make(map[string]*turn)}
			for i, s := range tt.steps {
				var has bool
				var wait time.Duration
				if s.do == begin {
					has = turns.begin("run 1", s.job, noon.Add(s.after))
				} else {
					wait, has = turns.end("run 1", s.job, noon.Add(s.after), s.do == fail)
				}
				if has != s.has || wait != s.wait {
					t.Fatalf("step %d, %s of job %d: %v after %v, want %v after %v", i, s.do, s.job, has, wait, s.has, s.wait)
				}
			}
		})
	}
}

func TestBackoffIsBounded(t *testing.T) {
	for before, want := range map[int]time.Duration{0: 500 * time.Millisecond, 5: 16 * time.Second, 6: 30 * time.Second, 1000: 30 * time.Second} {
		if got := backoff(before); got != want {
			t.Errorf("after %d failures %v, want %v", before+1, got, want)
		}
	}
}
