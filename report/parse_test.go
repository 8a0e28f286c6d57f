package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// TestParse reads logs that each show one thing, and holds what is read of them
// to a golden file.
func TestParse(t *testing.T) {
	paths, err := filepath.Glob("testdata/logs/*.log")
	if err != nil || len(paths) < 22 {
		t.Fatalf("logs: %d, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			l, err := Parse(bytes.NewReader(mustRead(t, path)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(l, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".log")+".want.json", append(got, '\n'))
		})
	}
}

func TestParseOddBytes(t *testing.T) {
	const head = "making t-x ...\nt/a.t .. \n1..2\n"
	for _, tt := range []struct {
		name, in string
		findings int
		tests    int
	}{
		{"line ends of Windows", strings.ReplaceAll(head+"ok 1 - TEST 1: a - b\nnot ok 2 - TEST 2: a - b\n", "\n", "\r\n"), 1, 2},
		{"NUL bytes are lost ones, told once", head + "ok 1 - a" + strings.Repeat("\x00", 32) + "b\nnot ok 2 - x\x00\n", 2, 2},
		{"broken UTF-8", head + "not ok 1 - \xff\xfe\n", 1, 1},
		{"a line of a megabyte is told, and what follows it", head + "ok 1 - " + strings.Repeat("x", 1<<20) + "\nnot ok 2 - y\n", 2, 2},
		{"a lone brace does not hide a log", head + "==1== Invalid read of size 1\n==1== \n{\nnot ok 1 - TEST 1: a - b\n}\n", 2, 1},
		{"valgrind's lines of two processes that alternate", head + "==1== Invalid read of size 1\n==2== Invalid write of size 2\n==1==    at 0x1: f (a.c:1)\n==2==    at 0x2: g (a.c:2)\n==1== \n==2== \n", 2, 0},
		{"a sanitizer's report ends where a test goes on", head + "==1==ERROR: AddressSanitizer: SEGV on unknown address 0x0\nnot ok 1 - TEST 1: a - b\n", 2, 1},
		{"a diagnostic over several lines has a name over several lines", head + "#   Failed test 'TEST 1: a - x\n# y'\n#   at t/X.pm line 3.\n#          got: '1'\n", 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := Parse(strings.NewReader(tt.in))
			if err != nil || len(l.Records) != 1 {
				t.Fatalf("%v, %d records", err, len(l.Records))
			}
			r := l.Records[0]
			tests := 0
			for _, f := range r.Files {
				tests += f.Tests
			}
			if len(r.Findings) != tt.findings || tests != tt.tests || l.Bytes != int64(len(tt.in)) {
				t.Errorf("%d tests, %d bytes of %d, findings %+v", tests, l.Bytes, len(tt.in), r.Findings)
			}
		})
	}
}

// TestParseAnyReader: how the bytes arrive makes no difference.
func TestParseAnyReader(t *testing.T) {
	log := mustRead(t, "testdata/logs/45-multi-file-fails-order.log")
	whole, err := Parse(bytes.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]io.Reader{"byte by byte": iotest.OneByteReader(bytes.NewReader(log)), "with the error beside data": iotest.DataErrReader(bytes.NewReader(log))} {
		l, err := Parse(r)
		a, _ := json.Marshal(whole)
		b, _ := json.Marshal(l)
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s it is another log: %v", name, err)
		}
	}
	l, err := Parse(io.MultiReader(bytes.NewReader(log), iotest.ErrReader(errors.New("disk"))))
	if err == nil || len(l.Records) != 1 || !strings.Contains(err.Error(), "at byte 676") {
		t.Errorf("a reader's error is returned beside what was read: %v, %d records", err, len(l.Records))
	}
}

func BenchmarkParse(b *testing.B) {
	var one bytes.Buffer
	paths, err := filepath.Glob("testdata/hello/*.log")
	if err != nil || len(paths) == 0 {
		b.Fatal(err)
	}
	for _, p := range paths {
		one.WriteString("making t-hello ...\n")
		one.Write(mustRead(b, p))
	}
	log := bytes.Repeat(one.Bytes(), 20)
	b.SetBytes(int64(len(log)))
	for b.Loop() {
		if _, err := Parse(bytes.NewReader(log)); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTheSumOfSeveralProvesIsNotCountedAgain(t *testing.T) {
	const one = "t/%s.t .. \nok 1\n1..1\nok\nAll tests successful.\nFiles=1, Tests=1,  2 wallclock secs ( 0.02 usr)\nResult: PASS\n"
	for _, tt := range []struct {
		name, sum    string
		files, tests int
	}{
		{"a log of several proves", "", 2, 2},
		{"with their sum at the end", "Files=2, Tests=2,  4 wallclock secs ( 0.02 usr)\nResult: PASS\n", 2, 2},
		{"with something else at the end", "Files=3, Tests=2,  4 wallclock secs ( 0.02 usr)\nResult: PASS\n", 5, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := Parse(strings.NewReader("making t-x ...\n" + fmt.Sprintf(one, "a") + fmt.Sprintf(one, "b") + tt.sum))
			if err != nil {
				t.Fatal(err)
			}
			if r := l.Records[0]; r.Tested != tt.files || r.Tests != tt.tests {
				t.Errorf("%d files and %d tests, want %d and %d", r.Tested, r.Tests, tt.files, tt.tests)
			}
		})
	}
}
