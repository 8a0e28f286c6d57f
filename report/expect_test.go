package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const entry = `- id: x-first
  test: t/a.t
  block: first
  outcome: fails
  reason: The upstream parser loses the last byte.
  issue: https://example.org/1
  owner: ada
  since: 2026-11-01
  expires: 2026-12-01
`

func TestReadExpectations(t *testing.T) {
	edit := func(old, new string) string { return strings.Replace(entry, old, new, 1) }
	for _, tt := range []struct {
		name, in string
		want     string // beginning of the error; "" is none
	}{
		{"a complete entry", entry, ""},
		{"an empty file has no entries", "# none\n", ""},
		{"a duplicate id", entry + entry, `e.yaml:10:7: id "x-first" is also that of entry 1`},
		{"an unknown key", edit("owner:", "ownr:"), "e.yaml:7:3: unknown field"},
		{"a key twice", edit("owner: ada", "owner: ada\n  owner: bob"), "e.yaml:8:3: "},
		{"no list", "id: x\n", "e.yaml:1:3: "},
		{"no YAML", "- [\n", "e.yaml:1:3: "},
		{"a missing owner", edit("  owner: ada\n", ""), `e.yaml:1:5: owner "" is no GitHub user or team`},
		{"a number in the block's title", edit("block: first", "block: 'TEST 1: first'"), `e.yaml:3:10: block "TEST 1: first": want the title alone`},
		{"an unknown kind", edit("outcome:", "kind: asert\n  outcome:"), `e.yaml:4:9: kind "asert" is unknown`},
		{"an unknown outcome", edit("fails", "fail"), `e.yaml:4:12: outcome "fail": want one of fails, flaky, leak`},
		{"an unknown mode", edit("outcome:", "when: {mode: [v]}\n  outcome:"), `e.yaml:4:9: mode "v": want one of`},
		{"an unknown arch", edit("outcome:", "when: {arch: [sparc]}\n  outcome:"), `e.yaml:4:9: arch "sparc": want one of`},
		{"a pattern for a file", edit("t/a.t", "t/*.t"), `e.yaml:2:9: test "t/*.t": patterns are not allowed`},
		{"a path out of the project", edit("t/a.t", "../a.t"), `e.yaml:2:9: test: path "../a.t" is not relative and clean`},
		{"a match with two conditions", edit("outcome:", "match: [{field: got, equals: a, contains: b}]\n  outcome:"), `e.yaml:4:10: match: want one of equals, contains and regex, not 2`},
		{"a match of an unknown field", edit("outcome:", "match: [{field: log, equals: a}]\n  outcome:"), `e.yaml:4:10: match field "log"`},
		{"a regex that is no RE2", edit("outcome:", "match: [{field: got, regex: '(?=a)'}]\n  outcome:"), `e.yaml:4:10: regex: error parsing`},
		{"a regex that matches everything", edit("outcome:", "match: [{field: got, regex: '.*'}]\n  outcome:"), `e.yaml:4:10: regex ".*" matches nothing at all`},
		{"exactly 180 days", edit("2026-12-01", "2027-04-30"), ""},
		{"181 days", edit("2026-12-01", "2027-05-01"), "e.yaml:9:12: expires 2027-05-01 is more than 180 days after since"},
		{"exactly 90 days of a flaky one", strings.Replace(edit("fails", "flaky\n  max_rate: 0.5"), "2026-12-01", "2027-01-30", 1), ""},
		{"91 days of a flaky one", strings.Replace(edit("fails", "flaky\n  max_rate: 0.5"), "2026-12-01", "2027-01-31", 1), "e.yaml:10:12: expires 2027-01-31 is more than 90 days"},
		{"a day that is not after since", edit("2026-12-01", "2026-11-01"), "e.yaml:9:12: expires 2026-11-01 is not after since"},
		{"never, of a bug", edit("2026-12-01", "never"), `e.yaml:9:12: expires "never": want a date`},
		{"never, by design", strings.Replace(edit("2026-12-01", "never"), "  issue: https://example.org/1\n", "  class: design\n", 1), ""},
		{"no issue", edit("  issue: https://example.org/1\n", ""), `e.yaml:1:5: issue "": want an https URL`},
		{"a reason of 19 characters", edit("The upstream parser loses the last byte.", "nineteen characters"), "e.yaml:5:11: reason: want a sentence of at least 20"},
		{"a pattern for a file of a broad entry", edit("test: t/a.t", "test: t/**\n  broad: true"), ""},
		{"a broad strict entry", edit("outcome: fails", "outcome: fails\n  strict: true\n  broad: true"), "e.yaml:5:11: what is broad cannot be strict"},
		{"a flaky entry without a rate", edit("fails", "flaky"), "e.yaml:1:5: max_rate 0: what is flaky needs one"},
		{"a rate of 1", edit("fails", "flaky\n  max_rate: 1"), "e.yaml:5:13: max_rate 1: what is flaky needs one"},
		{"a rate of what is not flaky", edit("fails", "fails\n  max_rate: 0.5"), "e.yaml:5:13: max_rate is for outcome flaky"},
		{"a leak of another kind", edit("fails", "leak\n  max_k: 3"), "e.yaml:1:5: outcome leak is for kind rss_leak"},
		{"a leak without a slope", edit("outcome: fails", "kind: rss_leak\n  outcome: leak"), "e.yaml:1:5: max_k 0: a leak needs a slope above 0"},
		{"a leak", edit("outcome: fails", "kind: rss_leak\n  max_k: 3\n  outcome: leak"), ""},
		{"a negative budget", edit("outcome: fails", "outcome: fails\n  budget: -1"), "e.yaml:5:11: budget -1 is negative"},
		{"a core that is none", edit("outcome:", "when: {nginx: '1.27+'}\n  outcome:"), `e.yaml:4:9: nginx "1.27+": want conditions such as`},
		{"bounds of a core", edit("outcome:", "when: {nginx: '>=1.27 <1.29'}\n  outcome:"), ""},
		{"a flaky strict entry", edit("outcome: fails", "outcome: flaky\n  max_rate: 0.5\n  strict: true"), "e.yaml:6:11: what is flaky cannot be strict"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			exps, err := ReadExpectations("e.yaml", []byte(tt.in))
			if tt.want == "" && err != nil {
				t.Fatal(err)
			}
			if tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want) || exps != nil) {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestJudgeWithExpectations(t *testing.T) {
	fails := func() Evidence { return one(FileResult{Exit: 1}, opened+notFirst+okSecond+failed1) }
	passes := func() Evidence { return one(FileResult{}, opened+okFirst+okSecond+passed) }
	crashes := one(FileResult{}, opened+okFirst+"WARNING: t/a.t TEST 1: first - [alert] worker process 2 exited on signal 11\n"+okSecond+passed)
	edit := func(old, new string) string { return strings.Replace(entry, old, new, 1) }
	before, expiry := time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	flaky := edit("fails", "flaky\n  max_rate: 0.5")
	on := func(e Evidence, nginx string) Evidence {
		e.Pieces[0].Entries[0].Manifest.Versions = map[string]string{"nginx": nginx}
		return e
	}
	for _, tt := range []struct {
		name string
		in   Evidence
		exps string
		now  time.Time
		want Verdict
		has  string
	}{
		{"a covered failure is expected", fails(), entry, before, Known, "expected assert t/a.t:3"},
		{"on the day it expires an entry covers nothing", fails(), entry, expiry, Fail, "new assert t/a.t:3"},
		{"a strict entry whose block passes is news", passes(), entry, before, Fail, "unexpected pass unexpected_pass t/a.t:2"},
		{"an expired entry whose block passes is not", passes(), entry, expiry, Pass, ""},
		{"an entry that is not strict may pass", passes(), edit("outcome: fails", "outcome: fails\n  strict: false"), before, Pass, ""},
		{"a flaky entry may pass", passes(), flaky, before, Pass, ""},
		{"a flaky entry covers a failure", fails(), flaky, before, Known, "expected assert"},
		{"an entry of another block covers nothing and its block passes", fails(), edit("block: first", "block: second"), before, Fail, "new assert"},
		{"an entry of another mode covers nothing", fails(), edit("outcome:", "when: {mode: [tv]}\n  outcome:"), before, Fail, "new assert"},
		{"an entry of another mode expects no failure", passes(), edit("outcome:", "when: {mode: [tv]}\n  outcome:"), before, Pass, ""},
		{"a crash is not waived by an entry for an assertion", crashes, flaky, before, Fail, "new crash"},
		{"a crash is waived by an entry that names it", crashes, edit("outcome:", "kind: crash\n  outcome:"), before, Known, "expected crash"},
		{"what is got must match", fails(), edit("outcome:", "match: [{field: got, equals: \"'y'\"}]\n  outcome:"), before, Fail, "new assert"},
		{"what is got matches", fails(), edit("outcome:", "match: [{field: got, equals: \"'x'\"}, {field: want, contains: a}]\n  outcome:"), before, Known, "expected assert"},
		{"a regex is anchored", fails(), edit("outcome:", "match: [{field: name, regex: response_body}]\n  outcome:"), before, Fail, "new assert"},
		{"a regex of all of it", fails(), edit("outcome:", "match: [{field: name, regex: 'response_body - .*'}]\n  outcome:"), before, Known, "expected assert"},
		{"a broad entry covers any block of its files", fails(), edit("test: t/a.t\n  block: first", "broad: true\n  test: t/*.t\n  block: any"), before, Known, "expected assert"},
		{"a broad entry covers no file elsewhere", fails(), edit("test: t/a.t\n  block: first", "broad: true\n  test: t/*/*.t\n  block: any"), before, Fail, "new assert"},
		{"a broad entry may pass", passes(), edit("test: t/a.t", "broad: true\n  test: t/a.t"), before, Pass, ""},
		{"the whole assertion matches", fails(), edit("outcome:", "match: [{field: assertion, contains: 'TEST 1: first - response_body'}]\n  outcome:"), before, Known, "expected assert"},
		{"an ordinal of another block of that title", fails(), edit("outcome:", "ordinal: 2\n  outcome:"), before, Fail, "new assert"},
		{"a core within its bounds", on(fails(), "nginx/1.29.2 (no pool)"), edit("outcome:", "when: {nginx: '>=1.29.2 <1.30'}\n  outcome:"), before, Known, "expected assert"},
		{"a core that is exactly what must be more", on(fails(), "1.29"), edit("outcome:", "when: {nginx: '>1.29'}\n  outcome:"), before, Fail, "new assert"},
		{"a core that is exactly what must be less", on(fails(), "1.30.0"), edit("outcome:", "when: {nginx: '<1.30'}\n  outcome:"), before, Fail, "new assert"},
		{"a core that is not known", fails(), edit("outcome:", "when: {nginx: '>=1.27'}\n  outcome:"), before, Fail, "new assert"},
		{"a block that did not run has not passed", one(FileResult{Exit: -1, Signal: "SIGKILL"}, opened), entry, before, Incomplete, "not run signal"},
		{"a block before a death has not passed for sure", one(FileResult{Exit: -1, Signal: "SIGKILL"}, opened+okFirst), entry, before, Incomplete, "not run signal"},
		{"a skipped block has not passed", one(FileResult{}, opened+"ok 1 # skip t/a.t TEST 1: first - old nginx\n"+okSecond+passed), entry, before, Pass, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			exps, err := ReadExpectations("e.yaml", []byte(tt.exps))
			if err != nil {
				t.Fatal(err)
			}
			checkVerdict(t, Judge(tt.in, exps, JudgeOptions{Now: tt.now}), tt.want, tt.has)
		})
	}
}

func TestARetryHidesNoFailure(t *testing.T) {
	fails := one(FileResult{Exit: 1}, opened+notFirst+okSecond+failed1)
	passes := one(FileResult{}, opened+okFirst+okSecond+passed)
	failed := Judge(fails, nil, JudgeOptions{Now: testNow})
	expected, lost, built, other := failed, failed, failed, failed
	expected.Findings, lost.Findings, built.Findings = slices.Clone(failed.Findings), slices.Clone(failed.Findings), slices.Clone(failed.Findings)
	for i := range failed.Findings {
		expected.Findings[i].Class, lost.Findings[i].Class, built.Findings[i].Kind = Expected, Infrastructure, kindBuild
	}
	other.Commit = strings.Repeat("e", 40)
	flaky := Judge(passes, nil, JudgeOptions{Now: testNow, Same: []GoalResult{failed}})
	for _, tt := range []struct {
		name string
		same []GoalResult
		want Verdict
		has  string
	}{
		{"what failed before at this commit and passes now is flaky and fails", []GoalResult{failed}, Fail, "flaky assert"},
		{"nor is it good the third time", []GoalResult{failed, flaky}, Fail, "flaky assert"},
		{"not even when the first result is forgotten", []GoalResult{flaky}, Fail, "flaky assert"},
		{"what another commit failed says nothing", []GoalResult{other}, Pass, ""},
		{"what was expected to fail says nothing", []GoalResult{expected}, Pass, ""},
		{"what the machine failed says nothing", []GoalResult{lost}, Pass, ""},
		{"a build that failed is no test", []GoalResult{built}, Pass, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkVerdict(t, Judge(passes, nil, JudgeOptions{Now: testNow, Same: tt.same}), tt.want, tt.has)
		})
	}
}

