// Package runnerfleet keeps one instance alive for each wanted bucket, and
// none for anything else.
//
// An instance boots, enrols, serves the pieces of its bucket through one
// single-use runner after another, and is terminated. Its states, in order:
//
//	Intended -> Booting -> Idle <-> Busy -> Done -> Gone
//
// What was intended is written down before the cloud is asked, and an instance
// is Gone only when the cloud confirms it. Every pass observes the cloud, then
// the store, then what is wanted, decides, and applies; losing the process
// loses nothing, because a repeated step has no second effect.
//
// API is the HTTP interface that the agents on the instances call, Client its
// other end.
package runnerfleet

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// State is where an instance is in its life. It only moves forward, but for
// Idle and Busy, which alternate. Only (*Instance).advance moves it, as moves says.
type State string

// The states, in order.
const (
	Intended State = "intended" // written down; the cloud may or may not have been asked
	Booting  State = "booting"  // the cloud accepted it
	Idle     State = "idle"     // enrolled, between pieces
	Busy     State = "busy"     // runs a piece
	Done     State = "done"     // finished, or told to go; its agent is refused everything
	Gone     State = "gone"     // the cloud confirms that it does not exist
)

// Bucket is what the fleet is asked to serve: one instance for each.
type Bucket struct {
	// ID is run and number, such as "r1/b2": words of letters, digits and
	// underscores with slashes between them, at most 60 bytes. A prefix that
	// ends in a slash selects the instances of a run (Fleet.Left).
	ID       string
	Attempt  int       // from 1; one more each time the bucket needs a new instance
	Arch     string    // "linux x86_64"
	Type     string    // instance type asked for, or ""
	Deadline time.Time // no instance of the bucket lives longer; zero: Limits.MaxAge alone counts
	OnDemand bool      // an interruption would cost the run too much: no spot capacity
	Lanes    int       // pieces at once on its instance, at most 64; 0 is 1
	// Spare: nothing of its own is left, but its instance may help others. None is
	// launched for it, and the one it has stays.
	Spare bool
}

// Instance is one machine of the fleet; it serves one bucket and is then
// destroyed. A store keeps every field, times to the microsecond at least.
type Instance struct {
	ID         string // ours, InstanceID(bucket, attempt); the cloud's idempotency token derives from it
	Bucket     string
	Attempt    int
	Arch       string // Arch, Type, URL and Deadline are the launch's frozen parameters:
	Type       string // a launch repeated after a crash must send the same bytes
	URL        string
	OnDemand   bool
	Params     string // what Preparer froze beside; "" until prepared
	Tries      int    // launches that the cloud refused for want of capacity
	RetryAt    time.Time
	CloudID    string // the cloud's name for it; "" until launched
	State      State
	Lanes      int    // how many pieces its agent runs at once; 0 is 1
	Taken      uint64 // the lanes that have a piece, a bit for each from the lowest
	Reason     string // why it left, or is not launched yet
	Owed       bool   // Work is still to be told that it was lost
	Secret     []byte // SHA-256 of the bearer secret that the agent drew; nil until enrolled
	Enrol      []byte // SHA-256 of the one-time enrolment token
	IntendedAt time.Time
	LaunchedAt time.Time
	EnrolledAt time.Time
	SeenAt     time.Time // last heartbeat
	EndedAt    time.Time
	Deadline   time.Time
	// Asking is the lane, from 0, that a call to Work is for. It is no part of what
	// is stored.
	Asking int
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
	OnDemand bool
	Try      int    // from 0; one more after each ErrCapacity, and then it is another launch
	Params   string // what Preparer returned for this instance and try
}

// Cloud starts and stops machines. List shows only machines with our tag; it may
// lag behind Launch by Limits.Settle. Terminate returns when the cloud has
// accepted it; only List says that the machine is gone. ErrCapacity from Launch
// says that nothing was started and nothing will be by a repeat: the launch is
// prepared anew some time later. ErrRejected says that it will be started
// only when somebody has changed something, and the error's text says what.
type Cloud interface {
	Launch(ctx context.Context, l Launch) (cloudID string, err error)
	List(ctx context.Context) ([]Machine, error)
	Terminate(ctx context.Context, cloudID string) error // no error when it is already gone
}

// Preparer is a Cloud that settles more of a launch than Launch says: images,
// types, zones. What Prepare returns is stored before Launch is called, so that a
// launch repeated after a crash sends the same bytes. ErrCapacity: nothing can
// serve it now. ErrRejected: as Launch.
type Preparer interface {
	Prepare(ctx context.Context, l Launch) (params string, err error)
}

// Attestor is a Cloud that can tell which machine signed a document of its own.
// Its agents enrol by that, and no token is handed out. An error means that
// the document proves nothing.
type Attestor interface {
	Attest(document, signature []byte) (cloudID string, started time.Time, err error)
}

// Console is a Cloud that can show what a machine printed while it booted, as it
// came: up to 64 KiB of hostile text, or nothing yet.
type Console interface {
	ConsoleOutput(ctx context.Context, cloudID string) (string, error)
}

