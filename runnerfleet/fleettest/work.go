package fleettest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/queue"
)

// Work is a bot in memory: buckets with pieces, which are handed out in order.
type Work struct {
	Faults *Faults
	// Make turns a piece into what an instance is to run; nil names a repository,
	// a workflow run and a runner that all are made up.
	Make func(piece string) runnerfleet.Assignment
	// Takes is how long a piece is thought to take; nil: no instance helps another
	// bucket of its run.
	Takes func(piece string) time.Duration
	// Serial says which pieces run alone on their machine; nil: none.
	Serial func(piece string) bool

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
	Holder   string // the instance that has it, "" while it waits
	Lane     int    // of the holder
	Since    time.Time
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
		switch {
		case b.open():
			want = append(want, b.Bucket)
		case w.Takes != nil && w.next(b, queue.Seat{}) != nil:
			spare := b.Bucket
			spare.Spare = true
			want = append(want, spare)
		}
	}
	return want, nil
}

// next returns the piece that a lane of the bucket's instance takes; nil when there
// is none.
func (w *Work) next(at *bucket, seat queue.Seat) *Piece {
	p, _ := w.answer(at, seat)
	return p
}

func (w *Work) answer(at *bucket, seat queue.Seat) (*Piece, queue.Answer) {
	run, _, _ := strings.Cut(at.ID, "/")
	var all []queue.Piece
	var pieces []*Piece
	number := 0
	for i, b := range w.buckets {
		if b == at {
			number = i
		}
		if of, _, _ := strings.Cut(b.ID, "/"); of != run || w.Takes == nil && b != at {
			continue
		}
		for _, p := range b.pieces {
			q := queue.Piece{Bucket: i, State: queue.Ready, Goal: p.ID, Serial: w.Serial != nil && w.Serial(p.ID)}
			if w.Takes != nil {
				q.Takes = w.Takes(p.ID)
			}
			switch {
			case p.Finished:
				q.State = queue.Over
			case p.Holder != "":
				q.State, q.Seat, q.Since = queue.Held, queue.Seat{Instance: p.Holder, Lane: p.Lane}, p.Since
			}
			all, pieces = append(all, q), append(pieces, p)
		}
	}
	i, answer := queue.Next(all, seat, queue.Bucket{Number: number, Lanes: at.Lanes}, time.Now())
	if answer != queue.Take {
		return nil, answer
	}
	return pieces[i], answer
}

// move puts a piece into a bucket.
func (w *Work) move(p *Piece, to *bucket) {
	for _, b := range w.buckets {
		if b != to {
			b.pieces = slices.DeleteFunc(b.pieces, func(o *Piece) bool { return o == p })
		}
	}
	if !slices.Contains(to.pieces, p) {
		to.pieces = append(to.pieces, p)
	}
}

func (b *bucket) open() bool {
	for _, p := range b.pieces {
		if !p.Finished {
			return true
		}
	}
	return false
}

// Next hands out the lane's piece, or the next one.
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
		p, answer := w.answer(b, queue.Seat{Instance: in.ID, Lane: in.Asking})
		switch {
		case answer == queue.Wait:
			return runnerfleet.Assignment{}, runnerfleet.ErrWait
		case p == nil:
			return runnerfleet.Assignment{}, runnerfleet.ErrNoMore
		case p.Holder == "":
			p.Holder, p.Lane, p.Since, p.Metas, p.Log = in.ID, in.Asking, time.Now(), nil, ""
			p.Tries = append(p.Tries, in.ID)
			w.move(p, b)
		}
		return w.assignment(p.ID), w.Faults.at("work.Next", true)
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
