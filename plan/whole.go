package plan

import (
	"slices"
	"time"
)

// defaultNodes bounds the exact search of a whole plan: about half a second
// on a slow core.
const defaultNodes = 10_000_000

// laneSteps bounds the search for the best number of lanes: about a second and a
// half on a slow core.
const laneSteps = 15_000_000

// exactItems is the size from which heuristics alone are used: their loss is
// far below one bin in a thousand there.
const exactItems = 1500

// shakes is how often packing begins anew before the exact search.
const shakes = 60

// packer packs sizes into the fewest bins, and then so that the fullest is as
// empty as can be.
type packer struct {
	nodes int // left for the exact searches together
	stop  func() bool
}

// packed is an answer and its proof.
type packed struct {
	bins  [][]int
	lower int   // bins: no packing has fewer
	end   int64 // no packing into as many bins has all of them below
}

// fewest packs sizes, none above limit, into as few bins as it can.
func (p *packer) fewest(sizes []int64, limit int64) packed {
	out := packed{bins: firstFit(sizes, limit), lower: lowerBound(sizes, limit)}
	if b := bestFit(sizes, limit); len(b) < len(out.bins) {
		out.bins = b
	}
	if len(sizes) > exactItems || len(out.bins) == out.lower {
		return out
	}
	p.shake(sizes, limit, &out)
	for n := out.lower; n < len(out.bins); n++ {
		bins, answer := p.fit(sizes, limit, n, 4)
		switch {
		case answer == found:
			out.bins = bins
		case answer == impossible && n == out.lower:
			out.lower++
		}
	}
	return out
}

// shake packs again and again from other orders, for a fixed part of the nodes.
func (p *packer) shake(sizes []int64, limit int64, out *packed) {
	order := decreasing(sizes)
	for round := uint64(1); round <= shakes && len(out.bins) > out.lower && (p.stop == nil || !p.stop()); round++ {
		if b := fullest(sizes, limit, order); len(b) < len(out.bins) {
			out.bins = b
		}
		order = shaken(sizes, round)
	}
}

// monotone asks for packings at limits, the longest first, and returns the
// best for the first. It makes sure of one thing that heuristics do not give:
// more time never needs more machines. What fits in less time fits in more, so
// where no proof was reached the shorter limits that could do better are tried too.
func monotone[T any](limits []int64, bound func(limit int64) int, pack func(limit int64) (T, int)) (best T, n, lower int) {
	best, n = pack(limits[0])
	lower = bound(limits[0])
	for _, limit := range limits[1:] {
		if n <= lower || bound(limit) >= n {
			break
		}
		if next, m := pack(limit); m < n {
			best, n = next, m
		}
	}
	return best, n, lower
}

// over is fewest for sizes of which some may be above limit: each of those has
// a bin of its own, the first ones.
func (p *packer) over(sizes []int64, limit int64) packed {
	var alone [][]int
	var rest []int
	for i, s := range sizes {
		if s > limit {
			alone = append(alone, []int{i})
		} else {
			rest = append(rest, i)
		}
	}
	out := p.fewest(pick(sizes, rest), limit)
	out.bins = append(alone, mapBack(out.bins, rest)...)
	out.lower += len(alone)
	return out
}

// overBound is lowerBound where sizes above limit have bins of their own.
func overBound(sizes []int64, limit int64) int {
	fitting := slices.DeleteFunc(slices.Clone(sizes), func(s int64) bool { return s > limit })
	return len(sizes) - len(fitting) + lowerBound(fitting, limit)
}

// level spreads what bins hold so that the fullest is as empty as can be,
// without another bin. It stops within a second of the best.
func (p *packer) level(sizes []int64, bins [][]int) packed {
	n := len(bins)
	out := packed{bins: bins, lower: n}
	if n == 0 {
		return out
	}
	lo, most := levelBound(sizes, n), longest(sizes, bins)
	if b := longestFirst(sizes, n); longest(sizes, b) < most {
		out.bins, most = b, longest(sizes, b)
	}
	floor := lo // below it nothing was found, proven or not
	for try := 0; try < 40 && most-floor >= int64(time.Second); try++ {
		target := floor
		if try > 0 {
			target += (most - floor) / 2
		}
		b, answer := p.within(sizes, target, n)
		switch answer {
		case found:
			out.bins, most = b, longest(sizes, b)
		case impossible:
			lo, floor = target+1, target+1
		case undecided:
			floor = target + 1
		}
	}
	out.end = lo
	return out
}

// within packs into n bins of limit by whatever way succeeds first.
func (p *packer) within(sizes []int64, limit int64, n int) ([][]int, finding) {
	for _, way := range []func([]int64, int64) [][]int{firstFit, bestFit} {
		if b := way(sizes, limit); len(b) <= n {
			return b, found
		}
	}
	if len(sizes) > exactItems {
		return nil, undecided
	}
	return p.fit(sizes, limit, n, 8)
}

// levelBound is what the fullest of n bins holds at least.
func levelBound(sizes []int64, n int) int64 {
	var sum int64
	for _, s := range sizes {
		sum += s
	}
	bound := ceilDiv(sum, int64(n))
	order := decreasing(sizes)
	if len(order) > 0 {
		bound = max(bound, sizes[order[0]])
	}
	if len(order) > n { // two of the n+1 largest share a bin
		bound = max(bound, sizes[order[n-1]]+sizes[order[n]])
	}
	return bound
}

func pick(sizes []int64, items []int) []int64 {
	out := make([]int64, len(items))
	for i, it := range items {
		out[i] = sizes[it]
	}
	return out
}

func mapBack(bins [][]int, items []int) [][]int {
	for _, b := range bins {
		for i := range b {
			b[i] = items[b[i]]
		}
	}
	return bins
}
