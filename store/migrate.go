package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to date. It asks for the lock only when there
// is something to do, so that a reader can open a database that is being worked.
func (s *Store) migrate(ctx context.Context) error {
	due, err := s.migrationsDue(ctx)
	if err != nil || !due {
		return err
	}
	held, err := s.lock(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return errors.Join(s.migrateLocked(ctx), held.Close())
}

// migrationsDue reports whether the schema is older than this program's, and
// errs when it is newer.
func (s *Store) migrationsDue(ctx context.Context) (bool, error) {
	ours, err := s.ourMigrations()
	if err != nil {
		return false, err
	}
	// Asked first because goose creates its table only to answer the question
	// of the version, which two processes must not do at once.
	var tables int
	const query = "SELECT count(*) FROM sqlite_master WHERE name IN ('goose_db_version', 'river_migration')"
	if err := s.db.QueryRowContext(ctx, query).Scan(&tables); err != nil {
		return false, err
	}
	if tables < 2 {
		return true, nil
	}
	have, know, err := ours.GetVersions(ctx)
	if err != nil {
		return false, fmt.Errorf("read schema version: %w", err)
	}
	if have > know {
		return false, fmt.Errorf("its schema version is %d and this ortest knows %d: use the newer ortest that wrote it, or another path", have, know)
	}
	queue, err := s.queueMigrations()
	if err != nil {
		return false, err
	}
	done, err := queue.ExistingVersions(ctx)
	if err != nil {
		return false, fmt.Errorf("its job queue is newer than this ortest knows: use the newer ortest that wrote it, or another path: %w", err)
	}
	return have < know || len(done) < len(queue.AllVersions()), nil
}

func (s *Store) migrateLocked(ctx context.Context) error {
	queue, err := s.queueMigrations()
	if err != nil {
		return err
	}
	if _, err := queue.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate job queue: %w", err)
	}
	ours, err := s.ourMigrations()
	if err != nil {
		return err
	}
	done, err := ours.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate schema: %w", err)
	}
	for _, m := range done {
		s.log.Info("schema migrated", "version", m.Source.Version, "took", m.Duration)
	}
	return nil
}

func (s *Store) ourMigrations() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.db, files, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

func (s *Store) queueMigrations() (*rivermigrate.Migrator[*sql.Tx], error) {
	m, err := rivermigrate.New(riversqlite.New(s.db), &rivermigrate.Config{Logger: quiet(s.log)})
	if err != nil {
		return nil, fmt.Errorf("read job queue migrations: %w", err)
	}
	return m, nil
}
