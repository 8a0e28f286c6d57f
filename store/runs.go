package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"github.com/ortest/ortest/bot"
)

// AddRun stores a run under a new ID, and the job that drives it. A command
// that has a run or an answer already gives bot.ErrSeen.
func (s *Store) AddRun(ctx context.Context, r bot.Run) (bot.Run, error) {
	err := s.write(ctx, func(tx *sql.Tx) error {
		c := command{key(r.Repo), r.Place, r.Comment, r.Index, r.Text}
		if err := addCommand(ctx, tx, c); err != nil { // first: PostgreSQL would not use the run's number again
			return err
		}
		id, err := insertRun(ctx, tx, r)
		if err != nil {
			return err
		}
		const update = `UPDATE commands SET run = $1 WHERE repo = $2 AND place = $3 AND comment = $4 AND idx = $5`
		if _, err := tx.ExecContext(ctx, update, id, c.repo, c.place, c.comment, c.index); err != nil {
			return err
		}
		r.ID = strconv.FormatInt(id, 10)
		if err := putRun(ctx, tx, id, r, stored{}); err != nil {
			return err
		}
		if err := addAudit(ctx, tx, began(r)); err != nil {
			return err
		}
		return s.pushDrive(ctx, tx, id)
	})
	if err != nil {
		return bot.Run{}, fmt.Errorf("add run of %s#%d: %w", r.Repo, r.Pull, err)
	}
	return r, nil
}

// Run returns a run, or bot.ErrNotFound.
func (s *Store) Run(ctx context.Context, id string) (bot.Run, error) {
	r, err := s.getRun(s.read.QueryRowContext(ctx, selectRun+`WHERE r.id = $1`, number(id)).Scan)
	if err != nil {
		return bot.Run{}, fmt.Errorf("read run %s: %w", id, err)
	}
	return r, nil
}

// Runs returns the runs of a pull request, newest first.
func (s *Store) Runs(ctx context.Context, repo bot.Repo, pull int) ([]bot.Run, error) {
	return s.runs(ctx, selectRun+`WHERE r.repo = $1 AND r.pull = $2 ORDER BY r.id DESC`, key(repo), pull)
}

// RecentRuns returns the newest runs, newest first, at most limit.
func (s *Store) RecentRuns(ctx context.Context, limit int) ([]bot.Run, error) {
	return s.runs(ctx, selectRun+`ORDER BY r.id DESC LIMIT $1`, max(limit, 0))
}

// RunsSince returns those created at t or later, oldest first.
func (s *Store) RunsSince(ctx context.Context, t time.Time) ([]bot.Run, error) {
	return s.runs(ctx, selectRun+`WHERE r.created_at >= $1 ORDER BY r.id`, micros(t))
}

// LiveRuns returns those that are not closed, oldest first.
func (s *Store) LiveRuns(ctx context.Context) ([]bot.Run, error) {
	return s.runs(ctx, selectRun+`WHERE r.state <> 'closed' ORDER BY r.id`)
}

func (s *Store) runs(ctx context.Context, query string, args ...any) ([]bot.Run, error) {
	all, err := collect(ctx, s.read, s.getRun, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	return all, nil
}

// UpdateRun reads, changes and writes a run in one transaction, with the job
// that drives it on unless it is closed. change must call nothing of the
// Store; it returns false to leave the run as it is. The ID cannot change.
func (s *Store) UpdateRun(ctx context.Context, id string, change func(*bot.Run) bool) (bot.Run, error) {
	var result bot.Run
	err := s.write(ctx, func(tx *sql.Tx) error {
		n := number(id)
		// Read only when it is held: what is read with the lock may be of before it.
		if err := s.engine.hold(ctx, tx, `SELECT 1 FROM runs WHERE id = $1`, n); err != nil {
			return err
		}
		var old stored
		if err := old.scan(tx.QueryRowContext(ctx, selectRun+`WHERE r.id = $1`, n).Scan); err != nil {
			return err
		}
		r, err := s.memory.run(old)
		if err != nil {
			return err
		}
		result = r
		was := r
		if !change(&r) {
			return nil
		}
		r.ID = id
		result = r
		if err := putRun(ctx, tx, n, r, old); err != nil {
			return err
		}
		for _, a := range wentOn(was, r) {
			if err := addAudit(ctx, tx, a); err != nil {
				return err
			}
		}
		if r.State == bot.Closed {
			return nil
		}
		return s.pushDrive(ctx, tx, n)
	})
	if err != nil {
		return bot.Run{}, fmt.Errorf("update run %s: %w", id, err)
	}
	return result, nil
}

// number is a run's ID as the tables have it; no run has 0. Only the canonical
// spelling counts, so that "01" is not another name of "1".
func number(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != id {
		return 0
	}
	return n
}
