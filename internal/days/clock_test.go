package days

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ortest/ortest/store"
)

// A comment whose webhook is lost is found although the clock was wrong when it was
// written: what was seen of GitHub counts by GitHub's clock.
func TestACommentOfAWrongHourIsFound(t *testing.T) {
	a := prepared(t)
	a.cat = a.examples
	for _, by := range []time.Duration{-time.Hour, time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, 1, a, store.Keep{})
				l.mood = mood{deaf: 1}
				sweep := func() {
					for range 8 {
						l.pass(t.Context())
						<-time.After(time.Minute)
					}
				}
				sweep()
				l.skew = by
				sweep()
				l.say(1, "/ortest status")
				if by > 0 {
					<-time.After(10 * time.Minute)
				}
				l.skew = 0
				sweep()
				for id, c := range l.asked {
					l.checkCommand(id, c)
				}
				if err := l.gate.Store.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A clock that is set back holds up neither what is shown of a run nor the looks at its jobs.
func TestAClockThatIsSetBackHoldsUpNothing(t *testing.T) {
	a := prepared(t)
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t, 1, quiet, a)
		var ahead atomic.Int64
		ahead.Store(int64(25 * time.Minute)) // more, and no machine could prove how young it is
		d.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		d.start()
		d.fill(60, 1, 1)
		step := func(passes int) {
			for range passes {
				_ = d.fleet.Once(t.Context())
				_ = d.bot.Load().Drive(t.Context(), "1")
				<-time.After(d.fleet.Interval)
			}
		}
		step(120)
		ahead.Store(0)
		synctest.Wait()
		talk, look := d.hub.points["talk"], d.hub.points["look"]
		step(60) // a quarter of an hour
		synctest.Wait()
		if d.hub.points["talk"] == talk || d.hub.points["look"] == look {
			t.Errorf("in a quarter of an hour nothing was shown, or nothing looked at: %v, %d and %d before", d.hub.points, talk, look)
		}
		d.drive(30 * time.Hour)
	})
}
