package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Keep is how long what is over stays. Zero is for ever.
type Keep struct {
	Logs time.Duration // what the pieces of a closed run reported, from the run's beginning; what it came to stays
	Runs time.Duration // closed runs with their results and instances, likewise, and answers that were given

	Deliveries time.Duration // those that are processed; zero is thirty days
}

// forgottenAtOnce is how many runs are forgotten before what else there is to do has a turn.
const forgottenAtOnce = 20

// forget removes what is over for longer than it is kept, a little at a time: who writes
// meanwhile waits for one piece at most. It reports whether there is more. What
// names a command, and the audit log, stay for ever: no command is carried out twice.
func (s *Store) forget(ctx context.Context, now time.Time) (more bool, err error) {
	if err := s.forgetDeliveries(ctx, now.Add(-cmp.Or(s.keep.Deliveries, keepDeliveries))); err != nil {
		return false, err
	}
	if s.keep.Logs > 0 {
		const logged = `SELECT id FROM runs WHERE state = 'closed' AND created_at < $1 AND EXISTS (SELECT 1 FROM entries WHERE run = id) ORDER BY id LIMIT $2`
		if more, err = s.forgetRuns(ctx, logged, now.Add(-s.keep.Logs), s.forgetLogs); err != nil {
			return false, fmt.Errorf("forget logs: %w", err)
		}
	}
	if s.keep.Runs == 0 {
		return more, nil
	}
	before := now.Add(-s.keep.Runs)
	const old = `SELECT id FROM runs WHERE state = 'closed' AND created_at < $1 ORDER BY id LIMIT $2`
	left, err := s.forgetRuns(ctx, old, before, s.forgetRun)
	if err != nil {
		return false, fmt.Errorf("forget runs: %w", err)
	}
	for _, statement := range []string{
		`DELETE FROM answers WHERE owed = 0 AND at < $1`,
		`DELETE FROM heads WHERE at < $1 AND id NOT IN (SELECT max(id) FROM heads GROUP BY repo, pull)`,
	} {
		if _, err := s.execute(ctx, statement, micros(before)); err != nil {
			return false, fmt.Errorf("forget answers and heads: %w", err)
		}
	}
	return more || left, nil
}

// forgetRuns does something about the first runs that a query finds.
func (s *Store) forgetRuns(ctx context.Context, query string, before time.Time, do func(ctx context.Context, run int64) error) (more bool, err error) {
	ids, err := collect(ctx, s.read, integer, query, micros(before), forgottenAtOnce)
	for _, id := range ids {
		if err = errors.Join(err, do(ctx, id)); err != nil {
			break
		}
	}
	return len(ids) == forgottenAtOnce, err
}

// forgetLogs removes what a run's pieces reported, piece by piece.
func (s *Store) forgetLogs(ctx context.Context, run int64) error {
	pieces, err := collect(ctx, s.read, text, `SELECT DISTINCT piece FROM entries WHERE run = $1`, run)
	if err != nil {
		return err
	}
	for _, piece := range pieces {
		if _, err := s.execute(ctx, `DELETE FROM entries WHERE run = $1 AND piece = $2`, run, piece); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) forgetRun(ctx context.Context, run int64) error {
	if err := s.forgetLogs(ctx, run); err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		for _, statement := range []string{
			`UPDATE commands SET run = NULL WHERE run = $1`,
			`DELETE FROM instances WHERE run = $1`,
			`DELETE FROM results WHERE run = $1`,
			`DELETE FROM pieces WHERE run = $1`,
			`DELETE FROM plans WHERE run = $1`,
			`DELETE FROM drives WHERE run = $1`,
			`DELETE FROM runs WHERE id = $1`,
		} {
			if _, err := tx.ExecContext(ctx, statement, run); err != nil {
				return err
			}
		}
		return nil
	})
}
