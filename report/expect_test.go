package report

import (
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
		{"an unknown outcome", edit("fails", "fail"), `e.yaml:4:12: outcome "fail": want fails or flaky`},
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
		{"exactly 90 days of a flaky one", strings.Replace(edit("fails", "flaky"), "2026-12-01", "2027-01-30", 1), ""},
		{"91 days of a flaky one", strings.Replace(edit("fails", "flaky"), "2026-12-01", "2027-01-31", 1), "e.yaml:9:12: expires 2027-01-31 is more than 90 days"},
		{"a day that is not after since", edit("2026-12-01", "2026-11-01"), "e.yaml:9:12: expires 2026-11-01 is not after since"},
		{"never, of a bug", edit("2026-12-01", "never"), `e.yaml:9:12: expires "never": want a date`},
		{"never, by design", strings.Replace(edit("2026-12-01", "never"), "  issue: https://example.org/1\n", "  class: design\n", 1), ""},
		{"no issue", edit("  issue: https://example.org/1\n", ""), `e.yaml:1:5: issue "": want an https URL`},
		{"a reason of 19 characters", edit("The upstream parser loses the last byte.", "nineteen characters"), "e.yaml:5:11: reason: want a sentence of at least 20"},
		{"a flaky strict entry", edit("outcome: fails", "outcome: flaky\n  strict: true"), "e.yaml:5:11: what is flaky cannot be strict"},
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
	before, on := time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	flaky := edit("fails", "flaky")
	for _, tt := range []struct {
		name string
		in   Evidence
		exps string
		now  time.Time
		want Verdict
		has  string
	}{
		{"a covered failure is expected", fails(), entry, before, Known, "expected assert t/a.t:3"},
		{"on the day it expires an entry covers nothing", fails(), entry, on, Fail, "new assert t/a.t:3"},
		{"a strict entry whose block passes is news", passes(), entry, before, Fail, "unexpected pass unexpected_pass t/a.t:2"},
		{"an expired entry whose block passes is not", passes(), entry, on, Pass, ""},
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
