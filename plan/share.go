package plan

import (
	"math"
	"slices"
)

// running is a piece on a lane: what it still takes alone on a machine.
type running struct {
	wait  float64 // seconds until a runner has picked it up
	build float64 // CPU-bound seconds
	test  float64
	share float64
	piece int

	serial bool // alone on the machine
}

func (r running) done() bool { return r.wait <= 0 && r.build <= 0 && r.test <= 0 }

// begins says whether a piece may begin beside those that run.
func begins(serial bool, busy []running, lanes int) bool {
	return len(busy) == 0 || len(busy) < lanes && !serial && !busy[0].serial
}

// advance takes all lanes to the next change of any, and returns how many
// seconds that took. Lanes share the cores: when they want more than there is,
// all slow down alike. No cores are two.
func advance(lanes []running, cores int) float64 {
	if cores <= 0 {
		cores = 2
	}
	var want float64
	for _, r := range lanes {
		switch {
		case r.wait > 0:
		case r.build > 0:
			want++
		default:
			want += r.share
		}
	}
	speed := min(1, float64(cores)/max(want, 1e-9))
	step := math.Inf(1)
	for _, r := range lanes {
		switch {
		case r.wait > 0:
			step = min(step, r.wait)
		case r.build > 0:
			step = min(step, r.build/speed)
		default:
			step = min(step, r.test/speed)
		}
	}
	for i := range lanes {
		r := &lanes[i]
		switch {
		case r.wait > 0:
			r.wait = drained(r.wait, step)
		case r.build > 0:
			r.build = drained(r.build, step*speed)
		default:
			r.test = drained(r.test, step*speed)
		}
	}
	return step
}

// drained subtracts and forgets what is too little to be real.
func drained(from, by float64) float64 {
	if from-by < 1e-6 {
		return 0
	}
	return from - by
}

// together returns how many seconds a machine takes for pieces in this order,
// a free lane taking the next. It is never less than the longest lane, or than
// the CPU seconds over the cores, and more where heavy pieces meet.
func together(todo []running, lanes, cores int) float64 {
	var busy []running
	took := 0.0
	for len(todo) > 0 || len(busy) > 0 {
		for len(todo) > 0 && begins(todo[0].serial, busy, lanes) {
			busy = append(busy, todo[0])
			todo = todo[1:]
		}
		took += advance(busy, cores)
		busy = slices.DeleteFunc(busy, running.done)
	}
	return took
}
