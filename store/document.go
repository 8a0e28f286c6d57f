package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/plan"
)

// selectRun reads runs as stored.scan takes them: each in one statement, which
// sees one moment of the database.
const selectRun = `SELECT r.document, p.document, (SELECT string_agg(q.document, ',' ORDER BY q.idx) FROM pieces q WHERE q.run = r.id)
	FROM runs r JOIN plans p ON p.run = r.id `

// stored is a run as its rows have it. Its pieces have rows of their own, since
// they change one at a time, and so has its plan, which never changes.
type stored struct {
	document, plan []byte
	pieces         []json.RawMessage
}

func (o *stored) scan(scan func(...any) error) error {
	var pieces []byte
	if err := scan(&o.document, &o.plan, &pieces); errors.Is(err, sql.ErrNoRows) {
		return bot.ErrNotFound
	} else if err != nil {
		return err
	}
	o.pieces = nil
	if len(pieces) == 0 {
		return nil
	}
	if err := json.Unmarshal(list(pieces), &o.pieces); err != nil {
		return fmt.Errorf("decode pieces: %w", err)
	}
	return nil
}

func list(members []byte) []byte { return append(append([]byte("["), members...), ']') }

// getRun reads a run of selectRun.
func (s *Store) getRun(scan func(...any) error) (bot.Run, error) {
	var o stored
	if err := o.scan(scan); err != nil {
		return bot.Run{}, err
	}
	return s.memory.run(o)
}

// insertRun makes the rows that a run has once.
func insertRun(ctx context.Context, tx *sql.Tx, r bot.Run) (id int64, err error) {
	doc, err := json.Marshal(r.Plan)
	if err != nil {
		return 0, fmt.Errorf("encode plan: %w", err)
	}
	const insert = `INSERT INTO runs (repo, pull, state, created_at, document) VALUES ($1, $2, $3, $4, '{}') RETURNING id`
	if err := tx.QueryRowContext(ctx, insert, key(r.Repo), r.Pull, string(r.State), micros(r.CreatedAt)).Scan(&id); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO plans (run, document) VALUES ($1, $2)`, id, string(doc)); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO drives (run, queued) VALUES ($1, 0)`, id)
	return id, err
}

// putRun writes what differs from the rows that there are.
func putRun(ctx context.Context, tx *sql.Tx, id int64, r bot.Run, old stored) error {
	for i, p := range r.Pieces {
		doc, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("encode piece %s: %w", p.ID, err)
		}
		if i < len(old.pieces) && bytes.Equal(doc, old.pieces[i]) {
			continue
		}
		const upsert = `INSERT INTO pieces (run, idx, document) VALUES ($1, $2, $3) ON CONFLICT (run, idx) DO UPDATE SET document = excluded.document`
		if _, err := tx.ExecContext(ctx, upsert, id, i, string(doc)); err != nil {
			return err
		}
	}
	if len(r.Pieces) < len(old.pieces) {
		if _, err := tx.ExecContext(ctx, `DELETE FROM pieces WHERE run = $1 AND idx >= $2`, id, len(r.Pieces)); err != nil {
			return err
		}
	}
	doc, err := headOf(r)
	if err != nil || bytes.Equal(doc, old.document) {
		return err
	}
	const update = `UPDATE runs SET repo = $1, pull = $2, state = $3, created_at = $4, document = $5 WHERE id = $6`
	if _, err = tx.ExecContext(ctx, update, key(r.Repo), r.Pull, string(r.State), micros(r.CreatedAt), string(doc), id); err != nil {
		return err
	}
	return putWorkflowRuns(ctx, tx, id, r)
}

// headOf is the document of a run's own row.
func headOf(r bot.Run) ([]byte, error) {
	r.Plan, r.Pieces = plan.Plan{}, nil
	doc, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return doc, nil
}
