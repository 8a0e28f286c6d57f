package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Pack gives each goal's test files to machines. In this order it wants every
// machine within the limit at the 90th percentile, the fewest machines, the
// least money, and the earliest end. The answer says how near it is to the
// best possible. The same input gives the same plan: the search is bounded by
// steps, not by a clock, unless Input.Stop cuts it short, which a warning tells.
//
// A single file longer than the limit is a *UsageError that names the smallest
// limit; with Split "never" such a goal gets a machine of its own and a warning.
func Pack(in Input) (Plan, error) {
	if in.Split == "" {
		in.Split = "auto"
	}
	if in.Cores == 0 {
		in.Cores = 2
	}
	if err := in.validate(); err != nil {
		return Plan{}, err
	}
	stopped := false
	if stop := in.Stop; stop != nil {
		in.Stop = func() bool { stopped = stopped || stop(); return stopped }
	}
	out := Plan{Options: in.Options, Limit: in.Limit, Boot: in.Boot, Basis: in.Basis, Price: in.Price, Warnings: slices.Clone(in.Warnings)}
	if len(in.Work) == 0 {
		out.Optimal = true
		return out, nil
	}
	p := newParter(in)
	if need, work, file := p.smallest(); need > int64(in.Limit) {
		warning, err := tooLong(in, need, work, file)
		if err != nil {
			return Plan{}, err
		}
		out.Warnings = append(out.Warnings, warning)
	}
	lay := p.best()
	p.finish(&out, lay)
	if stopped {
		out.Warnings = append(out.Warnings, "the time for planning was used up; another plan may be better")
	}
	return out, nil
}

// tooLong says what cannot fit. With files it is an error; a whole goal that
// may not be cut gets its way, as in the old tool, with a warning.
func tooLong(in Input, need int64, work, file int) (warning string, err error) {
	w, limit := in.Work[work], int(in.Limit/time.Minute)
	least, day := ceilMinutes(time.Duration(need)), int(maxLimit/time.Minute)
	smallest := func(all string) string {
		if least > day {
			return fmt.Sprintf("not even -t %d fits%s: leave out with -e what is longer, or correct its duration", day, all)
		}
		return fmt.Sprintf("the smallest -t that fits%s is %d", all, least)
	}
	if in.Split == "never" {
		return fmt.Sprintf("longer than -t %d alone, each on a machine of its own: %s; %s", limit, tooLongGoals(in), smallest(" all")), nil
	}
	what := w.Goal.String()
	if path := w.Files[file].Path; path != "" {
		what = path + " of " + what
	}
	return "", &UsageError{Word: fmt.Sprintf("-t %d", limit), What: fmt.Sprintf("is too short: %s alone takes %d minutes on a machine", what, least),
		Do: smallest("")}
}

