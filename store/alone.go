package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// aloneEvery is how often a right is asked for that somebody else has.
const aloneEvery = 50 * time.Millisecond

// Alone calls do while nobody else, in this process or another, is alone by the
// same key, and waits for whoever is. do's context ends when the right is lost.
func (s *Store) Alone(ctx context.Context, key string, do func(ctx context.Context) error) error {
	owned, release, err := await(ctx, s.engine, "alone "+key)
	if err != nil {
		return fmt.Errorf("be alone with %s: %w", key, err)
	}
	defer release()
	return do(owned)
}

// await takes a right as soon as nobody has it. An error that is errBusy says that
// somebody had it until ctx ended.
func await(ctx context.Context, e engine, key string) (owned context.Context, release func(), err error) {
	tick := time.NewTicker(aloneEvery)
	defer tick.Stop()
	for {
		if owned, release, err = e.own(ctx, key); !errors.Is(err, errBusy) {
			return owned, release, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("%w: %w", errBusy, ctx.Err())
		case <-tick.C:
		}
	}
}
