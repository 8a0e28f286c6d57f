package days

import (
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
