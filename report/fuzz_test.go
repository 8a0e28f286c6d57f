package report

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// goodness is what a verdict is worth outside. Fail and incomplete are worth the same.
func goodness(v Verdict) int {
	switch v {
	case Pass:
		return 2
	case Known:
		return 1
	}
	return 0
}

func realLogs(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/hello/*.log")
	if err != nil || len(paths) < 15 {
		t.Fatalf("logs: %d, %v", len(paths), err)
	}
	logs := make(map[string][]byte)
	for _, p := range paths {
		logs[filepath.Base(p)] = mustRead(t, p)
	}
	return logs
}

var variants = []struct{ logs, goal string }{
	{"good-t", "t-hello"}, {"fail-t", "t-hello"}, {"memory-tv", "tv-hello"}, {"leak-tl", "tl-hello"}, {"good-tl", "tl-hello"},
}

// TestACutLogIsNeverBetter cuts each real log at many bytes before its last
// line, without its entry telling how long it was.
func TestACutLogIsNeverBetter(t *testing.T) {
	for _, v := range variants {
		for file := 1; file <= 3; file++ {
			in := hello(t, v.logs, v.goal)
			in.Pieces[0].Entries[file].Bytes = 0
			log := in.Pieces[0].Logs[file]
			end := bytes.LastIndex(log, []byte("Result: "))
			for at := 0; at < end; at += 1 + at%29 {
				in.Pieces[0].Logs[file] = log[:at]
				if g := Judge(in, known(t), JudgeOptions{Now: testNow}); goodness(g.Verdict) > 0 {
					t.Fatalf("%s, file %d cut at byte %d of %d: %s %v", v.logs, file, at, len(log), g.Verdict, g.Why)
				}
			}
		}
	}
}

// TestLostEntriesAreNeverBetter drops every set of entries of each variant.
func TestLostEntriesAreNeverBetter(t *testing.T) {
	for _, v := range variants {
		whole := Judge(hello(t, v.logs, v.goal), known(t), JudgeOptions{Now: testNow}).Verdict
		for keep := range 1 << 5 {
			in := hello(t, v.logs, v.goal)
			p := PieceEvidence{}
			for i, e := range in.Pieces[0].Entries {
				if keep&(1<<i) != 0 {
					p.Entries, p.Logs = append(p.Entries, e), append(p.Logs, in.Pieces[0].Logs[i])
				}
			}
			in.Pieces[0] = p
			g := Judge(in, known(t), JudgeOptions{Now: testNow})
			if goodness(g.Verdict) > goodness(whole) || keep != 1<<5-1 && goodness(g.Verdict) > 0 {
				t.Errorf("%s with entries %05b is %s, whole %s", v.logs, keep, g.Verdict, whole)
			}
		}
	}
}

// FuzzCutLog: whatever a log holds, a part of it is never judged better.
func FuzzCutLog(f *testing.F) {
	for _, log := range realLogs(f) {
		f.Add(log, uint(len(log)/2), 0)
		f.Add(log, uint(len(log)-1), 1)
	}
	f.Add([]byte(opened+okFirst+okSecond+passed+"==9== Invalid read of size 1\n==9==    at 0x1: f (x.c:1)\n"), uint(150), 0)
	f.Fuzz(func(t *testing.T, log []byte, at uint, exit int) {
		exit = min(max(exit, 0), 255)
		whole, part := one(FileResult{Exit: exit}, string(log)), one(FileResult{Exit: exit}, string(log[:min(at, uint(len(log)))]))
		whole.Pieces[0].Entries[1].Bytes, part.Pieces[0].Entries[1].Bytes = int64(len(log)), int64(len(log))
		a, b := Judge(whole, nil, JudgeOptions{Now: testNow}), Judge(part, nil, JudgeOptions{Now: testNow})
		if goodness(b.Verdict) > goodness(a.Verdict) {
			t.Errorf("cut at %d is %s, whole %s\n%q", at, b.Verdict, a.Verdict, log)
		}
		if _, err := json.Marshal(a); err != nil {
			t.Error(err)
		}
		for _, x := range a.Findings {
			if x.Offset < 0 || x.Offset > int64(len(log)) || len(x.Detail) > maxDetail || len(x.Name) > maxName || x.Class == "" {
				t.Errorf("finding out of bounds: %+v", x)
			}
		}
	})
}

// FuzzParse: any bytes give a record within bounds, and a log cut off is not complete.
func FuzzParse(f *testing.F) {
	logs := realLogs(f)
	for _, name := range slices.Sorted(maps.Keys(logs)) {
		f.Add(append([]byte("DATE 2026-11-21\nmaking tv-hello ...\n"), append(logs[name], "For total 3 sec elapsed.\n"...)...))
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		l, err := Parse(bytes.NewReader(log))
		if err != nil {
			t.Fatal(err)
		}
		if l.Bytes != int64(len(log)) {
			t.Errorf("%d of %d bytes were read", l.Bytes, len(log))
		}
		for _, r := range l.Records {
			if r.Offset < 0 || r.Offset+r.Bytes > l.Bytes || len(r.Findings) > maxFindings {
				t.Errorf("record out of bounds: %+v", r)
			}
		}
		if n := len(log); n > 0 && l.Complete {
			cut, err := Parse(bytes.NewReader(log[:n-1]))
			if err != nil || log[n-1] == '\n' && cut.Complete && !bytes.HasSuffix(log, []byte("\n\n")) {
				t.Errorf("cut by one byte it is complete: %v", err)
			}
		}
		a, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		// With one byte at a time there is never a line to pass over.
		slow, err := Parse(iotest.OneByteReader(bytes.NewReader(log)))
		b, _ := json.Marshal(slow)
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("lines were passed over that matter: %v\n%s", err, cmp.Diff(string(b), string(a)))
		}
	})
}

// FuzzDecodeEntry: what is accepted is written and read back the same.
func FuzzDecodeEntry(f *testing.F) {
	for _, e := range hello(f, "good-t", "t-hello").Pieces[0].Entries {
		b, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := DecodeEntry(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeEntry(again)
		if err != nil || !cmp.Equal(e, back) {
			t.Errorf("%v\n%s", err, cmp.Diff(e, back))
		}
	})
}

// FuzzReadExpectations: a file is read whole or not at all.
func FuzzReadExpectations(f *testing.F) {
	f.Add([]byte(entry))
	f.Add(mustRead(f, "testdata/hello.yaml"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if exps, err := ReadExpectations("e.yaml", b); err != nil && exps != nil {
			t.Error("entries beside an error")
		}
	})
}

// FuzzReadTestFile: every census is one that an entry may hold.
func FuzzReadTestFile(f *testing.F) {
	paths, err := filepath.Glob("testdata/hello/t/*.t")
	if err != nil || len(paths) == 0 {
		f.Fatal(err)
	}
	for _, p := range paths {
		f.Add(mustRead(f, p))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		tf := ReadTestFile("t/a.t", src)
		if err := tf.check(); err != nil {
			t.Error(err)
		}
		for i, b := range tf.Blocks {
			name := Finding{Number: b.Number, Block: b.Title}.BlockName()
			if got, _ := tf.find("t/a.t " + name + " - status code ok"); got >= 0 && tf.Blocks[got].Number != b.Number {
				t.Errorf("block %d is found as %d", i, got)
			}
		}
	})
}
