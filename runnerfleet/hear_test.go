package runnerfleet_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/fleettest"
)

// TestWhatNobodyCouldHearIsNoSilence keeps a machine through all that keeps its bot from
// hearing it, and finds out in time when it is lost meanwhile.
func TestWhatNobodyCouldHearIsNoSilence(t *testing.T) {
	away := errors.New("database away")
	for _, tt := range []struct {
		name    string
		happens func(t *testing.T, w *world)
	}{
		{"the database is away for five minutes", func(t *testing.T, w *world) {
			w.faults.Set(func(c fleettest.Call) error { return away })
			for range 30 {
				pass(w.fleet.Interval)
				if err := w.fleet.Once(t.Context()); !errors.Is(err, away) {
					t.Errorf("a pass without a database: %v", err)
				}
			}
			w.faults.Set(nil)
		}},
		{"the disk is full for five minutes", func(t *testing.T, w *world) {
			w.faults.Set(func(c fleettest.Call) error {
				if c.Name == "store.UpdateInstance" || c.Name == "store.AddInstance" {
					return away
				}
				return nil
			})
			for range 30 {
				pass(w.fleet.Interval)
				_ = w.fleet.Once(t.Context()) // once it finds the machine silent, it cannot write that down
			}
			w.faults.Set(nil)
		}},
		{"the process stands still for an hour", func(*testing.T, *world) { pass(time.Hour) }},
		{"the process stands still for an hour in the midst of a pass", func(t *testing.T, w *world) {
			w.cloud.Stray("r0-b1-a1")
			w.faults.Set(func(c fleettest.Call) error {
				if c == (fleettest.Call{Name: "cloud.Terminate"}) {
					w.set(time.Hour)
					pass(limits.Silence / 4)
				}
				return nil
			})
			w.once(t)
			w.faults.Set(nil)
		}},
		{"the database does not answer for five minutes", hangs("store.UpdateInstance")},
		{"the database does not answer for five minutes when another machine is meant", hangs("store.AddInstance")},
		{"the clock is set forward by half an hour", func(t *testing.T, w *world) { w.set(30 * time.Minute) }},
		{"the clock is set back by an hour", func(t *testing.T, w *world) { w.set(-time.Hour) }},
		{"the clock is set back by a day", func(t *testing.T, w *world) { w.set(-24 * time.Hour) }},
	} {
		for _, lost := range []bool{false, true} {
			name := tt.name
			if lost {
				name += ", and the machine is lost"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld()
					w.work.Add(runnerfleet.Bucket{ID: "r1/b1", Deadline: time.Now().Add(50 * time.Hour)}, "p1")
					w.fleet.Limits.MaxAge = 50 * time.Hour
					w.once(t)
					w.turn(t.Context())
					w.turn(t.Context()) // it has p1
					tt.happens(t, w)
					w.agents["r1-b1-a1"].off = lost
					for range limits.Silence/w.fleet.Interval + 2 {
						w.once(t)
						if !lost {
							if err := w.agents["r1-b1-a1"].client.Heartbeat(t.Context()); err != nil {
								t.Fatal(err)
							}
						}
						pass(w.fleet.Interval)
					}
					in := w.instance(t, "r1-b1-a1")
					if want := map[bool]string{true: "no heartbeat"}[lost]; in.Reason != want || (in.State == runnerfleet.Busy) == lost {
						t.Errorf("it is %s, %q, want %q", in.State, in.Reason, want)
					}
				})
			})
		}
	}
}

// hangs is a call to the database that takes five minutes, in a pass that has a machine to launch.
func hangs(call string) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) {
		w.work.Add(runnerfleet.Bucket{ID: "r1/b2"}, "p2")
		w.faults.Set(func(c fleettest.Call) error {
			if c == (fleettest.Call{Name: call}) {
				w.faults.Set(nil)
				pass(5 * time.Minute)
			}
			return nil
		})
		w.once(t)
	}
}

// set sets the clock of the day.
func (w *world) set(by time.Duration) { w.ahead.Store(int64(by)) }

func TestACapacityWaitDoesNotOutliveItsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.work.Add(runnerfleet.Bucket{ID: "r1/b1", Deadline: time.Now().Add(50 * time.Hour)}, "p1")
		w.fleet.Cloud = &refusing{Cloud: w.cloud, err: runnerfleet.ErrCapacity}
		if err := w.fleet.Once(t.Context()); !errors.Is(err, runnerfleet.ErrCapacity) {
			t.Fatalf("got %v", err)
		}
		w.fleet.Cloud = w.cloud
		w.set(-time.Hour)
		w.once(t)
		if got := w.cloud.Running(); len(got) != 1 {
			t.Errorf("running %v: it waits for an hour", got)
		}
	})
}
