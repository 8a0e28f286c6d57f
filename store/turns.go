package store

import (
	"sync"
	"time"
)

// turns lets one job at a time have its turn for a key, and makes the others
// part of it: a job that comes during a turn means one more turn afterwards,
// and one that comes while a failed job waits to be tried again is done with it.
type turns struct {
	mu   sync.Mutex
	keys map[string]*turn
}

type turn struct {
	busy  bool
	again bool      // somebody came meanwhile
	owner int64     // the job that will be tried again
	tries int       // how often it failed in a row
	until time.Time // before then it is not tried again
}

// begin reports whether the job has the turn. If not, it is done: another will
// do what it asks for.
func (t *turns) begin(key string, job int64, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.keys[key]
	if k == nil {
		k = &turn{}
		t.keys[key] = k
	}
	if k.busy {
		k.again = true
		return false
	}
	if k.owner != job && now.Before(k.until) {
		return false
	}
	k.busy = true
	return true
}

// end ends the job's turn. When repeat is true, it must be worked again after the wait.
func (t *turns) end(key string, job int64, now time.Time, failed bool) (wait time.Duration, repeat bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.keys[key]
	switch {
	case failed:
		wait = backoff(k.tries)
		*k = turn{owner: job, tries: k.tries + 1, until: now.Add(wait)}
		return wait, true
	case k.again:
		*k = turn{owner: job}
		return 0, true
	}
	delete(t.keys, key)
	return 0, false
}

// backoff is how long to wait after a failure that had so many before it: half
// a second, doubled each time, at most half a minute.
func backoff(before int) time.Duration {
	const first, most = 500 * time.Millisecond, 30 * time.Second
	return min(first<<min(before, 10), most)
}
