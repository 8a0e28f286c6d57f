package plan

import (
	"fmt"
	"testing"
	"time"
)

// spread is a plan of goals whose durations vary: the 90th percentile is a
// quarter above the median.
func spread(t *testing.T, goals, lanes int) Plan {
	t.Helper()
	in := request(30*minute, "auto")
	in.Lanes, in.Boot, in.Price = lanes, 2*minute, Price{Type: "c5.large", OnDemand: 0.085, Spot: 0.034}
	for g := range goals {
		var files []float64
		for f := range 1 + g%7 {
			files = append(files, 0.5+float64((g*7+f*3)%20)/10)
		}
		w := goalOf(fmt.Sprintf("g%d", g), minute/2, files...)
		for i := range w.Files {
			w.Files[i].P90 = w.Files[i].Median * 5 / 4
		}
		in.Work = append(in.Work, w)
	}
	p, err := Pack(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestThePromiseHolds: nine of ten runs of each bucket end within the limit.
func TestThePromiseHolds(t *testing.T) {
	for _, lanes := range []int{1, 0} {
		p := spread(t, 60, lanes)
		const runs = 400
		late := make([]int, len(p.Buckets))
		for i, b := range p.Buckets {
			alone := p
			alone.Buckets = []Bucket{b}
			for seed := range uint64(runs) {
				late[i] += Model{}.Run(alone, seed).Late
			}
			if late[i] > runs/10 {
				t.Errorf("%d lanes: bucket %d is late in %d of %d runs: %s", b.Lanes, i, late[i], runs, b.P90)
			}
		}
		t.Logf("--lanes %d: %d buckets, late %v of %d", lanes, len(p.Buckets), late, runs)
	}
}

// TestThePromiseHoldsInTheWorld: durations as they were measured, waiting for
// runners planned for as part of the boot, and nothing lost on spot.
func TestThePromiseHoldsInTheWorld(t *testing.T) {
	for _, lanes := range []int{1, 2, 0} {
		p := spread(t, 60, lanes)
		const runs = 300
		late := 0
		for _, o := range (Model{Seed: 1, OnDemand: true, Error: 0.03, PickUp: 2 * time.Second, File: minute}).play(p, runs) {
			late += o.Late
		}
		if 10*late > runs*len(p.Buckets) {
			t.Errorf("--lanes %d: %d of %d buckets were late", lanes, late, runs*len(p.Buckets))
		}
	}
}

func TestSimulateIsDeterministic(t *testing.T) {
	p := spread(t, 20, 2)
	m := Model{PickUp: 10 * time.Second, Interrupted: 0.5, NoCapacity: 0.2, Error: 0.1, File: minute}
	for seed := range uint64(20) {
		if a, b := m.Run(p, seed), m.Run(p, seed); a != b {
			t.Fatalf("seed %d gave %+v and %+v", seed, a, b)
		}
	}
	if m.Run(p, 1) == m.Run(p, 2) {
		t.Error("two seeds gave the same run")
	}
}

func TestSimulate(t *testing.T) {
	p := spread(t, 40, 1)
	base := Model{}.Percentiles(p, 200, 50)[0]
	for _, tt := range []struct {
		name string
		m    Model
		ok   func(o Outcome) bool
	}{
		{"each bucket is launched once when nothing fails", Model{}, func(o Outcome) bool { return o.Launches == len(p.Buckets) && o.Interrupted == 0 }},
		{"waiting for runners ends later and costs more", Model{PickUp: minute}, func(o Outcome) bool { return o.End > base.End && o.Dollars > base.Dollars }},
		{"interruptions cost machines and time", Model{Interrupted: 2, File: minute}, func(o Outcome) bool { return o.Interrupted > 0 && o.Launches > base.Launches && o.End > base.End }},
		{"on demand there are none, at its price", Model{Interrupted: 2, OnDemand: true}, func(o Outcome) bool { return o.Interrupted == 0 && o.Dollars > 2*base.Dollars }},
		{"no capacity ends later, but waiting is not paid", Model{NoCapacity: 0.5}, func(o Outcome) bool { return o.End > base.End && o.Machine < base.Machine*11/10 }},
		{"a launch that never succeeds ends all the same", Model{NoCapacity: 1}, func(o Outcome) bool { return o.Launches == 11*len(p.Buckets) }},
		{"a longer boot ends later", Model{BootMedian: 5 * minute, BootP90: 6 * minute}, func(o Outcome) bool { return o.End > base.End+2*minute }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if o := tt.m.Percentiles(p, 200, 50)[0]; !tt.ok(o) {
				t.Errorf("median %+v beside %+v", o, base)
			}
		})
	}
	none := Model{}.Percentiles(Plan{}, 0, 50, 90)
	if len(none) != 2 || none[0] != (Outcome{}) {
		t.Errorf("no runs gave %+v", none)
	}
}
