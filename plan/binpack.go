package plan

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
)

// Bins are lists of indexes into the sizes that were packed.

// decreasing returns the indexes of sizes, the largest first; equal ones keep
// their order, so that the same input always gives the same plan.
func decreasing(sizes []int64) []int {
	order := make([]int, len(sizes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(sizes[b], sizes[a]) })
	return order
}

// firstFit packs sizes, none above limit, each into the first bin that has
// room, the largest first. A tree of the most room in each range of bins finds
// that bin in the logarithm of their number.
func firstFit(sizes []int64, limit int64) [][]int {
	width := 1
	for width < len(sizes) {
		width *= 2
	}
	room := make([]int64, 2*width)
	for i := range room {
		room[i] = limit
	}
	var bins [][]int
	for _, it := range decreasing(sizes) {
		node := 1
		for node < width {
			node *= 2
			if room[node] < sizes[it] {
				node++
			}
		}
		if b := node - width; b == len(bins) {
			bins = append(bins, []int{it})
		} else {
			bins[b] = append(bins[b], it)
		}
		room[node] -= sizes[it]
		for node /= 2; node > 0; node /= 2 {
			room[node] = max(room[2*node], room[2*node+1])
		}
	}
	return bins
}

// bestFit packs like firstFit, but into the fullest bin that has room.
func bestFit(sizes []int64, limit int64) [][]int {
	var bins [][]int
	var byRoom []binRoom // ascending
	for _, it := range decreasing(sizes) {
		at, _ := slices.BinarySearchFunc(byRoom, binRoom{sizes[it], -1}, binRoom.compare)
		var r binRoom
		if at == len(byRoom) {
			r = binRoom{limit, len(bins)}
			bins = append(bins, nil)
		} else {
			r = byRoom[at]
			byRoom = slices.Delete(byRoom, at, at+1)
		}
		bins[r.bin] = append(bins[r.bin], it)
		r.room -= sizes[it]
		at, _ = slices.BinarySearchFunc(byRoom, r, binRoom.compare)
		byRoom = slices.Insert(byRoom, at, r)
	}
	return bins
}

type binRoom struct {
	room int64
	bin  int
}

func (r binRoom) compare(o binRoom) int {
	return cmp.Or(cmp.Compare(r.room, o.room), cmp.Compare(r.bin, o.bin))
}

// longestFirst spreads sizes over n bins, each into the emptiest: the plan
// that ends early, whatever the limit.
func longestFirst(sizes []int64, n int) [][]int {
	bins := make([][]int, n)
	h := make(loadHeap, n)
	for i := range h {
		h[i] = binRoom{0, i}
	}
	for _, it := range decreasing(sizes) {
		bins[h[0].bin] = append(bins[h[0].bin], it)
		h[0].room += sizes[it]
		heap.Fix(&h, 0)
	}
	return bins
}

// loadHeap holds the emptiest bin at its root; room counts what is in the bin.
type loadHeap []binRoom

func (h loadHeap) Len() int           { return len(h) }
func (h loadHeap) Less(i, j int) bool { return h[i].compare(h[j]) < 0 }
func (h loadHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *loadHeap) Push(any)          {} // the heap never grows
func (h *loadHeap) Pop() any          { return nil }

// load is the sum of a bin's sizes; longest the largest of all bins.
func load(sizes []int64, bin []int) int64 {
	var sum int64
	for _, i := range bin {
		sum += sizes[i]
	}
	return sum
}

func longest(sizes []int64, bins [][]int) int64 {
	var most int64
	for _, b := range bins {
		most = max(most, load(sizes, b))
	}
	return most
}

// lowerBound returns a number of bins of limit below which sizes, none above
// limit, cannot be packed: Martello and Toth's L2. For each threshold k, sizes
// above limit-k share with nothing of k or more, and those above half a bin
// not with each other; what is left of their bins takes the rest.
func lowerBound(sizes []int64, limit int64) int {
	if len(sizes) == 0 {
		return 0
	}
	asc := slices.Sorted(slices.Values(sizes))
	prefix := make([]int64, len(asc)+1)
	for i, s := range asc {
		prefix[i+1] = prefix[i] + s
	}
	best := ceilDiv(prefix[len(asc)], limit)
	above := func(x int64) int { // first index of a size above x
		i, _ := slices.BinarySearch(asc, x+1)
		return i
	}
	half := above(limit / 2)
	seen := int64(math.MinInt64)
	for i := 0; i < half; i++ {
		k := asc[i]
		if k == seen {
			continue
		}
		seen = k
		big := above(limit - k)
		n1 := int64(len(asc) - big)
		n2 := int64(big - half)
		middle := prefix[half] - prefix[i]
		room := n2*limit - (prefix[big] - prefix[half])
		extra := int64(0)
		if middle > room {
			extra = ceilDiv(middle-room, limit)
		}
		best = max(best, n1+n2+extra)
	}
	return int(max(best, int64(len(asc)-half)))
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
