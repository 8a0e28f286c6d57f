package plan

import (
	"cmp"
	"slices"
	"time"
)

// finish turns a layout into the plan's buckets: the longest machine first,
// pieces in the order in which they begin, parts numbered in that order.
func (p *parter) finish(out *Plan, lay layout) {
	slices.SortStableFunc(lay.bays, func(a, b bay) int { return cmp.Compare(b.time(p.in.Cores), a.time(p.in.Cores)) })
	parts := make([]int, len(p.in.Work)) // how many pieces a goal has become
	for _, b := range lay.bays {
		lanes := len(b.lanes)
		bucket := Bucket{Lanes: lanes}
		placed := p.ordered(b)
		for _, pt := range placed {
			parts[pt.work]++
			bucket.Pieces = append(bucket.Pieces, p.piece(pt, parts[pt.work]))
			if p.in.Work[pt.work].Build > 0 {
				out.Builds++
			}
		}
		bucket.Estimate = upMillis(p.timed(placed, lanes, usually))
		bucket.P90 = upMillis(p.atWorst(placed, lanes))
		out.Buckets = append(out.Buckets, bucket)
	}
	index := make(map[Goal]int, len(p.in.Work))
	for i, w := range p.in.Work {
		index[w.Goal] = i
	}
	for i := range out.Buckets {
		for j := range out.Buckets[i].Pieces {
			pc := &out.Buckets[i].Pieces[j]
			pc.Parts = parts[index[pc.Goal]]
			if pc.Parts == 1 {
				pc.Files = nil // whatever the project has by then
			}
		}
	}
	out.Whole = p.wholeTime()
	out.Lower = lay.lower
	out.Optimal = len(out.Buckets) <= lay.lower
	out.EndLower = p.in.Boot + time.Duration(lay.endLower)
}

// wholeTime is the machine time of whole goals, one at a time on a machine. Few
// of its minutes depend on how they are packed, so packing is not searched.
func (p *parter) wholeTime() time.Duration {
	limit := int64(p.in.Limit - p.in.Boot)
	var took time.Duration
	var fitting []int64
	machines := 0
	for _, pt := range p.wholes() {
		w := p.in.Work[pt.work]
		took += w.Build
		for _, f := range w.Files {
			took += f.Median
		}
		if pt.wall > limit {
			machines++
		} else {
			fitting = append(fitting, pt.wall)
		}
	}
	return took + time.Duration(machines+len(bestFit(fitting, limit)))*p.in.Boot
}

// upMillis rounds up to whole milliseconds: what is shown never understates.
func upMillis(d time.Duration) time.Duration {
	return (d + time.Millisecond - 1) / time.Millisecond * time.Millisecond
}

// ordered lists a machine's parts as they begin, so that "a free lane takes
// the next" gives each lane what was planned for it. On one lane the longest
// comes first, and parts of one goal are joined, since they share a build.
func (p *parter) ordered(b bay) []part {
	type start struct {
		part
		at   int64
		lane int
	}
	var all []start
	for l, lane := range b.lanes {
		lane = p.joined(lane)
		slices.SortStableFunc(lane, func(x, y part) int {
			if l%2 == 1 { // what is heavy on one lane meets what is light on the next
				x, y = y, x
			}
			return before(x, y, len(b.lanes))
		})
		at := int64(0)
		for _, pt := range lane {
			all = append(all, start{pt, at, l})
			at += pt.wall
		}
	}
	slices.SortStableFunc(all, func(a, b start) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.lane, b.lane)) })
	parts := make([]part, len(all))
	for i, s := range all {
		parts[i] = s.part
	}
	return append(parts, p.joined(b.serial)...)
}

// before orders the parts of a lane: the longest first where it is the only
// one, else those that want most of a core.
func before(a, b part, lanes int) int {
	byShare := 0
	if lanes > 1 {
		byShare = cmp.Compare(float64(b.cpu)/float64(max(b.wall, 1)), float64(a.cpu)/float64(max(a.wall, 1)))
	}
	return cmp.Or(byShare, cmp.Compare(b.wall, a.wall), cmp.Compare(a.work, b.work))
}

func (p *parter) joined(lane []part) []part {
	var out []part
	at := map[int]int{}
	for _, pt := range lane {
		if i, ok := at[pt.work]; ok {
			out[i] = p.of(pt.work, append(slices.Clone(out[i].files), pt.files...))
			out[i].serial = pt.serial
			continue
		}
		at[pt.work] = len(out)
		out = append(out, pt)
	}
	return out
}

func (p *parter) piece(pt part, number int) Piece {
	w := p.in.Work[pt.work]
	piece := Piece{Goal: w.Goal, Part: number, Build: w.Build, CPUShare: w.CPUShare, Serial: pt.serial}
	for _, f := range pt.files {
		if w.Files[f].Path != "" {
			piece.Files = append(piece.Files, w.Files[f].Path)
		}
		piece.Estimate += w.Files[f].Median
		piece.P90 += w.Files[f].P90
	}
	piece.Estimate, piece.P90 = upMillis(piece.Estimate), upMillis(piece.P90)
	return piece
}

func usually(f File) time.Duration { return f.Median }

// atWorst is how long a machine takes at the 90th percentile. On lanes shorter
// pieces can meet worse than longer ones do; then it is as they usually are.
func (p *parter) atWorst(parts []part, lanes int) time.Duration {
	return max(p.timed(parts, lanes, func(f File) time.Duration { return f.P90 }), p.timed(parts, lanes, usually))
}

// timed is how long a machine takes for parts in this order, boot included.
func (p *parter) timed(parts []part, lanes int, takes func(File) time.Duration) time.Duration {
	if lanes > 1 {
		return p.in.Boot + seconds(together(p.runnings(parts, takes), lanes, p.in.Cores))
	}
	sum := p.in.Boot
	for _, pt := range parts {
		sum += p.in.Work[pt.work].Build
		for _, f := range pt.files {
			sum += takes(p.in.Work[pt.work].Files[f])
		}
	}
	return sum
}

func (p *parter) runnings(parts []part, takes func(File) time.Duration) []running {
	all := make([]running, len(parts))
	for i, pt := range parts {
		w := p.in.Work[pt.work]
		all[i] = running{build: w.Build.Seconds(), share: w.CPUShare, piece: i, serial: pt.serial}
		for _, f := range pt.files {
			all[i].test += takes(w.Files[f]).Seconds()
		}
	}
	return all
}
