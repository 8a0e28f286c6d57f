package result

import "github.com/ortest/ortest/report"

// blockID is a block as a log tells of it.
type blockID struct {
	file   string
	number int
	title  string
}

func of(f report.Finding) blockID { return blockID{f.File, f.Number, f.Block} }

// Files returns what a record tells of its test files, and of their blocks as
// far as assertions name them.
func Files(rec report.Record) []File {
	failed := make(map[blockID]bool)
	for _, f := range rec.Findings {
		failed[of(f)] = true
	}
	var all []File
	for i := range rec.Files {
		f := &rec.Files[i]
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
		for _, b := range f.Told() {
			state := "passed"
			switch {
			case failed[blockID{f.Path, b.Number, b.Title}]:
				state = "failed"
			case b.Skip != "":
				state = "skipped"
			}
			x.Blocks = append(x.Blocks, Block{Number: b.Number, Title: b.Title, Ordinal: b.Ordinal, State: state})
		}
		all = append(all, x)
	}
	return all
}
