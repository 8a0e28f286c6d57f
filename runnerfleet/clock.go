package runnerfleet

import "time"

// wall returns now as it is stored and compared: what comes back from a store knows
// nothing of the clock that nobody sets.
func wall(now func() time.Time) time.Time {
	if now == nil {
		now = time.Now
	}
	return now().Round(0)
}

// hear returns the time, and notes that we can hear. Where that was not noted for a while, or
// nothing could be stored, nobody can tell for how long an agent was silent: the database was
// away, the process stood still, or the clock was set. Then hearing begins anew.
func (f *Fleet) hear() time.Time {
	f.ears.Lock()
	defer f.ears.Unlock()
	now := wall(f.Now)
	if gap := now.Sub(f.heard); gap < 0 || gap >= f.Limits.Silence/2 || f.deaf.Swap(false) {
		if !f.heard.IsZero() {
			f.Log.Warn("agents were not heard for a while; silence is counted from now on", "passed", gap.Round(time.Second))
		}
		f.listening = now
	}
	f.heard = now
	return now
}

// hearing is since when agents are heard.
func (f *Fleet) hearing() time.Time {
	f.ears.Lock()
	defer f.ears.Unlock()
	return f.listening
}

// stayAwake hears on while a pass waits for others, until it is told that the pass is over:
// a cloud or a GitHub that is slow does not keep agents from being heard.
func (f *Fleet) stayAwake() (over func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(max(f.Limits.Silence/4, time.Second))
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				f.hear()
			case <-end:
				f.hear()
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

// since is how long ago something was, or how long we have been listening if that is
// shorter.
func since(was, listening, now time.Time) time.Duration {
	return now.Sub(later(past(was, listening, now), listening))
}

// ahead is how far the clocks of replicas may differ.
const ahead = 10 * time.Second

// past is when something was. What lies in the future was written by a replica whose clock is
// a little ahead, and is as good as now; or by a clock that has been set back since, and
// counts from when that was noticed.
func past(was, listening, now time.Time) time.Time {
	switch early := was.Sub(now); {
	case early > ahead:
		return listening
	case early > 0:
		return now
	}
	return was
}
