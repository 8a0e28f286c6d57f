package bot

import (
	"slices"
	"time"

	"github.com/ortest/ortest/plan"
)

// Repo names a repository and the App's installation on it.
type Repo struct {
	Installation int64  `json:"installation"`
	Owner        string `json:"owner"`
	Name         string `json:"name"`
}

// String returns OWNER/NAME.
func (r Repo) String() string { return r.Owner + "/" + r.Name }

// RunState is where a run is. It only moves forward, and only Advance moves it.
type RunState string

// The states, in order.
const (
	Accepted RunState = "accepted" // command and plan are stored; nothing outside has been touched
	Running  RunState = "running"  // pieces are dispatched and served
	Ended    RunState = "ended"    // every piece has its final result; reports and machines may be outstanding
	Closed   RunState = "closed"   // reported, and no instance left
)

// PieceState is where a piece's current attempt is.
type PieceState string

// The states, in order. A lost attempt goes back to Waiting with the next attempt number.
const (
	Waiting    PieceState = "waiting"    // needs a dispatch
	Dispatched PieceState = "dispatched" // a workflow job with the piece's label exists
	Assigned   PieceState = "assigned"   // a runner was minted for an instance
	Finished   PieceState = "finished"   // final: complete, or its attempts used up, or cancelled
)

// Run is one execution of a plan: everything about it that must survive.
// Reports are views of it.
type Run struct {
	ID       string   `json:"id"` // "1", "2", … in order of creation
	Repo     Repo     `json:"repo"`
	Pull     int      `json:"pull"`
	Head     string   `json:"head"`            // commit under test, full SHA
	Base     string   `json:"base"`            // branch the pull request goes to
	Place    string   `json:"place,omitempty"` // where the command stands, as in CommentEvent
	Comment  int64    `json:"comment"`
	Index    int      `json:"index"` // of the command within its comment, from 0
	Text     string   `json:"text"`  // the command line as written
	Author   string   `json:"author"`
	Approved string   `json:"approved,omitempty"` // who with write permission let Author's command run
	Grants   string   `json:"grants,omitempty"`   // the offer that was taken up, by its answer
	Words    []string `json:"words,omitempty"`    // of the request that was planned, without the verb
	Of       string   `json:"of,omitempty"`       // run whose other results count here too
	Repeat   int      `json:"repeat,omitempty"`   // how often it repeats what newly failed in that run; 0: it runs goals
	Trail    []string `json:"trail,omitempty"`    // what was decided, in order, as sentences
	// Commits are those of the other repositories that the run tests or builds
	// with, by recipe.Source.Pin; "" is the newest when the job begins. nil: not fixed yet.
	Commits   map[string]string `json:"commits"`
	Plan      plan.Plan         `json:"plan"`
	Catalog   string            `json:"catalog"` // revision of the catalog that planned it
	State     RunState          `json:"state"`
	Cancelled string            `json:"cancelled,omitempty"` // who cancelled it
	Stage     int               `json:"stage,omitempty"`     // the last one that may run, from 0
	Pieces    []Piece           `json:"pieces"`
	Lost      []int             `json:"lost"` // per bucket: instances that went before its pieces were done
	Dispatch  []Dispatch        `json:"dispatch,omitempty"`
	Sticky    int64             `json:"sticky,omitempty"` // comment id
	Checks    []Check           `json:"checks,omitempty"`
	Acked     bool              `json:"acked,omitempty"`    // 👀 is on the comment
	Shown     string            `json:"shown,omitempty"`    // hash of the sticky comment last written
	ShownAt   time.Time         `json:"shown_at,omitzero"`  // when its progress was last shown
	LookedAt  time.Time         `json:"looked_at,omitzero"` // when GitHub was last asked for its jobs
	AskedAt   time.Time         `json:"asked_at,omitzero"`  // when the command was written, as GitHub says
	CreatedAt time.Time         `json:"created_at"`
	EndedAt   time.Time         `json:"ended_at,omitzero"`
	Deadline  time.Time         `json:"deadline"`
}

// Piece is a piece of a run's plan and its current attempt.
type Piece struct {
	plan.Piece
	ID         string     `json:"id"`     // within the run, such as "p3"
	Bucket     int        `json:"bucket"` // index in the plan, from 0: whose instance runs it
	Stage      int        `json:"stage,omitempty"`
	State      PieceState `json:"state"`
	Attempt    int        `json:"attempt"` // from 1
	Nonce      string     `json:"nonce"`   // of this attempt: 32 hex digits, drawn when the attempt begins
	Instance   string     `json:"instance,omitempty"`
	Lane       int        `json:"lane,omitempty"`    // of the instance
	Since      time.Time  `json:"since,omitzero"`    // when the instance got it
	Runner     int64      `json:"runner,omitempty"`  // GitHub's runner id
	Trouble    []string   `json:"trouble,omitempty"` // what went wrong outside the tests, one sentence per attempt
	Reason     string     `json:"reason,omitempty"`  // why the piece is final without being complete
	Held       bool       `json:"held,omitempty"`    // its stage was not started, since the one before was not good
	Left       bool       `json:"left,omitempty"`    // its instance is rid of it although it was not complete
	FinishedAt time.Time  `json:"finished_at,omitzero"`
}

// Dispatch is one workflow dispatch of a run: the intent is stored with its
// nonce before the call, the workflow run's id after it.
type Dispatch struct {
	Nonce       string    `json:"nonce"` // in the workflow run's name
	Pieces      []string  `json:"pieces"`
	Attempts    []int     `json:"attempts"` // of those pieces
	WorkflowRun int64     `json:"workflow_run,omitempty"`
	Stopped     bool      `json:"stopped,omitempty"` // cancelled on GitHub, since nobody waits for it
	TriedAt     time.Time `json:"tried_at,omitzero"` // of the last call; GitHub may have obeyed it
}

// Check is a check run of a run.
type Check struct {
	Name    string `json:"name"`
	Goal    string `json:"goal,omitempty"` // "" for the overall verdict, and for a project
	Project string `json:"project,omitempty"`
	ID      int64  `json:"id,omitempty"`
	Shown   string `json:"shown,omitempty"` // hash of what was last written
	// Proposed is where the expectations are proposed that somebody asked for.
	Proposed string `json:"proposed,omitempty"`
}

// live reports whether the run still has something to do but report.
func (r *Run) live() bool { return r.State == Accepted || r.State == Running }

// held returns the goals whose stage was not started.
func (r *Run) held() []string {
	var names []string
	for _, p := range r.Pieces {
		if g := p.Goal.String(); p.Held && !slices.Contains(names, g) {
			names = append(names, g)
		}
	}
	return names
}
