package report

import "fmt"

// Evidence returns what a whole log says of each goal, in its order. Only what
// comes after a goal shows that the goal's part is whole: the kernel's lines of a
// crash follow prove's summary. So the last goal of a log that is not complete
// is cut.
func (l Log) Evidence() []Evidence {
	all := make([]Evidence, len(l.Records))
	for i := range l.Records {
		rec := &l.Records[i]
		all[i] = Evidence{Goal: rec.Goal, Record: rec}
		if !l.Complete && rec.Offset+rec.Bytes >= l.Bytes {
			all[i].Cut = "the log stops before its end"
		}
	}
	return all
}

// record judges a goal by its part of a whole log.
func (j *judge) record(in Evidence) {
	rec := *in.Record
	j.out.Commit, j.out.Seconds = rec.Commit, rec.Seconds
	for k, v := range rec.Versions {
		j.version(k, v)
	}
	build, rest := split(rec.Findings, func(f Finding) bool { return f.Kind == kindBuild })
	rec.Findings = rest
	if rec.Proving {
		j.suiteRecord(in.Census, FileResult{Path: Suite}, rec, 0)
		j.uncounted(rec)
	} else {
		j.unbuilt(build, in.Census, rec)
	}
	if in.Cut != "" {
		j.add(Finding{Kind: kindCut, Class: NotRun, Name: in.Cut, Offset: rec.Offset + rec.Bytes})
	}
}

// unbuilt judges a goal whose tests never began. A compiler that says why is a
// failure of what was built; else it may as well be the machine.
func (j *judge) unbuilt(build []Finding, census []TestFile, rec Record) {
	for _, f := range append(merged(build), rec.Findings...) {
		j.add(f)
	}
	j.warnings(rec.Warnings, 0)
	name := "the tests never began: the log has no word of prove"
	if len(build) > 0 {
		name = "the tests never began: the build failed"
	}
	j.add(Finding{Kind: kindNotRun, Class: NotRun, Name: name, Offset: rec.Offset})
	for _, tf := range census {
		j.out.Planned++
		j.out.Expected += len(planned(tf))
	}
}

// uncounted adds a finding for test files that prove counted and the log does not show.
func (j *judge) uncounted(rec Record) {
	shown := 0
	for _, f := range rec.Files {
		if f.Path != "" {
			shown++
		}
	}
	if missing := rec.Tested - shown; missing > 0 {
		j.add(Finding{Kind: kindNotRun, Class: NotRun, Offset: rec.Offset,
			Name: fmt.Sprintf("prove counted %s, and the log shows %d: lines are missing from it", plural(rec.Tested, "test file"), shown)})
	}
}

// looseLeaks judges the leak checks that belong to no file whose end prove told.
func (j *judge) looseLeaks(rec Record, files map[string]FileRecord, off int64) {
	fj := fileJudge{judge: j, off: off}
	for _, r := range rec.Leaks {
		if files[r.File].State == "" {
			fj.tf.Path = r.File
			fj.rec.Leaks = []Finding{r}
			fj.leaks()
		}
	}
	for _, f := range merged(fj.found) {
		j.add(f)
	}
}

// split parts findings by a property.
func split(fs []Finding, is func(Finding) bool) (yes, no []Finding) {
	for _, f := range fs {
		if is(f) {
			yes = append(yes, f)
		} else {
			no = append(no, f)
		}
	}
	return yes, no
}
