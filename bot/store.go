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
	Repo       Repo      `json:"repo"`
	Pull       int       `json:"pull"`
	Comment    int64     `json:"comment"`
	Index      int       `json:"index"`
	Text       string    `json:"text"` // the command line as written
	Author     string    `json:"author"`
	Body       string    `json:"body"`       // Markdown, ready to post
	Understood bool      `json:"understood"` // 👀 rather than 😕
	Posted     int64     `json:"posted"`     // comment id; 0 until posted, -1 when GitHub takes none
	At         time.Time `json:"at"`         // when the command was written
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
	// AddDelivery stores a delivery with the job that will process it. It
	// returns false when the GUID is already stored and processed; a GUID that
	// is stored but not processed gets another job.
	AddDelivery(ctx context.Context, d Delivery) (fresh bool, err error)
	Delivery(ctx context.Context, guid string) (Delivery, error)
	FinishDelivery(ctx context.Context, guid, outcome string) error

	// AddHead remembers a pull request's head; HeadAt returns the newest one not after t.
	AddHead(ctx context.Context, repo Repo, pull int, h Head) error
	HeadAt(ctx context.Context, repo Repo, pull int, t time.Time) (Head, error)

	// AddRun stores a run under a new ID, and the job that drives it. When the
	// command (repository, comment, index) already has a run or an answer,
	// ErrSeen and nothing is stored.
	AddRun(ctx context.Context, r Run) (Run, error)
	// AddAnswer stores an answer likewise; PutAnswer replaces it.
	AddAnswer(ctx context.Context, a Answer) error
	PutAnswer(ctx context.Context, a Answer) error
	UnpostedAnswers(ctx context.Context) ([]Answer, error)

	Run(ctx context.Context, id string) (Run, error)
	// Runs returns the runs of a pull request, newest first.
	Runs(ctx context.Context, repo Repo, pull int) ([]Run, error)
	// RecentRuns returns the newest runs, newest first, at most limit.
	RecentRuns(ctx context.Context, limit int) ([]Run, error)
	LiveRuns(ctx context.Context) ([]Run, error) // those not Closed, oldest first
	// UpdateRun reads, changes and writes a run in one transaction, and stores
	// the job that drives it on; change returns false to leave it as it is.
	UpdateRun(ctx context.Context, id string, change func(*Run) bool) (Run, error)

	// AddEntry stores an entry and its log. The same (run, piece, attempt, seq) again
	// changes nothing.
	AddEntry(ctx context.Context, run string, e StoredEntry) error
	// Entries returns a piece's entries by attempt and seq.
	Entries(ctx context.Context, run, piece string) ([]StoredEntry, error)
}

// What callers branch on.
var (
	ErrSeen     = errors.New("command was seen before")
	ErrNotFound = errors.New("not found")
)
