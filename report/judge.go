package report

import "time"

// Verdict is what one goal's run means.
type Verdict string

// The verdicts, best first. Only Pass and Known are a success outside.
const (
	Pass       Verdict = "pass"
	Known      Verdict = "known" // only expected failures; orange
	Fail       Verdict = "fail"
	Incomplete Verdict = "incomplete"
)

// Class is why a finding counts the way it does (DESIGN.md, Verdicts).
type Class string

// The classes of findings, worst first.
const (
	New            Class = "new"
	Old            Class = "old"
	UnexpectedPass Class = "unexpected pass"
	Infrastructure Class = "infrastructure"
	NotRun         Class = "not run"
	Flaky          Class = "flaky"
	Expected       Class = "expected"
)

// Finding is one bad thing that a log or its absence shows.
type Finding struct {
	Kind    string   `json:"kind"`  // assert, plan, exit, timeout, memcheck, rss_leak, crash, build, not_run, …
	Class   Class    `json:"class"` // set by Judge
	File    string   `json:"file,omitempty"`
	Block   string   `json:"block,omitempty"` // title
	Number  int      `json:"number,omitempty"`
	Ordinal int      `json:"ordinal,omitempty"`
	Line    int      `json:"line,omitempty"` // in File; 0 when unknown
	EndLine int      `json:"end_line,omitempty"`
	Name    string   `json:"name"`                  // one line
	Detail  string   `json:"detail,omitempty"`      // diagnostics, stack or samples; at most 8 KiB
	Offset  int64    `json:"offset,omitempty"`      // into the goal's log, bytes
	Rule    string   `json:"rule,omitempty"`        // id of the expectation that covers it
	Why     string   `json:"why,omitempty"`         // what decided the class
	Samples []Sample `json:"samples,omitempty"`     // of a leak check
	Print   string   `json:"fingerprint,omitempty"` // set by Judge; see Fingerprint

	said string // the assertion's whole name, as printed
	what string // the part of it after the block's
	tap  int    // tapWanted, tapSeen, tapOnly
}

// Sample is one resident-set size of a leak check.
type Sample struct {
	KiB float64 `json:"kib"`
}

// GoalResult is one goal, judged.
type GoalResult struct {
	Goal     string              `json:"goal"`
	Repo     string              `json:"repo,omitempty"` // OWNER/NAME of the project, whose files the findings name
	Verdict  Verdict             `json:"verdict"`
	Why      []string            `json:"why"`      // sentences, the deciding one first
	Findings []Finding           `json:"findings"` // worst class first, then file and line
	Files    int                 `json:"files"`    // that ran to their end
	Planned  int                 `json:"planned_files"`
	Blocks   int                 `json:"blocks"` // that ran
	Expected int                 `json:"planned_blocks"`
	Tests    int                 `json:"tests"` // assertions
	Seconds  float64             `json:"seconds"`
	Commit   string              `json:"commit,omitempty"`
	Versions map[string]string   `json:"versions,omitempty"`
	Warnings []Finding           `json:"warnings,omitempty"` // decide nothing; at most 200
	Leaks    map[string][]Sample `json:"leaks,omitempty"`    // samples by "file TEST n: title", also of passing blocks
}

// Count returns how many findings have a class.
func (g GoalResult) Count(c Class) int {
	n := 0
	for _, f := range g.Findings {
		if f.Class == c {
			n++
		}
	}
	return n
}

// Evidence is everything that came back for one goal: of each test file the
// first entry and log that came, in order.
type Evidence struct {
	Goal    string
	Pieces  []PieceEvidence
	Trouble []string // infrastructure reasons, such as "instance lost twice"; makes the goal incomplete unless all files are there

	// A goal read from a log that others kept has a record in place of pieces.
	Record *Record
	Census []TestFile // the project's test files at the record's commit; nil when they are not at hand
	Cut    string     // why the log must have gone on, "" when it is whole
}

// PieceEvidence is what one piece reported over all of its attempts.
type PieceEvidence struct {
	Entries []Entry  // by Seq of the attempt they come from; a file appears once
	Logs    [][]byte // Logs[i] belongs to Entries[i]
}

// JudgeOptions are what a verdict depends on besides the goal's own evidence.
type JudgeOptions struct {
	Now        time.Time    // expectations expire by it
	Arch       string       // "linux x86_64"; the manifest's when empty
	Base       *GoalResult  // the same goal on the base branch; nil when not known
	BaseCommit string       // of Base
	Same       []GoalResult // other results of the goal at this very commit
	OldIsKnown bool         // what is also on base does not fail the goal
}