// Store keeps the fleet's instances. Each method is one transaction, and every
// write is durable when it returns: the cloud is asked on the strength of it.
// The fleet's passes and the agents' requests call it concurrently.
//
// Instances returns all that are not Gone, those that are Owed, and at least
// those of every run that is not closed yet: a Gone instance of a live run is
// what keeps its attempt from being launched twice. Order: oldest IntendedAt
// first, then ID.
//
// UpdateInstance reads, changes and writes one instance; change may run again when
// the transaction is repeated, so it has no effect but on its argument. It returns
// false to leave the instance as it is. The instance as it now is comes back
// either way. Instance and UpdateInstance return ErrNotFound for an unknown ID,
// AddInstance ErrExists for a known one, whatever its state. Errors are
// compared with errors.Is.
type Store interface {
	Instances(ctx context.Context) ([]Instance, error)
	Instance(ctx context.Context, id string) (Instance, error)
	AddInstance(ctx context.Context, in Instance) error
	UpdateInstance(ctx context.Context, id string, change func(*Instance) bool) (Instance, error)
}

// Assignment is the piece an instance runs next.
type Assignment struct {
	Piece      string    `json:"piece"` // our id of piece and attempt
	Goal       string    `json:"goal"`
	JIT        string    `json:"jit"`        // --jitconfig of the runner
	Repository string    `json:"repository"` // OWNER/NAME: a job of another one is refused
	RunID      int64     `json:"run_id"`     // workflow run: a job of another one is refused
	Deadline   time.Time `json:"deadline"`   // the runner is killed then
	// Catalog is what the job is to know of its goal, packed; none: what it has is it.
	Catalog []byte `json:"catalog,omitempty"`
}

// Work is where instances get pieces from and hand results to; the bot implements it.
// Every call may be repeated by an agent that did not see the answer.
type Work interface {
	// Buckets returns every bucket that has an unfinished piece, also while
	// it is being served: an instance whose bucket and attempt are not listed
	// is terminated, unless it is Busy.
	Buckets(ctx context.Context) ([]Bucket, error)
	// Next returns the next piece for the lane in.Asking of an instance; asked again
	// before Finished, the same piece. ErrWait: ask again soon. ErrNoMore: power
	// off, since no lane has or will get a piece.
	Next(ctx context.Context, in Instance) (Assignment, error)
	// Entry stores one report entry of a piece with its log bytes. Unknown or finished
	// pieces: ErrStale. An entry that is not well-formed: ErrInvalid, and the
	// agent goes on with the one after it.
	Entry(ctx context.Context, in Instance, piece string, meta json.RawMessage, log []byte) error
	// Finished says that the runner of a piece ended, with the runner's exit code, or
	// -1 and why it never ran or was killed. A piece that is not this instance's
	// any more: ErrStale.
	Finished(ctx context.Context, in Instance, piece string, exit int, reason string) error
	// Holds says whether a piece is still the instance's to run; if not, ErrStale.
	Holds(ctx context.Context, in Instance, piece string) error
	// Lost says that an instance ended before ErrNoMore, and is refused everything
	// from now on; in.Reason says why. Its unfinished piece needs another
	// attempt. From then on Buckets lists its bucket, if it still has an unfinished
	// piece, with a higher Attempt, or not at all when the attempts are used up;
	// while the same attempt is listed, Lost is called again on every pass.
	Lost(ctx context.Context, in Instance) error
}

// The environment in which a cloud starts an agent. What begins with
// EnvAgentPrefix is for the agent alone; it hands the rest on to its runners.
const (
	EnvInstance    = "ORTEST_INSTANCE" // also marks every process of the instance
	EnvAgentPrefix = "ORTEST_AGENT_"
	EnvURL         = EnvAgentPrefix + "URL"
	EnvTokenFile   = EnvAgentPrefix + "TOKEN_FILE" // the agent removes it once read
	EnvDir         = EnvAgentPrefix + "DIR"
	EnvDeadline    = EnvAgentPrefix + "DEADLINE" // RFC 3339
	// EnvMetadata is the address of the machine's metadata service, such as
	// http://169.254.169.254. With it an agent enrols by the machine's identity,
	// needs neither instance nor token nor deadline, and watches for the notice
	// that its spot capacity is withdrawn.
	EnvMetadata = EnvAgentPrefix + "METADATA"
)

// What callers branch on.
var (
	ErrWait     = errors.New("no piece ready yet")
	ErrNoMore   = errors.New("no piece left")
	ErrStale    = errors.New("piece is not this instance's to report")
	ErrInvalid  = errors.New("entry is not well-formed")
	ErrExists   = errors.New("instance exists")
	ErrNotFound = errors.New("no such instance")
	ErrRefused  = errors.New("enrolment refused")
	ErrCapacity = errors.New("cloud has no capacity")
	ErrRejected = errors.New("cloud rejects the launch")
)