// tooLongGoals names the goals that are over the limit, in the request's order
// and at most forty.
func tooLongGoals(in Input) string {
	var names []string
	for _, w := range in.Work {
		sum := in.Boot + w.Build
		for _, f := range w.Files {
			sum += f.P90
		}
		if sum > in.Limit {
			names = append(names, w.Goal.String())
		}
	}
	more := ""
	if n := len(names) - 40; n > 0 {
		names, more = names[:40], fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(names, " ") + more
}

// layout is a way to run everything, and its proof.
type layout struct {
	bays     []bay
	lanes    int
	lower    int
	endLower int64
}

// best tries the numbers of lanes that the input allows and keeps the layout
// that serves the objective best; fewer lanes win a tie.
func (p *parter) best() layout {
	lanes := []int{p.in.Lanes}
	if p.in.Lanes == 0 {
		lanes = nil
		for l := 1; l <= min(16, 4*p.in.Cores); l += 1 + l/12 {
			lanes = append(lanes, l)
		}
	}
	best := p.lay(lanes[0])
	lower := best.lower
	for _, l := range lanes[1:] {
		if p.stopped() {
			lower = min(lower, p.laneBound(int64(p.in.Limit-p.in.Boot), l)) // it might have needed fewer machines
			continue
		}
		lay := p.lay(l)
		lower = min(lower, lay.lower) // a bound holds only for its own lanes
		if p.compare(lay, best) < 0 {
			best = lay
		}
	}
	best.lower = lower
	return best
}

// stopped says whether the steps for filling lanes, or the time for planning,
// are used up.
func (p *parter) stopped() bool { return p.steps <= 0 || p.in.Stop != nil && p.in.Stop() }

// compare orders layouts by machines, money, end.
func (p *parter) compare(a, b layout) int {
	return cmp.Or(cmp.Compare(len(a.bays), len(b.bays)), cmp.Compare(p.cost(a), p.cost(b)), cmp.Compare(p.end(a), p.end(b)))
}

// cost is machine time, end the time of the longest machine; both at the 90th
// percentile and rounded to seconds, so that noise decides nothing.
func (p *parter) cost(l layout) int64 {
	var sum int64
	for _, b := range l.bays {
		sum += int64(p.in.Boot) + b.time(p.in.Cores)
	}
	return sum / int64(time.Second)
}

func (p *parter) end(l layout) int64 {
	var end int64
	for _, b := range l.bays {
		end = max(end, b.time(p.in.Cores))
	}
	return end / int64(time.Second)
}

// time is how long a machine works: the longer of its longest lane and its CPU
// seconds over its cores, and then what has the machine to itself.
func (b bay) time(cores int) int64 {
	most := slices.Max(b.wall)
	if len(b.wall) > 1 {
		most = max(most, b.cpu/int64(cores))
	}
	return most + b.alone
}

func (p *parter) lay(lanes int) layout {
	limits := p.limits()
	var lay layout
	if lanes == 1 && p.in.Split == "never" {
		lay = p.layWhole(limits)
	} else if lanes == 1 {
		lay = p.layCut(limits)
	} else {
		lay = p.layLanes(limits, lanes)
	}
	lay.lanes = lanes
	return lay
}

// limits are what machines may take without boot, for -t and each shorter one.
func (p *parter) limits() []int64 {
	var limits []int64
	for t := p.in.Limit; t > p.in.Boot; t -= time.Minute {
		limits = append(limits, int64(t-p.in.Boot))
	}
	return limits
}

func (p *parter) packer() *packer {
	nodes := p.in.Nodes
	if nodes == 0 {
		nodes = defaultNodes
	}
	return &packer{nodes: nodes, stop: p.in.Stop}
}

// layWhole packs whole goals, one lane. Those that are too long for the limit
// have machines of their own and are not spread.
func (p *parter) layWhole(limits []int64) layout {
	parts := p.wholes()
	sizes := walls(parts)
	pk := p.packer()
	bins, _, lower := monotone(limits, func(limit int64) int { return overBound(sizes, limit) }, func(limit int64) ([][]int, int) {
		out := pk.over(sizes, limit)
		return out.bins, len(out.bins)
	})
	if lower < len(bins) { // the search may have proven more than the bound says
		lower = max(lower, pk.over(sizes, limits[0]).lower)
	}
	alone := 0
	for alone < len(bins) && load(sizes, bins[alone]) > limits[0] {
		alone++
	}
	var rest []int
	for _, b := range bins[alone:] {
		rest = append(rest, b...)
	}
	slices.Sort(rest)
	back := make(map[int]int, len(rest))
	for i, it := range rest {
		back[it] = i
	}
	within := make([][]int, 0, len(bins)-alone)
	for _, b := range bins[alone:] {
		var bin []int
		for _, it := range b {
			bin = append(bin, back[it])
		}
		within = append(within, bin)
	}
	leveled := pk.level(pick(sizes, rest), within)
	bins = append(bins[:alone:alone], mapBack(leveled.bins, rest)...)
	lay := layout{bays: asBays(parts, bins), lower: lower, endLower: leveled.end}
	for _, b := range bins[:alone] {
		lay.endLower = max(lay.endLower, load(sizes, b))
	}
	return lay
}

func asBays(parts []part, bins [][]int) []bay {
	bays := make([]bay, len(bins))
	for i, bin := range bins {
		bays[i] = bay{lanes: make([][]part, 1), wall: make([]int64, 1)}
		for _, it := range bin {
			bays[i].put(0, parts[it])
		}
	}
	return bays
}
