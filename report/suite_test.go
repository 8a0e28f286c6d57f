package report

import "testing"

func TestJudgeSuite(t *testing.T) {
	suite := func(res FileResult, log string, files ...TestFile) Evidence {
		res.Path = Suite
		m := Manifest{Goal: "t-x", Repo: "o/x", Commit: helloSHA, Files: append([]TestFile{{Path: Suite}}, files...)}
		return Evidence{Goal: "t-x", Pieces: []PieceEvidence{{
			Entries: []Entry{{Manifest: &m}, {Seq: 1, File: &res}, {Seq: 2, End: &End{}}}, Logs: [][]byte{nil, []byte(log), nil},
		}}}
	}
	const good = "prove -r t\nt/a.t .. ok\nt/b.t .. ok\nAll tests successful.\nFiles=2, Tests=7,  0 wallclock secs\nResult: PASS\n"
	const fails = "\n#   Failed test 'TEST 1: x - match id ok'\n#   at t/SRegex.pm line 5.\n#          got: 'a'\nt/a.t .. \nDubious, test returned 1 (wstat 256, 0x100)\nFailed 1/4 subtests \nt/b.t .. ok\n\n" +
		"Test Summary Report\n-------------------\nt/a.t (Wstat: 256 (exited 1) Tests: 4 Failed: 1)\n  Failed test:  2\n  Non-zero exit status: 1\nFiles=2, Tests=7,  0 wallclock secs\nResult: FAIL\n"
	const dies = "t/a.t .. \nDubious, test returned 2 (wstat 512, 0x200)\nNo subtests run \nt/b.t .. ok\n\nTest Summary Report\n-------------------\nt/a.t (Wstat: 512 (exited 2) Tests: 0 Failed: 0)\n" +
		"  Non-zero exit status: 2\n  Parse errors: No plan found in TAP output\nFiles=2, Tests=3,  0 wallclock secs\nResult: FAIL\n"
	blocks := []Block{{Number: 1, Title: "x", Ordinal: 1, Line: 4, EndLine: 9}}
	for _, tt := range []struct {
		name string
		in   Evidence
		want Verdict
		has  string
	}{
		{"all files pass", suite(FileResult{}, good), Pass, ""},
		{"all files of the census pass", suite(FileResult{}, good, TestFile{Path: "t/a.t", Blocks: blocks}, TestFile{Path: "t/b.t"}), Pass, ""},
		{"a file of the census that prove did not run", suite(FileResult{}, good, TestFile{Path: "t/c.t", Blocks: blocks}), Incomplete, "not run not_run t/c.t:4"},
		{"a failure is its file's", suite(FileResult{Exit: 2}, fails), Fail, "new assert t/a.t:0 match id ok"},
		{"a file that dies is incomplete", suite(FileResult{Exit: 2}, dies), Incomplete, "not run exit t/a.t:0"},
		{"a bad exit of a good suite fails", suite(FileResult{Exit: 2}, good), Fail, "new exit :0 the suite ended with 2"},
		{"a suite cut off is incomplete", suite(FileResult{Exit: 2}, good[:60]), Incomplete, "not run cut :0 the output of the suite stops"},
		{"a suite that is killed is incomplete", suite(FileResult{Exit: -1, Signal: "SIGKILL"}, good[:60]), Incomplete, "not run signal :0"},
		{"a suite that tests nothing is incomplete", suite(FileResult{}, "Files=0, Tests=0,  0 wallclock secs\nResult: NOTESTS\n"), Incomplete, "not run not_run :0 the suite ran no assertion"},
		{"a suite without a summary is incomplete", suite(FileResult{}, "ok\n"), Incomplete, "not run cut"},
	} {
		t.Run(tt.name, func(t *testing.T) { checkVerdict(t, Judge(tt.in, nil, JudgeOptions{Now: testNow}), tt.want, tt.has) })
	}
}
