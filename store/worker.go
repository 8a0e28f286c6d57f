package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"
)

// How jobs that cannot be worked now are put off.
const (
	busyWait   = 500 * time.Millisecond // another process has the turn
	sideBySide = 32                     // deliveries of one job at once
)

// soleJob is a job of which one at a time is worked for each key.
type soleJob interface {
	driveJob | answersJob
	river.JobArgs
	key() string
	attr() slog.Attr
}

// soleWorker works one kind of job, in turns.
type soleWorker[J soleJob] struct {
	river.WorkerDefaults[J]
	store *Store
	turns *turns
	do    func(ctx context.Context, j J) error
}

// Work returns no error but a snooze: the queue would count failures, and give
// up a job that has too many.
func (w *soleWorker[J]) Work(ctx context.Context, j *river.Job[J]) error {
	key := j.Args.key()
	if !w.turns.begin(key, j.ID, time.Now()) {
		return nil
	}
	owned, release, err := w.store.engine.own(ctx, key)
	if errors.Is(err, errBusy) {
		w.turns.end(key, j.ID, time.Now(), false)
		return river.JobSnooze(busyWait) // this also stands for those that came meanwhile
	}
	if err == nil {
		err = guarded(func() error { return w.do(owned, j.Args) })
		release()
	}
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

// deliveryWorker works deliveries. That two processes work the same one costs
// only time: what it leads to is stored once.
type deliveryWorker struct {
	river.WorkerDefaults[deliveryJob]
	store *Store
	turns *turns
	do    func(ctx context.Context, guid string) error
}

// Work works those of its deliveries that are not processed, and comes back
// for those that did not work.
func (w *deliveryWorker) Work(ctx context.Context, j *river.Job[deliveryJob]) error {
	waits := make([]time.Duration, len(j.Args.GUIDs))
	var g errgroup.Group
	g.SetLimit(sideBySide)
	for i, guid := range j.Args.GUIDs {
		g.Go(func() error {
			waits[i] = w.one(ctx, guid, j.ID)
			return nil
		})
	}
	_ = g.Wait() // they return none
	soonest := time.Duration(0)
	for _, wait := range waits {
		if wait > 0 && (soonest == 0 || wait < soonest) {
			soonest = wait
		}
	}
	if soonest > 0 {
		return river.JobSnooze(soonest)
	}
	return nil
}

// one works a delivery and returns how long to wait before it is tried again; 0 is never.
func (w *deliveryWorker) one(ctx context.Context, guid string, job int64) time.Duration {
	key := "delivery " + guid
	if !w.turns.begin(key, job, time.Now()) {
		return 0
	}
	err := w.try(ctx, guid)
	wait, repeat := w.turns.end(key, job, time.Now(), err != nil)
	if err != nil {
		w.store.log.Warn("delivery did not work and will be tried again", "delivery", guid, "wait", wait, "err", err)
	}
	if !repeat {
		return 0
	}
	return max(wait, time.Millisecond)
}

// try works a delivery, if it is not processed yet.
func (w *deliveryWorker) try(ctx context.Context, guid string) error {
	return guarded(func() error {
		var open bool
		err := w.store.read.QueryRowContext(ctx, `SELECT outcome = '' FROM deliveries WHERE guid = $1`, guid).Scan(&open)
		if err != nil || !open {
			return err
		}
		return w.do(ctx, guid)
	})
}

// guarded makes an error of a panic, so that the turn ends.
func guarded(do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return do()
}
