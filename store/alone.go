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
	tick := time.NewTicker(aloneEvery)
	defer tick.Stop()
	for {
		owned, release, err := s.engine.own(ctx, "alone "+key)
		if err == nil {
			defer release()
			return do(owned)
		}
		if !errors.Is(err, errBusy) {
			return fmt.Errorf("be alone with %s: %w", key, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", key, ctx.Err())
		case <-tick.C:
		}
	}
}
