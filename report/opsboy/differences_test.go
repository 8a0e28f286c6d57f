package opsboy

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

const goal = "making t-ngx_echo ...\ncommit abc\n"

// differences are the rows of docs/differences.md, each with its example.
var differences = []struct {
	name string
	log  string
	path string // into the first record, keys joined by a dot
	want any
}{
	{
		name: "a goal without a commit, and the next goal follows at once",
		log:  "making t-ngx_echo ...\n" + goal,
		path: "commit", want: missing{},
	},
	{
		name: "the samples of a leak test are all zero, and their slope is not",
		log:  "making tl-ngx_echo ...\ncommit abc\nTEST 1: x\nLeakTest: [0 0]\nLeakTest: k=12\n",
		path: "expected_fails.0.chart", want: nil,
	},
	{
		name: "a commit's date that is not whole",
		log:  goal + "Date:   Mon Oct 13 19:04",
		path: "commit_date", want: nil,
	},
	{
		name: "a commit's date without a zone",
		log:  goal + "Date:   Mon Oct 13 19:04:05 2025\n",
		path: "commit_date", want: 1760382245.0,
	},
	{
		name: "a line of more than 1 MiB",
		log:  goal + "WARNING: " + strings.Repeat("x", longest-len("WARNING: ")) + "y\n",
		path: "warns.0", want: strings.Repeat("x", longest-len("WARNING: ")),
	},
	{
		name: "details of a failure of more than 1 MiB",
		log:  goal + "#   Failed test 'x'\n" + strings.Repeat("# "+strings.Repeat("x", 1023)+"\n", 1025),
		path: "true_fails.0.details", want: strings.Repeat(strings.Repeat("x", 1023)+"\n", 1024),
	},
}

// TestDifferences shows what is written where the old parser's answer is not
// to be had, and with the old parser at hand that it is not.
func TestDifferences(t *testing.T) {
	page := read(t, "../../docs/differences.md")
	if rows := bytes.Count(page, []byte("\n| ")) - 1; rows != len(differences) {
		t.Errorf("docs/differences.md has %d rows for %d differences", rows, len(differences))
	}
	for _, tt := range differences {
		t.Run(tt.name, func(t *testing.T) {
			if !bytes.Contains(page, []byte("| "+tt.name+" |")) {
				t.Error("docs/differences.md has no row for it")
			}
			if got := at(t, parse(t, []byte(tt.log)), tt.path); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s is %.200v, want %.200v", tt.path, got, tt.want)
			}
			for _, o := range olds() {
				t.Setenv("TZ", "Asia/Shanghai")
				file := filepath.Join(t.TempDir(), "log")
				if err := os.WriteFile(file, []byte(tt.log), 0o600); err != nil {
					t.Fatal(err)
				}
				if answer, died, _ := o.run(t, file); !died && reflect.DeepEqual(at(t, answer, tt.path), tt.want) {
					t.Error("the old parser says the same")
				}
			}
		})
	}
}

// missing is the value of a key that is not there.
type missing struct{}

// at returns what stands in the first record of an answer.
func at(t *testing.T, answer []byte, path string) any {
	t.Helper()
	var all struct{ Records []any }
	if err := json.Unmarshal(answer, &all); err != nil {
		t.Fatal(err)
	}
	here := all.Records[0]
	for _, key := range strings.Split(path, ".") {
		switch v := here.(type) {
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(v) {
				return missing{}
			}
			here = v[i]
		case map[string]any:
			var ok bool
			if here, ok = v[key]; !ok {
				return missing{}
			}
		}
	}
	return here
}
