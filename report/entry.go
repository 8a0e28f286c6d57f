// Package report reads what a suite printed and says what it means.
//
// A log becomes records: facts with their place in the log, without opinion
// (Parse). A test file becomes a census: the blocks that should run
// (ReadTestFile). Judge weighs what came back for a goal against its census and
// its expectations and gives each failure a class and the goal a verdict, by the
// table in DESIGN.md. Missing evidence never makes a verdict better.
//
// The package is pure: it reads no clock, no file but what it is handed, and no
// network. Everything in a log is hostile; package html shows it safely.
package report

// Entry is one thing a piece reports while it runs, in order of Seq. The log
// bytes that belong to it travel beside it and are stored unchanged; the
// goal's log is their concatenation.
//
// The first entry of a piece is a manifest, then comes one file entry per test
// file, and last an end. A piece whose end is missing is incomplete.
type Entry struct {
	Seq      int         `json:"seq"`             // from 0, without gaps
	Bytes    int64       `json:"bytes,omitempty"` // of its log; 0 when not told. A log of another size is a cut one
	Manifest *Manifest   `json:"manifest,omitempty"`
	File     *FileResult `json:"file,omitempty"`
	End      *End        `json:"end,omitempty"`
}

// Manifest says what a piece is about to test. Its log bytes are the wrapper's
// header ("making GOAL ...", commit, versions) and the build's output.
type Manifest struct {
	Goal     string            `json:"goal"`
	Repo     string            `json:"repo"`   // OWNER/NAME
	Commit   string            `json:"commit"` // full SHA that was checked out; "" when nothing was
	Arch     string            `json:"arch"`
	Files    []TestFile        `json:"files"`            // in the order they will run
	Others   []string          `json:"others,omitempty"` // test files of the project that this piece leaves to others
	Versions map[string]string `json:"versions,omitempty"`
}

// FileResult is the end of one test file's own prove. Its log bytes are what
// that prove printed, stderr merged.
type FileResult struct {
	Path       string  `json:"path"`
	Exit       int     `json:"exit"`             // prove's exit code; -1 when a signal ended it
	Signal     string  `json:"signal,omitempty"` // such as "SIGKILL"
	TimedOut   bool    `json:"timed_out,omitempty"`
	Seconds    float64 `json:"seconds"`       // wall
	CPUSeconds float64 `json:"cpu_seconds"`   // user and system, children included
	Why        string  `json:"why,omitempty"` // what else is known of its end, in a line: what it left running, that it printed too much
}

// End closes a piece. Reason is empty when every file of the manifest was run;
// otherwise it says what stopped the piece before the tests ("build": with the
// build's output in the log), in a few words.
type End struct {
	Reason string `json:"reason,omitempty"`
	Phase  string `json:"phase,omitempty"` // prepare, checkout, build, test
}

// TestFile is a test file's census: what it should run.
type TestFile struct {
	Path   string  `json:"path"` // from the project's root, such as t/043-shdict.t
	Blocks []Block `json:"blocks"`
	Repeat int     `json:"repeat,omitempty"` // its repeat_each(N): how often a block is asked; 0: not said
}

// Block is one "=== TEST n: title" of a test file. Its identity is file, title
// and Ordinal; Number changes whenever a block is inserted before it. A file
// that is a plain TAP script has no blocks.
type Block struct {
	Number   int       `json:"number"`  // 0 when the title has none
	Title    string    `json:"title"`   // without "TEST n: "
	Ordinal  int       `json:"ordinal"` // from 1, among the blocks of the same title
	Line     int       `json:"line"`    // of the "===" line, from 1
	EndLine  int       `json:"end_line"`
	Skip     string    `json:"skip,omitempty"` // SKIP: its author left it out; ONLY, LAST: another block's mark drops it
	Sections []Section `json:"sections,omitempty"`
}

// Section is one "--- name" of a block, so that an annotation can point at what failed.
type Section struct {
	Name    string `json:"name"`
	Line    int    `json:"line"`
	EndLine int    `json:"end_line"`
}
