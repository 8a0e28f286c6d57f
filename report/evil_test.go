package report

import (
	"strings"
	"testing"
	"time"
)

// TestOneLineOfEvilIsNeverGreen puts what tells of a failure into each place of a
// goal's part that is good without it: before prove's first word too, since
// stderr comes before the name of the file.
func TestOneLineOfEvilIsNeverGreen(t *testing.T) {
	good := strings.SplitAfter("making tv-x ...\nt/a.t .. ok\nt/b.t .. ok\nAll tests successful.\nFiles=2, Tests=8,  1 wallclock secs\nResult: PASS\n", "\n")
	judged := func(lines []string) Verdict {
		l, err := Parse(strings.NewReader(strings.Join(lines, "") + "For total 3 sec elapsed.\n"))
		if err != nil || len(l.Records) != 1 {
			t.Fatalf("%v, %d records", err, len(l.Records))
		}
		return Judge(l.Evidence()[0], nil, JudgeOptions{Now: time.Unix(0, 0)}).Verdict
	}
	if v := judged(good); v != Pass {
		t.Fatalf("without evil: %s", v)
	}
	for _, evil := range []string{
		"not ok 3 - TEST 1: x - status code ok", "not ok", "not ok - x", "#   Failed test at t/a.t line 3.",
		"==123== Invalid read of size 4", "==123== Unaddressable byte(s) found during client check request",
		"==123== ERROR SUMMARY: 3 errors from 2 contexts (suppressed: 0 from 0)", "==123==    definitely lost: 32 bytes in 2 blocks",
		"--123-- VALGRIND INTERNAL ERROR: Valgrind received a signal 11 (SIGSEGV) - exiting", "valgrind: the 'impossible' happened:",
		"<error>", "==77==ERROR: AddressSanitizer: SEGV on unknown address 0x0", "==77==ERROR: UndefinedBehaviorSanitizer: SEGV on unknown address 0x0",
		"==77==WARNING: MemorySanitizer: use-of-uninitialized-value", "SUMMARY: ThreadSanitizer: data race x.c:1 in f", "../src/a.c:5:3: runtime error: signed integer overflow",
		"Segmentation Fault: [Sat Nov 21] nginx[1]: segfault at 10 ip 0 sp 0 error 6 in nginx", "[1.2] traps: nginx[5] trap divide error ip:7f sp:7f error:0 in nginx[4+5]",
		"[1.2] nginx[55]: unhandled level 2 translation fault (11) at 0x0, esr 0x92, in nginx[4000+5]",
		"Segmentation fault", "Aborted", "Bus error", "sh: line 1:   44 Illegal instruction     nginx -p x", "2026/11/21 01:02:03 [alert] 1#1: worker process 2 exited on signal 11",
		"nginx: src/x.c:12: f: Assertion `r == 1' failed.", "double free or corruption (out)", "free(): invalid pointer", "*** stack smashing detected ***: terminated",
		"PANIC: unprotected error in call to Lua API (not enough memory)", "Program terminated with signal SIGSEGV, Segmentation fault.",
		"LeakTest: k=0.0", "LeakTest: []", "# I found ONLY: maybe you're debugging?", "t/c.t .. Dubious, test returned 2 (wstat 512, 0x200)",
		"Bailout called.  Further testing stopped:  x", "Bail out!  x", "FAILED--Further testing stopped: x", "Result: FAIL", "failed to run command: 256",
		strings.Repeat("x", maxText),
	} {
		for at := 1; at <= len(good); at++ {
			lines := append(append(append([]string{}, good[:at]...), evil+"\n"), good[at:]...)
			if v := judged(lines); v == Pass || v == Known {
				t.Errorf("%.200q before %q: %s", evil, strings.Join(lines[at+1:], ""), v)
			}
		}
	}
	if v := judged(append([]string{good[0], strings.Repeat("x", maxText-1) + "\n"}, good[1:]...)); v != Pass {
		t.Errorf("a line just short enough: %s", v)
	}
	for at := 1; at < len(good); at++ {
		if good[at] == "" || good[at] == "All tests successful.\n" {
			continue // prove says so once more
		}
		if v := judged(append(append([]string{}, good[:at]...), good[at+1:]...)); v == Pass || v == Known {
			t.Errorf("without %q: %s", good[at], v)
		}
	}
}

// TestAConfigureThatProbesIsNoCrash: what a script tries out may die.
func TestAConfigureThatProbesIsNoCrash(t *testing.T) {
	l, err := Parse(strings.NewReader("making t-x ...\n./configure: line 12:   44 Segmentation fault      ./conftest\nt/a.t .. ok\nAll tests successful.\nFiles=1, Tests=8,  1 wallclock secs\nResult: PASS\nFor total 3 sec elapsed.\n"))
	if err != nil || len(l.Records) != 1 || len(l.Records[0].Findings) > 0 {
		t.Errorf("%v, %+v", err, l.Records)
	}
}
