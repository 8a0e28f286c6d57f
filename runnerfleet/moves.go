package runnerfleet

import (
	"slices"
	"time"
)

// moves are all that there are, by where they begin. A state that leads nowhere is
// final. docs/architecture.md draws them.
var moves = map[State][]State{
	Intended: {Booting, Idle, Done},
	Booting:  {Idle, Done},
	Idle:     {Busy, Done},
	Busy:     {Idle, Done},
	Done:     {Gone},
}

// advance moves the instance on by an event and reports whether that changed
// it. It is the only function that changes an instance's state; an event that would
// make a move which is not in the table changes nothing.
func (in *Instance) advance(e event, now time.Time) bool {
	was := *in
	changed := in.apply(e, now)
	if in.State != was.State && !slices.Contains(moves[was.State], in.State) {
		*in = was
		return false
	}
	return changed
}
