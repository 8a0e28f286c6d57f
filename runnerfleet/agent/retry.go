package agent

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
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

// caller is a client that notices within a few heartbeats when the other end of a
// connection that several calls share is gone without a word.
func caller(heartbeat time.Duration) *http.Client {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return &http.Client{}
	}
	t = t.Clone()
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: heartbeat, PingTimeout: heartbeat}
	return &http.Client{Transport: t}
}

// beat makes one attempt of a heartbeat. A dead server must not hold it for as long as
// makes the fleet take the machine for dead: the next attempt is made soon, and on a
// connection that was not there before.
func (l *lane) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*l.Heartbeat)
	defer cancel()
	err := l.client.Heartbeat(ctx)
	if ctx.Err() != nil {
		l.calls.CloseIdleConnections()
	}
	return err
}
