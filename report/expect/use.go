package expect

import (
	"slices"
	"strings"

	"github.com/ortest/ortest/report"
)

// Run is one judged goal of a log, with what an entry may ask of it.
type Run struct {
	Log    string
	Arch   string
	Files  []string // test files that the log tells of
	Result report.GoalResult
}

// Use is what an entry did over runs.
type Use struct {
	Eligible  int   // runs of its modes, arches and file
	Hits      []Hit // in the order of the runs
	Different int   // failures of unlike fingerprints, in the run that has most
}

// Hit is one finding that an entry covers. It was decisive when the verdict
// rests on it, and not on another entry that covers it too.
type Hit struct {
	Run      Run
	Finding  report.Finding
	Decisive bool
}

// UseOf says what an entry covers in runs, by the conditions that Judge goes by.
func UseOf(e *report.Expectation, runs []Run) Use {
	var u Use
	for _, r := range runs {
		mode, _, _ := strings.Cut(r.Result.Goal, "-")
		if !eligible(e, r, mode) {
			continue
		}
		u.Eligible++
		prints := make(map[string]bool)
		for _, f := range r.Result.Findings {
			if e.Misses(f, mode, r.Arch, r.Result.Versions["nginx"]) == "" {
				u.Hits = append(u.Hits, Hit{Run: r, Finding: f, Decisive: f.Rule == e.ID})
				prints[f.Fingerprint()] = true
			}
		}
		u.Different = max(u.Different, len(prints))
	}
	return u
}

func eligible(e *report.Expectation, r Run, mode string) bool {
	if len(e.When.Mode) > 0 && !slices.Contains(e.When.Mode, mode) || len(e.When.Arch) > 0 && !slices.Contains(e.When.Arch, r.Arch) {
		return false
	}
	return e.Broad || slices.Contains(r.Files, e.Test)
}
