package plan

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
)

// bay is one machine while it is being filled: what each of its lanes holds.
type bay struct {
	lanes [][]part
	wall  []int64 // of each lane
	cpu   int64   // of all lanes

	serial []part // what has the machine to itself, when the lanes are done
	alone  int64  // wall time of that
}

// filler fills a fixed number of machines, cutting what does not fit whole.
type filler struct {
	*parter
	lanes int
	wall  int64 // that a lane may take
	cpu   int64 // that a machine may take: cores times wall
	rigid bool  // parts with the longest single file first, whatever their length
}

// fill returns the machines filled, nil when the parts do not fit. The longest
// part goes into the fullest machine that has room for it; where none has, it
// is cut to fill the emptiest one, and what is left waits for its turn.
func (f *filler) fill(parts []part, n int) []bay {
	bays := make([]bay, n)
	for i := range bays {
		bays[i] = bay{lanes: make([][]part, f.lanes), wall: make([]int64, f.lanes)}
	}
	queue := partHeap{parts: slices.Clone(parts)}
	if f.rigid {
		queue.first = f.longestFile
	}
	heap.Init(&queue)
	for len(queue.parts) > 0 {
		pt := heap.Pop(&queue).(part)
		f.steps -= n
		if b, lane := f.tightest(bays, pt); b >= 0 {
			bays[b].put(lane, pt)
			continue
		}
		if f.in.Split == "never" || len(pt.files) < 2 {
			return nil
		}
		b, lane := f.emptiest(bays, pt)
		_, wall, cpu := f.room(&bays[b], pt)
		taken, rest, ok := f.cut(pt, wall, cpu)
		if !ok {
			return nil
		}
		bays[b].put(lane, taken)
		heap.Push(&queue, rest)
	}
	return bays
}

// room is what a machine has left for a part, and on which lane.
func (f *filler) room(b *bay, pt part) (lane int, wall, cpu int64) {
	if pt.serial {
		return 0, min(f.wall-slices.Max(b.wall), (f.cpu-b.cpu)/int64(f.in.Cores)) - b.alone, 1 << 62
	}
	l := b.shortest()
	return l, f.wall - b.alone - b.wall[l], f.cpu - b.alone*int64(f.in.Cores) - b.cpu
}

// tightest finds the machine and lane that a part leaves the least room in,
// -1 when there is none.
func (f *filler) tightest(bays []bay, pt part) (best, lane int) {
	best = -1
	var least int64
	for i := range bays {
		l, wall, cpu := f.room(&bays[i], pt)
		left, cpuLeft := wall-pt.wall, cpu-pt.cpu
		if left < 0 || cpuLeft < 0 {
			continue
		}
		if f.lanes > 1 && !pt.serial {
			// The scarcer of the two decides, per core and per lane alike.
			left = min(left, int64(float64(cpuLeft)*float64(f.wall)/float64(f.cpu)))
		}
		if best < 0 || left < least {
			best, lane, least = i, l, left
		}
	}
	return best, lane
}

// emptiest finds where most of a part would fit.
func (f *filler) emptiest(bays []bay, pt part) (best, lane int) {
	most := int64(math.MinInt64)
	for i := range bays {
		l, room, cpu := f.room(&bays[i], pt)
		if f.lanes > 1 && !pt.serial {
			room = min(room, int64(float64(cpu)*float64(pt.wall)/float64(max(pt.cpu, 1))))
		}
		if room > most {
			best, lane, most = i, l, room
		}
	}
	return best, lane
}

func (b *bay) put(lane int, pt part) {
	if pt.serial {
		b.serial = append(b.serial, pt)
		b.alone += pt.wall
		return
	}
	b.lanes[lane] = append(b.lanes[lane], pt)
	b.wall[lane] += pt.wall
	b.cpu += pt.cpu
}

// empty says that a machine has nothing to do; what takes no time is something.
func (b *bay) empty() bool {
	return len(b.serial) == 0 && !slices.ContainsFunc(b.lanes, func(lane []part) bool { return len(lane) > 0 })
}

func (b *bay) shortest() int {
	best := 0
	for l := range b.wall {
		if b.wall[l] < b.wall[best] {
			best = l
		}
	}
	return best
}

// longestFile is the least that a part can be cut down to, where its longest file is.
func (f *filler) longestFile(pt part) int64 {
	var most int64
	for _, i := range pt.files {
		most = max(most, int64(f.in.Work[pt.work].Files[i].P90))
	}
	return most
}

// partHeap holds the longest part at its root; equal ones keep the goals' order.
type partHeap struct {
	parts []part
	first func(part) int64 // what decides before the length; nil for nothing
}

func (h *partHeap) Len() int { return len(h.parts) }
func (h *partHeap) Less(i, j int) bool {
	a, b := h.parts[i], h.parts[j]
	if h.first != nil {
		if c := cmp.Compare(h.first(b), h.first(a)); c != 0 {
			return c < 0
		}
	}
	return cmp.Or(cmp.Compare(b.wall, a.wall), cmp.Compare(a.work, b.work), cmp.Compare(a.files[0], b.files[0])) < 0
}
func (h *partHeap) Swap(i, j int) { h.parts[i], h.parts[j] = h.parts[j], h.parts[i] }
func (h *partHeap) Push(x any)    { h.parts = append(h.parts, x.(part)) }
func (h *partHeap) Pop() any {
	last := h.parts[len(h.parts)-1]
	h.parts = h.parts[:len(h.parts)-1]
	return last
}