func TestJudgeWithHistory(t *testing.T) {
	fails := one(FileResult{Exit: 1}, opened+notFirst+okSecond+failed1)
	failed := Judge(fails, nil, JudgeOptions{Now: testNow})
	clean := Judge(one(FileResult{}, opened+okFirst+okSecond+passed), nil, JudgeOptions{Now: testNow})
	other := clean
	other.Commit = strings.Repeat("e", 40)
	cut := Judge(one(FileResult{}, opened+okFirst), nil, JudgeOptions{Now: testNow})
	for _, tt := range []struct {
		name string
		opts JudgeOptions
		want Verdict
		has  string
	}{
		{"what base had is old", JudgeOptions{Base: &failed}, Fail, "old assert"},
		{"what base had is known by a setting", JudgeOptions{Base: &failed, OldIsKnown: true}, Known, "old assert"},
		{"what base did not have is new", JudgeOptions{Base: &clean, OldIsKnown: true}, Fail, "new assert"},
		{"what this commit passed before is flaky and fails", JudgeOptions{Same: []GoalResult{clean}}, Fail, "flaky assert"},
		{"what another commit passed is not flaky", JudgeOptions{Same: []GoalResult{other}}, Fail, "new assert"},
		{"an incomplete run has passed nothing", JudgeOptions{Same: []GoalResult{cut}}, Fail, "new assert"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.opts.Now = testNow
			checkVerdict(t, Judge(fails, nil, tt.opts), tt.want, tt.has)
		})
	}
}

