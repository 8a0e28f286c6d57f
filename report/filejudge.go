package report

import (
	"fmt"
	"slices"
	"strings"
)

// fileJudge is one test file being judged.
type fileJudge struct {
	*judge
	tf      TestFile
	res     FileResult
	rec     Record
	f       FileRecord
	off     int64
	seen    []bool // by block: TAP named it, or prove vouches for it
	begun   []bool // by block: only its header was printed
	verbose bool
	found   []Finding
}

// file judges one test file by its own log and by how its prove ended.
func (j *judge) file(tf TestFile, res FileResult, log []byte, off int64) {
	rec := newFileScan(j.goal, &tf).read(log)
	for i := range rec.Warnings {
		rec.Warnings[i].File = tf.Path
	}
	j.out.Seconds += res.Seconds
	j.warnings(rec.Warnings, off)
	j.weigh(fileJudge{judge: j, tf: tf, res: res, off: off, rec: rec, f: rec.Files[0]})
}

func (j *judge) warnings(ws []Finding, off int64) {
	for _, w := range shifted(ws, off) {
		if len(j.out.Warnings) < maxShownWarnings {
			j.out.Warnings = append(j.out.Warnings, w)
		}
	}
}

// weigh draws the findings of one file from what was read of it.
func (j *judge) weigh(fj fileJudge) {
	fj.found = shifted(fj.rec.Findings, fj.off)
	fj.verbose = fj.f.Tests > 0 || fj.f.Planned > 0
	if fj.f.State == fileSkipped && fj.closed() && len(fj.found) == 0 && fj.res.Exit == 0 && fj.res.Signal == "" && !fj.res.TimedOut {
		j.skipped(fj)
		return
	}
	fj.judge.out.Expected += len(planned(fj.tf))
	fj.leaks()
	fj.look()
	fj.deaths()
	fj.missing()
	fj.counts()
	j.out.Findings = append(j.out.Findings, merged(fj.found)...)
}

// closed reports whether prove came to its own end.
func (fj *fileJudge) closed() bool { return fj.rec.Result != "" }

// skipped notes a file that says itself why it must not run.
func (j *judge) skipped(fj fileJudge) {
	j.out.Files++
	if len(j.out.Warnings) < maxShownWarnings {
		j.out.Warnings = append(j.out.Warnings, Finding{Kind: kindWarning, Name: "skipped: " + fj.f.Why, File: fj.tf.Path, Offset: fj.off})
	}
}

// planMet reports whether every assertion that the script announced was made.
func (fj *fileJudge) planMet() bool {
	if !fj.closed() || fj.f.Wait&0x7f != 0 || fj.f.Exit == 255 || fj.res.Signal != "" || fj.res.TimedOut || fj.rec.Tests == 0 {
		return false
	}
	if slices.ContainsFunc(fj.found, func(f Finding) bool { return f.Kind == kindPlan || f.Kind == kindBailout }) {
		return false
	}
	if fj.verbose {
		return fj.f.Planned == fj.f.Tests
	}
	return fj.f.State == fileOK || fj.f.State == fileFailed
}

// look finds out which blocks ran. Under prove without -v a met plan vouches
// for all of them; otherwise each must have been named.
func (fj *fileJudge) look() {
	n := len(fj.tf.Blocks)
	fj.seen, fj.begun = make([]bool, n), make([]bool, n)
	vouched := !fj.verbose && fj.planMet()
	for i, b := range fj.tf.Blocks {
		w := fj.f.seen[blockKey(b.Number, b.Title)]
		if w == nil {
			w = new(sighting)
		}
		named := w.ran+w.skipped > 0
		fj.seen[i] = named || vouched && b.Skip == ""
		fj.begun[i] = w.headers > 0 && !fj.seen[i]
		if w.ran > 0 || vouched && b.Skip == "" && !strings.Contains(fj.mode, "l") {
			fj.judge.ran[fj.tf.Path].blocks[i] = true
		}
	}
}

