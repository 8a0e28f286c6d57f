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
// off anywhere and called again. A webhook, an agent's call or the clock only
// say that it is time to look.
package bot

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/runnerfleet"
)

// Bot decides commands and drives runs. All fields but Wake and Poll are required.
type Bot struct {
	Store     Store
	Forge     Forge
	Decode    Decode
	Instances Instances
	Catalog   func() *catalog.Catalog // the revision in force
	Policy    plan.Policy             // what a comment may choose
	URL       string                  // of our own pages, without a trailing slash
	Log       *slog.Logger
	Now       func() time.Time

	Wake func()        // tells the fleet that its buckets changed; may be nil
	Poll time.Duration // how often live runs are looked at without a reason; 15 s when zero
	Hold time.Duration // least time between two progress updates of a run; final ones do not wait

	running keyed // one Drive per run at a time
	mu      sync.Mutex
	shownAt map[string]time.Time // per run: when progress was last written
	polled  map[string]time.Time // per run: when GitHub was last asked for its jobs
}

// Instances is what the bot asks the fleet.
type Instances interface {
	Instances(ctx context.Context) ([]runnerfleet.Instance, error)
}

// Run looks at every live run and every unposted answer now and then, until
// ctx ends. Webhooks only make this sooner.
func (b *Bot) Run(ctx context.Context) error {
	tick := time.NewTicker(b.every())
	defer tick.Stop()
	for {
		if err := b.Once(ctx); err != nil && ctx.Err() == nil {
			b.Log.Error("pass over live runs", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (b *Bot) every() time.Duration {
	if b.Poll == 0 {
		return 15 * time.Second
	}
	return b.Poll
}

// Once drives every live run and posts every answer that is owed. It attempts
// all of them and joins what failed.
func (b *Bot) Once(ctx context.Context) error {
	errs := []error{b.PostAnswers(ctx)}
	runs, err := b.Store.LiveRuns(ctx)
	errs = append(errs, err)
	for _, r := range runs {
		errs = append(errs, b.Drive(ctx, r.ID))
	}
	return errors.Join(errs...)
}

// keyed is a set of mutexes by name; those not held take no room.
type keyed struct {
	mu   sync.Mutex
	held map[string]*hold
}

type hold struct {
	sync.Mutex
	users int
}

func (k *keyed) lock(name string) (unlock func()) {
	k.mu.Lock()
	if k.held == nil {
		k.held = make(map[string]*hold)
	}
	h := k.held[name]
	if h == nil {
		h = new(hold)
		k.held[name] = h
	}
	h.users++
	k.mu.Unlock()
	h.Lock()
	return func() {
		h.Unlock()
		k.mu.Lock()
		defer k.mu.Unlock()
		if h.users--; h.users == 0 {
			delete(k.held, name)
		}
	}
}
