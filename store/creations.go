package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// keepCreations is the longest span that GitHub limits them in.
const keepCreations = time.Hour

// Create remembers that content was, or is about to be, created on GitHub by an
// installation. What no limit counts any more is removed on the way.
func (s *Store) Create(ctx context.Context, installation int64, at time.Time) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		const over = `DELETE FROM creations WHERE installation = $1 AND at < $2`
		if _, err := tx.ExecContext(ctx, over, installation, micros(at.Add(-2*keepCreations))); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO creations (installation, at) VALUES ($1, $2)`, installation, micros(at))
		return err
	})
	if err != nil {
		return fmt.Errorf("remember creation of content: %w", err)
	}
	return nil
}

// Created returns when content was created after t, by any process, oldest first.
func (s *Store) Created(ctx context.Context, installation int64, t time.Time) ([]time.Time, error) {
	const query = `SELECT at FROM creations WHERE installation = $1 AND at > $2 ORDER BY at`
	all, err := collect(ctx, s.read, integer, query, installation, micros(t))
	if err != nil {
		return nil, fmt.Errorf("read creations of content: %w", err)
	}
	times := make([]time.Time, len(all))
	for i, at := range all {
		times[i] = fromMicros(at)
	}
	return times, nil
}
