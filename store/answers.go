package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/ortest/ortest/bot"
)

// command names one command of one text.
type command struct {
	repo    string
	place   string
	comment int64
	index   int
	line    string
}

// addCommand claims a command for a run or an answer; bot.ErrSeen when it has one.
func addCommand(ctx context.Context, tx *sql.Tx, c command) error {
	const insert = `INSERT INTO commands (repo, place, comment, idx, line) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (repo, place, comment, idx) DO NOTHING`
	ok, err := changed(tx.ExecContext(ctx, insert, c.repo, c.place, c.comment, c.index, plain(c.line)))
	if err == nil && !ok {
		return bot.ErrSeen
	}
	return err
}

// Commands returns the lines of a text that have a run or an answer, by index.
func (s *Store) Commands(ctx context.Context, repo bot.Repo, place string, id int64) (map[int]string, error) {
	type row struct {
		index int
		line  string
	}
	all, err := collect(ctx, s.read, func(scan func(...any) error) (r row, err error) {
		err = scan(&r.index, &r.line)
		return r, err
	}, `SELECT idx, line FROM commands WHERE repo = $1 AND place = $2 AND comment = $3`, key(repo), place, id)
	if err != nil {
		return nil, fmt.Errorf("read commands of comment %d of %s: %w", id, repo, err)
	}
	lines := make(map[int]string, len(all))
	for _, r := range all {
		lines[r.index] = r.line
	}
	return lines, nil
}

// AddAnswer stores an answer and the job that posts it. A command that has a
// run or an answer already gives bot.ErrSeen.
func (s *Store) AddAnswer(ctx context.Context, a bot.Answer) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		doc, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		if err := addCommand(ctx, tx, command{key(a.Repo), a.Place, a.Comment, a.Index, a.Text}); err != nil {
			return err
		}
		const insert = `INSERT INTO answers (repo, place, comment, idx, pull, owed, at, document) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
		if _, err := tx.ExecContext(ctx, insert, key(a.Repo), a.Place, a.Comment, a.Index, a.Pull, flag(a.Owed()), micros(a.At), string(doc)); err != nil {
			return err
		}
		if err := addAudit(ctx, tx, answered(a)); err != nil {
			return err
		}
		return s.pushAnswer(ctx, tx, a)
	})
	if err != nil {
		return fmt.Errorf("add answer to comment %d of %s: %w", a.Comment, a.Repo, err)
	}
	return nil
}

// PutAnswer replaces an answer, with the job that posts it if it is owed;
// bot.ErrNotFound when the command has none.
func (s *Store) PutAnswer(ctx context.Context, a bot.Answer) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		doc, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		const update = `UPDATE answers SET owed = $1, document = $2 WHERE repo = $3 AND place = $4 AND comment = $5 AND idx = $6`
		ok, err := changed(tx.ExecContext(ctx, update, flag(a.Owed()), string(doc), key(a.Repo), a.Place, a.Comment, a.Index))
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

// UnpostedAnswers returns the answers still owed, oldest command first.
func (s *Store) UnpostedAnswers(ctx context.Context) ([]bot.Answer, error) {
	all, err := collect(ctx, s.read, getAnswer, `SELECT document FROM answers WHERE owed = 1 ORDER BY at, comment, idx`)
	if err != nil {
		return nil, fmt.Errorf("read answers: %w", err)
	}
	return all, nil
}

// Answers returns those of a pull request, newest command first.
func (s *Store) Answers(ctx context.Context, repo bot.Repo, pull int) ([]bot.Answer, error) {
	const query = `SELECT document FROM answers WHERE repo = $1 AND pull = $2 ORDER BY at DESC, comment DESC, idx DESC`
	all, err := collect(ctx, s.read, getAnswer, query, key(repo), pull)
	if err != nil {
		return nil, fmt.Errorf("read answers of %s#%d: %w", repo, pull, err)
	}
	return all, nil
}

func flag(is bool) int {
	if is {
		return 1
	}
	return 0
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
	if a.Posted != 0 { // its last word comes when the runs' states have changed: look finds it
		return nil
	}
	return s.push(ctx, tx, answersJob{})
}