func TestJudgeLeak(t *testing.T) {
	ramp := func(n int, step float64) (y []float64) {
		for i := range n {
			y = append(y, 5000+float64(i)*step)
		}
		return y
	}
	level := func(n int, at float64) (y []float64) {
		for range n {
			y = append(y, at)
		}
		return y
	}
	stairs := make([]float64, 60)
	for i := range stairs {
		stairs[i] = 5000 + float64(i/10)*132
	}
	for _, tt := range []struct {
		name  string
		in    []float64
		leaks bool
		what  string // part of the text or of unsure
	}{
		{"level", level(100, 3420), false, "slope 0.0"},
		{"a steady ramp of exactly the bound", ramp(100, 1), true, "slope 1.0"},
		{"a steady ramp below the bound", ramp(100, 0.9), false, "slope 0.9"},
		{"the old tool's bound missed 9.9 for ever", ramp(100, 9.9), true, "The old rule says: no leak"},
		{"one step of a warm-up", append(level(7, 2312), level(93, 2828)...), false, "slope 0.0"},
		{"a step in the middle", append(level(30, 2312), level(30, 2828)...), false, "slope"},
		{"growth that levels off", append(ramp(50, 40), level(50, 7000)...), false, "The old rule says: no leak"},
		{"growth by steps of the heap", stairs, true, "slope"},
		{"exactly 20 samples", ramp(20, 50), true, "20 samples"},
		{"19 samples say nothing", ramp(19, 50), false, "19 samples, at least 20 are needed"},
		{"a resident set of 0 is a dead process", append(ramp(50, 1), 0), false, "the process was gone"},
		{"a long series", ramp(5000, 2), true, "slope 2.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := judgeLeak(tt.in)
			if o.leaks != tt.leaks || !strings.Contains(o.text+o.unsure, tt.what) {
				t.Errorf("%+v", o)
			}
		})
	}
}

