package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/rivermigrate"
)

// migrations has a folder for each dialect. Those of one number leave the same
// tables. From one to the next a table is only added to, so that a replica of the
// version before can go on beside it; a migration that cannot keep to that sets
// compatible.since to its own number, and older replicas stop.
//
//go:embed migrations/*/*.sql
var migrations embed.FS

// The tables that say how far an ours and the queue's migrations have come.
const (
	versionTable = "goose_db_version"
	queueTable   = "river_migration"
)

// migrate brings the schema up to date. It asks for the right to only when there
// is something to do, so that a reader can open a database that is being worked.
func (s *Store) migrate(ctx context.Context) (err error) {
	due, err := s.migrationsDue(ctx)
	if err != nil || !due {
		return err
	}
	release, err := s.engine.migrating(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer func() { err = errors.Join(err, release()) }()
	return s.migrateAlone(ctx)
}

// migrationsDue reports whether the schema is older than this program's, and
// errs when it is newer and not for this program.
func (s *Store) migrationsDue(ctx context.Context) (bool, error) {
	ours, err := s.ourMigrations()
	if err != nil {
		return false, err
	}
	// Asked first because goose creates its table only to answer the question
	// of the version, which two processes must not do at once.
	tables, err := s.engine.tables(ctx, versionTable, queueTable)
	if err != nil {
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
		if err := s.compatible(ctx); err != nil {
			return false, err
		}
		s.log.Warn("the schema is of a newer ortest, which lets this one work beside it", "schema", have, "known", know)
	}
	queue, err := s.queueMigrations()
	if err != nil {
		return false, err
	}
	done, err := queue.ExistingVersions(ctx)
	if err != nil {
		return false, fmt.Errorf("its job queue is newer than this ortest knows: use the newer ortest that wrote it, or another database: %w", err)
	}
	return have < know || len(done) < len(queue.AllVersions()), nil
}

// compatible errs when the schema has become one that this program must not write.
func (s *Store) compatible(ctx context.Context) error {
	ours, err := s.ourMigrations()
	if err != nil {
		return err
	}
	all := ours.ListSources()
	know := all[len(all)-1].Version
	var since int64
	if err := s.read.QueryRowContext(ctx, `SELECT since FROM compatible`).Scan(&since); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if since > know {
		return fmt.Errorf("its schema version is for an ortest that knows %d, and this one knows %d: use the newer ortest that wrote it, or another database: %w", since, know, errNewer)
	}
	return nil
}

// errNewer says that this program is too old for the database.
var errNewer = errors.New("the database is newer than this program")

func (s *Store) migrateAlone(ctx context.Context) error {
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
	dialect := s.engine.dialect()
	files, err := fs.Sub(migrations, "migrations/"+string(dialect))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	p, err := goose.NewProvider(dialect, s.db, files, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

func (s *Store) queueMigrations() (*rivermigrate.Migrator[*sql.Tx], error) {
	m, err := rivermigrate.New(s.engine.driver(), &rivermigrate.Config{Logger: quiet(s.log)})
	if err != nil {
		return nil, fmt.Errorf("read job queue migrations: %w", err)
	}
	return m, nil
}
