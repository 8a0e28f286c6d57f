package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ortest/ortest/report"
)

func TestADamagedRecordIsNone(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(json, log []byte) ([]byte, []byte)
		kept   bool
	}{
		{"as it was written", func(j, l []byte) ([]byte, []byte) { return j, l }, true},
		{"its result is empty", func(_, l []byte) ([]byte, []byte) { return nil, l }, false},
		{"its result is cut", func(j, l []byte) ([]byte, []byte) { return j[:len(j)/2], l }, false},
		{"its log is a byte short", func(j, l []byte) ([]byte, []byte) { return j, l[1:] }, false},
		{"its log is gone", func(j, _ []byte) ([]byte, []byte) { return j, nil }, false},
		{"it is another file's", func(j, l []byte) ([]byte, []byte) {
			return []byte(strings.Replace(string(j), "t/a.t", "t/b.t", 1)), l
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			work := t.TempDir()
			r, err := openRecords(work, "t-a", false)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.write(recordLast, report.FileResult{Path: "t/a.t", Seconds: 1}, []byte("ok 1\n")); err != nil {
				t.Fatal(err)
			}
			path := r.path("t/a.t", recordLast, "json")
			log := strings.TrimSuffix(path, "json") + "log"
			j, err1 := os.ReadFile(path)
			l, err2 := os.ReadFile(log)
			if err1 != nil || err2 != nil || filepath.Dir(path) != r.dir {
				t.Fatal(err1, err2)
			}
			j, l = tt.damage(j, l)
			if err := os.WriteFile(path, j, 0o644); err != nil {
				t.Fatal(err)
			}
			if l == nil {
				err = os.Remove(log)
			} else {
				err = os.WriteFile(log, l, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := r.ended("t/a.t"); got != tt.kept {
				t.Errorf("ended is %v, want %v", got, tt.kept)
			}
		})
	}
}
