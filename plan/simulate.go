package plan

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Model says how the world differs from a plan. Its zero value is a world in
// which everything takes as long as durations are spread, and nothing fails.
type Model struct {
	BootMedian  time.Duration // 0: four fifths of the plan's boot, which is then the 90th percentile
	BootP90     time.Duration
	PickUp      time.Duration // mean wait of a job for its runner, exponential
	Interrupted float64       // spot interruptions per machine and hour
	NoCapacity  float64       // chance that a launch finds none; it is tried again after a minute, two, four, at most ten times
	Error       float64       // sigma of a log-normal error of all estimates of a run, such as a slow day
	OnDemand    bool          // pay and be safe from interruptions
	File        time.Duration // work lost with a machine, per lane: half of this on average
	Cores       int           // of a machine; 0 is 2
	Seed        uint64        // of the first run that is played; the next ones follow
}

// Outcome is one simulated run, or a percentile of many.
type Outcome struct {
	End         time.Duration // of the longest bucket
	Machine     time.Duration // paid
	Dollars     float64
	Launches    int
	Interrupted int
	Late        int // buckets that took longer than the plan's limit
}

// z90 is the 90th percentile of the normal distribution.
const z90 = 1.2815515655446004

// Run plays a plan once. The same plan and seed give the same outcome.
func (m Model) Run(p Plan, seed uint64) Outcome {
	var out Outcome
	slow := math.Exp(m.Error * rand.New(rand.NewPCG(seed, math.MaxUint64)).NormFloat64())
	for i, b := range p.Buckets {
		g := game{Model: m, rng: rand.New(rand.NewPCG(seed, uint64(i))), boot: p.Boot}
		g.play(b, slow)
		out.End = max(out.End, g.now)
		out.Machine += g.paid
		out.Launches += g.launches
		out.Interrupted += g.interrupted
		if g.now > p.Limit {
			out.Late++
		}
	}
	rate := p.Price.Spot
	if m.OnDemand {
		rate = p.Price.OnDemand
	}
	out.Dollars = out.Machine.Hours() * rate
	return out
}

// Percentiles plays a plan so many times, each with the next seed, and returns
// each figure's percentiles, each sorted on its own.
func (m Model) Percentiles(p Plan, runs int, percentiles ...float64) []Outcome {
	return rank(m.play(p, runs), percentiles)
}

func (m Model) play(p Plan, runs int) []Outcome {
	all := make([]Outcome, runs)
	for i := range all {
		all[i] = m.Run(p, m.Seed+uint64(i))
	}
	return all
}

func rank(all []Outcome, percentiles []float64) []Outcome {
	out := make([]Outcome, len(percentiles))
	if len(all) == 0 {
		return out
	}
	for i, pc := range percentiles {
		at := min(max(int(math.Ceil(pc/100*float64(len(all))))-1, 0), len(all)-1)
		out[i] = Outcome{
			End: ranked(all, at, func(o Outcome) time.Duration { return o.End }), Machine: ranked(all, at, func(o Outcome) time.Duration { return o.Machine }),
			Dollars: ranked(all, at, func(o Outcome) float64 { return o.Dollars }), Launches: ranked(all, at, func(o Outcome) int { return o.Launches }),
			Interrupted: ranked(all, at, func(o Outcome) int { return o.Interrupted }), Late: ranked(all, at, func(o Outcome) int { return o.Late }),
		}
	}
	return out
}

func ranked[T int | float64 | time.Duration](all []Outcome, at int, of func(Outcome) T) T {
	values := make([]T, len(all))
	for i, o := range all {
		values[i] = of(o)
	}
	slices.Sort(values)
	return values[at]
}

// Promise returns which share of all buckets ended within the plan's limit in
// this world, and which does where nothing but boots and tests vary, as they were
// measured to: of that a plan promises nine of ten.
func (m Model) Promise(p Plan, runs int) (here, promised float64) {
	return inTime(p, m.play(p, runs)), inTime(p, Model{Cores: m.Cores, Seed: m.Seed}.play(p, runs))
}

func inTime(p Plan, all []Outcome) float64 {
	late := 0
	for _, o := range all {
		late += o.Late
	}
	return 1 - float64(late)/float64(max(1, len(p.Buckets)*len(all)))
}

// spreadKnown says whether any piece's 90th percentile is above its median.
func (p Plan) spreadKnown() bool {
	return slices.ContainsFunc(p.Pieces(), func(pc Piece) bool { return pc.P90 > pc.Estimate })
}

