package expect

import (
	"os"
	"strings"
	"testing"

	"github.com/ortest/ortest/report"
)

const known = `- id: x-1
  test: t/a.t
  block: sanity
  number: 1
  when: {mode: [tv]}
  outcome: fails
  reason: The upstream parser loses the last byte.
  issue: https://example.org/1
  owner: ada
  since: 2026-11-01
  expires: 2026-12-31
`

func TestLint(t *testing.T) {
	edit := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(known) }
	second := func(pairs ...string) string { return known + edit(append(pairs, "x-1", "x-2")...) }
	for _, tt := range []struct {
		name, in string
		want     []string // "place: id: cause: beginning of the text" of each problem
	}{
		{"a good entry", known, nil},
		{"what cannot be read", edit("owner: ada", "ownr: ada"), []string{`x.yaml:9:3: : invalid: unknown field "ownr"`}},
		{"a dead file, with the one of its name", edit("t/a.t", "t/b.t"), []string{"x.yaml:2:3: x-1: dead file: t/b.t does not exist; did you mean t/sub/b.t?"}},
		{"a dead title, with the likely new one", edit("sanity", "destory the VM (2 workers)", "number: 1", "number: 2"),
			[]string{`x.yaml:3:3: x-1: dead title: t/a.t has no block "destory the VM (2 workers)"; did you mean "destroy the VM (2 workers)" (TEST 2, line 5)?`}},
		{"a title that nothing is like", edit("sanity", "something else entirely"), []string{`x.yaml:3:3: x-1: dead title: t/a.t has no block "something else entirely"`}},
		{"a block that moved is a warning", edit("number: 1", "number: 7"), []string{"x.yaml:4:3: x-1: moved: its block is TEST 1 now, not 7 (warning)"}},
		{"an ordinal that there is not", edit("sanity", "twice\n  ordinal: 3", "number: 1", "number: 4"), []string{"x.yaml:4:3: x-1: dead title: t/a.t has 2 blocks of this title"}},
		{"a duplicate", second(), []string{"x.yaml:12:3: x-2: duplicate: it covers the same as x-1"}},
		{"shadowed by one without the mode", second("  when: {mode: [tv]}\n", ""), []string{"x.yaml:1:3: x-1: shadowed: all that it covers is covered by x-2 too"}},
		{"shadowed by one that asks for less", second("outcome:", "match: [{field: name, contains: status}]\n  outcome:"), []string{"x.yaml:12:3: x-2: shadowed: all that it covers is covered by x-1 too"}},
		{"a broad one that asks for more shadows nothing", second("block: sanity", "broad: true\n  block: any", "outcome:", "match: [{field: name, contains: status}]\n  outcome:"), nil},
		{"one of another mode is not", second("[tv]", "[t]"), nil},
		{"whatever fails in a file is too broad", edit("block: sanity", "broad: true\n  block: any"), []string{"x.yaml:3:3: x-1: too broad: it covers whatever fails in t/a.t"}},
		{"of the old list that is a warning", edit("block: sanity", "broad: true\n  block: any\n  class: imported"), []string{"x.yaml:3:3: x-1: too broad: it covers whatever fails in t/a.t; name a block or say what the failure looks like (warning)"}},
		{"a regex that matches every text", edit("outcome:", "match: [{field: name, regex: '.+'}]\n  outcome:"), []string{`x.yaml:6:3: x-1: too broad: the regex ".+" matches every text`}},
		{"a pattern that no file has", edit("test: t/a.t\n  block: sanity", "broad: true\n  test: x/*.t\n  block: sanity"), []string{"x.yaml:3:3: x-1: dead file: no test file matches x/*.t"}},
		{"the day it expires", edit("2026-12-31", "2026-11-21"), []string{"x.yaml:11:3: x-1: expired: it expired on 2026-11-21"}},
		{"exactly 14 days before it expires", edit("2026-12-31", "2026-12-05"), []string{"x.yaml:11:3: x-1: expires soon: it expires on 2026-12-05; ada owns it (warning)"}},
		{"15 days before it expires", edit("2026-12-31", "2026-12-06"), nil},
		{"a mode that the project does not have", edit("[tv]", "[to]"), []string{"x.yaml:5:3: x-1: no such mode: the project has no mode to"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := importing()
			files, _ := in.Source("x")
			got := Lint("x.yaml", []byte(tt.in), Linting{Now: day, Modes: in.Modes("x"), Files: files})
			checkProblems(t, got, tt.want)
		})
	}
}

func checkProblems(t *testing.T, got []Problem, want []string) {
	t.Helper()
	ok := len(got) == len(want)
	for i := range got {
		text := got[i].Place + ": " + got[i].ID + ": " + got[i].Cause + ": " + got[i].Text
		if got[i].Warning {
			text += " (warning)"
		}
		ok = ok && strings.HasPrefix(text, want[i]) && strings.HasSuffix(want[i], "(warning)") == got[i].Warning
		t.Log(text)
	}
	if !ok {
		t.Errorf("want %q", want)
	}
}

func TestLintOverRuns(t *testing.T) {
	run := func(goal string, fs ...report.Finding) Run {
		return Run{Log: "x.log", Files: []string{"t/a.t"}, Result: report.GoalResult{Goal: goal, Findings: fs}}
	}
	fails := func(name string) report.Finding {
		return report.Finding{Kind: "assert", File: "t/a.t", Block: "sanity", Name: name, Rule: "x-1"}
	}
	for _, tt := range []struct {
		name string
		in   string
		runs []Run
		want []string
	}{
		{"what covers a failure is used", known, []Run{run("tv-x", fails("a"))}, nil},
		{"what covers nothing where it could is unused", known, []Run{run("tv-x"), run("tv-x")}, []string{"x.yaml:1:3: x-1: unused: it covers nothing in 2 goals that it speaks of"}},
		{"a goal of another mode says nothing", known, []Run{run("t-x")}, nil},
		{"a log without the file says nothing", known, []Run{{Log: "x.log", Result: report.GoalResult{Goal: "tv-x"}}}, nil},
		{"exactly its budget", strings.Replace(known, "outcome:", "budget: 2\n  outcome:", 1), []Run{run("tv-x", fails("a"), fails("b"))}, nil},
		{"one more than its budget", known, []Run{run("tv-x", fails("a"), fails("b"))}, []string{"x.yaml:1:3: x-1: too broad: it covers 2 different failures of one goal, its budget is 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkProblems(t, Lint("x.yaml", []byte(tt.in), Linting{Now: day, Modes: []string{"t", "tv"}, Runs: tt.runs}), tt.want)
		})
	}
}

func TestCatalogsListsHaveNoProblems(t *testing.T) {
	for _, p := range []string{"ngx_lua", "lua-resty-core", "resty-cli", "ngx_rds_json"} {
		name := "../../plan/catalog/expectations/" + p + ".yaml"
		for _, problem := range Lint(name, read(t, name), Linting{Now: day, Modes: strings.Fields("t tr tw tv trv twv th thv tl to")}) {
			if !problem.Warning {
				t.Errorf("%+v", problem)
			}
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
