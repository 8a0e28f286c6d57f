package runnerfleet

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// State is where an instance is in its life. It only moves forward.
type State string

// The states, in order.
const (
	Intended State = "intended" // written down; the cloud may or may not have been asked
	Booting  State = "booting"  // the cloud accepted it
	Idle     State = "idle"     // enrolled, between pieces
	Busy     State = "busy"     // runs a piece
	Done     State = "done"     // finished, or told to go
	Gone     State = "gone"     // the cloud confirms that it does not exist
)

// Bucket is what the fleet is asked to serve: one instance for each.
type Bucket struct {
	ID       string // run and number, such as "r1/b2"
	Attempt  int    // from 1; one more each time the bucket needs a new instance
	Arch     string
	Type     string    // instance type asked for, or ""
	Deadline time.Time // no instance of the bucket lives longer
}

// Instance is one machine of the fleet; it serves one bucket and is then destroyed.
type Instance struct {
	ID         string // ours, made from bucket and attempt; the cloud's idempotency token derives from it
	Bucket     string
	Attempt    int
	CloudID    string // the cloud's name for it; "" until launched
	State      State
	Reason     string // why it left
	Secret     []byte // SHA-256 of the bearer token given at enrolment
	Enrol      []byte // SHA-256 of the one-time enrolment token
	IntendedAt time.Time
	LaunchedAt time.Time
	EnrolledAt time.Time
	SeenAt     time.Time // last heartbeat
	EndedAt    time.Time
	Deadline   time.Time
}

// Machine is what the cloud says exists.
type Machine struct {
	CloudID    string
	Instance   string // our tag
	Running    bool   // false: terminated, still listed
	LaunchedAt time.Time
	Deadline   time.Time // our tag; the reaper needs no store
}

// Launch is everything a cloud needs to start one instance. A repeat with the
// same Instance starts nothing new and returns the same CloudID.
type Launch struct {
	Instance string
	Bucket   string
	Arch     string
	Type     string
	URL      string // of the agents' interface
	Token    string // one-time enrolment token
	Deadline time.Time
}

// Cloud starts and stops machines.
type Cloud interface {
	Launch(ctx context.Context, l Launch) (cloudID string, err error)
	List(ctx context.Context) ([]Machine, error)
	Terminate(ctx context.Context, cloudID string) error // no error when it is already gone
}

// Store keeps the fleet's instances. UpdateInstance reads, changes and writes one in a
// transaction; change returns false to leave it as it is.
type Store interface {
	Instances(ctx context.Context) ([]Instance, error) // those not Gone, and those Gone of live runs
	Instance(ctx context.Context, id string) (Instance, error)
	AddInstance(ctx context.Context, in Instance) error // ErrExists when the ID is taken
	UpdateInstance(ctx context.Context, id string, change func(*Instance) bool) (Instance, error)
}

// Assignment is the piece an instance runs next.
type Assignment struct {
	Piece      string    `json:"piece"` // our id of piece and attempt
	Goal       string    `json:"goal"`
	JIT        string    `json:"jit"`        // --jitconfig of the runner
	Repository string    `json:"repository"` // OWNER/NAME: a job of another one is refused
	RunID      int64     `json:"run_id"`     // workflow run: a job of another one is refused
	Deadline   time.Time `json:"deadline"`
}

// Work is where instances get pieces from and hand results to; the bot implements it.
// Every call may be repeated by an agent that did not see the answer.
type Work interface {
	// Buckets returns what needs an instance now.
	Buckets(ctx context.Context) ([]Bucket, error)
	// Next returns the next piece for an instance. ErrWait: ask again soon. ErrNoMore: power off.
	Next(ctx context.Context, in Instance) (Assignment, error)
	// Entry stores one report entry of a piece with its log bytes. Unknown or finished pieces: ErrStale.
	Entry(ctx context.Context, in Instance, piece string, meta json.RawMessage, log []byte) error
	// Finished says that the runner of a piece ended, with the runner's exit code, or why it never ran.
	Finished(ctx context.Context, in Instance, piece string, exit int, reason string) error
	// Lost says that an instance is gone for good; its unfinished piece needs another.
	Lost(ctx context.Context, in Instance) error
}

// What callers branch on.
var (
	ErrWait     = errors.New("no piece ready yet")
	ErrNoMore   = errors.New("no piece left")
	ErrStale    = errors.New("piece is not this instance's to report")
	ErrExists   = errors.New("instance exists")
	ErrNotFound = errors.New("no such instance")
	ErrRefused  = errors.New("enrolment refused")
)
