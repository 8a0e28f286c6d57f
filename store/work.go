package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"github.com/ortest/ortest/bot"
)

// How jobs are worked.
const (
	pollEvery     = 100 * time.Millisecond // SQLite notifies nobody; a comment is to be answered within a second
	jobTimeout    = 10 * time.Minute       // a handler may wait for GitHub's Retry-After
	rescueAfter   = jobTimeout + 5*time.Minute
	keepCompleted = 10 * time.Minute // of the queue's own rows; ours say what was done
	stopWithin    = 10 * time.Second // for what is being worked; then its context ends
	lookEvery     = 5 * time.Second
	forgetEvery   = time.Hour
)

// Handlers do what the jobs ask for. Each is called at least once for what it
// is asked, and must find out what is left to do. An error or a panic is
// logged and means: again, soon.
type Handlers struct {
	// Delivery processes a delivery that has no outcome, and finishes it.
	Delivery func(ctx context.Context, guid string) error
	// Drive takes a run as far as it gets now. It is called after each change
	// of the run, its entries or its instances' states, and at least every few
	// seconds while it is not closed, but never twice at once for one run.
	Drive func(ctx context.Context, run string) error
	// Answers posts what is in UnpostedAnswers; never twice at once.
	Answers func(ctx context.Context) error
}

// Work works the jobs until ctx ends. What is being worked then gets ten
// seconds to finish. Only one process may work a database: Work waits ten
// seconds for another to leave, and then it is an error.
func (s *Store) Work(ctx context.Context, h Handlers) (err error) {
	if h.Delivery == nil || h.Drive == nil || h.Answers == nil {
		return errors.New("work jobs: a handler is missing")
	}
	held, err := s.lock(ctx)
	if ctx.Err() != nil && err != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("work jobs of %s: %w", s.path, err)
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	client, err := s.worker(h)
	if err != nil {
		return fmt.Errorf("work jobs: %w", err)
	}
	// Not ctx itself: its end would cancel what is being worked.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("work jobs: %w", err)
	}
	s.lookUntil(ctx)
	return stop(context.WithoutCancel(ctx), client)
}

func stop(ctx context.Context, client *river.Client[*sql.Tx]) error {
	soft, cancel := context.WithTimeout(ctx, stopWithin)
	defer cancel()
	if client.Stop(soft) == nil {
		return nil
	}
	hard, cancel := context.WithTimeout(ctx, stopWithin)
	defer cancel()
	if err := client.StopAndCancel(hard); err != nil {
		return fmt.Errorf("stop jobs: %w", err)
	}
	return nil
}

func (s *Store) worker(h Handlers) (*river.Client[*sql.Tx], error) {
	t := &turns{keys: make(map[string]*turn)}
	workers := river.NewWorkers()
	err := errors.Join(
		river.AddWorkerSafely(workers, &worker[deliveryJob]{store: s, turns: t, do: func(ctx context.Context, j deliveryJob) error {
			return s.deliver(ctx, j.GUID, h)
		}}),
		river.AddWorkerSafely(workers, &worker[driveJob]{store: s, turns: t, do: func(ctx context.Context, j driveJob) error {
			return s.drive(ctx, j, h)
		}}),
		river.AddWorkerSafely(workers, &worker[answersJob]{store: s, turns: t, do: func(ctx context.Context, _ answersJob) error {
			return h.Answers(ctx)
		}}),
	)
	if err != nil {
		return nil, err
	}
	return river.NewClient(riversqlite.New(s.db), &river.Config{
		Logger:                      quiet(s.log),
		Workers:                     workers,
		Queues:                      map[string]river.QueueConfig{queueEvents: {MaxWorkers: 8}, queueRuns: {MaxWorkers: 16}},
		FetchCooldown:               pollEvery,
		FetchPollInterval:           pollEvery,
		JobTimeout:                  jobTimeout,
		RescueStuckJobsAfter:        rescueAfter,
		CompletedJobRetentionPeriod: keepCompleted,
	})
}

