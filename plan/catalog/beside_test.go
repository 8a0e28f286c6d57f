package catalog

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/ortest/ortest/plan"
)

// TestBesideTheOldTool shows planning beside the old algorithm; make bench
// prints it. The old tool's figures are measured when OPSBOY names a checkout of
// openresty/opsboy, else recorded; on what the old tool was never run on they
// are its algorithm's, as the oracle has it.
func TestBesideTheOldTool(t *testing.T) {
	c := embeddedCatalog(t)
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "request\tsplit\tmachines\tbound\tend\ttook\told: machines\tend\ttook\tfigures\t")
	for _, file := range recordedFiles {
		r := readRecorded(t, file)
		machines, end, how := oldFigures(t, r)
		for _, split := range []string{"never", "auto"} {
			in := r.input(t, c, plan.Request{Split: split, Lanes: 1})
			p, took := timed(t, in)
			_, _, oldTook := old(in, r.limit)
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.0f\t%s\t%d\t%d\t%s\t%s\t\n", strings.TrimSuffix(file, ".txt"), split,
				len(p.Buckets), p.Lower, math.Ceil(p.End().Minutes()), took, machines, end, oldTook, how)
		}
	}
	in := many()
	limit := int((in.Limit - in.Boot).Minutes())
	p, took := timed(t, in)
	machines, end, oldTook := old(in, limit)
	fmt.Fprintf(w, "100000 files\t%s\t%d\t%d\t%.0f\t%s\t%d\t%.0f\t%s\toracle\t\n", in.Split, len(p.Buckets), p.Lower, math.Ceil(p.End().Minutes()), took,
		machines, math.Ceil(end.Minutes()+in.Boot.Minutes()), oldTook)
	w.Flush()
	t.Logf("\n%sEnds are in minutes. For the 100000 files our plan has %.4f times the least machines, the boot of each counted once.", b.String(), ratio(in, p))
	if r := ratio(in, p); r > 1.02 || p.End() > in.Limit {
		t.Errorf("%.4f times the least number of machines, want at most 1.02; end %s", r, p.End())
	}
}

func timed(t testing.TB, in plan.Input) (plan.Plan, time.Duration) {
	t.Helper()
	begun := time.Now()
	p, err := plan.Pack(in)
	if err != nil {
		t.Fatal(err)
	}
	return p, time.Since(begun).Round(100 * time.Microsecond)
}

// old packs whole goals as the old tool does.
func old(in plan.Input, minutes int) (machines int, end, took time.Duration) {
	secs := make([]float64, len(in.Work))
	for i, w := range in.Work {
		for _, f := range w.Files {
			secs[i] += f.Median.Seconds()
		}
		secs[i] = math.Round(secs[i]) // ast.json has whole seconds
	}
	begun := time.Now()
	buckets := oldPack(secs, minutes)
	took = time.Since(begun).Round(100 * time.Microsecond)
	for _, b := range buckets {
		sum := 0.0
		for _, i := range b {
			sum += secs[i]
		}
		end = max(end, time.Duration(sum*float64(time.Second)))
	}
	return len(buckets), end, took
}

// TestNeverWorseOnOtherInputs: whatever the durations, planning whole goals
// needs no more machines than the old algorithm, and with as many it ends no later.
func TestNeverWorseOnOtherInputs(t *testing.T) {
	shapes := []func(rng *rand.Rand) float64{
		func(rng *rand.Rand) float64 { return rng.Float64() * 3600 },
		func(rng *rand.Rand) float64 { return math.Exp(rng.NormFloat64()*1.2 + 5) },
		func(rng *rand.Rand) float64 { return 600 + rng.Float64()*600 },
		func(rng *rand.Rand) float64 { return float64(1+rng.IntN(8)) * 300 },
		func(rng *rand.Rand) float64 { return 60 * math.Pow(200, rng.Float64()) },
	}
	const cases = 100
	better, unproven := 0, 0
	for i := range uint64(cases) {
		rng := rand.New(rand.NewPCG(i, 11))
		in := plan.Input{Limit: time.Duration(10+rng.IntN(230)) * time.Minute, Split: "never", Lanes: 1}
		shape := shapes[rng.IntN(len(shapes))]
		for g := range 1 + rng.IntN(120) {
			d := time.Duration(math.Round(shape(rng))) * time.Second
			in.Work = append(in.Work, plan.Work{Goal: plan.Goal{Mode: "t", Project: fmt.Sprintf("p%d", g)}, Files: []plan.File{{Median: d, P90: d}}})
		}
		p, _ := timed(t, in)
		machines, end, _ := old(in, int(in.Limit.Minutes()))
		if n := len(p.Buckets); n > machines || n == machines && p.End() > end+time.Second {
			t.Errorf("case %d: %d goals at %s: %d machines to %s, the old algorithm %d to %s", i, len(in.Work), in.Limit, n, p.End(), machines, end)
		} else if n < machines || p.End() < end-time.Second {
			better++
		}
		if !p.Optimal {
			unproven++
		}
	}
	t.Logf("better in %d of %d cases; %d without a proof", better, cases, unproven)
	if better < cases/2 {
		t.Errorf("better in only %d cases", better)
	}
}
