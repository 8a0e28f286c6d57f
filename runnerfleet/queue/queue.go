// Package queue decides which piece a free lane takes next. It knows nobody and
// reads no clock.
//
// A lane takes its bucket's pieces in plan order. When none of them is left to
// begin, it helps: it takes the last piece of the bucket that has the most to
// do, if the run does not end later for it.
package queue

import (
	"slices"
	"time"
)

// State is how far a piece is.
type State int

// The states, in order.
const (
	Waiting State = iota // cannot be taken yet
	Ready                // nobody has it
	Held                 // a lane has it
	Over
)

// Seat is a lane, from 0, of an instance.
type Seat struct {
	Instance string
	Lane     int
}

// Piece is what is known of a piece of a run. Those of a bucket are in plan order.
type Piece struct {
	Bucket int
	State  State
	Seat   Seat      // of Held
	Since  time.Time // of Held
	Goal   string    // pieces of one goal are built once on a machine
	Build  time.Duration
	Takes  time.Duration // without the build
	Serial bool          // nothing else may run on its machine meanwhile
}

// Bucket is one of a run's, by the number that pieces name it with.
type Bucket struct {
	Number int
	Lanes  int // of each instance of the run; 0 is 1
}

// Answer is what a lane is told.
type Answer int

// The answers.
const (
	Take   Answer = iota + 1 // the piece
	Wait                     // there may be one later
	NoMore                   // no lane of the instance has or will get one
)

// Next returns the index of the piece that a free lane of a bucket's instance takes.
// A lane that holds one is given that again.
func Next(all []Piece, at Seat, b Bucket, now time.Time) (int, Answer) {
	mine := func(p Piece) bool { return p.State == Held && p.Seat == at }
	if i := slices.IndexFunc(all, mine); i >= 0 {
		return i, Take
	}
	busy := false
	for _, p := range all {
		if p.State == Held && p.Seat.Instance == at.Instance {
			if busy = true; p.Serial {
				return 0, Wait
			}
		}
	}
	left := false
	for i, p := range all {
		switch {
		case p.Bucket != b.Number || p.State == Over:
		case p.State == Ready && p.Serial && busy:
			return 0, Wait
		case p.State == Ready:
			return i, Take
		case p.State == Waiting:
			return 0, Wait
		default:
			left = true
		}
	}
	if i := help(all, b, busy, now); i >= 0 {
		return i, Take
	}
	if left || busy {
		return 0, Wait
	}
	return 0, NoMore
}

// help returns the piece to take from another bucket, or -1.
func help(all []Piece, b Bucket, busy bool, now time.Time) int {
	most, most2 := -1, time.Duration(0)
	for i, p := range all {
		if p.State != Ready || p.Bucket == b.Number || p.Serial && busy {
			continue
		}
		// Of one bucket the last piece is found last.
		if load := load(all, p.Bucket, now); most < 0 || load > most2 || p.Bucket == all[most].Bucket {
			most, most2 = i, load
		}
	}
	if most < 0 {
		return -1
	}
	p := all[most]
	if cost(all, p, b.Number) > max(most2/time.Duration(max(1, b.Lanes)), cost(all, p, p.Bucket)) {
		return -1
	}
	return most
}

// cost is how long a piece takes on a bucket's machine.
func cost(all []Piece, p Piece, bucket int) time.Duration {
	built := func(o Piece) bool { return o.Bucket == bucket && o.Goal == p.Goal && o.State >= Held }
	if slices.ContainsFunc(all, built) {
		return p.Takes
	}
	return p.Build + p.Takes
}

// load is how long one lane would need for what a bucket has left.
func load(all []Piece, bucket int, now time.Time) (d time.Duration) {
	var goals []string
	for _, p := range all {
		if p.Bucket != bucket {
			continue
		}
		takes := p.Takes
		if !slices.Contains(goals, p.Goal) {
			goals, takes = append(goals, p.Goal), takes+p.Build
		}
		switch p.State {
		case Held:
			d += max(0, takes-now.Sub(p.Since))
		case Waiting, Ready:
			d += takes
		case Over:
		}
	}
	return d
}