// two fails in both assertions of its first block.
const two = "t/a.t .. \n1..3\nnot ok 1 - t/a.t TEST 1: first - status code ok\nnot ok 2 - t/a.t TEST 1: first - response_body - response is expected (req 0)\n" +
	"ok 3 - t/a.t TEST 2: second - status code ok\nDubious, test returned 2 (wstat 512, 0x200)\nFailed 2/3 subtests \n\nTest Summary Report\n-------------------\n" +
	"t/a.t (Wstat: 512 (exited 2) Tests: 3 Failed: 2)\n  Failed tests:  1-2\n  Non-zero exit status: 2\nFiles=1, Tests=3,  0 wallclock secs\nResult: FAIL\n"

func TestBudget(t *testing.T) {
	for _, tt := range []struct {
		name, exps string
		want       Verdict
		has        string
	}{
		{"exactly the budget is covered", strings.Replace(entry, "outcome:", "budget: 2\n  outcome:", 1), Known, "expected assert"},
		{"one failure more than the budget is new", entry, Fail, "new assert t/a.t"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			exps, err := ReadExpectations("e.yaml", []byte(tt.exps))
			if err != nil {
				t.Fatal(err)
			}
			g := Judge(one(FileResult{Exit: 1}, two), exps, JudgeOptions{Now: testNow})
			checkVerdict(t, g, tt.want, tt.has)
		})
	}
}

