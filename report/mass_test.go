package report

import (
	"fmt"
	"strings"
	"testing"
)

// failing is a log of a file in which blocks fail, each with what it got.
func failing(got ...string) string {
	var s strings.Builder
	for i, g := range got {
		fmt.Fprintf(&s, "\n#   Failed test 't/a.t TEST %d: block %d - response_body - response is expected (req 0)'\n#   at /x/Socket.pm line 5.\n#          got: '%s'\n#     expected: 'a'\n", i+1, i+1, g)
	}
	n := len(got)
	fmt.Fprintf(&s, "t/a.t .. \nDubious, test returned %d (wstat %d, 0x100)\nFailed %d/99 subtests \n\nTest Summary Report\n-------------------\nt/a.t (Wstat: %d (exited %d) Tests: 99 Failed: %d)\n"+
		"Files=1, Tests=99,  2 wallclock secs ( 0.01 usr )\nResult: FAIL\n", n, n<<8, n, n<<8, n, n)
	return goalHead + s.String() + lastLine
}

func repeated(s string, n int) (all []string) {
	for range n {
		all = append(all, s)
	}
	return all
}

func TestMassFailure(t *testing.T) {
	const redis = "failed to connect to 127.0.0.1:6379: connection refused"
	both := func(n, others int) []string { return append(repeated(redis, n), repeated("x", others)...) }
	for _, tt := range []struct {
		name     string
		log      string
		want     Verdict
		infra    int
		new      int
		headline string
	}{
		{"exactly ten blocks of one cause are one finding", failing(both(10, 0)...), Incomplete, 1, 0, "no connection to redis: 10 failures in 10 blocks"},
		{"nine blocks are nine failures", failing(both(9, 0)...), Fail, 0, 9, ""},
		{"exactly 80 of a hundred share the cause, the others stay new", failing(both(12, 3)...), Fail, 1, 3, "no connection to redis: 12 failures in 12 blocks"},
		{"less than 80 of a hundred say nothing", failing(both(11, 3)...), Fail, 0, 14, ""},
		{"thirty blocks without a name server", failing(repeated(`records: {"errcode":5,"errstr":"refused"}`, 30)...), Incomplete, 1, 0, "the name server does not answer: 30 failures in 30 blocks"},
		{"a full disk", failing(repeated("open() failed (28: No space left on device)", 10)...), Incomplete, 1, 0, "no space is left on the disk: 10 failures in 10 blocks"},
		{"nginx itself is no service", failing(repeated("connect() to 127.0.0.1:1984 failed (111: Connection refused)", 10)...), Fail, 0, 10, ""},
		{"a memory error beside it is news", strings.Replace(failing(both(10, 0)...), "\n#   Failed", "\n==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x1\nSUMMARY: AddressSanitizer: x\n\n#   Failed", 1), Fail, 1, 1, "no connection to redis: 10 failures in 10 blocks"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := judgeLog(t, tt.log, nil)
			if g.Verdict != tt.want || g.Count(Infrastructure) != tt.infra || g.Count(New) != tt.new {
				t.Errorf("%s with %d of infrastructure and %d new, want %s, %d and %d: %s", g.Verdict, g.Count(Infrastructure), g.Count(New), tt.want, tt.infra, tt.new, strings.Join(g.Why, " "))
			}
			for _, f := range g.Findings {
				if f.Class == Infrastructure && f.Name != tt.headline {
					t.Errorf("%q, want %q", f.Name, tt.headline)
				}
			}
		})
	}
}

func TestMassFailureLeavesWhatIsExpected(t *testing.T) {
	exps, err := ReadExpectations("e.yaml", []byte(strings.NewReplacer("block: first", "block: any\n  broad: true\n  budget: 50").Replace(entry)))
	if err != nil {
		t.Fatal(err)
	}
	g := judgeLog(t, failing(repeated("failed to connect: connection refused", 30)...), exps)
	if g.Verdict != Known || g.Count(Expected) != 30 {
		t.Errorf("%s: %s", g.Verdict, strings.Join(g.Why, " "))
	}
}

func TestNginxThatCannotStartForItsSurroundings(t *testing.T) {
	log := "making %s ...\nt/a.t .. ok\n" +
		"nginx: [alert] failed to load the 'resty.core' module (https://x); ensure (reason: ../lua-resty-core/lib/resty/core/base.lua:25: ngx_http_lua_module 0.10.30 required but got 10032) in /x/nginx.conf:52\n" +
		"Bailout called.  Further testing stopped:  t/b.t TEST 1: x - Cannot start nginx using command \"nginx\" (status code 256).\n" +
		"t/b.t .. \nDubious, test returned 255 (wstat 65280, 0xff00)\nFailed 4/4 subtests \nFiles=2, Tests=4,  2 wallclock secs ( 0.01 usr )\nResult: FAIL\nFAILED--Further testing stopped: t/b.t TEST 1\n" + lastLine
	for goal, want := range map[string]Verdict{"t-ngx_echo": Incomplete, "t-ngx_lua": Fail, "t-lua-resty-core": Fail} {
		if g := judgeLog(t, fmt.Sprintf(log, goal), nil); g.Verdict != want {
			t.Errorf("%s is %s, want %s: %s", goal, g.Verdict, want, strings.Join(g.Why, " "))
		}
	}
	other := strings.Replace(fmt.Sprintf(log, "t-ngx_echo"), "failed to load the 'resty.core' module", "unknown directive", 1)
	if g := judgeLog(t, other, nil); g.Verdict != Fail {
		t.Errorf("nginx that cannot start for another reason is %s, want fail", g.Verdict)
	}
}
