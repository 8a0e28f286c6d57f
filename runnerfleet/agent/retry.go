package agent

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ortest/ortest/runnerfleet"
)

// Between two attempts, doubling.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
)

// attemptTime bounds one attempt: a server that died without closing its
// connections must not hold the agent. It suffices for the longest log.
const attemptTime = 2 * time.Minute

// retry makes a call until it is answered. It returns nil, an answer that the
// caller has to act on, or the cause of ctx's end.
func (a *agent) retry(ctx context.Context, call string, f func(context.Context) error) error {
	pause := firstPause
	for n := 1; ; n++ {
		once, cancel := context.WithTimeout(ctx, attemptTime)
		err := f(once)
		cancel()
		switch {
		case err == nil, answered(err):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case n == 1:
			a.Log.Warn("server does not answer", "call", call, "err", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause + rand.N(pause/4)):
		}
		pause = min(2*pause, lastPause)
	}
}

// answered reports that asking again would bring the same answer.
func answered(err error) bool {
	return errors.Is(err, runnerfleet.ErrWait) || errors.Is(err, runnerfleet.ErrStale) ||
		errors.Is(err, runnerfleet.ErrInvalid) || runnerfleet.Permanent(err)
}
