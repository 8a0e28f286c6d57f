package report

import (
	"fmt"
	"io"
)

// Log is what one whole log says: that of a wrapper which makes one goal after
// another on a machine.
type Log struct {
	Date     string    `json:"date,omitempty"` // as the log has it
	Arch     string    `json:"arch,omitempty"` // "linux x86_64"
	Records  []Record  `json:"records"`
	Findings []Finding `json:"findings,omitempty"` // what is wrong outside of all goals, such as a unit that failed: the goals that wanted it are not in the log
	Bytes    int64     `json:"bytes"`
	Complete bool      `json:"complete"` // the last line of the wrapper is there, or without any wrapper the last one of prove

	// Source, set before the log is read, returns the test files of a goal's
	// project, for the lines to point at and for what did not run; nil when they
	// are not at hand.
	Source func(goal string) []TestFile `json:"-"`
}

// Record is the facts read from one goal's part of a log, without opinion. Its
// findings have no class.
type Record struct {
	Goal     string            `json:"goal"`   // "" when the log names none: prove's own output
	Line     int               `json:"line"`   // of "making GOAL ...", from 1
	Offset   int64             `json:"offset"` // of that line in the log
	Bytes    int64             `json:"bytes"`
	Commit   string            `json:"commit,omitempty"`
	Date     string            `json:"commit_date,omitempty"` // as git prints it
	Versions map[string]string `json:"versions,omitempty"`    // nginx, openssl, luajit, …
	Files    []FileRecord      `json:"files,omitempty"`
	Findings []Finding         `json:"findings,omitempty"`
	Warnings []Finding         `json:"warnings,omitempty"` // lines that are shown and decide nothing
	Leaks    []Finding         `json:"leaks,omitempty"`    // leak checks: their samples, and k as the log has it in Detail
	Tested   int               `json:"files_tested"`       // by prove's summary
	Tests    int               `json:"tests"`
	Seconds  float64           `json:"seconds"`
	Result   string            `json:"result,omitempty"`  // PASS, FAIL, NOTESTS; "" when prove's summary is missing
	NotRun   []string          `json:"not_run,omitempty"` // test files of the project that the log does not tell of
	Dropped  int               `json:"dropped,omitempty"` // findings and warnings beyond what is kept
	Proving  bool              `json:"proving,omitempty"` // prove had begun to print
}

// FileRecord is what prove printed about one test file.
type FileRecord struct {
	Path    string `json:"path"`
	Planned int    `json:"planned"` // -1 when no plan is shown
	Tests   int    `json:"tests"`   // assertions shown (prove -v)
	Failed  int    `json:"failed"`  // of these, TODO not counted
	Skipped int    `json:"skipped"`
	State   string `json:"state,omitempty"` // ok, failed, skipped; "" when prove never closed the file
	Why     string `json:"why,omitempty"`   // of a skipped file
	Exit    int    `json:"exit,omitempty"`  // of the script
	Wait    int    `json:"wait,omitempty"`  // wait status, where prove tells it

	// Of a test file that is at hand: the blocks that should run, those that
	// did, and the names of the others.
	Blocks int      `json:"blocks,omitempty"`
	Ran    int      `json:"blocks_ran,omitempty"`
	NotRun []string `json:"not_run,omitempty"`

	seen       map[string]*sighting // by blockKey
	told       int                  // assertions, by prove's summary report
	toldFailed int
}

// sighting counts how often a block's name was seen.
type sighting struct {
	ran, skipped, headers int
}

// Parse reads a log of any size in bounded memory, but for the records that it
// returns. An error is the reader's; what was read until then is returned with it.
func Parse(r io.Reader) (Log, error) {
	var l Log
	err := l.Stream(r, func(rec Record) error {
		l.Records = append(l.Records, rec)
		return nil
	})
	return l, err
}

// Stream reads a log into l as Parse does, and hands each record to emit as soon
// as its goal ends instead of keeping it in l. An error of emit ends it.
func (l *Log) Stream(r io.Reader, emit func(Record) error) error {
	lr := newLineReader(r)
	p := logParser{log: l, emit: emit}
	p.begin("", line{n: 1})
	for p.err == nil {
		if p.idle() {
			lr.skim()
		}
		next, ok := lr.next()
		if !ok {
			break
		}
		p.line(next)
	}
	p.finish(lr)
	if p.err != nil {
		return p.err
	}
	if err := lr.failed(); err != nil {
		return fmt.Errorf("read log at byte %d: %w", lr.off, err)
	}
	return nil
}
