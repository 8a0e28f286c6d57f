package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

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
	// Delivery processes a delivery, and finishes it. It may find that this was done.
	Delivery func(ctx context.Context, guid string) error
	// Drive takes a run as far as it gets now. It is called after each change
	// of the run, its entries or its instances' states, and at least every few
	// seconds while it is not closed, but never twice at once for one run.
	Drive func(ctx context.Context, run string) error
	// Answers posts what is in UnpostedAnswers; never twice at once.
	Answers func(ctx context.Context) error
	// Alone is what one process at a time does: it is called in the one that leads,
	// and its context ends when another may. It returns when that has happened; an
	// error before ends Work. May be nil.
	Alone func(ctx context.Context) error
	// Woken is called in the process that leads when Wake was called in any. May be nil.
	Woken func()
	// Begun is called once, when deliveries are worked as soon as they are added. May be nil.
	Begun func()
}

// Work works the jobs until ctx ends. What is being worked then gets ten
// seconds to finish. Only one process may work a SQLite file: Work waits ten
// seconds for another to leave, and then it is an error. On PostgreSQL any number
// of replicas work together.
func (s *Store) Work(ctx context.Context, h Handlers) (err error) {
	if h.Delivery == nil || h.Drive == nil || h.Answers == nil {
		return errors.New("work jobs: a handler is missing")
	}
	release, err := s.engine.work(ctx)
	if ctx.Err() != nil && err != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("work jobs of %s: %w", s.name, err)
	}
	defer func() { err = errors.Join(err, release()) }()
	if h.Woken != nil {
		s.engine.woken(h.Woken)
	}
	t := &turns{keys: make(map[string]*turn)}
	deliveries := &deliveryWorker{store: s, turns: t, do: h.Delivery}
	client, err := s.worker(h, t, deliveries)
	if err != nil {
		return fmt.Errorf("work jobs: %w", err)
	}
	// Not ctx itself: its end would cancel what is being worked.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("work jobs: %w", err)
	}
	g, working := errgroup.WithContext(ctx)
	s.works.Store(true)
	g.Go(func() error { deliveries.near(working); return nil })
	if h.Begun != nil {
		h.Begun()
	}
	g.Go(func() error {
		err := s.engine.lead(working, func(ctx context.Context) error { return s.alone(ctx, h) })
		return errors.Join(err, stop(context.WithoutCancel(ctx), client))
	})
	return g.Wait()
}

// alone does what one process at a time does, until ctx ends.
func (s *Store) alone(ctx context.Context, h Handlers) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.lookUntil(ctx) })
	if h.Alone != nil {
		g.Go(func() error { return h.Alone(ctx) })
	}
	return g.Wait()
}

func stop(ctx context.Context, client worker) error {
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

func (s *Store) worker(h Handlers, t *turns, deliveries *deliveryWorker) (worker, error) {
	workers := river.NewWorkers()
	err := errors.Join(
		river.AddWorkerSafely(workers, deliveries),
		river.AddWorkerSafely(workers, &soleWorker[driveJob]{store: s, turns: t, do: func(ctx context.Context, j driveJob) error {
			return s.drive(ctx, j, h)
		}}),
		river.AddWorkerSafely(workers, &soleWorker[answersJob]{store: s, turns: t, do: func(ctx context.Context, _ answersJob) error {
			return h.Answers(ctx)
		}}),
	)
	if err != nil {
		return nil, err
	}
	return s.engine.worker(&river.Config{
		Logger:                      quiet(s.log),
		Workers:                     workers,
		Queues:                      map[string]river.QueueConfig{queueEvents: {MaxWorkers: 16}, queueRuns: {MaxWorkers: 16}},
		FetchCooldown:               pollEvery,
		JobTimeout:                  jobTimeout,
		RescueStuckJobsAfter:        rescueAfter,
		CompletedJobRetentionPeriod: keepCompleted,
	})
}

// drive clears the mark first: what changes from now on needs another job.
func (s *Store) drive(ctx context.Context, j driveJob, h Handlers) error {
	begin := func() (string, []any) { return `UPDATE drives SET queued = 0 WHERE run = $1`, []any{j.Run} }
	if _, err := s.statement(ctx, begin); err != nil {
		return fmt.Errorf("begin drive: %w", err)
	}
	var state string
	if err := s.read.QueryRowContext(ctx, `SELECT state FROM runs WHERE id = $1`, j.Run).Scan(&state); err != nil {
		return fmt.Errorf("begin drive: %w", err)
	}
	if bot.RunState(state) == bot.Closed {
		return nil
	}
	return h.Drive(ctx, j.id())
}

// lookUntil repairs what jobs missed, now and every few seconds until ctx ends,
// or until a newer program has made the database its own.
func (s *Store) lookUntil(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var forgot time.Time
	before := time.Now().Add(lookEvery) // at first all: their jobs may have died with a process
	for {
		if err := s.compatible(ctx); errors.Is(err, errNewer) {
			return err
		}
		if err := s.engine.there(); err != nil {
			return err
		}
		err := s.look(ctx, before)
		before = time.Now() // at the next look this long ago: younger ones have their jobs
		if err != nil && ctx.Err() == nil {
			s.log.Warn("looking for lost jobs did not work", "err", err)
		}
		if now := time.Now(); now.Sub(forgot) >= forgetEvery {
			more, err := s.forget(ctx, now)
			if err != nil && ctx.Err() == nil {
				s.log.Warn("forgetting what is over did not work", "err", err)
			}
			if !more {
				forgot = now
			}
		}
		select {
		case <-ctx.Done():
			return nil
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
		for some := range slices.Chunk(guids, mostAtOnce) {
			jobs = append(jobs, river.InsertManyParams{Args: deliveryJob{GUIDs: some}})
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
