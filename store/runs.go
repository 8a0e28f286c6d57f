package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ortest/ortest/bot"
)

// AddRun stores a run under a new ID, and the job that drives it. A command
// that has a run or an answer already gives bot.ErrSeen.
func (s *Store) AddRun(ctx context.Context, r bot.Run) (bot.Run, error) {
	err := s.write(ctx, func(tx *sql.Tx) error {
		const insert = `INSERT INTO runs (repo, pull, state, created_at, document) VALUES ($1, $2, $3, $4, '{}') RETURNING id`
		var id int64
		if err := tx.QueryRowContext(ctx, insert, key(r.Repo), r.Pull, string(r.State), micros(r.CreatedAt)).Scan(&id); err != nil {
			return err
		}
		if err := addCommand(ctx, tx, command{key(r.Repo), r.Place, r.Comment, r.Index, r.Text}, &id); err != nil {
			return err
		}
		r.ID = strconv.FormatInt(id, 10)
		if err := putRun(ctx, tx, id, r); err != nil {
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
	r, err := getRun(s.read.QueryRowContext(ctx, `SELECT document FROM runs WHERE id = $1`, number(id)).Scan)
	if err != nil {
		return bot.Run{}, fmt.Errorf("read run %s: %w", id, err)
	}
	return r, nil
}

// Runs returns the runs of a pull request, newest first.
func (s *Store) Runs(ctx context.Context, repo bot.Repo, pull int) ([]bot.Run, error) {
	return s.runs(ctx, `SELECT document FROM runs WHERE repo = $1 AND pull = $2 ORDER BY id DESC`, key(repo), pull)
}

// RecentRuns returns the newest runs, newest first, at most limit.
func (s *Store) RecentRuns(ctx context.Context, limit int) ([]bot.Run, error) {
	return s.runs(ctx, `SELECT document FROM runs ORDER BY id DESC LIMIT $1`, max(limit, 0))
}

// RunsSince returns those created at t or later, oldest first.
func (s *Store) RunsSince(ctx context.Context, t time.Time) ([]bot.Run, error) {
	return s.runs(ctx, `SELECT document FROM runs WHERE created_at >= $1 ORDER BY id`, micros(t))
}

// LiveRuns returns those that are not closed, oldest first.
func (s *Store) LiveRuns(ctx context.Context) ([]bot.Run, error) {
	return s.runs(ctx, `SELECT document FROM runs WHERE state <> 'closed' ORDER BY id`)
}

func (s *Store) runs(ctx context.Context, query string, args ...any) ([]bot.Run, error) {
	all, err := collect(ctx, s.read, getRun, query, args...)
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
		r, err := getRun(tx.QueryRowContext(ctx, `SELECT document FROM runs WHERE id = $1`, n).Scan)
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
		if err := putRun(ctx, tx, n, r); err != nil {
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

// getRun reads the document of one row.
func getRun(scan func(...any) error) (r bot.Run, err error) {
	var doc []byte
	if err := scan(&doc); errors.Is(err, sql.ErrNoRows) {
		return bot.Run{}, bot.ErrNotFound
	} else if err != nil {
		return bot.Run{}, err
	}
	if err := json.Unmarshal(doc, &r); err != nil {
		return bot.Run{}, fmt.Errorf("decode: %w", err)
	}
	return r, nil
}

func putRun(ctx context.Context, tx *sql.Tx, id int64, r bot.Run) error {
	doc, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	const update = `UPDATE runs SET repo = $1, pull = $2, state = $3, created_at = $4, document = $5 WHERE id = $6`
	_, err = tx.ExecContext(ctx, update, key(r.Repo), r.Pull, string(r.State), micros(r.CreatedAt), string(doc), id)
	return err
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
