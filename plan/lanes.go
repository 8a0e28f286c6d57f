package plan

import "time"

// laneBound is a number of machines below which no layout exists: all wall
// time over all lanes, and all CPU time over all cores.
func (p *parter) laneBound(limit int64, lanes int) int {
	wall, cpu := p.least(limit)
	alone := 0
	for _, pt := range p.laneParts() {
		if p.in.Split == "never" && pt.wall > limit {
			alone++
			wall -= pt.wall
			cpu -= pt.cpu
			continue
		}
		moreWall, moreCPU := p.idle(pt, lanes)
		wall += moreWall
		cpu += moreCPU
	}
	return max(1, alone+int(max(ceilDiv(wall, limit*int64(lanes)), ceilDiv(cpu, limit*int64(p.in.Cores)))))
}

// idle is the time of lanes and cores that nobody else may use while a part has
// the machine to itself. Its build is left out: it may be another part's too.
func (p *parter) idle(pt part, lanes int) (wall, cpu int64) {
	if !pt.serial {
		return 0, 0
	}
	build := int64(p.in.Work[pt.work].Build)
	return int64(lanes-1) * (pt.wall - build), max(0, int64(p.in.Cores)*(pt.wall-build)-(pt.cpu-build))
}

// layLanes packs goals on machines that run several pieces at once.
func (p *parter) layLanes(limits []int64, lanes int) layout {
	bays, _, lower := monotone(limits, func(l int64) int { return p.laneBound(l, lanes) }, func(limit int64) ([]bay, int) {
		if p.in.Split != "never" && !p.possible(limit) {
			return nil, 1 << 30
		}
		bays := p.lanesAt(limit, lanes)
		return bays, len(bays)
	})
	lay := layout{bays: bays, lower: lower, endLower: p.laneEnd(len(bays), lanes)}
	// The same machines may do with less time, which is an earlier end and,
	// where lanes stand idle, less money.
	hi := min(limits[0], p.end(lay)*int64(time.Second))
	lo := hi / 2
	if lay.endLower < hi { // not so when a goal alone is over the limit
		lo = max(lo, lay.endLower)
	}
	for range 8 {
		if p.stopped() {
			break
		}
		target := lo + (hi-lo)/2
		next := p.filled(target, lanes, len(bays))
		if next == nil || !p.inTime(next, limits[0]) {
			lo = target
			continue
		}
		hi = target
		if l := (layout{bays: next, lanes: lanes, lower: lower, endLower: lay.endLower}); p.compare(l, lay) < 0 {
			lay = l
		}
	}
	return lay
}

// laneEnd is what the longest of n machines takes at least.
func (p *parter) laneEnd(n, lanes int) int64 {
	var wall, cpu, most int64
	for _, pt := range p.wholes() {
		wall += pt.wall
		cpu += pt.cpu
		if p.in.Split == "never" {
			most = max(most, pt.wall)
		}
	}
	for _, pt := range p.laneParts() {
		moreWall, moreCPU := p.idle(pt, lanes)
		wall += moreWall
		cpu += moreCPU
	}
	return max(most, wall/int64(n*lanes), cpu/int64(n*p.in.Cores))
}

// lanesAt returns machines that end within limit. Where heavy pieces meet, a
// machine takes longer than its CPU seconds over its cores; it is then given
// less to do, down to half, and then fewer lanes.
func (p *parter) lanesAt(limit int64, lanes int) []bay {
	if lanes == 1 {
		return asBays(p.cutAt(p.packer(), limit))
	}
	for percent := int64(100); percent >= 50; percent -= 5 {
		less := limit * percent / 100
		if percent < 100 && p.in.Split != "never" && !p.possible(less) {
			break
		}
		if bays := p.lanesTo(less, lanes); p.inTime(bays, limit) {
			return bays
		}
	}
	return p.lanesAt(limit, lanes-1)
}

// inTime says whether all machines end within limit, but for those that have
// one goal alone, which may not be cut.
func (p *parter) inTime(bays []bay, limit int64) bool {
	for _, b := range bays {
		parts := p.ordered(b)
		p.steps -= len(parts) * len(b.lanes)
		took := p.atWorst(parts, len(b.lanes)) - p.in.Boot
		if int64(took) > limit+int64(time.Millisecond) && len(parts) > 1 {
			return false
		}
	}
	return true
}

func (p *parter) lanesTo(limit int64, lanes int) []bay {
	for n := p.laneBound(limit, lanes); ; n += max(1, n/100) {
		if bays := p.filled(limit, lanes, n); bays != nil {
			return bays
		}
	}
}

// filled fills n machines, nil when they are too few. Goals that are too long
// and may not be cut have machines of their own.
func (p *parter) filled(limit int64, lanes, n int) []bay {
	var own []bay
	var parts []part
	for _, pt := range p.laneParts() {
		if pt.wall <= limit || p.in.Split != "never" {
			parts = append(parts, pt)
			continue
		}
		b := bay{lanes: make([][]part, lanes), wall: make([]int64, lanes)}
		b.put(0, pt)
		own = append(own, b)
	}
	if len(own) > n || len(own) == n && len(parts) > 0 {
		return nil
	}
	f := &filler{parter: p, lanes: lanes, wall: limit, cpu: limit * int64(p.in.Cores)}
	bays := f.fill(parts, n-len(own))
	if bays == nil {
		f.rigid = true
		bays = f.fill(parts, n-len(own))
	}
	if bays == nil && len(parts) > 0 {
		return nil
	}
	used := own
	for _, b := range bays {
		if !b.empty() {
			used = append(used, b)
		}
	}
	return used
}
