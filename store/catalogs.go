package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ortest/ortest/bot"
)

// PutCatalog keeps a packed catalog under its revision; the first one stays.
func (s *Store) PutCatalog(ctx context.Context, revision string, packed []byte) error {
	const insert = `INSERT INTO catalogs (revision, packed) VALUES ($1, $2) ON CONFLICT (revision) DO NOTHING`
	if _, err := s.execute(ctx, insert, revision, packed); err != nil {
		return fmt.Errorf("keep catalog %s: %w", revision, err)
	}
	return nil
}

// Catalog returns what PutCatalog kept, or bot.ErrNotFound.
func (s *Store) Catalog(ctx context.Context, revision string) (packed []byte, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT packed FROM catalogs WHERE revision = $1`, revision).Scan(&packed)
	if errors.Is(err, sql.ErrNoRows) {
		err = bot.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read catalog %.100q: %w", revision, err)
	}
	return packed, nil
}