// TestARetryMakesNoRoomInAnEntry: what an entry did not cover at a commit, it does
// not cover when fewer fail there, or when it fails again among fewer.
func TestARetryMakesNoRoomInAnEntry(t *testing.T) {
	loose := strings.Replace(entry, "outcome: fails", "strict: false\n  outcome: fails", 1)
	flaky := strings.Replace(entry, "outcome: fails", "max_rate: 0.5\n  outcome: flaky", 1)
	wider := strings.Replace(loose, "outcome:", "budget: 2\n  outcome:", 1)
	outlived := strings.Replace(flaky, "2026-12-01", testNow.Format(time.DateOnly), 1)
	passes := one(FileResult{}, opened+okFirst+okSecond+passed)
	only := strings.NewReplacer("returned 2 (wstat 512, 0x200)", "returned 1 (wstat 256, 0x100)", "Failed 2/3", "Failed 1/3", "Wstat: 512 (exited 2)", "Wstat: 256 (exited 1)",
		"Failed: 2", "Failed: 1", "Failed tests:  1-2", "Failed test:  1", "status: 2", "status: 1")
	first := one(FileResult{Exit: 1}, only.Replace(strings.Replace(two, "not ok 2", "ok 2", 1)))
	second := one(FileResult{Exit: 1}, only.Replace(strings.Replace(two, "not ok 1", "ok 1", 1)))
	for _, tt := range []struct {
		name        string
		then, again string // the entry when all failed, and when it was tried again
		in          Evidence
		want        Verdict
		has         string
	}{
		{"what was one more than the budget and passes now is flaky and fails", loose, loose, passes, Fail, "flaky assert"},
		{"so it is beside the one that was covered", loose, loose, first, Fail, "flaky assert"},
		{"when it fails alone it is new as it was", loose, loose, second, Fail, "new assert"},
		{"a rate excuses it no more than its budget does", flaky, flaky, passes, Fail, "flaky assert"},
		{"nor when it fails alone", flaky, flaky, second, Fail, "new assert"},
		{"a budget that was made wider covers it", loose, wider, second, Known, "expected assert"},
		{"also where it passes", loose, wider, passes, Pass, ""},
		{"an entry that had expired and was renewed covers as one that is new", outlived, flaky, passes, Known, "flaky assert"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			read := func(text string) []Expectation {
				exps, err := ReadExpectations("e.yaml", []byte(text))
				if err != nil {
					t.Fatal(err)
				}
				return exps
			}
			opts := JudgeOptions{Now: testNow, Same: []GoalResult{stored(t, Judge(one(FileResult{Exit: 2}, two), read(tt.then), JudgeOptions{Now: testNow}))}}
			second := Judge(tt.in, read(tt.again), opts)
			checkVerdict(t, second, tt.want, tt.has)
			opts.Same = append([]GoalResult{stored(t, second)}, opts.Same...)
			checkVerdict(t, Judge(tt.in, read(tt.again), opts), tt.want, tt.has)
			if tt.want == Fail {
				opts.Same = opts.Same[:1]
				third := Judge(tt.in, read(tt.again), opts)
				if third.Verdict != Fail {
					t.Errorf("%s when the first result is forgotten: %v", third.Verdict, third.Why)
				}
			}
		})
	}
}

