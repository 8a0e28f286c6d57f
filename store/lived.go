package store

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Lived returns how long the instances that were launched at t or later have lived
// until now, those of each run together, by the run's ID.
func (s *Store) Lived(ctx context.Context, t, now time.Time) (map[string]time.Duration, error) {
	lived := make(map[string]time.Duration)
	_, err := collect(ctx, s.read, func(scan func(...any) error) (struct{}, error) {
		var run, launched, ended int64
		if err := scan(&run, &launched, &ended); err != nil {
			return struct{}{}, err
		}
		end := now
		if ended != 0 {
			end = fromMicros(ended)
		}
		lived[strconv.FormatInt(run, 10)] += max(end.Sub(fromMicros(launched)), 0)
		return struct{}{}, nil
	}, `SELECT run, launched_at, ended_at FROM instances WHERE run IS NOT NULL AND launched_at > 0 AND launched_at >= $1`, micros(t))
	if err != nil {
		return nil, fmt.Errorf("read how long instances lived: %w", err)
	}
	return lived, nil
}
