package plan

import (
	"slices"
	"time"
)

// least returns the wall and CPU time of everything when goals are cut as
// seldom as limit allows: all files, and each goal's build once for each part
// that it needs at least. Goals that may not be cut count once.
func (p *parter) least(limit int64) (wall, cpu int64) {
	for i, w := range p.in.Work {
		whole := p.of(i, slices.Clone(p.desc[i]))
		again := int64(0)
		if room := limit - int64(w.Build); room > 0 && p.in.Split != "never" {
			again = max(1, ceilDiv(whole.wall-int64(w.Build), room)) - 1
		}
		wall += whole.wall + again*int64(w.Build)
		cpu += whole.cpu + again*int64(w.Build)
	}
	return wall, cpu
}

// cutBound is a number of machines below which no cutting helps.
func (p *parter) cutBound(limit int64) int {
	wall, _ := p.least(limit)
	return int(max(1, ceilDiv(wall, limit)))
}

// layCut packs goals on one lane and cuts them where that is needed or saves a
// machine.
func (p *parter) layCut(limits []int64) layout {
	pk := p.packer()
	type answer struct {
		parts []part
		bins  [][]int
	}
	got, _, lower := monotone(limits, p.cutBound, func(limit int64) (answer, int) {
		if !p.possible(limit) {
			return answer{}, 1 << 30
		}
		ps, bs := p.cutAt(pk, limit)
		return answer{ps, bs}, len(bs)
	})
	leveled := pk.level(walls(got.parts), got.bins)
	bays := p.even(asBays(got.parts, leveled.bins))
	wall, _ := p.least(limits[0])
	return layout{bays: bays, lower: lower, endLower: wall / int64(len(bays))}
}

// possible says whether every file fits into limit with its build.
func (p *parter) possible(limit int64) bool {
	need, _, _ := p.smallest()
	return need-int64(p.in.Boot) <= limit
}

// cutAt returns parts and bins for one limit: goals cut only where one alone
// is too long, unless cutting more saves a machine.
func (p *parter) cutAt(pk *packer, limit int64) ([]part, [][]int) {
	if p.in.Split == "never" {
		parts := p.wholes()
		return parts, pk.over(walls(parts), limit).bins
	}
	parts := p.chop(p.wholes(), limit)
	plain := pk.fewest(walls(parts), limit)
	bound := p.cutBound(limit)
	for n := bound; n < len(plain.bins); n += max(1, n/200) {
		for _, rigid := range []bool{false, true} {
			f := &filler{parter: p, lanes: 1, wall: limit, cpu: 1 << 62, rigid: rigid}
			if bays := f.fill(p.wholes(), n); bays != nil {
				return asParts(bays)
			}
		}
	}
	return parts, plain.bins
}

// asParts is the other way of asBays. Parts of one goal on one machine become one.
func asParts(bays []bay) (parts []part, bins [][]int) {
	for _, b := range bays {
		var bin []int
		for _, pt := range b.lanes[0] {
			bin = append(bin, len(parts))
			parts = append(parts, pt)
		}
		if bin != nil {
			bins = append(bins, bin)
		}
	}
	return parts, bins
}

// even cuts goals whose builds cost nothing where that ends the plan earlier:
// files move from the longest machine to the shortest. A cut is another job,
// so it must win a minute.
func (p *parter) even(bays []bay) []bay {
	for range 8 * len(bays) {
		long, short := 0, 0
		for i, b := range bays {
			if b.wall[0] > bays[long].wall[0] {
				long = i
			}
			if b.wall[0] < bays[short].wall[0] {
				short = i
			}
		}
		gap := bays[long].wall[0] - bays[short].wall[0]
		if gap < 2*int64(time.Minute) || !p.move(&bays[long], &bays[short], gap/2) {
			break
		}
	}
	return bays
}

// move takes at least a minute and at most most from one machine to another.
func (p *parter) move(from, to *bay, most int64) bool {
	best, bestAt := part{}, -1
	var bestRest part
	for i, pt := range from.lanes[0] {
		if p.in.Work[pt.work].Build > 0 {
			continue
		}
		if taken, rest, ok := p.cut(pt, most, 1<<62); ok && taken.wall > best.wall {
			best, bestRest, bestAt = taken, rest, i
		}
	}
	if bestAt < 0 || best.wall < int64(time.Minute) {
		return false
	}
	from.lanes[0][bestAt] = bestRest
	from.wall[0] -= best.wall
	from.cpu -= best.cpu
	to.put(0, best)
	return true
}
