package result

import "github.com/ortest/ortest/report"

// Files returns what a record tells of its test files, without their blocks.
func Files(rec report.Record) []File {
	var all []File
	for _, f := range rec.Files {
		if f.Path == "" {
			continue
		}
		x := File{Path: f.Path, Tests: f.Tests, Failed: f.Failed, Skipped: f.Skipped, State: "not_run", Why: f.Why}
		switch f.State {
		case "ok":
			x.State = "passed"
		case "failed", "skipped":
			x.State = f.State
		}
		all = append(all, x)
	}
	return all
}
