package report

import "fmt"

// Suite is the path under which a piece reports a project whose suite a command
// of its own runs as a whole: one result and one log for all test files. The
// manifest may list the files beside it; then each must be seen in the log.
const Suite = "(suite)"

// suite judges the one log of a whole suite, file by file.
func (j *judge) suite(m Manifest, res FileResult, log []byte, off int64) {
	j.out.Seconds += res.Seconds
	j.suiteRecord(m.Files, res, newScan(j.goal).read(log), off)
}

// suiteRecord judges what was read of a whole suite, file by file.
func (j *judge) suiteRecord(census []TestFile, res FileResult, rec Record, off int64) {
	j.warnings(rec.Warnings, off)
	files := make(map[string]FileRecord)
	var order []TestFile
	for _, tf := range census {
		if tf.Path != Suite {
			order = append(order, tf)
			files[tf.Path] = FileRecord{Path: tf.Path, Planned: -1}
		}
	}
	for _, f := range rec.Files {
		if _, listed := files[f.Path]; !listed && f.Path != "" {
			order = append(order, TestFile{Path: f.Path})
		}
		files[f.Path] = f
	}
	tests, found := j.out.Tests, len(j.out.Findings)
	for _, tf := range order {
		j.suiteFile(tf, files[tf.Path], rec, off)
	}
	for _, f := range shifted(rec.Findings, off) {
		if files[f.File].State == "" {
			j.add(f) // of no file, or of one whose end is missing
		}
	}
	j.looseLeaks(rec, files, off)
	if rec.Result != "" && len(order) > 0 {
		j.real += rec.Tests - (j.out.Tests - tests)
		j.out.Tests = tests + rec.Tests
	}
	j.suiteEnd(res, rec, len(j.out.Findings) > found)
}

// suiteFile judges one file by its part of the record.
func (j *judge) suiteFile(tf TestFile, f FileRecord, rec Record, off int64) {
	if j.ran[tf.Path] != nil {
		return
	}
	j.ran[tf.Path] = &ranFile{census: tf, blocks: make(map[int]bool)}
	j.out.Planned++
	if f.State == "" {
		j.out.Expected += len(planned(tf))
		j.add(missingFile(tf, "prove never told its end"))
		return
	}
	part := Record{Goal: rec.Goal, Result: "FAIL", Tests: max(f.told, f.Tests)}
	if f.State == fileOK || f.State == fileSkipped {
		part.Result, part.Tests = "PASS", max(part.Tests, 1)
	}
	for _, x := range rec.Findings {
		if x.File == tf.Path {
			part.Findings = append(part.Findings, x)
		}
	}
	for _, x := range rec.Leaks {
		if x.File == tf.Path {
			part.Leaks = append(part.Leaks, x)
		}
	}
	j.weigh(fileJudge{judge: j, tf: tf, res: FileResult{Path: tf.Path}, off: off, rec: part, f: f})
}

// suiteEnd judges how the suite's command ended.
func (j *judge) suiteEnd(res FileResult, rec Record, told bool) {
	f := Finding{Class: NotRun, Kind: kindSignal, Name: "the suite was killed by " + res.Signal}
	switch {
	case res.TimedOut:
		f.Kind, f.Name = kindTimeout, fmt.Sprintf("the suite was stopped after %.0f s: its time was up", res.Seconds)
	case res.Signal != "":
	case rec.Result == "":
		f.Kind, f.Name = kindCut, fmt.Sprintf("the output of the suite stops before prove's summary (it ended with %d)", res.Exit)
	case rec.Dropped > 0:
		f.Kind, f.Name = kindCut, fmt.Sprintf("%d more findings and warnings are in the log than are kept", rec.Dropped)
	case told:
		return
	case rec.Result == "NOTESTS" || rec.Tests == 0:
		f.Kind, f.Name = kindNotRun, "the suite ran no assertion"
	case res.Exit != 0:
		f.Class, f.Kind, f.Name = "", kindExit, fmt.Sprintf("the suite ended with %d although every assertion passed", res.Exit)
	case rec.Result != "PASS":
		f.Class, f.Kind, f.Name = "", kindExit, fmt.Sprintf("prove says %s of the suite and not why", rec.Result)
	default:
		return
	}
	j.add(f)
}