// stored is a result as the next run finds it.
func stored(t *testing.T, g GoalResult) (back GoalResult) {
	t.Helper()
	raw, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestRateOfFlaky(t *testing.T) {
	exps, err := ReadExpectations("e.yaml", []byte(strings.Replace(entry, "fails", "flaky\n  max_rate: 0.1", 1)))
	if err != nil {
		t.Fatal(err)
	}
	fails := one(FileResult{Exit: 1}, opened+notFirst+okSecond+failed1)
	bad := Judge(fails, exps, JudgeOptions{Now: testNow})
	passes := one(FileResult{}, opened+okFirst+okSecond+passed)
	good := Judge(passes, exps, JudgeOptions{Now: testNow})
	before := Judge(fails, nil, JudgeOptions{Now: testNow})
	t.Run("what failed before the entry was written and passes now is covered", func(t *testing.T) {
		checkVerdict(t, Judge(passes, exps, JudgeOptions{Now: testNow, Same: []GoalResult{before}}), Known, "flaky assert")
	})
	t.Run("but not when it fails more often than the rate", func(t *testing.T) {
		checkVerdict(t, Judge(passes, exps, JudgeOptions{Now: testNow, Same: []GoalResult{before, before, before}}), Fail, "flaky assert")
	})
	for _, tt := range []struct {
		name string
		same []GoalResult
		want Verdict
		has  string
	}{
		{"one failure of one run is no evidence", nil, Known, "expected assert"},
		{"a failure beside a pass is flaky and covered", []GoalResult{good}, Known, "flaky assert"},
		{"two of two at a rate of 0.1 are exactly one in a hundred, and covered", []GoalResult{bad}, Known, "expected assert"},
		{"three of three fail more often than the rate", []GoalResult{bad, bad}, Fail, "new assert"},
		{"two of three are within the rate's chance", []GoalResult{bad, good}, Known, "flaky assert"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkVerdict(t, Judge(fails, exps, JudgeOptions{Now: testNow, Same: tt.same}), tt.want, tt.has)
		})
	}
}

func TestLeakWithinItsSlope(t *testing.T) {
	exps, err := ReadExpectations("e.yaml", []byte(strings.Replace(strings.Replace(entry, "block: first", "block: x", 1), "outcome: fails", "kind: rss_leak\n  max_k: 12\n  outcome: leak", 1)))
	if err != nil {
		t.Fatal(err)
	}
	for step, want := range map[int]Verdict{12: Known, 13: Fail} {
		var samples []string
		for i := range 100 {
			samples = append(samples, fmt.Sprint(4000+i*step))
		}
		log := "making tl-x ...\nt/a.t TEST 1: x\nLeakTest: [" + strings.Join(samples, " ") + "]\nLeakTest: k=" + fmt.Sprint(step) + ".0\n" +
			"t/a.t .. ok\nAll tests successful.\nFiles=1, Tests=4,  2 wallclock secs ( 0.01 usr )\nResult: PASS\n" + lastLine
		if g := judgeLog(t, log, exps); g.Verdict != want {
			t.Errorf("a slope of exactly %d where 12 is allowed: %s, want %s: %s", step, g.Verdict, want, strings.Join(g.Why, " "))
		}
	}
}
