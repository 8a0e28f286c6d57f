package runnerfleet_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/fleettest"
)

func TestAMachineJustBoughtIsNotMissedInAListThatLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.cloud.Lag = 3 * time.Second
		w.fleet.Limits.MaxInstances = 40
		for i := range 40 {
			w.work.Add(runnerfleet.Bucket{ID: fmt.Sprintf("r1/b%d", i)}, fmt.Sprintf("p%d", i))
		}
		w.faults.Set(func(c fleettest.Call) error {
			if c == (fleettest.Call{Name: "cloud.Launch"}) {
				pass(5 * time.Second) // more than Limits.Settle for all of them
			}
			return nil
		})
		w.once(t)
		w.once(t) // the last ones are not listed yet
		w.live(t, limits.Settle*2)
		if got := w.cloud.Running(); len(got) != 40 {
			t.Errorf("%d machines for 40 buckets: %v", len(got), got)
		}
		for i := range 40 {
			if in := w.instance(t, fmt.Sprintf("r1-b%d-a1", i)); in.State != runnerfleet.Booting || w.work.Lose(in.ID) != 0 {
				t.Errorf("%s is %s, %q", in.ID, in.State, in.Reason)
			}
		}
	})
}

// heard serves r1/b1 with an agent that is busy and heard by a pass every ten seconds, for
// longer than Limits.Silence.
func heard(t *testing.T, w *world) {
	t.Helper()
	w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
	w.once(t)
	w.turn(t.Context())
	w.turn(t.Context())
	for range limits.Silence/w.fleet.Interval + 2 {
		beat(t, w)
		w.live(t, w.fleet.Interval)
	}
}

func beat(t *testing.T, w *world) {
	t.Helper()
	if err := w.agents["r1-b1-a1"].client.Heartbeat(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsHeardMeanwhileIsNoSilence(t *testing.T) {
	for _, tt := range []struct {
		name string
		then func(t *testing.T, w *world)
	}{
		{"by a replica whose clock is ahead by ten seconds", func(t *testing.T, w *world) {
			w.api.Now = func() time.Time { return time.Now().Add(10 * time.Second) }
			beat(t, w)
			w.once(t)
		}},
		{"after the pass saw it silent and before it would end it", func(t *testing.T, w *world) {
			w.live(t, limits.Silence-2*w.fleet.Interval)
			pass(w.fleet.Interval)
			w.cloud.Stray("r0-b1-a1")
			w.faults.Set(func(c fleettest.Call) error {
				if c == (fleettest.Call{Name: "cloud.Terminate"}) {
					w.faults.Set(nil)
					pass(time.Second)
					beat(t, w)
				}
				return nil
			})
			w.once(t)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				heard(t, w)
				tt.then(t, w)
				if in := w.instance(t, "r1-b1-a1"); in.State != runnerfleet.Busy {
					t.Errorf("it is %s, %q", in.State, in.Reason)
				}
			})
		})
	}
}

// hanging is a Work whose GitHub takes a request and never answers, while hangs is set.
type hanging struct {
	runnerfleet.Work
	hangs bool
}

func (h *hanging) Lost(ctx context.Context, in runnerfleet.Instance) error {
	if h.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return h.Work.Lost(ctx, in)
}

func TestMachinesAreEndedWhileGitHubHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		work := &hanging{Work: w.work, hangs: true}
		w.fleet.Work = work
		for i := range 4 {
			w.work.Add(runnerfleet.Bucket{ID: fmt.Sprintf("r1/b%d", i)}, fmt.Sprintf("p%d", i))
		}
		w.once(t)
		w.turn(t.Context()) // all have enrolled, and fall silent
		w.live(t, limits.Silence-w.fleet.Interval)
		pass(w.fleet.Interval)
		began := time.Now()
		if err := w.fleet.Once(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the pass says %v", err)
		}
		if took := time.Since(began); took != 13*time.Second {
			t.Errorf("the pass took %s, want ten seconds for the first and one for each other", took)
		}
		if got := w.cloud.Running(); len(got) != 0 {
			t.Errorf("still running %v", got)
		}
		work.hangs = false
		w.cloud.Linger = time.Hour
		w.once(t)
		for i := range 4 {
			if in := w.instance(t, fmt.Sprintf("r1-b%d-a1", i)); in.Owed || w.work.Lose(in.ID) != 1 {
				t.Errorf("%s: told %d times, owed %v; want it told once GitHub answers", in.ID, w.work.Lose(in.ID), in.Owed)
			}
		}
	})
}

func TestPassesThatTakeLongFindASilentMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
		w.once(t)
		w.turn(t.Context())
		w.cloud.Stray("r0-b1-a1")
		slow := errors.New("slow")
		w.faults.Set(func(c fleettest.Call) error {
			if c == (fleettest.Call{Name: "cloud.Terminate"}) {
				pass(limits.Silence)
				return slow
			}
			return nil
		})
		for range 3 {
			if err := w.fleet.Once(t.Context()); !errors.Is(err, slow) {
				t.Errorf("the pass says %v", err)
			}
			pass(w.fleet.Interval)
		}
		if in := w.instance(t, "r1-b1-a1"); in.Reason != "no heartbeat" {
			t.Errorf("it is %s, %q", in.State, in.Reason)
		}
	})
}

// TestAHeartbeatCountsThoughItsSenderGaveUp: an agent waits ten seconds for an answer.
func TestAHeartbeatCountsThoughItsSenderGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		heard(t, w)
		w.faults.Set(func(c fleettest.Call) error {
			if c == (fleettest.Call{Name: "store.UpdateInstance"}) {
				w.faults.Set(nil)
				pass(12 * time.Second)
			}
			return nil
		})
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_ = w.agents["r1-b1-a1"].client.Heartbeat(ctx) // it does not wait for the answer
		if seen := w.instance(t, "r1-b1-a1").SeenAt; !seen.After(began) {
			t.Errorf("seen at %v, want after %v", seen, began)
		}
	})
}
