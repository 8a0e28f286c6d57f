package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

const (
	goalHead = "making t-x ...\ncommit " + helloSHA + "\nnginx version: nginx/1.29.2\n"
	lastLine = "For total 3 sec elapsed.\n"
	summary2 = "Files=2, Tests=8,  2 wallclock secs ( 0.01 usr )\n"
	failedA  = "\n#   Failed test 't/a.t TEST 1: first - response_body - response is expected (req 0)'\n#   at /x/Socket.pm line 5.\n#          got: 'x'\n#     expected: 'a'\n" +
		"t/a.t .. \nDubious, test returned 1 (wstat 256, 0x100)\nFailed 1/4 subtests \n"
	reportA = "\nTest Summary Report\n-------------------\nt/a.t (Wstat: 256 (exited 1) Tests: 4 Failed: 1)\n  Failed test:  1\n  Non-zero exit status: 1\n"
)

// judgeLog judges a log's only goal.
func judgeLog(t *testing.T, log string, exps []Expectation) GoalResult {
	t.Helper()
	l, err := Parse(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	all := l.Evidence()
	if len(all) != 1 {
		t.Fatalf("%d goals", len(all))
	}
	return Judge(all[0], exps, JudgeOptions{Now: testNow, Arch: l.Arch})
}

func TestJudgeLog(t *testing.T) {
	ok2 := "t/a.t .. ok\nt/b.t .. ok\nAll tests successful.\n" + summary2 + "Result: PASS\n"
	bad2 := failedA + "t/b.t .. ok\n" + reportA + summary2 + "Result: FAIL\n"
	ramp := func(step float64) string {
		var s strings.Builder
		for i := range 100 {
			fmt.Fprintf(&s, "%g ", 4000+float64(i)*step)
		}
		return "making tl-x ...\nt/a.t TEST 1: x\nLeakTest: [" + strings.TrimSpace(s.String()) + "]\nLeakTest: k=1.0\n"
	}
	for _, tt := range []struct {
		name, log string
		want      Verdict
		has       string
	}{
		{"every file passes and the wrapper says its last word", goalHead + ok2 + lastLine, Pass, ""},
		{"without the wrapper's last line nothing is good", goalHead + ok2, Incomplete, "not run cut :0 the log stops before its end"},
		{"half of the wrapper's last line is none", goalHead + ok2 + "For total 3 sec elapsed.", Incomplete, "not run cut"},
		{"what another target follows is whole", goalHead + ok2 + "making luajit ...\n", Pass, ""},
		{"a failed assertion", goalHead + bad2 + lastLine, Fail, "new assert t/a.t:0 response_body"},
		{"a kernel's line of a crash fails although all assertions pass", goalHead + ok2 + "Segmentation Fault: [x] nginx[1]: segfault at 10 ip 0\n" + lastLine, Fail, "new crash :0 Segmentation Fault"},
		{"valgrind's report fails although all assertions pass", strings.Replace(goalHead, " t-", " tv-", 1) + "t/a.t TEST 1: first\n==7== Invalid read of size 4\n==7==    at 0x1: f (x.c:1)\n==7== \n" + ok2 + lastLine, Fail, "new memcheck t/a.t:0 Invalid read"},
		{"a build that fails by a compiler's word fails", goalHead + "src/x.c:1:2: error: expected ';'\nmake: *** [x] Error 1\n" + lastLine, Fail, "new build src/x.c:1"},
		{"a good build may print the word error", goalHead + "checking for error: no\n" + ok2 + lastLine, Pass, ""},
		{"nothing after the header is incomplete", goalHead + lastLine, Incomplete, "not run not_run :0 the tests never began"},
		{"prove without its summary is incomplete", goalHead + "t/a.t .. ok\n" + lastLine, Incomplete, "not run cut"},
		{"a missing file line is noticed by prove's own count", goalHead + strings.Replace(ok2, "t/b.t .. ok\n", "", 1) + lastLine, Incomplete, "not run not_run :0 prove counted 2 test files, and the log shows 1"},
		{"a file that was never closed", goalHead + strings.Replace(ok2, "t/b.t .. ok\n", "t/b.t .. \n", 1) + lastLine, Incomplete, "not run not_run t/b.t:0 t/b.t did not run: prove never told its end"},
		{"the failure of a file that was never closed is shown", goalHead + strings.Replace(bad2, "Dubious, test returned 1 (wstat 256, 0x100)\nFailed 1/4 subtests \n", "", 1) + lastLine, Fail, "new assert"},
		{"missing diagnostics leave a failure without a name", goalHead + bad2[strings.Index(bad2, "t/a.t .."):] + lastLine, Fail, "new exit t/a.t:0 prove says FAIL of t/a.t and not why"},
		{"a missing result is no pass", goalHead + strings.Replace(ok2, "Result: PASS\n", "", 1) + lastLine, Incomplete, "not run cut"},
		{"NOTESTS is incomplete", goalHead + "Files=0, Tests=0,  0 wallclock secs ( 0.01 usr )\nResult: NOTESTS\n" + lastLine, Incomplete, "not run not_run"},
		{"prove says FAIL of what looks good", goalHead + strings.Replace(ok2, "PASS", "FAIL", 1) + lastLine, Fail, "new exit"},
		{"a script that ran more than it announced fails", goalHead + "t/a.t .. \nAll 4 subtests passed \n" +
			"\nTest Summary Report\n-------------------\nt/a.t (Wstat: 0 Tests: 5 Failed: 1)\n  Failed test:  5\n  Parse errors: Bad plan.  You planned 4 tests but ran 5.\nFiles=1, Tests=5,  2 wallclock secs ( 0.01 usr )\nResult: FAIL\n" + lastLine,
			Fail, "new plan t/a.t:0 Bad plan.  You planned 4 tests but ran 5."},
		{"a failed assertion explains one more than announced", goalHead + failedA + "t/b.t .. ok\n" +
			"\nTest Summary Report\n-------------------\nt/a.t (Wstat: 0 Tests: 5 Failed: 1)\n  Failed test:  1\n  Parse errors: Bad plan.  You planned 4 tests but ran 5.\n" + summary2 + "Result: FAIL\n" + lastLine,
			Fail, "new assert t/a.t:0 response_body"},
		{"a leak in a file that prove never closed is judged", ramp(10) + lastLine, Fail, "new rss_leak t/a.t:0 the resident set grows"},
		{"a level resident set passes a leak check", ramp(0) + "t/a.t .. ok\nAll tests successful.\nFiles=1, Tests=4,  2 wallclock secs ( 0.01 usr )\nResult: PASS\n" + lastLine, Pass, ""},
		{"a leak check without samples is incomplete", "making tl-x ...\n" + ok2 + lastLine, Incomplete, "not run not_run :0 no block was checked for leaks"},
	} {
		t.Run(tt.name, func(t *testing.T) { checkVerdict(t, judgeLog(t, tt.log, nil), tt.want, tt.has) })
	}
}

// TestCutLogNeverLooksBetter cuts logs at every byte.
func TestCutLogNeverLooksBetter(t *testing.T) {
	ok := "t/a.t .. ok\nAll tests successful.\nFiles=1, Tests=4,  2 wallclock secs ( 0.01 usr )\nResult: PASS\n"
	for _, log := range []string{
		goalHead + ok + "Segmentation Fault: [x] nginx[1]: segfault at 10 ip 0\n" + lastLine,
		goalHead + failedA + reportA + summary2 + "Result: FAIL\n" + lastLine,
		goalHead + ok + lastLine,
		goalHead + ok + "making luajit ...\n" + strings.Replace(goalHead, "t-x", "t-y", 1) + failedA + reportA + "Result: FAIL\n",
	} {
		for n := range len(log) {
			l, err := Parse(bytes.NewReader([]byte(log)[:n]))
			if err != nil {
				t.Fatal(err)
			}
			all := []GoalResult{}
			for _, ev := range l.Evidence() {
				all = append(all, Judge(ev, nil, JudgeOptions{Now: testNow}))
			}
			if !l.Complete {
				all = append(all, GoalResult{Verdict: Incomplete})
			}
			if v := Overall(all); v == Pass || v == Known {
				t.Fatalf("cut after %d of %d bytes the log is %s:\n%s", n, len(log), v, log[:n])
			}
			if len(all) > 0 && n < strings.Index(log, "\nmaking luajit") && all[0].Verdict == Pass {
				t.Fatalf("cut after %d bytes the only goal passes", n)
			}
		}
	}
}
