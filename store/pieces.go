package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ortest/ortest/bot"
)

// Piece returns a piece of a run, or bot.ErrNotFound.
func (s *Store) Piece(ctx context.Context, run, id string) (bot.Piece, error) {
	p, err := s.piece(ctx, number(run), id)
	if err != nil {
		return bot.Piece{}, fmt.Errorf("read piece %s of run %s: %w", id, run, err)
	}
	return p, nil
}

// piece reads the one that an ID is the number of, and all only if that is another.
func (s *Store) piece(ctx context.Context, run int64, id string) (bot.Piece, error) {
	scan := func(scan func(...any) error) (p bot.Piece, err error) {
		var raw []byte
		if err := scan(&raw); err != nil {
			return p, err
		}
		return p, json.Unmarshal(raw, &p)
	}
	const query = `SELECT document FROM pieces WHERE run = $1 `
	if n, err := strconv.Atoi(strings.TrimPrefix(id, "p")); err == nil {
		all, err := collect(ctx, s.read, scan, query+`AND idx = $2`, run, n-1)
		if err != nil || len(all) > 0 && all[0].ID == id {
			return append(all, bot.Piece{})[0], err
		}
	}
	all, err := collect(ctx, s.read, scan, query+`ORDER BY idx`, run)
	if err != nil {
		return bot.Piece{}, err
	}
	i := slices.IndexFunc(all, func(p bot.Piece) bool { return p.ID == id })
	if i < 0 {
		return bot.Piece{}, bot.ErrNotFound
	}
	return all[i], nil
}

// RunOf returns the ID of the run that dispatched a workflow run, or bot.ErrNotFound.
func (s *Store) RunOf(ctx context.Context, repo bot.Repo, workflowRun int64) (string, error) {
	var run int64
	err := s.read.QueryRowContext(ctx, `SELECT run FROM workflow_runs WHERE repo = $1 AND id = $2`, key(repo), workflowRun).Scan(&run)
	if errors.Is(err, sql.ErrNoRows) {
		err = bot.ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("read run of workflow run %d of %s: %w", workflowRun, repo, err)
	}
	return strconv.FormatInt(run, 10), nil
}

// putWorkflowRuns notes whose the workflow runs of a run are: all of them each time, as
// a replica of an older version may have begun some.
func putWorkflowRuns(ctx context.Context, tx *sql.Tx, id int64, r bot.Run) error {
	for _, d := range r.Dispatch {
		if d.WorkflowRun == 0 {
			continue
		}
		const insert = `INSERT INTO workflow_runs (repo, id, run) VALUES ($1, $2, $3) ON CONFLICT (repo, id) DO NOTHING`
		if _, err := tx.ExecContext(ctx, insert, key(r.Repo), d.WorkflowRun, id); err != nil {
			return err
		}
	}
	return nil
}
