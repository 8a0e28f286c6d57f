package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/ortest/ortest/bot"
)

// command names one command of one comment.
type command struct {
	repo    string
	comment int64
	index   int
}

// addCommand claims a command for a run, or with nil for an answer; bot.ErrSeen
// when it has one.
func addCommand(ctx context.Context, tx *sql.Tx, c command, run *int64) error {
	const insert = `INSERT INTO commands (repo, comment, idx, run) VALUES ($1, $2, $3, $4) ON CONFLICT (repo, comment, idx) DO NOTHING`
	ok, err := changed(tx.ExecContext(ctx, insert, c.repo, c.comment, c.index, run))
	if err == nil && !ok {
		return bot.ErrSeen
	}
	return err
}

// AddAnswer stores an answer and the job that posts it. A command that has a
// run or an answer already gives bot.ErrSeen.
func (s *Store) AddAnswer(ctx context.Context, a bot.Answer) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		doc, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		if err := addCommand(ctx, tx, command{key(a.Repo), a.Comment, a.Index}, nil); err != nil {
			return err
		}
		const insert = `INSERT INTO answers (repo, comment, idx, posted, document) VALUES ($1, $2, $3, $4, $5)`
		if _, err := tx.ExecContext(ctx, insert, key(a.Repo), a.Comment, a.Index, a.Posted, string(doc)); err != nil {
			return err
		}
		return s.pushAnswer(ctx, tx, a)
	})
	if err != nil {
		return fmt.Errorf("add answer to comment %d of %s: %w", a.Comment, a.Repo, err)
	}
	return nil
}

// PutAnswer replaces an answer, with the job that posts it if it is not posted;
// bot.ErrNotFound when the command has none.
func (s *Store) PutAnswer(ctx context.Context, a bot.Answer) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		doc, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		const update = `UPDATE answers SET posted = $1, document = $2 WHERE repo = $3 AND comment = $4 AND idx = $5`
		ok, err := changed(tx.ExecContext(ctx, update, a.Posted, string(doc), key(a.Repo), a.Comment, a.Index))
		if err == nil && !ok {
			err = bot.ErrNotFound
		}
		if err != nil {
			return err
		}
		return s.pushAnswer(ctx, tx, a)
	})
	if err != nil {
		return fmt.Errorf("put answer to comment %d of %s: %w", a.Comment, a.Repo, err)
	}
	return nil
}

// UnpostedAnswers returns the answers still owed, oldest comment first.
func (s *Store) UnpostedAnswers(ctx context.Context) ([]bot.Answer, error) {
	all, err := collect(ctx, s.db, getAnswer, `SELECT document FROM answers WHERE posted = 0 ORDER BY comment, idx`)
	if err != nil {
		return nil, fmt.Errorf("read answers: %w", err)
	}
	return all, nil
}

func getAnswer(scan func(...any) error) (a bot.Answer, err error) {
	var doc []byte
	if err := scan(&doc); err != nil {
		return bot.Answer{}, err
	}
	if err := json.Unmarshal(doc, &a); err != nil {
		return bot.Answer{}, fmt.Errorf("decode: %w", err)
	}
	return a, nil
}

func (s *Store) pushAnswer(ctx context.Context, tx *sql.Tx, a bot.Answer) error {
	if a.Posted != 0 {
		return nil
	}
	return s.push(ctx, tx, answersJob{})
}
