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

// hear returns the time of a pass, and says since when agents are heard. Where passes were
// missing, or nothing could be stored, nobody can tell for how long an agent was silent:
// the database was away, the process stood still, or the clock was set. Then hearing
// begins anew.
func (f *Fleet) hear() time.Time {
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
