package runnerfleet_test

import (
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
