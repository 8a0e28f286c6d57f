package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/riverqueue/river"
)

// The queues: an answer does not wait for runs that wait for GitHub.
const (
	queueEvents = "events"
	queueRuns   = "runs"
)

// attempts is more than a job can use up: only the rescue of a job that died
// with its process counts as one, as failures are put off and not counted.
const attempts = 10_000

// deliveryJob asks to process the deliveries that were stored together.
type deliveryJob struct {
	GUIDs []string `json:"guids"`
}

func (deliveryJob) Kind() string { return "delivery" }

func (deliveryJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueEvents, MaxAttempts: attempts}
}

// driveJob asks to drive one run on.
type driveJob struct {
	Run int64 `json:"run"`
}

func (driveJob) Kind() string { return "drive" }

func (driveJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueRuns, MaxAttempts: attempts}
}

func (j driveJob) key() string { return "drive " + j.id() }

func (j driveJob) id() string { return strconv.FormatInt(j.Run, 10) }

func (j driveJob) attr() slog.Attr { return slog.String("run", j.id()) }

// answersJob asks to post the answers that are owed.
type answersJob struct{}

func (answersJob) Kind() string { return "answers" }

func (answersJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueEvents, MaxAttempts: attempts}
}

func (answersJob) key() string { return "answers" }

func (answersJob) attr() slog.Attr { return slog.Attr{} }

// push stores a job in the transaction of the change it is to act on.
func (s *Store) push(ctx context.Context, tx *sql.Tx, job river.JobArgs) error {
	if _, err := s.jobs.InsertTx(ctx, tx, job, nil); err != nil {
		return fmt.Errorf("add %s job: %w", job.Kind(), err)
	}
	return nil
}

// pushDrive stores a job for a run unless one is waiting. It comes last in its
// transaction, as those of one run wait here for each other: one that ends a wait
// before the other's rows are there would not see them.
func (s *Store) pushDrive(ctx context.Context, tx *sql.Tx, run int64) error {
	if err := s.engine.hold(ctx, tx, `SELECT 1 FROM drives WHERE run = $1`, run); err != nil {
		return err
	}
	first, err := changed(tx.ExecContext(ctx, `UPDATE drives SET queued = 1 WHERE run = $1 AND queued = 0`, run))
	if err != nil || !first {
		return err
	}
	return s.push(ctx, tx, driveJob{Run: run})
}

// quiet is the job queue's logger: what it says below an error is about itself.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(errorsOnly{log.Handler()}) }

type errorsOnly struct{ slog.Handler }

func (h errorsOnly) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelError && h.Handler.Enabled(ctx, l)
}

func (h errorsOnly) WithAttrs(a []slog.Attr) slog.Handler { return errorsOnly{h.Handler.WithAttrs(a)} }

func (h errorsOnly) WithGroup(name string) slog.Handler { return errorsOnly{h.Handler.WithGroup(name)} }