// deaths adds what ended the file other than its assertions.
func (fj *fileJudge) deaths() {
	add := func(kind, name string) {
		fj.found = append(fj.found, Finding{Kind: kind, File: fj.tf.Path, Name: name, Offset: fj.off, what: kind})
	}
	also := ""
	if fj.res.Why != "" {
		also = "; " + fj.res.Why
		if !fj.res.TimedOut && fj.res.Signal == "" {
			fj.judge.warnings([]Finding{{Kind: kindWarning, Name: fj.tf.Path + ": " + fj.res.Why, File: fj.tf.Path}}, fj.off)
		}
	}
	signal := fj.f.Wait & 0x7f
	switch {
	case fj.res.TimedOut:
		add(kindTimeout, fmt.Sprintf("%s was stopped after %.0f s: its time was up%s", fj.tf.Path, fj.res.Seconds, also))
	case fj.res.Signal != "":
		add(kindSignal, fmt.Sprintf("%s was killed by %s%s", fj.tf.Path, fj.res.Signal, also))
	case !fj.closed():
		add(kindCut, fmt.Sprintf("the output of %s stops before prove's summary (prove ended with %d)", fj.tf.Path, fj.res.Exit))
	case signal == 4 || signal == 6 || signal == 7 || signal == 8 || signal == 11:
		add(kindCrash, fmt.Sprintf("%s crashed with signal %d", fj.tf.Path, signal))
	case signal != 0:
		add(kindSignal, fmt.Sprintf("%s was killed by signal %d", fj.tf.Path, signal))
	case fj.f.Exit != 0 && !fj.explained():
		add(kindExit, fmt.Sprintf("%s ended with %d", fj.tf.Path, fj.f.Exit))
	}
	if len(fj.found) > 0 || !fj.closed() {
		return
	}
	switch {
	case fj.rec.Result == "NOTESTS" || fj.rec.Tests == 0:
		add(kindNotRun, fj.tf.Path+" ran no assertion")
	case fj.res.Exit != 0:
		add(kindExit, fmt.Sprintf("prove ended with %d although every assertion of %s passed", fj.res.Exit, fj.tf.Path))
	case fj.rec.Result != "PASS":
		add(kindExit, fmt.Sprintf("prove says %s of %s and not why", fj.rec.Result, fj.tf.Path))
	}
}

// explained reports whether the script's exit code is the number of its failed
// assertions, which is how Test::More ends.
func (fj *fileJudge) explained() bool {
	failed := max(fj.f.Failed, fj.f.toldFailed)
	return failed > 0 && fj.f.Exit == min(failed, 254) || fj.has(kindBailout)
}

func (fj *fileJudge) has(kinds ...string) bool {
	return slices.ContainsFunc(fj.found, func(f Finding) bool { return slices.Contains(kinds, f.Kind) })
}

// missing adds the blocks that did not run, and classes what kept them from it.
func (fj *fileJudge) missing() {
	var gone []int
	for i, b := range fj.tf.Blocks {
		if b.Skip != skipSkip && !fj.seen[i] {
			gone = append(gone, i)
		}
	}
	short := !fj.planMet()
	whole := len(gone) == 0 && (!short || len(fj.tf.Blocks) > 0)
	fj.judge.ran[fj.tf.Path].whole = whole && !short && !fj.has(kindSignal, kindTimeout, kindCut)
	fj.unshown()
	fj.unplanned()
	if !whole {
		for i := range fj.found {
			if f := &fj.found[i]; f.killed() {
				f.Class = NotRun
			}
		}
	}
	for i := range fj.found {
		if f := &fj.found[i]; f.Kind == kindCut || f.Kind == kindNotRun {
			f.Class = NotRun
		}
	}
	switch {
	case len(gone) > 0 && len(gone) == len(planned(fj.tf)) && !slices.Contains(fj.begun, true):
		fj.found = append(fj.found, missingFile(fj.tf, "none of its blocks was seen"))
	case len(gone) > 0:
		fj.gone(gone)
	case short && len(fj.tf.Blocks) == 0 && !fj.has(kindAssert, kindNotRun, kindCut, kindSignal, kindTimeout, kindExit, kindCrash, kindPlan, kindBailout):
		fj.found = append(fj.found, Finding{Kind: kindPlan, Class: NotRun, File: fj.tf.Path, Name: fj.tf.Path + " did not make all the assertions it planned"})
	}
}

// killed reports whether a finding says that a file ended before its time.
// A bail-out that names its block is that block's failure.
func (f Finding) killed() bool {
	switch f.Kind {
	case kindTimeout, kindSignal, kindExit, kindCut:
		return true
	case kindPlan:
		return f.excess() == 0
	case kindBailout:
		return f.Block == "" && f.Number == 0
	}
	return false
}

// excess returns how many more assertions a broken plan had than it announced.
func (f Finding) excess() int {
	var planned, ran int
	if n, _ := fmt.Sscanf(f.Name, "Bad plan. You planned %d tests but ran %d.", &planned, &ran); n < 2 {
		return 0
	}
	return max(ran-planned, 0)
}

