package report

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
	Name    string   `json:"name"`              // one line
	Detail  string   `json:"detail,omitempty"`  // diagnostics, stack or samples; at most 8 KiB
	Offset  int64    `json:"offset,omitempty"`  // into the goal's log, bytes
	Rule    string   `json:"rule,omitempty"`    // id of the expectation that covers it
	Why     string   `json:"why,omitempty"`     // what decided the class
	Samples []Sample `json:"samples,omitempty"` // of a leak check

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
	Verdict  Verdict             `json:"verdict"`
	Why      []string            `json:"why"`      // sentences, the deciding one first
	Findings []Finding           `json:"findings"` // worst class first, then file and line
	Files    int                 `json:"files"`    // that ran
	Planned  int                 `json:"planned_files"`
	Blocks   int                 `json:"blocks"` // seen
	Expected int                 `json:"planned_blocks"`
	Tests    int                 `json:"tests"` // TAP lines
	Seconds  float64             `json:"seconds"`
	Commit   string              `json:"commit,omitempty"`
	Versions map[string]string   `json:"versions,omitempty"`
	Leaks    map[string][]Sample `json:"leaks,omitempty"` // samples by "file block title", also of passing blocks
}

// Evidence is everything that came back for one goal: of each test file the
// last attempt's entry and log, in order.
type Evidence struct {
	Goal    string
	Pieces  []PieceEvidence
	Trouble []string // infrastructure reasons, such as "instance lost twice"; makes the goal incomplete unless all files are there
}

// PieceEvidence is what one piece reported over all of its attempts.
type PieceEvidence struct {
	Entries []Entry  // by Seq of the attempt they come from; a file appears once
	Logs    [][]byte // Logs[i] belongs to Entries[i]
}
