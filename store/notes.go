package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Note remembers a word until a time, or until a later time than before. What is
// over is removed on the way.
func (s *Store) Note(ctx context.Context, word string, until time.Time) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM notes WHERE until <= $1`, micros(time.Now())); err != nil {
			return err
		}
		const upsert = `INSERT INTO notes (word, until) VALUES ($1, $2)
			ON CONFLICT (word) DO UPDATE SET until = excluded.until WHERE excluded.until > notes.until`
		_, err := tx.ExecContext(ctx, upsert, word, micros(until))
		return err
	})
	if err != nil {
		return fmt.Errorf("note %q: %w", word, err)
	}
	return nil
}

// Noted returns the words whose time is not over, in order.
func (s *Store) Noted(ctx context.Context, now time.Time) ([]string, error) {
	scan := func(scan func(...any) error) (word string, err error) { err = scan(&word); return word, err }
	words, err := collect(ctx, s.read, scan, `SELECT word FROM notes WHERE until > $1 ORDER BY word`, micros(now))
	if err != nil {
		return nil, fmt.Errorf("read notes: %w", err)
	}
	return words, nil
}
