package plan

import (
	"cmp"
	"container/heap"
	"math/rand/v2"
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

// fullest packs one bin after another: the largest size left, and with it what
// fills the bin best, as far as a short search finds it. It does well where
// only few sizes share a bin, and first and best fit waste room.
//
// order says in which order sizes begin bins and are tried.
func fullest(sizes []int64, limit int64, order []int) [][]int {
	left := slices.Clone(order)
	var bins [][]int
	for len(left) > 0 {
		f := filling{sizes: sizes, items: left[1:], nodes: 3000, best: -1}
		f.try(0, limit-sizes[left[0]], 0)
		bin := append([]int{left[0]}, f.chosen...)
		bins = append(bins, bin)
		left = slices.DeleteFunc(left, func(it int) bool { return slices.Contains(bin, it) })
	}
	return bins
}

// shaken returns the order of decreasing sizes with each size taken for up to
// an eighth more or less: another start for fullest, the same one for a round.
func shaken(sizes []int64, round uint64) []int {
	rng := rand.New(rand.NewPCG(round, uint64(len(sizes))))
	seen := make([]int64, len(sizes))
	for i, s := range sizes {
		seen[i] = s + int64(float64(s)*(rng.Float64()-0.5)/4)
	}
	return decreasing(seen)
}

// filling searches the items that fill a bin's room best.
type filling struct {
	sizes  []int64
	items  []int // the largest first
	nodes  int
	taken  []int
	chosen []int
	best   int64 // sum of chosen
}

// try goes on from item i with this room left and this sum taken.
func (f *filling) try(i int, room, sum int64) {
	if sum > f.best {
		f.best, f.chosen = sum, slices.Clone(f.taken)
	}
	for ; i < len(f.items) && f.nodes > 0 && f.best < sum+room; i++ {
		s := f.sizes[f.items[i]]
		if f.nodes--; s > room {
			continue
		}
		f.taken = append(f.taken, f.items[i])
		f.try(i+1, room-s, sum+s)
		f.taken = f.taken[:len(f.taken)-1]
	}
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

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
