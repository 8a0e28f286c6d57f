package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// keepCreations is the longest span that GitHub limits them in.
const keepCreations = time.Hour

// keepPoints is longer than the minute that they are limited in, and than anybody waits for one.
const keepPoints = 5 * time.Minute

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

// Spend remembers that a process has set points of an installation aside, to be spent
// at a time at the latest. What no limit counts any more is removed on the way.
func (s *Store) Spend(ctx context.Context, installation int64, points int, at time.Time) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		const over = `DELETE FROM points WHERE installation = $1 AND at < $2`
		if _, err := tx.ExecContext(ctx, over, installation, micros(at.Add(-keepPoints))); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO points (installation, at, points) VALUES ($1, $2, $3)`, installation, micros(at), points)
		return err
	})
	if err != nil {
		return fmt.Errorf("remember points: %w", err)
	}
	return nil
}

// Spent returns when points that any process has set aside are spent at the latest, those
// after t, one by one and the soonest first.
func (s *Store) Spent(ctx context.Context, installation int64, t time.Time) ([]time.Time, error) {
	const query = `SELECT at, points FROM points WHERE installation = $1 AND at > $2 ORDER BY at`
	scan := func(scan func(...any) error) (some []time.Time, err error) {
		var at, points int64
		err = scan(&at, &points)
		return slices.Repeat([]time.Time{fromMicros(at)}, int(max(points, 0))), err
	}
	all, err := collect(ctx, s.read, scan, query, installation, micros(t))
	if err != nil {
		return nil, fmt.Errorf("read points: %w", err)
	}
	return slices.Concat(all...), nil
}
