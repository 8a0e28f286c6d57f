package bot

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Forge is GitHub as the bot needs it; bot/github implements it. Every call
// may have taken effect although it returned an error.
type Forge interface {
	conversation
	checks
	actions
	lists
	files
}

// files are what the bot reads and proposes of repositories, OWNER/NAME, with the
// App's rights on the first one or its own installation.
type files interface {
	File(ctx context.Context, repo Repo, name, path string) ([]byte, error) // of the default branch; ErrGone when there is none
	// OpenPull opens a pull request and returns its address; that of the open one when there is one.
	OpenPull(ctx context.Context, repo Repo, name string, p Proposal) (url string, err error)
}

// lists are what sweeps read: everything that webhooks may have failed to tell.
type lists interface {
	Repositories(ctx context.Context) ([]Repo, error) // that the bot serves
	// Heads returns the open pull requests that changed at since or later.
	Heads(ctx context.Context, repo Repo, since time.Time) ([]PullEvent, error)
	// Texts returns what was written or edited on issues and pull requests since then.
	Texts(ctx context.Context, repo Repo, since time.Time) ([]CommentEvent, error)
}

// conversation is a pull request and what is said on it.
type conversation interface {
	PullRequest(ctx context.Context, repo Repo, number int) (PullRequest, error)
	Permission(ctx context.Context, repo Repo, login string) (role string, err error) // role_name: admin, maintain, write, triage, read, none, or a custom role
	// Member reports whether somebody is in a team, ORG/SLUG, or one below it.
	Member(ctx context.Context, repo Repo, team, login string) (bool, error)
	Comments(ctx context.Context, repo Repo, number int, since time.Time) ([]Comment, error)
	CreateComment(ctx context.Context, repo Repo, number int, body string) (id int64, err error)
	UpdateComment(ctx context.Context, repo Repo, id int64, body string) error // ErrGone when somebody deleted it
	DeleteComment(ctx context.Context, repo Repo, id int64) error              // no error when it is gone
	// React adds eyes or confused to what stands at a place, as in CommentEvent;
	// adding twice is once. A place that takes no reaction is no error.
	React(ctx context.Context, repo Repo, place string, id int64, content string) error
}

// checks are the check runs of a commit.
type checks interface {
	CheckRuns(ctx context.Context, repo Repo, sha string) ([]CheckRun, error) // our own only
	// CreateCheckRun may return an id and an error: it exists, but not all of its annotations.
	CreateCheckRun(ctx context.Context, repo Repo, sha string, c CheckRun) (id int64, err error)
	// UpdateCheckRun makes a check run what c says. Annotations is all that it is to
	// have, in an order that only grows: those that GitHub has are not sent again.
	UpdateCheckRun(ctx context.Context, repo Repo, c CheckRun) error
}

// actions are workflow runs and their runners.
type actions interface {
	// Dispatch starts a workflow file of the default branch. It returns the workflow run's id.
	Dispatch(ctx context.Context, repo Repo, workflow string, inputs map[string]string) (int64, error)
	// FindWorkflowRun returns the id of the dispatched run whose name contains nonce, 0 when there is none.
	FindWorkflowRun(ctx context.Context, repo Repo, workflow, nonce string) (int64, error)
	Jobs(ctx context.Context, repo Repo, workflowRun int64) ([]Job, error)
	CancelWorkflowRun(ctx context.Context, repo Repo, workflowRun int64) error // no error when it has ended
	// MintRunner registers a single-use runner under a name with one label and
	// returns its id and JIT configuration. A runner of that name is removed first.
	MintRunner(ctx context.Context, repo Repo, name, label string) (id int64, jit string, err error)
	// Head returns the newest commit of a branch of OWNER/NAME, of the default one when
	// it is "", seen with the rights that the bot has on repo.
	Head(ctx context.Context, repo Repo, name, branch string) (sha string, err error)
	RemoveRunner(ctx context.Context, repo Repo, id int64) error // no error when it is gone
	// RemoveRunners removes all whose name begins with a prefix, but for those that run a
	// job, and returns how many went.
	RemoveRunners(ctx context.Context, repo Repo, prefix string) (int, error)
}

