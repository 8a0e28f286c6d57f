package bot

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Delivery is one webhook as it came.
type Delivery struct {
	GUID       string
	Event      string // X-GitHub-Event
	Payload    []byte
	ReceivedAt time.Time
	Outcome    string // "" until processed
}

// Answer is what the bot owes a command that starts no run: one comment.
type Answer struct {
	Repo       Repo     `json:"repo"`
	Pull       int      `json:"pull"`
	Place      string   `json:"place,omitempty"` // where the command stands, as in CommentEvent
	Comment    int64    `json:"comment"`
	Index      int      `json:"index"`
	Text       string   `json:"text"` // the command line as written
	Author     string   `json:"author"`
	Body       string   `json:"body"`              // Markdown, ready to post
	Understood bool     `json:"understood"`        // 👀 rather than 😕
	Run        string   `json:"run,omitempty"`     // the run that does what was asked already
	Offer      *offer   `json:"offer,omitempty"`   // what waits for somebody's word
	Cancels    []cancel `json:"cancels,omitempty"` // what must be gone before the last word
	Posted     int64    `json:"posted"`            // comment id; 0 until posted, -1 when GitHub takes none

	At       time.Time `json:"at"`                 // when the command was written
	PostedAt time.Time `json:"posted_at,omitzero"` // when GitHub was seen to show it
}

// Owed reports whether GitHub does not show all of the answer yet.
func (a Answer) Owed() bool { return a.Posted == 0 || len(a.Cancels) > 0 && a.Posted > 0 }

// offer is a request that was understood and not started.
type offer struct {
	Words  []string            `json:"words"`           // of the request, without the verb
	Goals  []string            `json:"goals,omitempty"` // of a repeat: those of its goals
	Of     string              `json:"of,omitempty"`    // of a repeat: the run
	Files  map[string][]string `json:"files,omitempty"` // of new failures that are repeated: their files by goal
	Head   string              `json:"head"`
	Author string              `json:"author"`
	// Approved is who let Author's command run the commit; "": nobody yet.
	Approved string `json:"approved,omitempty"`
	Wants    verb   `json:"wants"` // approve or confirm
}

// cancel is what was asked to end: a run, or goals of it.
type cancel struct {
	Run   string   `json:"run"`
	Goals []string `json:"goals,omitempty"`
}

// Audit is one line of the audit log. The store writes them with what they tell.
type Audit struct {
	ID     int64     `json:"id"`
	At     time.Time `json:"at"`
	Who    string    `json:"who"`
	Did    string    `json:"did"` // run, answer, approve, cancel, stage, end
	Repo   string    `json:"repo"`
	Pull   int       `json:"pull"`
	Run    string    `json:"run,omitempty"`
	Commit string    `json:"commit,omitempty"`
	Note   string    `json:"note,omitempty"`
}

// StoredEntry is one report entry as an agent handed it over.
type StoredEntry struct {
	Piece   string
	Attempt int
	Seq     int
	Meta    json.RawMessage
	Log     []byte
}

// Head is a pull request's head and when GitHub said so.
type Head struct {
	SHA string
	At  time.Time
}

// Store keeps what must survive. Each method is one transaction; those that
// change something also store the job that will act on it.
type Store interface {
	// AddDelivery stores a delivery, which is then processed. It returns false when
	// the GUID is already stored and processed; one that is stored but not processed
	// is processed.
	AddDelivery(ctx context.Context, d Delivery) (fresh bool, err error)
	Delivery(ctx context.Context, guid string) (Delivery, error)
	FinishDelivery(ctx context.Context, guid, outcome string) error

	// AddHead remembers a pull request's head; HeadAt returns the newest one not after t.
	// Times are whole seconds, and webhooks of one second come in any order: of several
	// heads at that time it is rather the one named, else the one that was stored last.
	AddHead(ctx context.Context, repo Repo, pull int, h Head) error
	HeadAt(ctx context.Context, repo Repo, pull int, t time.Time, rather string) (Head, error)

	// AddRun stores a run under a new ID, and the job that drives it. When the
	// command (repository, comment, index) already has a run or an answer,
	// ErrSeen and nothing is stored.
	AddRun(ctx context.Context, r Run) (Run, error)
	// AddAnswer stores an answer likewise; PutAnswer replaces it.
	AddAnswer(ctx context.Context, a Answer) error
	PutAnswer(ctx context.Context, a Answer) error
	UnpostedAnswers(ctx context.Context) ([]Answer, error)
	// Answers returns those of a pull request, newest command first.
	Answers(ctx context.Context, repo Repo, pull int) ([]Answer, error)
	// Commands returns the lines of what stands at a place that have a run or an
	// answer, by index.
	Commands(ctx context.Context, repo Repo, place string, id int64) (map[int]string, error)

	// AddApproval lets anybody's commands run a commit; the first one stays.
	// Approved returns who did, or "".
	AddApproval(ctx context.Context, repo Repo, pull int, h Head, by string) error
	Approved(ctx context.Context, repo Repo, pull int, sha string) (by string, err error)

	Run(ctx context.Context, id string) (Run, error)
	// Piece returns one of a run's pieces. RunOf returns the ID of the run that dispatched
	// a workflow run. Either is ErrNotFound when there is none.
	Piece(ctx context.Context, run, id string) (Piece, error)
	RunOf(ctx context.Context, repo Repo, workflowRun int64) (run string, err error)
	// Runs returns the runs of a pull request, newest first.
	Runs(ctx context.Context, repo Repo, pull int) ([]Run, error)
	// RecentRuns returns the newest runs, newest first, at most limit.
	RecentRuns(ctx context.Context, limit int) ([]Run, error)
	LiveRuns(ctx context.Context) ([]Run, error)               // those not Closed, oldest first
	RunsSince(ctx context.Context, t time.Time) ([]Run, error) // those created since, oldest first
	// UpdateRun reads, changes and writes a run in one transaction, and stores
	// the job that drives it on; change returns false to leave it as it is.
	UpdateRun(ctx context.Context, id string, change func(*Run) bool) (Run, error)

	// AddEntry stores an entry and its log. The same (run, piece, attempt, seq) again
	// changes nothing.
	AddEntry(ctx context.Context, run string, e StoredEntry) error
	// Entries returns a piece's entries by attempt and seq.
	Entries(ctx context.Context, run, piece string) ([]StoredEntry, error)
	// Metas returns all of a run's entries without their logs, by piece, attempt and seq.
	Metas(ctx context.Context, run string) ([]StoredEntry, error)

	// PutResult keeps what a goal came to, as JSON; Results returns those of a run by goal.
	PutResult(ctx context.Context, run, goal string, result json.RawMessage) error
	Results(ctx context.Context, run string) (map[string]json.RawMessage, error)

	// PutCatalog keeps a packed catalog under its revision; Catalog returns it, or ErrNotFound.
	PutCatalog(ctx context.Context, revision string, packed []byte) error
	Catalog(ctx context.Context, revision string) (packed []byte, err error)

	// AuditLog returns the lines after an id, oldest first, at most limit.
	AuditLog(ctx context.Context, after int64, limit int) ([]Audit, error)
	// Mark returns what SetMark kept under a name: how far a sweep has come.
	// The zero time: nothing yet.
	Mark(ctx context.Context, name string) (time.Time, error)
	SetMark(ctx context.Context, name string, t time.Time) error
}

// What callers branch on.
var (
	ErrSeen     = errors.New("command was seen before")
	ErrNotFound = errors.New("not found")
)
