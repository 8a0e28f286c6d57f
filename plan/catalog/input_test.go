package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/plan"
)

func TestInputFrom(t *testing.T) {
	c := embeddedCatalog(t)
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	o := func(goal, file string, secs float64) plan.Observation {
		return plan.Observation{Arch: "linux x86_64", Nginx: "1.29.2", Goal: goal, File: file, Seconds: secs, At: at}
	}
	hello := []plan.Observation{o("t-hello", "t/001-greet.t", 1), o("t-hello", "t/002-native.t", 2), o("t-hello", "t/003-state.t", 3)}
	gone := o("t-ngx_drizzle", "t/gone.t", 7)
	gone.At = at.Add(-32 * 24 * time.Hour)
	boot := plan.Observation{Arch: "linux x86_64", Phase: "boot", Seconds: 90, At: at}
	build := plan.Observation{Arch: "linux x86_64", Goal: "t-hello", Phase: "build", Seconds: 30, At: at}
	for _, tt := range []struct {
		name  string
		goal  string
		known []plan.Observation
		flags plan.Request
		total time.Duration
		files int
		boot  time.Duration
		build time.Duration
		basis string
		warns string
	}{
		{"blocks by what one takes in the mode", "tl-hello", nil, plan.Request{}, 46200 * time.Millisecond, 3, 0, 0, "0 goals measured, 1 counted by blocks, 0 guessed", "blocks are counted for: tl-hello"},
		{"ten minutes where nothing is known", "t-ngx_drizzle", nil, plan.Request{}, 10 * time.Minute, 1, 0, 0, "0 goals measured, 0 counted by blocks, 1 guessed", "ten minutes are guessed for each of: t-ngx_drizzle"},
		{"the goal's duration is shared by its files", "t-hello", []plan.Observation{o("t-hello", "", 14)}, plan.Request{}, 14 * time.Second, 3, 0, 0, "1 goals measured (1 runs or more, the oldest of 2026-11-01)", ""},
		{"a goal of unknown files has its duration whole", "t-ngx_drizzle", []plan.Observation{o("t-ngx_drizzle", "", 14)}, plan.Request{}, 14 * time.Second, 1, 0, 0, "1 goals measured", ""},
		{"the files' own durations win over the goal's", "t-hello", append(hello, o("t-hello", "", 99)), plan.Request{}, 6 * time.Second, 3, 0, 0, "1 goals measured", ""},
		{"a file never measured brings the goal's back", "t-hello", append(slices.Clone(hello[:2]), o("t-hello", "", 99)), plan.Request{}, 99 * time.Second, 3, 0, 0, "1 goals measured", ""},
		{"files never measured take as long for a block as the others", "t-hello", hello[:2], plan.Request{}, 4666666666, 3, 0, 0, "1 goals measured", ""},
		{"but not when less than half of the blocks was measured", "t-hello", hello[2:], plan.Request{}, 3360 * time.Millisecond, 3, 0, 0, "0 goals measured, 1 counted", "blocks are counted for: t-hello"},
		{"files that the catalog does not list are those run of late", "t-ngx_drizzle", []plan.Observation{o("t-ngx_drizzle", "t/a.t", 5), o("t-ngx_drizzle", "t/b.t", 6), gone},
			plan.Request{}, 11 * time.Second, 2, 0, 0, "1 goals measured", ""},
		{"a core never measured takes what another took", "t-hello", hello, plan.Request{Options: plan.Options{Nginx: "1.27.1"}}, 6 * time.Second, 3, 0, 0, "1 goals measured", ""},
		{"a slip in a name is told", "t-ngx_drizzle", []plan.Observation{o("t-ngx_drizle", "", 14), o("tz-ngx_lua", "", 14), o("tz-ngx_lua", "t/a.t", 14)}, plan.Request{}, 10 * time.Minute, 1, 0, 0, "1 guessed",
			`3 durations are of no goal of the catalog: "t-ngx_drizle" (t-ngx_drizzle?) "tz-ngx_lua" (t-ngx_lua?)`},
		{"so is one in an arch", "t-ngx_drizzle", []plan.Observation{{Arch: "linux x86-64", Goal: "t-ngx_drizzle", Seconds: 14}}, plan.Request{}, 10 * time.Minute, 1, 0, 0, "1 guessed",
			`1 durations are of no arch of the catalog: "linux x86-64" (linux x86_64?)`},
		{"and what is known of another arch", "t-ngx_drizzle", []plan.Observation{{Arch: "linux i386", Goal: "t-ngx_drizzle", Seconds: 14}}, plan.Request{}, 10 * time.Minute, 1, 0, 0, "1 guessed",
			"1 goals without a duration on linux x86_64 have one on linux i386: t-ngx_drizzle"},
		{"a slip says nothing where nothing is missing", "t-hello", append([]plan.Observation{o("t-ngx_drizle", "", 14)}, hello...), plan.Request{}, 6 * time.Second, 3, 0, 0, "1 goals measured", ""},
		{"overheads come from history", "t-hello", append([]plan.Observation{boot, build}, hello...), plan.Request{}, 6 * time.Second, 3, 90 * time.Second, 30 * time.Second, "", ""},
		{"and flags win over it, even with 0", "t-hello", append([]plan.Observation{boot, build}, hello...), plan.Request{BootSet: true, BuildSet: true, Build: time.Minute}, 6 * time.Second, 3, 0, time.Minute, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var h plan.History
			for _, o := range tt.known {
				if err := h.Add(o); err != nil {
					t.Fatal(err)
				}
			}
			goals, _, err := c.Goals([]string{tt.goal}, "")
			if err != nil {
				t.Fatal(err)
			}
			tt.flags.Options.Arch, tt.flags.Limit, tt.flags.Split = "linux x86_64", time.Hour, "auto"
			in := c.InputFrom(tt.flags, goals, &h)
			var total time.Duration
			for _, f := range in.Work[0].Files {
				total += f.Median
			}
			if total != tt.total || len(in.Work[0].Files) != tt.files || in.Boot != tt.boot || in.Work[0].Build != tt.build {
				t.Errorf("%s in %d files, boot %s, build %s", total, len(in.Work[0].Files), in.Boot, in.Work[0].Build)
			}
			if !strings.Contains(in.Basis, tt.basis) || !strings.Contains(strings.Join(in.Warnings, "\n"), tt.warns) || tt.warns == "" && in.Warnings != nil {
				t.Errorf("basis %q, warnings %q", in.Basis, in.Warnings)
			}
			if in.Cores != 2 || in.Price.Type != "c5.large" {
				t.Errorf("%d cores of %q", in.Cores, in.Price.Type)
			}
			if _, err := plan.Pack(in); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLanesFromHistory: with --lanes auto a machine takes as many pieces at once
// as its cores bear, by the CPU time that was measured, or else stated.
func TestLanesFromHistory(t *testing.T) {
	c := embeddedCatalog(t)
	goals, _, err := c.Goals([]string{"tv"}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		share    float64 // CPU seconds per second; 0: not measured
		machines int
		basis    string
	}{
		{"the mode's stated share", 0, 5, "CPU shares of 0 goals measured, of 39 stated"},
		{"suites that hardly compute, eight at once", 0.1, 2, "CPU shares of 39 goals measured, of 0 stated"},
		{"suites that keep a core busy", 1, 7, "CPU shares of 39 goals measured, of 0 stated"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var h plan.History
			for _, g := range goals {
				o := plan.Observation{Arch: "linux x86_64", Nginx: "1.29.2", Goal: g.String(), Seconds: 1200, CPU: 1200 * tt.share}
				if err := h.Add(o); err != nil {
					t.Fatal(err)
				}
			}
			in := c.InputFrom(plan.Request{Options: plan.Options{Arch: "linux x86_64"}, Limit: time.Hour, Split: "auto"}, goals, &h)
			p, err := plan.Pack(in)
			if err != nil || len(p.Buckets) != tt.machines || !strings.Contains(in.Basis, tt.basis) {
				t.Errorf("%d machines, %v; %s", len(p.Buckets), err, in.Basis)
			}
		})
	}
}

// TestSharesAddUp: a cut goal takes as long as a whole one, to the nanosecond.
func TestSharesAddUp(t *testing.T) {
	p := plan.Project{Files: map[string]int{"t/a.t": 1, "t/b.t": 0, "t/c.t": 3, "t/d.t": 3}}
	for d := range 1000 {
		want := time.Duration(d*d*d + d)
		var sum time.Duration
		for _, f := range share(p, want, want) {
			sum += f.P90
		}
		if sum != want {
			t.Fatalf("shares of %d add up to %d", want, sum)
		}
	}
}