// unplanned removes a broken plan that failed assertions explain: Test::Nginx
// makes one more for each line of the log that it did not want.
func (fj *fileJudge) unplanned() {
	failed := 0
	for _, f := range fj.found {
		if f.Kind == kindAssert && f.what != "unshown" {
			failed++
		}
	}
	fj.found = slices.DeleteFunc(fj.found, func(f Finding) bool {
		return f.Kind == kindPlan && f.excess() > 0 && f.excess() <= failed
	})
}

// gone adds a finding for each block that did not run.
func (fj *fileJudge) gone(blocks []int) {
	for _, i := range blocks {
		b := fj.tf.Blocks[i]
		why := "did not run"
		switch {
		case b.Skip == skipOnly:
			why = "did not run: another block is marked ONLY"
		case b.Skip == skipLast:
			why = "did not run: a block before it is marked LAST"
		case fj.begun[i]:
			why = "began and did not end"
		case !fj.verbose && !fj.planMet():
			why = "did not run, or prove (without -v) did not show it"
		}
		fj.found = append(fj.found, Finding{
			Kind: kindNotRun, Class: NotRun, File: fj.tf.Path, Block: b.Title, Number: b.Number, Ordinal: b.Ordinal,
			Line: b.Line, EndLine: b.Line, Name: why, Offset: fj.off,
		})
	}
}

// unshown adds a finding for failures that prove counts and the log does not show.
func (fj *fileJudge) unshown() {
	shown := 0
	for _, f := range fj.found {
		if f.Kind == kindAssert || f.Kind == kindCrash && f.said != "" {
			shown++
		}
	}
	if missing := fj.f.toldFailed - shown; missing > 0 && !fj.has(kindPlan) && fj.rec.Dropped == 0 {
		fj.found = append(fj.found, Finding{Kind: kindAssert, File: fj.tf.Path, Offset: fj.off, what: "unshown",
			Name: plural(missing, "failed assertion") + " without a name"})
	}
	if fj.rec.Dropped > 0 {
		fj.found = append(fj.found, Finding{Kind: kindCut, Class: NotRun, File: fj.tf.Path, Offset: fj.off,
			Name: fmt.Sprintf("%d more findings and warnings are in the log than are kept", fj.rec.Dropped)})
	}
}

func (fj *fileJudge) counts() {
	out := &fj.judge.out
	if fj.closed() {
		out.Files++
	}
	tests := fj.f.Tests
	if !fj.verbose {
		tests = fj.rec.Tests
	}
	out.Tests += tests
	fj.judge.real += tests - fj.f.Skipped
	for i, b := range fj.tf.Blocks {
		if fj.seen[i] && b.Skip != skipSkip {
			out.Blocks++
		}
	}
}

// leaks judges the leak checks of the file.
func (fj *fileJudge) leaks() {
	for _, r := range fj.rec.Leaks {
		fj.judge.leaks++
		f := Finding{Kind: kindLeak, File: fj.tf.Path, Block: r.Block, Number: r.Number, Offset: fj.off + r.Offset, what: kindLeak}
		for _, b := range fj.tf.Blocks {
			if b.Number == r.Number && b.Title == r.Block {
				f.Ordinal, f.Line, f.EndLine = b.Ordinal, b.Line, b.Line
			}
		}
		f.Samples = r.Samples
		if fj.out.Leaks == nil {
			fj.out.Leaks = make(map[string][]Sample)
		}
		fj.out.Leaks[strings.TrimSpace(f.File+" "+f.BlockName())] = f.Samples
		o := judgeLeak(kib(r.Samples))
		f.Detail = o.text + "\n\nKiB: " + series(kib(r.Samples))
		switch {
		case o.died:
			f.Kind, f.Name = kindCrash, "the process was gone while it was checked for leaks"
		case o.leaks:
			f.Name = "the resident set grows without end: " + firstPart(o.text)
		case o.unsure != "":
			f.Class, f.Name = NotRun, "the leak check says nothing: "+o.unsure
		default:
			continue
		}
		fj.found = append(fj.found, f)
	}
}

func kib(samples []Sample) []float64 {
	y := make([]float64, len(samples))
	for i, s := range samples {
		y[i] = s.KiB
	}
	return y
}

func firstPart(s string) string {
	s, _, _ = strings.Cut(s, ", over ")
	return s
}