// PullRequest is what the bot reads of one.
type PullRequest struct {
	Number int
	Open   bool
	Head   string // SHA
	Base   string // branch
	Fork   bool   // head is in another repository
}

// Comment is one comment on a pull request.
type Comment struct {
	ID        int64
	Author    string // login
	Bot       bool
	Ours      bool // written by this App
	Body      string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// CheckRun is a check run as it is shown. Status is queued, in_progress or
// completed; Conclusion is set only then.
type CheckRun struct {
	ID          int64
	Name        string
	External    string // our run, so that a repeat finds it
	Status      string
	Conclusion  string
	Details     string // URL
	Title       string
	Summary     string
	Text        string
	Annotations []Annotation // sent in batches of 50; GitHub appends
	Buttons     []button     // at most three
	StartedAt   time.Time
	CompletedAt time.Time
}

// button is one that a check run shows. Pressing it is a ButtonEvent.
type button struct {
	ID    string // at most 20 characters, as is Label
	Label string
	Does  string // at most 40 characters
}

// Annotation marks lines of a file of the commit.
type Annotation struct {
	Path    string
	Line    int
	EndLine int
	Level   string // notice, warning, failure
	Title   string
	Message string
	Raw     string
}

// Job is a job of a workflow run.
type Job struct {
	ID          int64
	Name        string
	Labels      []string
	Runner      int64
	RunnerName  string
	Status      string // queued, in_progress, completed
	Conclusion  string
	CompletedAt time.Time
}

// Event is a webhook, decoded. At most one of the pointers is set; none means
// an event that the bot does not use.
type Event struct {
	Comment *CommentEvent
	Pull    *PullEvent
	Job     *JobEvent
	Button  *ButtonEvent
}

// The places where a command may stand. Ids are unique only within one.
const (
	InComment       = ""               // of the conversation
	InReview        = "review"         // the body of a review
	InReviewComment = "review_comment" // a comment on lines
	InButton        = "button"         // of a check run or workflow run: the id is the delivery's
)

// CommentEvent is text that somebody wrote on an issue or pull request.
type CommentEvent struct {
	Repo      Repo
	Number    int
	OnPull    bool
	Place     string
	Action    string // created, edited, deleted
	ID        int64
	Body      string
	Was       string // the body before it was edited, if that is known
	Author    string
	Sender    string // who acted
	SenderBot bool
	Unsigned  bool      // the text may be an edit, and who made it is not told: Sender is the author
	Ours      bool      // sent by this App
	At        time.Time // when the text became what it is
	Created   time.Time // when it was written first
	Source    string    // how the bot heard of it, for a person
}

// ButtonEvent is a button pressed on a check run, a suite of them or a workflow run.
type ButtonEvent struct {
	Repo        Repo
	Action      string // rerequested, or an action's identifier
	Check       string // name of the check run; "" is all of them
	Run         string // ours, as the check run says; "" when only Head is known
	Head        string
	WorkflowRun int64 // that a person started again
	Sender      string
	SenderBot   bool
	At          time.Time
}

// PullEvent is a pull request opened or pushed to.
type PullEvent struct {
	Repo   Repo
	Number int
	Action string
	Head   string
	At     time.Time // GitHub's updated_at
}

// JobEvent is a workflow job that changed. It says where to look, not what is true.
type JobEvent struct {
	Repo        Repo
	WorkflowRun int64
	Job         Job
	Action      string
}

// Decode reads a webhook's payload.
type Decode func(event string, payload json.RawMessage) (Event, error)

// What a forge returns for callers to branch on.
var (
	ErrGone    = errors.New("gone on GitHub")
	ErrRefused = errors.New("refused by GitHub") // the request itself is wrong; a repeat would not help
)

// patience is how long something that GitHub refuses is still tried: a
// permission may be granted, a locked conversation opened.
const patience = 24 * time.Hour

// final reports whether a repeat would only bring the same error.
func final(err error) bool { return errors.Is(err, ErrGone) || errors.Is(err, ErrRefused) }

// hopeless reports whether what has been owed since a time is to be given up.
func hopeless(err error, since, now time.Time) bool {
	return errors.Is(err, ErrGone) || errors.Is(err, ErrRefused) && now.Sub(since) >= patience
}
