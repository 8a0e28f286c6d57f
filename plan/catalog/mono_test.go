package catalog

import (
	"testing"
	"time"

	"github.com/ortest/ortest/plan"
)

// TestMoreTimeNeverNeedsMoreMachines goes through the limits that people use,
// on all 326 goals.
func TestMoreTimeNeverNeedsMoreMachines(t *testing.T) {
	c := embeddedCatalog(t)
	r := readRecorded(t, "full-t230.txt")
	for _, split := range []string{"never", "auto"} {
		before := 1 << 30
		for limit := 20; limit <= 240; limit += 22 {
			in := r.input(t, c, plan.Request{Limit: time.Duration(limit) * time.Minute, Split: split, Lanes: 1, Boot: 2 * time.Minute, Build: time.Minute})
			p, err := plan.Pack(in)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Buckets) > before {
				t.Errorf("--split %s -t %d: %d machines, %d at less", split, limit, len(p.Buckets), before)
			}
			if float64(len(p.Buckets)) > 1.02*float64(p.Lower)+0.5 {
				t.Errorf("--split %s -t %d: %d machines, bound %d", split, limit, len(p.Buckets), p.Lower)
			}
			before = len(p.Buckets)
		}
	}
}

// BenchmarkSimulate plays all 326 goals a thousand times.
func BenchmarkSimulate(b *testing.B) {
	c := embeddedCatalog(b)
	r := readRecorded(b, "full-t60.txt")
	p, err := plan.Pack(r.input(b, c, plan.Request{Split: "auto", Lanes: 0, Boot: 2 * time.Minute, Build: time.Minute}))
	if err != nil {
		b.Fatal(err)
	}
	m := plan.Model{PickUp: 8 * time.Second, Interrupted: 0.1, NoCapacity: 0.05, Error: 0.1, File: 2 * time.Minute}
	for b.Loop() {
		m.Percentiles(p, 1000, 50, 90)
	}
}

// TestLanesKeepTheirWord: played with cores that are really shared, no bucket
// takes longer than the plan says, however many lanes it has.
func TestLanesKeepTheirWord(t *testing.T) {
	c := embeddedCatalog(t)
	r := readRecorded(t, "full-t230.txt")
	for _, limit := range []int{15, 60, 230} {
		in := r.input(t, c, plan.Request{Limit: time.Duration(limit) * time.Minute, Split: "auto", Lanes: 0, Boot: 2 * time.Minute, Build: time.Minute})
		p, err := plan.Pack(in)
		if err != nil {
			t.Fatal(err)
		}
		exact := plan.Model{BootMedian: p.Boot, BootP90: p.Boot, Cores: in.Cores}
		for i, b := range p.Buckets {
			alone := p
			alone.Buckets = []plan.Bucket{b}
			if o := exact.Run(alone, 1); o.End > b.P90+time.Second || o.Late > 0 {
				t.Errorf("-t %d: bucket %d of %d lanes takes %s, planned %s", limit, i+1, b.Lanes, o.End, b.P90)
			}
		}
	}
}
