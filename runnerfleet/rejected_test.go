package runnerfleet_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ortest/ortest/runnerfleet"
)

// refusing is a cloud that launches nothing.
type refusing struct {
	runnerfleet.Cloud
	err    error
	atOnce bool // it says so before it is asked to launch
	asked  int
}

func (c *refusing) Prepare(context.Context, runnerfleet.Launch) (string, error) {
	if !c.atOnce {
		return "settled", nil
	}
	c.asked++
	return "", c.err
}

func (c *refusing) Launch(context.Context, runnerfleet.Launch) (string, error) {
	c.asked++
	return "", c.err
}

func TestARejectedLaunchIsSaidAtOnce(t *testing.T) {
	why := fmt.Errorf("%w: UnauthorizedOperation: no", runnerfleet.ErrRejected)
	for name, atOnce := range map[string]bool{"when it is prepared": true, "when it is asked for": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				cloud := &refusing{Cloud: w.cloud, err: why, atOnce: atOnce}
				w.fleet.Cloud = cloud
				w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
				if err := w.fleet.Once(t.Context()); !errors.Is(err, runnerfleet.ErrRejected) {
					t.Errorf("the pass says %v", err)
				}
				in := w.instance(t, "r1-b1-a1")
				if want := "never launched: cloud rejects the launch: UnauthorizedOperation: no"; in.State != runnerfleet.Done || in.Reason != want || w.work.Lose(in.ID) != 1 {
					t.Errorf("it is %s, %q, told %d times; want %q", in.State, in.Reason, w.work.Lose(in.ID), want)
				}
				// The next attempt is not made in the same breath.
				pass(20*time.Second - 1)
				w.once(t)
				if cloud.asked != 1 {
					t.Errorf("asked %d times before its time", cloud.asked)
				}
				cloud.err, cloud.atOnce = nil, false
				w.fleet.Cloud = w.cloud
				pass(1)
				w.once(t)
				if got := w.cloud.Running(); !slices.Equal(got, []string{"r1-b1-a2"}) {
					t.Errorf("running %v, want the second attempt", got)
				}
			})
		})
	}
}

func TestALaunchThatIsNeverAnsweredSaysWhatItHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.fleet.Cloud = &refusing{Cloud: w.cloud, err: errors.New("ExpiredToken: old")}
		w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
		for range limits.BootGrace/w.fleet.Interval + 1 {
			_ = w.fleet.Once(t.Context()) // it says so each time
			pass(w.fleet.Interval)
		}
		if in := w.instance(t, "r1-b1-a1"); in.Reason != "never launched: ExpiredToken: old" {
			t.Errorf("reason %q", in.Reason)
		}
	})
}
