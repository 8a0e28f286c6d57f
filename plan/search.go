package plan

import "slices"

// finding is the answer of an exact search.
type finding int

const (
	impossible finding = iota // proven: the whole tree was seen
	found
	undecided // the nodes ran out
)

// search looks for a packing into a fixed number of bins. It completes one bin
// after another: the largest size left must be in some bin, so it begins the
// next one, and every way to fill that bin up is tried, the fullest sizes
// first. The room that all bins together may waste bounds the search: a bin
// that wastes more than what is left of it is given up.
type search struct {
	size  []int64 // descending
	used  []bool
	limit int64
	bin   []int // of each size
	bins  int
	nodes int // left to visit
	steps int // sizes passed over since the last node
	asked int // nodes visited
	stop  func() bool
	first []int   // of each bin begun, its first size
	small []int64 // sum of sizes from i on, used or not: what could still fill a bin
}

// fit packs sizes, none above limit, into n bins of limit, and spends at most
// one of so many parts of the nodes that are left.
func (p *packer) fit(sizes []int64, limit int64, n, part int) (bins [][]int, answer finding) {
	order := decreasing(sizes)
	nodes := max(p.nodes/part, 1)
	s := &search{limit: limit, bins: n, nodes: nodes, stop: p.stop, first: make([]int, n),
		size: make([]int64, len(order)), used: make([]bool, len(order)), bin: make([]int, len(order)), small: make([]int64, len(order)+1)}
	defer func() { p.nodes -= nodes - s.nodes }()
	var sum int64
	for i, it := range order {
		s.size[i] = sizes[it]
		sum += sizes[it]
	}
	for i := len(order) - 1; i >= 0; i-- {
		s.small[i] = s.small[i+1] + s.size[i]
	}
	waste := int64(n)*limit - sum
	if waste < 0 {
		return nil, impossible
	}
	if !s.next(0, 0, waste) {
		if s.nodes <= 0 {
			s.nodes = 0
			return nil, undecided
		}
		return nil, impossible
	}
	bins = make([][]int, n)
	for i, it := range order {
		bins[s.bin[i]] = append(bins[s.bin[i]], it)
	}
	return slices.DeleteFunc(bins, func(b []int) bool { return len(b) == 0 }), found
}

// next begins bin b with the largest size left; from is a hint where it lies.
func (s *search) next(b, from int, waste int64) bool {
	for from < len(s.size) && s.used[from] {
		from++
		s.steps++
	}
	if from == len(s.size) {
		return true
	}
	if b == s.bins || !s.spend() {
		return false
	}
	s.used[from], s.bin[from], s.first[b] = true, b, from
	if s.fill(b, from+1, s.limit-s.size[from], waste) {
		return true
	}
	s.used[from] = false
	return false
}

// fill tries every way to fill the room left in bin b with sizes from i on.
func (s *search) fill(b, i int, room, waste int64) bool {
	if !s.spend() {
		return false
	}
	for i < len(s.size) && (s.used[i] || s.size[i] > room) {
		i++
		s.steps++
	}
	if i == len(s.size) {
		return room <= waste && s.next(b+1, s.first[b]+1, waste-room)
	}
	if room-s.small[i] > waste {
		return false // even all of the rest leaves too much room
	}
	s.used[i], s.bin[i] = true, b
	if s.fill(b, i+1, room-s.size[i], waste) {
		return true
	}
	s.used[i] = false
	// Without this size, an equal one would only be the same packing again.
	same := s.size[i]
	for i < len(s.size) && (s.used[i] || s.size[i] == same) {
		i++
		s.steps++
	}
	return s.fill(b, i, room, waste)
}

// spend counts a node, and every eight sizes passed over as one, and says
// whether the search may go on.
func (s *search) spend() bool {
	s.nodes -= 1 + s.steps/8
	s.steps %= 8
	s.asked++
	if s.asked&0xfff == 0 && s.stop != nil && s.stop() {
		s.nodes = 0
	}
	return s.nodes > 0
}
