package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var testNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const helloSHA = "0123456789abcdef0123456789abcdef01234567"

// hello is the evidence of a real run of the example project.
func hello(t testing.TB, logs, goal string) Evidence {
	t.Helper()
	m := Manifest{Goal: goal, Repo: "ortest-examples/hello", Commit: helloSHA, Arch: "linux x86_64"}
	paths, err := filepath.Glob("testdata/hello/t/*.t")
	if err != nil || len(paths) != 3 {
		t.Fatalf("test files: %v, %v", paths, err)
	}
	head := []byte("DATE 2026-11-21 02:00:00\nmaking " + goal + " ...\ncommit " + helloSHA + "\nnginx version: nginx/1.22.1\n")
	p := PieceEvidence{Entries: []Entry{{Manifest: &m, Bytes: int64(len(head))}}, Logs: [][]byte{head}}
	for _, path := range paths {
		name := "t/" + filepath.Base(path)
		m.Files = append(m.Files, ReadTestFile(name, mustRead(t, path)))
		log := mustRead(t, "testdata/hello/"+logs+"-"+strings.TrimSuffix(filepath.Base(path), ".t")+".log")
		r := FileResult{Path: name, Seconds: 1}
		if !bytes.Contains(log, []byte("Result: PASS")) {
			r.Exit = 1
		}
		p.Entries = append(p.Entries, Entry{Seq: len(p.Entries), Bytes: int64(len(log)), File: &r})
		p.Logs = append(p.Logs, log)
	}
	p.Entries = append(p.Entries, Entry{Seq: len(p.Entries), End: &End{}})
	p.Logs = append(p.Logs, nil)
	return Evidence{Goal: goal, Pieces: []PieceEvidence{p}}
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// known is the expectation that the example project has.
func known(t testing.TB) []Expectation {
	t.Helper()
	exps, err := ReadExpectations("hello.yaml", mustRead(t, "testdata/hello.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return exps
}

// TestJudgeHello judges real logs of the example project in all its variants.
func TestJudgeHello(t *testing.T) {
	for _, tt := range []struct {
		name, logs, goal string
		want             Verdict
	}{
		{"the known failure is expected", "good-t", "t-hello", Known},
		{"a failing block is new", "fail-t", "t-hello", Fail},
		{"valgrind's report fails a goal whose assertions pass", "memory-tv", "tv-hello", Fail},
		{"a resident set that grows fails a leak check", "leak-tl", "tl-hello", Fail},
		{"a resident set that is level passes it", "good-tl", "tl-hello", Pass},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := Judge(hello(t, tt.logs, tt.goal), known(t), JudgeOptions{Now: testNow})
			if g.Verdict != tt.want {
				t.Errorf("verdict %s, want %s: %s", g.Verdict, tt.want, strings.Join(g.Why, " "))
			}
			got, err := json.MarshalIndent(g, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/hello/"+tt.logs+".want.json", append(got, '\n'))
		})
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(mustRead(t, path)), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); look at it, then run with -update\n%s", path, diff)
	}
}

// one is the evidence of a single test file with two blocks.
func one(res FileResult, log string) Evidence {
	tf := ReadTestFile("t/a.t", []byte("__DATA__\n=== TEST 1: first\n--- response_body\na\n=== TEST 2: second\n--- response_body\nb\n"))
	res.Path = "t/a.t"
	return Evidence{Goal: "t-x", Pieces: []PieceEvidence{{
		Entries: []Entry{
			{Manifest: &Manifest{Goal: "t-x", Repo: "o/x", Commit: helloSHA, Files: []TestFile{tf}}},
			{Seq: 1, File: &res},
			{Seq: 2, End: &End{}},
		},
		Logs: [][]byte{nil, []byte(log), nil},
	}}}
}

const (
	okFirst  = "ok 1 - t/a.t TEST 1: first - status code ok\n"
	okSecond = "ok 2 - t/a.t TEST 2: second - status code ok\n"
	opened   = "t/a.t .. \n1..2\n"
	passed   = "ok\nAll tests successful.\nFiles=1, Tests=2,  0 wallclock secs ( 0.01 usr )\nResult: PASS\n"
	notFirst = "not ok 1 - t/a.t TEST 1: first - response_body - response is expected (req 0)\n\n" +
		"#   Failed test 't/a.t TEST 1: first - response_body - response is expected (req 0)'\n#   at t/lib/X.pm line 5.\n#          got: 'x'\n#     expected: 'a'\n"
	failed1 = "# Looks like you failed 1 test of 2.\nDubious, test returned 1 (wstat 256, 0x100)\nFailed 1/2 subtests \n\nTest Summary Report\n-------------------\n" +
		"t/a.t (Wstat: 256 (exited 1) Tests: 2 Failed: 1)\n  Failed test:  1\n  Non-zero exit status: 1\nFiles=1, Tests=2,  0 wallclock secs ( 0.01 usr )\nResult: FAIL\n"
	died255 = "Dubious, test returned 255 (wstat 65280, 0xff00)\nFailed 1/2 subtests \n\nTest Summary Report\n-------------------\nt/a.t (Wstat: 65280 (exited 255) Tests: 1 Failed: 0)\n" +
		"  Non-zero exit status: 255\n  Parse errors: Bad plan.  You planned 2 tests but ran 1.\nFiles=1, Tests=1,  0 wallclock secs ( 0.01 usr )\nResult: FAIL\n"
)

func TestJudge(t *testing.T) {
	good := opened + okFirst + okSecond + passed
	for _, tt := range []struct {
		name string
		in   Evidence
		want Verdict
		has  string // "class kind file:line name" of the first finding begins so
	}{
		{"all assertions of all blocks pass", one(FileResult{}, good), Pass, ""},
		{"prove without -v vouches for the blocks by a met plan", one(FileResult{}, "t/a.t .. ok\n"+passed[3:]), Pass, ""},
		{"a failed assertion is annotated at its section", one(FileResult{Exit: 1}, opened+notFirst+okSecond+failed1), Fail, "new assert t/a.t:3 response_body"},
		{"prove without -v shows the failure by its diagnostics", one(FileResult{Exit: 1}, "\n"+notFirst[strings.Index(notFirst, "\n\n")+2:]+"t/a.t .. \n"+failed1), Fail, "new assert t/a.t:3 response_body"},
		{"a todo that fails is no failure", one(FileResult{}, opened+okFirst+"not ok 2 - t/a.t TEST 2: second # TODO later\n"+passed), Pass, ""},
		{"a block that was not seen", one(FileResult{}, opened+okFirst+"ok 2 - t/a.t TEST 1: first - b\n"+passed), Incomplete, "not run not_run t/a.t:5 did not run"},
		{"a script that dies is incomplete with its block named", one(FileResult{Exit: 1}, opened+okFirst+died255), Incomplete, "not run exit t/a.t:0 t/a.t ended with 255"},
		{"a script that dies after a failure fails", one(FileResult{Exit: 1}, opened+notFirst+died255), Fail, "new assert t/a.t:3"},
		{"a timeout is incomplete", one(FileResult{Exit: -1, TimedOut: true, Seconds: 60}, opened+okFirst), Incomplete, "not run timeout t/a.t:0 t/a.t was stopped after 60 s"},
		{"a timeout that says so only by its result is incomplete", one(FileResult{Exit: 1, TimedOut: true}, good), Fail, "new timeout"},
		{"a killed prove is incomplete", one(FileResult{Exit: -1, Signal: "SIGKILL"}, opened+okFirst), Incomplete, "not run signal t/a.t:0 t/a.t was killed by SIGKILL"},
		{"a log cut off is incomplete", one(FileResult{}, opened+okFirst+okSecond+"ok\nAll tests suc"), Incomplete, "not run cut t/a.t:0 the output of t/a.t stops"},
		{"an empty log is incomplete", one(FileResult{}, ""), Incomplete, "not run cut"},
		{"an exit code beside good assertions fails", one(FileResult{Exit: 1}, good), Fail, "new exit t/a.t:0 prove ended with 1"},
		{"a bad plan fails when all blocks ran", one(FileResult{Exit: 1}, "t/a.t .. \n1..3\n"+okFirst+okSecond+"Failed 1/3 subtests \n\nTest Summary Report\n-------------------\nt/a.t (Wstat: 0 Tests: 2 Failed: 0)\n  Parse errors: Bad plan.  You planned 3 tests but ran 2.\nFiles=1, Tests=2,  0 wallclock secs\nResult: FAIL\n"),
			Fail, "new plan t/a.t:0 Bad plan.  You planned 3 tests but ran 2."},
		{"no assertion at all is incomplete", one(FileResult{}, "t/a.t .. \nFiles=1, Tests=0,  0 wallclock secs\nResult: NOTESTS\n"), Incomplete, "not run not_run"},
		{"a goal of which every assertion is skipped is incomplete",
			one(FileResult{}, opened+"ok 1 # skip t/a.t TEST 1: first - no module\nok 2 # skip t/a.t TEST 2: second - no module\n"+passed), Incomplete, "not run not_run :0 no assertion ran"},
		{"a goal whose only file skips itself is incomplete", one(FileResult{}, "t/a.t .. skipped: not here\nFiles=1, Tests=0,  0 wallclock secs\nResult: NOTESTS\n"), Incomplete, "not run not_run :0 no assertion ran"},
		{"a file that plans nothing and does not say that it skips itself did not run",
			one(FileResult{}, "t/a.t .. \n1..0\nskipped: (no reason given)\nFiles=1, Tests=0,  0 wallclock secs\nResult: NOTESTS\n"), Incomplete, "not run plan t/a.t:0 it planned no test"},
		{"a bail-out of a block fails and names the blocks behind it",
			one(FileResult{Exit: 255}, opened+"Bailout called.  Further testing stopped:  t/a.t TEST 1: first - Cannot start nginx\nDubious, test returned 255 (wstat 65280, 0xff00)\nFailed 2/2 subtests \nFiles=1, Tests=0,  0 wallclock secs\nResult: FAIL\nFAILED--Further testing stopped: t/a.t TEST 1: first - Cannot start nginx\n"),
			Fail, "new bailout t/a.t:2 bailed out: Cannot start nginx"},
		{"a worker's death fails although all assertions pass", one(FileResult{}, opened+okFirst+"WARNING: t/a.t TEST 1: first - 2026/11/21 [alert] 1#0: worker process 2 exited on signal 11 (core dumped)\n"+okSecond+passed),
			Fail, "new crash t/a.t:2"},
		{"a worker that the test stops is no crash", one(FileResult{}, opened+okFirst+"WARNING: t/a.t TEST 1: first - 2026/11/21 [alert] 1#0: worker process 2 exited on signal 9\n"+okSecond+passed), Pass, ""},
		{"an address sanitizer's report fails although all assertions pass", one(FileResult{}, opened+okFirst+"==12==ERROR: AddressSanitizer: heap-use-after-free on address 0x1\nREAD of size 1\n    #0 0x1 in f x.c:1\n\nSUMMARY: AddressSanitizer: heap-use-after-free x.c:1 in f\n"+okSecond+passed),
			Fail, "new asan t/a.t:2 AddressSanitizer: heap-use-after-free"},
		{"undefined behaviour fails although all assertions pass", one(FileResult{}, opened+okFirst+"src/x.c:1:2: runtime error: signed integer overflow\n"+okSecond+passed), Fail, "new ubsan t/a.t:2"},
		{"a nested prove's result is not this one's", one(FileResult{Exit: -1, Signal: "SIGKILL"}, opened+"t/inner.t .. ok\n"+passed+okFirst), Incomplete, "not run signal"},
	} {
		t.Run(tt.name, func(t *testing.T) { checkVerdict(t, Judge(tt.in, nil, JudgeOptions{Now: testNow}), tt.want, tt.has) })
	}
}

func TestABailOutSaysWhyNginxDidNotStart(t *testing.T) {
	log := opened + "nginx: [emerg] unknown directive \"lua\"\nnginx: [emerg] unknown directive \"lua\"\nBailout called.  Further testing stopped:  t/a.t TEST 1: first - Cannot start nginx\nnginx: [emerg] later\n" +
		"Dubious, test returned 255 (wstat 65280, 0xff00)\nFailed 2/2 subtests \nFiles=1, Tests=0,  0 wallclock secs\nResult: FAIL\nFAILED--Further testing stopped: t/a.t TEST 1: first - Cannot start nginx\n"
	g := Judge(one(FileResult{Exit: 255}, log), nil, JudgeOptions{Now: testNow})
	if len(g.Findings) == 0 || g.Findings[0].Detail != `nginx: [emerg] unknown directive "lua"` {
		t.Errorf("findings %+v", g.Findings)
	}
}

func checkVerdict(t *testing.T, g GoalResult, want Verdict, has string) {
	t.Helper()
	first := ""
	if len(g.Findings) > 0 {
		f := g.Findings[0]
		first = fmt.Sprintf("%s %s %s:%d %s", f.Class, f.Kind, f.File, f.Line, f.Name)
	}
	if g.Verdict != want || !strings.HasPrefix(first, has) || has == "" && first != "" {
		t.Errorf("verdict %s, want %s; first finding %q, want %q\n%s", g.Verdict, want, first, has, strings.Join(g.Why, "\n"))
	}
}

func TestJudgePieces(t *testing.T) {
	good := opened + okFirst + okSecond + passed
	with := func(change func(e *Evidence)) Evidence {
		e := one(FileResult{}, good)
		change(&e)
		return e
	}
	drop := func(n int) Evidence {
		return with(func(e *Evidence) {
			p := &e.Pieces[0]
			p.Entries = append(p.Entries[:n:n], p.Entries[n+1:]...)
			p.Logs = append(p.Logs[:n:n], p.Logs[n+1:]...)
		})
	}
	ended := func(phase, log string) Evidence {
		return with(func(e *Evidence) {
			p := &e.Pieces[0]
			p.Entries = []Entry{p.Entries[0], {Seq: 1, End: &End{Reason: "make ended with 2", Phase: phase}}}
			p.Logs = [][]byte{[]byte(log), nil}
		})
	}
	for _, tt := range []struct {
		name string
		in   Evidence
		want Verdict
		has  string
	}{
		{"nothing came back", Evidence{Goal: "t-x"}, Incomplete, "not run not_run :0 nothing came back"},
		{"the manifest is missing", drop(0), Incomplete, "not run not_run :0 no manifest"},
		{"a file is missing", drop(1), Incomplete, "not run not_run t/a.t:2 t/a.t did not run: it has no result (2 blocks)"},
		{"the end is missing", drop(2), Incomplete, "not run cut :0 the end of the piece"},
		{"no piece lists a file", with(func(e *Evidence) {
			e.Pieces[0].Entries[0].Manifest.Files = nil
			e.Pieces[0].Entries = e.Pieces[0].Entries[:1]
			e.Pieces[0].Entries = append(e.Pieces[0].Entries, Entry{Seq: 1, End: &End{}})
		}), Incomplete, "not run not_run :0 no assertion ran"},
		{"a log shorter than its entry says", with(func(e *Evidence) { e.Pieces[0].Entries[1].Bytes = int64(len(good) + 1) }), Incomplete, "not run cut t/a.t:0"},
		{"a compiler's error fails and is annotated where it is", ended("build", "src/x.c:12:3: error: expected ';'\nmake: *** [x] Error 1\n"), Fail, "new build src/x.c:12 error: expected ';'"},
		{"a build that fails without a word is incomplete", ended("build", "fetching\n"), Incomplete, "not run build :0 the build failed: make ended with 2"},
		{"a failed checkout is infrastructure", ended("checkout", ""), Incomplete, "not run not_run t/a.t:2"},
		{"trouble that was overcome is told and counts for nothing", with(func(e *Evidence) { e.Trouble = []string{"instance lost"} }), Pass, ""},
		{"two pieces of one commit are one goal", with(func(e *Evidence) {
			m := *e.Pieces[0].Entries[0].Manifest
			m.Files = []TestFile{{Path: "t/b.t"}}
			e.Pieces = append(e.Pieces, PieceEvidence{
				Entries: []Entry{{Manifest: &m}, {Seq: 1, File: &FileResult{Path: "t/b.t"}}, {Seq: 2, End: &End{}}},
				Logs:    [][]byte{nil, []byte("t/b.t .. \n1..1\nok 1\nok\nFiles=1, Tests=1,  0 wallclock secs\nResult: PASS\n"), nil},
			})
		}), Pass, ""},
		{"pieces of two commits are no goal", with(func(e *Evidence) {
			m := *e.Pieces[0].Entries[0].Manifest
			m.Commit, m.Files = strings.Repeat("f", 40), nil
			e.Pieces = append(e.Pieces, PieceEvidence{Entries: []Entry{{Manifest: &m}, {Seq: 1, End: &End{}}}, Logs: [][]byte{nil, nil}})
		}), Incomplete, "not run not_run :0 pieces tested two commits"},
		{"the evidence of another goal", with(func(e *Evidence) { e.Goal = "t-y" }), Incomplete, "not run not_run :0 the evidence is that of t-x"},
		{"a leak check that never was", with(func(e *Evidence) {
			e.Goal = "tl-x"
			e.Pieces[0].Entries[0].Manifest.Goal = "tl-x"
		}), Incomplete, "not run not_run :0 no block was checked for leaks"},
	} {
		t.Run(tt.name, func(t *testing.T) { checkVerdict(t, Judge(tt.in, nil, JudgeOptions{Now: testNow}), tt.want, tt.has) })
	}

	t.Run("a compiler's error is one finding, however many say it again", func(t *testing.T) {
		r := Judge(ended("build", "gcc -c ../src/x.c\nsrc/x.c:12:3: error: expected ';'\nsrc/x.c:12:3: error: expected ';'\nmake[2]: *** [objs/Makefile:9: x.o] Error 1\n"+
			"make[2]: *** Waiting for unfinished jobs....\nmake[1]: *** [Makefile:10: build] Error 2\nmake: *** [Makefile:8: all] Error 2\n"+
			"ortest: build: make -j2 exited with 2: src/x.c:12:3: error: expected ';'\n"), nil, JudgeOptions{Now: testNow})
		var got []string
		for _, f := range r.Findings {
			if f.Kind == kindBuild {
				got = append(got, fmt.Sprintf("%s:%d %s", f.File, f.Line, f.Name))
				if !strings.Contains(f.Detail, "make[1]: *** [Makefile:10: build] Error 2") {
					t.Errorf("detail %q", f.Detail)
				}
			}
		}
		if len(got) != 1 || got[0] != "src/x.c:12 error: expected ';'" {
			t.Errorf("%q", got)
		}
	})
	t.Run("make's own word is a finding where nobody else has one", func(t *testing.T) {
		checkVerdict(t, Judge(ended("build", "make: *** No rule to make target 'x'.  Stop.\n"), nil, JudgeOptions{Now: testNow}), Fail, "new build :0 make: *** No rule")
	})
}

func TestOverall(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []Verdict
		want Verdict
	}{
		{"no goal is incomplete", nil, Incomplete},
		{"known is worse than pass", []Verdict{Pass, Known}, Known},
		{"incomplete is worse than known", []Verdict{Incomplete, Known}, Incomplete},
		{"incomplete never hides a failure", []Verdict{Fail, Incomplete}, Fail},
		{"a verdict that is none is incomplete", []Verdict{Pass, ""}, Incomplete},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var gs []GoalResult
			for _, v := range tt.in {
				gs = append(gs, GoalResult{Verdict: v})
			}
			if got := Overall(gs); got != tt.want {
				t.Errorf("Overall(%v) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestTestFileThatNoPieceHoldsIsNotRun(t *testing.T) {
	ev := hello(t, "good-t", "t-hello")
	if got := Judge(ev, nil, JudgeOptions{Now: testNow}).Count(NotRun); got != 0 {
		t.Fatalf("%d findings of files that did not run in a whole goal", got)
	}
	m := ev.Pieces[0].Entries[0].Manifest
	m.Others = []string{m.Files[0].Path, "t/999-new.t"}
	g := Judge(ev, nil, JudgeOptions{Now: testNow})
	if g.Verdict == Pass || g.Verdict == Known || g.Count(NotRun) != 1 {
		t.Errorf("verdict %s with findings %+v, want one of t/999-new.t and no success", g.Verdict, g.Findings)
	}
}