// WriteText writes percentiles of a simulation as a table, and below it how
// far the plan's promise held, and why no further.
func (m Model) WriteText(w io.Writer, p Plan, runs int) error {
	const head = "%-10s %10s %14s %9s %9s %12s %6s\n"
	if _, err := fmt.Fprintf(w, head, "percentile", "end (min)", "machines (min)", "USD", "launches", "interrupted", "late"); err != nil {
		return err
	}
	which := []float64{10, 50, 90, 99}
	for i, o := range m.Percentiles(p, runs, which...) {
		_, err := fmt.Fprintf(w, head, fmt.Sprintf("p%.0f", which[i]), fmt.Sprint(ceilMinutes(o.End)), fmt.Sprint(ceilMinutes(o.Machine)),
			fmt.Sprintf("%.2f", o.Dollars), fmt.Sprint(o.Launches), fmt.Sprint(o.Interrupted), fmt.Sprint(o.Late))
		if err != nil {
			return err
		}
	}
	return m.writePromise(w, p, runs)
}

func (m Model) writePromise(w io.Writer, p Plan, runs int) error {
	if len(p.Buckets) == 0 {
		return nil
	}
	here, promised := m.Promise(p, runs)
	text := fmt.Sprintf("%.1f %% of all buckets ended within -t %.0f; %.1f %% where nothing but boots and tests vary, as measured: of that 90 %% are promised\n",
		100*here, p.Limit.Minutes(), 100*promised)
	switch {
	case here >= 0.9:
	case !p.spreadKnown():
		text += "how far durations vary is not known (their 90th percentile is the median), so the plan leaves no room for it: a shorter -t does\n"
	default:
		text += "for errors of estimates, interruptions, lack of capacity and waiting for runners the plan leaves no room: a shorter -t does\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// game is one bucket being played.
type game struct {
	Model
	rng         *rand.Rand
	boot        time.Duration // planned
	now         time.Duration
	paid        time.Duration
	launches    int
	interrupted int
}

// play serves a bucket to its end, on as many machines as that takes.
func (g *game) play(b Bucket, slow float64) {
	left := make([]float64, len(b.Pieces))
	for i, pc := range b.Pieces {
		left[i] = g.logNormal(pc.Estimate, pc.P90) * slow
	}
	todo := make([]int, len(b.Pieces))
	for i := range todo {
		todo[i] = i
	}
	for len(todo) > 0 {
		g.launch()
		booted := g.now
		ends := math.Inf(1)
		if g.Interrupted > 0 && !g.OnDemand {
			ends = g.rng.ExpFloat64() * 3600 / g.Interrupted
		}
		boot := g.bootTime()
		var worked float64
		if boot < ends {
			worked, todo = g.serve(b, todo, left, ends-boot)
		}
		lived := min(boot+worked, ends)
		if len(todo) > 0 {
			g.interrupted++
		}
		g.now = booted + seconds(lived)
		g.paid += max(seconds(lived), time.Minute)
	}
}

// launch waits until the cloud has a machine. Ten refusals end in another
// market, where there is one.
func (g *game) launch() {
	g.launches++
	for try := 0; try < 10 && g.rng.Float64() < g.NoCapacity; try++ {
		g.now += time.Minute << min(try, 4)
		g.launches++
	}
}

func (g *game) bootTime() float64 {
	median, p90 := g.BootMedian, g.BootP90
	if median == 0 {
		median, p90 = g.boot*4/5, g.boot
	}
	return g.logNormal(median, p90)
}

// logNormal draws seconds of a duration with the given median and 90th percentile.
func (g *game) logNormal(median, p90 time.Duration) float64 {
	z := g.rng.NormFloat64()
	if median <= 0 {
		return 0
	}
	return median.Seconds() * math.Exp(z*math.Log(max(1, float64(p90)/float64(median)))/z90)
}

// serve lets the lanes take pieces in order until the machine ends, and returns
// how long it worked and what is unfinished.
func (g *game) serve(b Bucket, todo []int, left []float64, ends float64) (worked float64, unfinished []int) {
	var lanes []running
	next := 0
	for {
		for next < len(todo) && begins(b.Pieces[todo[next]].Serial, lanes, b.Lanes) {
			pc := todo[next]
			share := b.Pieces[pc].CPUShare
			if share == 0 {
				share = 1
			}
			lanes = append(lanes, running{g.rng.ExpFloat64() * g.PickUp.Seconds(), b.Pieces[pc].Build.Seconds(), left[pc], share, pc, b.Pieces[pc].Serial})
			next++
		}
		if len(lanes) == 0 {
			return worked, nil
		}
		step := advance(lanes, g.Cores)
		if worked+step >= ends {
			return ends, g.lost(lanes, todo[next:], left)
		}
		worked += step
		lanes = slices.DeleteFunc(lanes, running.done)
	}
}

// lost lists the pieces that a dead machine leaves. Files that were handed over
// stay done; the one under way is run again.
func (g *game) lost(lanes []running, rest []int, left []float64) []int {
	var unfinished []int
	for _, r := range lanes {
		again := g.rng.Float64() * g.File.Seconds()
		left[r.piece] = min(left[r.piece], r.test+again)
		unfinished = append(unfinished, r.piece)
	}
	return append(unfinished, rest...)
}
