// Package bot turns what people write on pull requests into runs, and runs
// into check runs and one comment.
//
// A webhook is stored and nothing else. A worker later reads it, finds the
// commands and decides each one: it becomes a run or an answer, in one
// transaction. From then on the run is driven by what is stored:
//
//	Accepted -> Running -> Ended -> Closed
//
// and each of its pieces, once per attempt:
//
//	Waiting -> Dispatched -> Assigned -> Finished
//
// Advance is the one function that moves them. Drive looks at a run and makes
// the world agree with it; it looks before it creates, so that it may be cut
// off anywhere and called again; the store calls it after every change and
// every few seconds. A webhook or an agent's call only make that sooner.
package bot

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/runnerfleet"
)

// Bot decides commands and drives runs. Fields without a remark are required.
type Bot struct {
	Store     Store
	Forge     Forge
	Decode    Decode
	Instances Instances
	Catalog   func() *catalog.Catalog // the revision in force
	Kept      *catalog.Kept           // the revisions of this machine, which -b may name; nil: none
	Settings  func() Settings         // those in force; nil is the zero value
	URL       string                  // of our own pages, without a trailing slash
	Server    string                  // where repositories are shown, such as https://github.com
	Log       *slog.Logger
	Now       func() time.Time

	History durations // how long things take; nil knows nothing and learns nothing
	// Room is how many machines of an arch and an instance type ("": the arch's own) there
	// may be at once, and what bounds them; below 0: nothing is known. nil knows nothing.
	Room func(ctx context.Context, arch, instanceType string) (machines int, why string, err error)

	// Alone calls do while no other process does something by the same key; nil: there is
	// no other.
	Alone func(ctx context.Context, key string, do func(ctx context.Context) error) error

	Rollback func(revision string) error // puts a kept revision of the catalog in force soon; nil: a command cannot

	Wake func()        // tells the fleet that its buckets changed; may be nil
	Poll time.Duration // least time between two looks at a run's workflow jobs without a webhook; 15 s when zero
	// Settle is how long GitHub may take to list a workflow run that it started:
	// a dispatch without an answer is not repeated sooner. A minute when zero.
	Settle time.Duration
	Hold   time.Duration // least time between two progress updates of a run; final ones do not wait

	starts sync.Mutex // of this process

	mu sync.Mutex

	askers map[string]asker // by login: who wrote commands lately

	kept     map[string]bool             // revisions that are in the store
	catalogs map[string]*catalog.Catalog // revisions that were read

	lists   map[string][]report.Expectation // by project, as far as they were read
	listsOf *catalog.Catalog                // the revision that they are of
}

// Instances is what the bot asks the fleet.
type Instances interface {
	Instances(ctx context.Context) ([]runnerfleet.Instance, error)
}

// due reports whether an interval has passed since it last said so of a run: at is
// where that is stored, so that several replicas keep one pace. What lies further ahead
// was written by a clock that has been set back.
func (b *Bot) due(ctx context.Context, r Run, at func(*Run) *time.Time, every time.Duration) (bool, error) {
	now, due := b.Now(), false
	if now.Sub(*at(&r)).Abs() < every {
		return false, nil
	}
	err := b.update(ctx, r.ID, func(r *Run) bool {
		if due = now.Sub(*at(r)).Abs() >= every; due {
			*at(r) = now
		}
		return due
	})
	return due && err == nil, err
}

func lookedAt(r *Run) *time.Time { return &r.LookedAt }

func shownAt(r *Run) *time.Time { return &r.ShownAt }
