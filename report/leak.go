package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The bounds of the leak rule. Samples are taken every 20 to 30 ms under full
// load, so 1 KiB a sample is tens of bytes a request.
const (
	minSamples = 20 // fewer say nothing
	minGrowth  = 1  // KiB a sample
	oldSlope   = 10 // the old tool's, KiB a sample
)

// leakOpinion is what the samples of one block say.
type leakOpinion struct {
	leaks  bool
	unsure string // why nothing can be said
	died   bool
	text   string // for a person
}

// judgeLeak decides whether a resident set grows without end: the slope over all
// samples and that over their last half must both be above 1 KiB a sample with
// 99 % confidence. The first shows growth; the second keeps a warm-up that has
// levelled off from counting. The old tool's rule is told as a second opinion
// and decides nothing.
func judgeLeak(samples []float64) leakOpinion {
	if i := slices.Index(samples, 0); i >= 0 {
		return leakOpinion{died: true, text: fmt.Sprintf("the resident set is 0 from sample %d of %d: the process was gone", i+1, len(samples))}
	}
	if len(samples) < minSamples {
		return leakOpinion{unsure: fmt.Sprintf("%d samples, at least %d are needed", len(samples), minSamples)}
	}
	all, half := senTrend(samples), senTrend(samples[len(samples)/2:])
	o := leakOpinion{leaks: all.Low >= minGrowth && half.Low >= minGrowth}
	old := "no leak"
	if oldRule(samples) {
		old = "leak"
	}
	o.text = fmt.Sprintf("slope %.1f KiB a sample (99 %% confidence: %.1f to %.1f), over the last half %.1f (%.1f to %.1f); "+
		"a leak is at least %d in both. %d samples, %.0f to %.0f KiB. The old rule says: %s (k=%.1f).",
		all.Slope, all.Low, all.High, half.Slope, half.Low, half.High, minGrowth, len(samples),
		slices.Min(samples), slices.Max(samples), old, leastSquares(samples))
	return o
}

// LeakChecks returns what the samples of each leak check say, by the block's
// name: Name is the block, Detail the opinion, with that of the old rule. It
// tells of the checks that passed too.
func (g GoalResult) LeakChecks() []Finding {
	var all []Finding
	for _, name := range slices.Sorted(maps.Keys(g.Leaks)) {
		o := judgeLeak(kib(g.Leaks[name]))
		all = append(all, Finding{Kind: kindLeak, Name: name, Detail: cmp.Or(o.text, "it says nothing: "+o.unsure), Samples: g.Leaks[name]})
	}
	return all
}

// oldRule is that of the old tool: k of at least 10, unless the last 35 % of
// the samples are equal or the rises outnumber the falls by less than 10.
func oldRule(samples []float64) bool {
	if leastSquares(samples) < oldSlope {
		return false
	}
	tail := samples[len(samples)-len(samples)*35/100:]
	stable := len(tail) > 0 && slices.Min(tail) == slices.Max(tail)
	edges := 0
	for i := 1; i < len(samples); i++ {
		switch {
		case samples[i] > samples[i-1]:
			edges++
		case samples[i] < samples[i-1]:
			edges--
		}
	}
	return !stable && edges >= oldSlope
}

// series writes samples as a person reads them, equal neighbours counted.
func series(samples []float64) string {
	var s strings.Builder
	for i := 0; i < len(samples); {
		j := i
		for j < len(samples) && samples[j] == samples[i] {
			j++
		}
		if i > 0 {
			s.WriteByte(' ')
		}
		fmt.Fprintf(&s, "%g", samples[i])
		if j-i > 1 {
			fmt.Fprintf(&s, "×%d", j-i)
		}
		i = j
	}
	return s.String()
}
