package action

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/ortest/ortest/report"
)

// Total adds up the proves of a goal. Old tooling reads one summary per goal,
// the last one that it finds, so a log of several proves ends with their sum.
type Total struct {
	files, tests int
	seconds, cpu float64
	failed       bool
}

var reFiles = regexp.MustCompile(`(?m)^Files=\d+, Tests=(\d+), `)

// Add counts a file's prove, and its tests if prove came to its summary. Log may
// be no more than the end of what it printed.
func (t *Total) Add(f report.FileResult, log []byte) {
	t.seconds += f.Seconds
	t.cpu += f.CPUSeconds
	t.failed = t.failed || failed(f)
	if all := reFiles.FindAllSubmatch(log, -1); len(all) > 0 {
		n, err := strconv.Atoi(string(all[len(all)-1][1]))
		if err == nil {
			t.files++
			t.tests += n
		}
	}
}

// String is the sum in prove's own words; "" for a goal of one prove, which
// has said it.
func (t *Total) String() string {
	if t.files < 2 {
		return ""
	}
	result := "PASS"
	if t.failed {
		result = "FAIL"
	}
	return fmt.Sprintf("Files=%d, Tests=%d, %2.0f wallclock secs ( 0.00 usr  0.00 sys + %5.2f cusr  0.00 csys = %5.2f CPU)\nResult: %s\n",
		t.files, t.tests, t.seconds, t.cpu, t.cpu, result)
}

// tail keeps the end of what is written.
type tail struct{ b []byte }

const maxTail = 4 << 10

func (e *tail) Write(p []byte) (int, error) {
	e.b = append(e.b, p[max(0, len(p)-maxTail):]...)
	e.b = e.b[max(0, len(e.b)-maxTail):]
	return len(p), nil
}
