package store

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"github.com/ortest/ortest/bot"
)

// near works deliveries in the process that took them in, without a job for each:
// at hundreds a second the queue would cost more than all else. It returns when
// ctx has ended and what was being worked is done, or was given up as jobs are.
// What it drops, or what ends with its process, the next look makes jobs of.
func (w *deliveryWorker) near(ctx context.Context) {
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(stopWithin, cancel) })
	defer stop()
	defer w.store.works.Store(false)
	var all sync.WaitGroup
	for range sideBySide {
		all.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case d := <-w.store.near:
					w.first(working, d)
				}
			}
		})
	}
	all.Wait()
}

// hand gives deliveries to near. What it has no room for is left to the next look.
func (s *Store) hand(all []*arrival) {
	for _, a := range all {
		if !a.fresh {
			continue
		}
		select {
		case s.near <- a.Delivery:
		default:
		}
	}
}

// first works a delivery once; the queue has the patience for what did not work.
func (w *deliveryWorker) first(ctx context.Context, d bot.Delivery) {
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	const noJob = 0
	guid := d.GUID
	key := "delivery " + guid
	if !w.turns.begin(key, noJob, time.Now()) {
		return
	}
	w.store.nearby.Store(guid, d)
	err := guarded(func() error { return w.do(ctx, guid) })
	w.store.nearby.Delete(guid)
	_, again := w.turns.end(key, noJob, time.Now(), false)
	if err == nil && !again {
		return
	}
	if err != nil {
		w.store.log.Warn("delivery did not work and will be tried again", "delivery", guid, "err", err)
	}
	err = w.store.write(context.WithoutCancel(ctx), func(tx *sql.Tx) error {
		return w.store.push(ctx, tx, deliveryJob{GUIDs: []string{guid}})
	})
	if err != nil { // the next look finds it
		w.store.log.Warn("delivery has no job", "delivery", guid, "err", err)
	}
}