func (s *Store) deliver(ctx context.Context, guid string, h Handlers) error {
	d, err := s.Delivery(ctx, guid)
	if err != nil || d.Outcome != "" {
		return err
	}
	return h.Delivery(ctx, guid)
}

// drive clears the mark first: what changes from now on needs another job.
func (s *Store) drive(ctx context.Context, j driveJob, h Handlers) error {
	var state string
	err := s.db.QueryRowContext(ctx, `UPDATE runs SET queued = 0 WHERE id = $1 RETURNING state`, j.Run).Scan(&state)
	if err != nil {
		return fmt.Errorf("begin drive: %w", err)
	}
	if bot.RunState(state) == bot.Closed {
		return nil
	}
	return h.Drive(ctx, j.id())
}

// lookUntil repairs what jobs missed, now and every few seconds until ctx ends.
func (s *Store) lookUntil(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var forgot time.Time
	before := time.Now().Add(lookEvery) // at first all: their jobs may have died with a process
	for {
		err := s.look(ctx, before)
		before = time.Now() // at the next look this long ago: younger ones have their jobs
		if err != nil && ctx.Err() == nil {
			s.log.Warn("looking for lost jobs did not work", "err", err)
		}
		if now := time.Now(); now.Sub(forgot) >= forgetEvery {
			if err := s.forgetDeliveries(ctx, now.Add(-keepDeliveries)); err != nil && ctx.Err() == nil {
				s.log.Warn("forgetting old deliveries did not work", "err", err)
			}
			forgot = now
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look adds a job for whatever is open, of the deliveries for those received before t. The mark on a run is no reason to
// leave it out: the job behind it may have died with a process.
func (s *Store) look(ctx context.Context, t time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		guids, err := s.openDeliveries(ctx, tx, t)
		if err != nil {
			return err
		}
		var jobs []river.InsertManyParams
		for _, g := range guids {
			jobs = append(jobs, river.InsertManyParams{Args: deliveryJob{GUID: g}})
		}
		runs, err := collect(ctx, tx, integer, `SELECT id FROM runs WHERE state <> 'closed' ORDER BY id`)
		if err != nil {
			return err
		}
		for _, id := range runs {
			jobs = append(jobs, river.InsertManyParams{Args: driveJob{Run: id}})
		}
		owed, err := collect(ctx, tx, integer, `SELECT comment FROM answers WHERE owed = 1 LIMIT 1`)
		if err != nil {
			return err
		}
		if len(owed) > 0 {
			jobs = append(jobs, river.InsertManyParams{Args: answersJob{}})
		}
		if len(jobs) == 0 {
			return nil
		}
		_, err = s.jobs.InsertManyFastTx(ctx, tx, jobs)
		return err
	})
}

func integer(scan func(...any) error) (v int64, err error) {
	err = scan(&v)
	return v, err
}

// job is what the workers need of a job's arguments.
type job interface {
	deliveryJob | driveJob | answersJob
	river.JobArgs
	key() string
	attr() slog.Attr
}

// worker works one kind of job, in turns.
type worker[J job] struct {
	river.WorkerDefaults[J]
	store *Store
	turns *turns
	do    func(ctx context.Context, j J) error
}

// Work returns no error but a snooze: the queue would count failures, and give
// up a job that has too many.
func (w *worker[J]) Work(ctx context.Context, j *river.Job[J]) error {
	key := j.Args.key()
	if !w.turns.begin(key, j.ID, time.Now()) {
		return nil
	}
	err := w.guarded(ctx, j.Args)
	wait, repeat := w.turns.end(key, j.ID, time.Now(), err != nil)
	if err != nil {
		w.store.log.Warn("job did not work and will be tried again",
			slog.String("kind", j.Kind), j.Args.attr(), slog.Duration("wait", wait), slog.Any("err", err))
	}
	if repeat {
		return river.JobSnooze(wait)
	}
	return nil
}

// guarded makes an error of a panic, so that the turn ends.
func (w *worker[J]) guarded(ctx context.Context, args J) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return w.do(ctx, args)
}
