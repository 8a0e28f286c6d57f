package fleettest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/ortest/ortest/runnerfleet"
)

// Work is a bot in memory: buckets with pieces, which are handed out in order.
type Work struct {
	Faults *Faults
	// Make turns a piece into what an instance is to run; nil names a repository,
	// a workflow run and a runner that all are made up.
	Make func(piece string) runnerfleet.Assignment

	mu      sync.Mutex
	buckets []*bucket
	lost    map[string]int
}

type bucket struct {
	runnerfleet.Bucket
	pieces []*Piece
}

// Piece is what became of a piece.
type Piece struct {
	ID       string
	Holder   string   // the instance that has it, "" while it waits
	Tries    []string // every instance that was ever given it
	Finished bool
	Exit     int
	Reason   string
	Metas    []string // of the last holder's entries
	Log      string
}

// Add wants a bucket served.
func (w *Work) Add(b runnerfleet.Bucket, pieces ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b.Attempt == 0 {
		b.Attempt = 1
	}
	bk := &bucket{Bucket: b}
	for _, id := range pieces {
		bk.pieces = append(bk.pieces, &Piece{ID: id})
	}
	w.buckets = append(w.buckets, bk)
}

// Cancel wants nothing any more.
func (w *Work) Cancel() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.buckets {
		for _, p := range b.pieces {
			p.Finished = true
		}
	}
}

// Piece returns what became of a piece.
func (w *Work) Piece(id string) Piece {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.buckets {
		for _, p := range b.pieces {
			if p.ID == id {
				return *p
			}
		}
	}
	return Piece{}
}

// Lose returns how often an instance was said to be lost.
func (w *Work) Lose(instance string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost[instance]
}

// Buckets returns those with an unfinished piece.
func (w *Work) Buckets(context.Context) ([]runnerfleet.Bucket, error) {
	if err := w.Faults.at("work.Buckets", false); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var want []runnerfleet.Bucket
	for _, b := range w.buckets {
		if b.open() {
			want = append(want, b.Bucket)
		}
	}
	return want, nil
}

func (b *bucket) open() bool {
	for _, p := range b.pieces {
		if !p.Finished {
			return true
		}
	}
	return false
}

// Next hands out the instance's piece, or the bucket's next one.
func (w *Work) Next(_ context.Context, in runnerfleet.Instance) (runnerfleet.Assignment, error) {
	if err := w.Faults.at("work.Next", false); err != nil {
		return runnerfleet.Assignment{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.buckets {
		if b.ID != in.Bucket || b.Attempt != in.Attempt {
			continue
		}
		for _, p := range b.pieces {
			if p.Finished || p.Holder != "" && p.Holder != in.ID {
				continue
			}
			if p.Holder == "" {
				p.Holder, p.Metas, p.Log = in.ID, nil, ""
				p.Tries = append(p.Tries, in.ID)
			}
			return w.assignment(p.ID), w.Faults.at("work.Next", true)
		}
	}
	return runnerfleet.Assignment{}, runnerfleet.ErrNoMore
}

func (w *Work) assignment(piece string) runnerfleet.Assignment {
	if w.Make != nil {
		return w.Make(piece)
	}
	return runnerfleet.Assignment{
		Piece: piece, Goal: "t-hello", JIT: "jit-" + piece, Repository: "ortest-examples/hello", RunID: 7,
		Deadline: time.Now().Add(time.Hour),
	}
}

// Entry stores an entry under its "seq".
func (w *Work) Entry(_ context.Context, in runnerfleet.Instance, piece string, meta json.RawMessage, log []byte) error {
	if err := w.Faults.at("work.Entry", false); err != nil {
		return err
	}
	var e struct {
		Seq *int `json:"seq"`
	}
	if err := json.Unmarshal(meta, &e); err != nil || e.Seq == nil {
		return fmt.Errorf("no seq: %w", runnerfleet.ErrInvalid)
	}
	w.mu.Lock()
	p := w.held(in, piece)
	if p == nil {
		w.mu.Unlock()
		return runnerfleet.ErrStale
	}
	if *e.Seq == len(p.Metas) {
		p.Metas, p.Log = append(p.Metas, string(meta)), p.Log+string(log)
	}
	w.mu.Unlock()
	return w.Faults.at("work.Entry", true)
}

// Finished stores the end of a piece.
func (w *Work) Finished(_ context.Context, in runnerfleet.Instance, piece string, exit int, reason string) error {
	if err := w.Faults.at("work.Finished", false); err != nil {
		return err
	}
	w.mu.Lock()
	p := w.held(in, piece)
	if p == nil {
		w.mu.Unlock()
		return runnerfleet.ErrStale
	}
	p.Finished, p.Exit, p.Reason = true, exit, reason
	w.mu.Unlock()
	return w.Faults.at("work.Finished", true)
}

// Holds says whether the instance has an unfinished piece.
func (w *Work) Holds(_ context.Context, in runnerfleet.Instance, piece string) error {
	if err := w.Faults.at("work.Holds", false); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held(in, piece) == nil {
		return runnerfleet.ErrStale
	}
	return nil
}

// held returns an unfinished piece of the instance.
func (w *Work) held(in runnerfleet.Instance, piece string) *Piece {
	for _, b := range w.buckets {
		for _, p := range b.pieces {
			if p.ID == piece && p.Holder == in.ID && !p.Finished {
				return p
			}
		}
	}
	return nil
}

// Lost gives the instance's piece back and wants its bucket's next attempt.
func (w *Work) Lost(_ context.Context, in runnerfleet.Instance) error {
	if err := w.Faults.at("work.Lost", false); err != nil {
		return err
	}
	w.mu.Lock()
	if w.lost == nil {
		w.lost = make(map[string]int)
	}
	w.lost[in.ID]++
	for _, b := range w.buckets {
		for _, p := range b.pieces {
			if p.Holder == in.ID && !p.Finished {
				p.Holder = ""
			}
		}
		if b.ID == in.Bucket && b.Attempt == in.Attempt {
			b.Attempt++
		}
	}
	w.mu.Unlock()
	return w.Faults.at("work.Lost", true)
}
