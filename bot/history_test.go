package bot

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/runnerfleet"
)

// TestObserver: each test file that a run reported becomes a duration, failed
// and interrupted ones apart, and so does the boot of each of its instances.
func TestObserver(t *testing.T) {
	at := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	entry := func(attempt int, e report.Entry) StoredEntry {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return StoredEntry{Attempt: attempt, Meta: b}
	}
	file := func(f report.FileResult) report.Entry { return report.Entry{Seq: 1, File: &f} }
	o := observer{core: "1.29.2", run: Run{ID: "7", EndedAt: at, Plan: plan.Plan{Options: plan.Options{Arch: "linux x86_64"}}}}
	p := Piece{Piece: plan.Piece{Goal: plan.Goal{Mode: "tv", Project: "ngx_lua"}}}
	err := o.piece(p, []StoredEntry{
		entry(1, report.Entry{Manifest: &report.Manifest{Goal: "tv-ngx_lua", Repo: "openresty/lua-nginx-module", Arch: "x86_64"}}),
		entry(1, file(report.FileResult{Path: "t/a.t", Seconds: 10, CPUSeconds: 5})),
		entry(1, file(report.FileResult{Path: "t/b.t", Seconds: 11, Exit: 1})),
		entry(2, file(report.FileResult{Path: "t/c.t", Seconds: 12, Exit: -1, Signal: "SIGKILL"})),
		entry(2, file(report.FileResult{Path: "t/d.t", Seconds: 13, Exit: 1, TimedOut: true})),
		entry(2, report.Entry{Seq: 2, End: &report.End{}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []runnerfleet.Instance{
		{ID: "7/b0/1", Bucket: "7/b0", Arch: "linux x86_64", LaunchedAt: at, EnrolledAt: at.Add(95 * time.Second)},
		{ID: "7/b1/1", Bucket: "7/b1", Arch: "linux x86_64", LaunchedAt: at},
		{ID: "8/b0/1", Bucket: "8/b0", Arch: "linux x86_64", LaunchedAt: at, EnrolledAt: at.Add(time.Minute)},
	} {
		o.boot(in)
	}
	seen := func(file string, secs float64, run, outcome string) plan.Observation {
		return plan.Observation{Arch: "linux x86_64", Nginx: "1.29.2", Goal: "tv-ngx_lua", File: file, Seconds: secs, At: at, Run: run, Outcome: outcome}
	}
	want := []plan.Observation{
		seen("t/a.t", 10, "7/1", ""), seen("t/b.t", 11, "7/1", "failed"),
		seen("t/c.t", 12, "7/2", "interrupted"), seen("t/d.t", 13, "7/2", "interrupted"),
		{Arch: "linux x86_64", Phase: "boot", Seconds: 95, At: at.Add(95 * time.Second), Run: "7/b0/1"},
	}
	want[0].CPU = 5
	if d := cmp.Diff(want, o.seen); d != "" {
		t.Error(d)
	}
}
