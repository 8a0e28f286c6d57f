package days

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ortest/ortest/bot"
)

// shelf is the bot's store in memory; what a day does not need is not there.
type shelf struct {
	bot.Store
	fault func(write bool) error // asked before and after each write, and before each read

	mu         sync.Mutex
	run        bot.Run
	entries    map[string]bot.StoredEntry
	results    map[string]json.RawMessage
	deliveries map[string]bot.Delivery
}

// files are those of a piece's attempt.
func (s *shelf) files(piece string) (files []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.run.Pieces {
		if fmt.Sprintf("1/%s/%d", p.ID, p.Attempt) == piece {
			files = p.Files
		}
	}
	return files
}

// PutCatalog keeps nothing: a day has one catalog, which is at hand everywhere.
func (s *shelf) PutCatalog(context.Context, string, []byte) error { return nil }

func (s *shelf) Catalog(context.Context, string) ([]byte, error) { return nil, bot.ErrNotFound }

func (s *shelf) read(do func()) error {
	if err := s.fault(false); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	return nil
}

func (s *shelf) write(do func()) error {
	if err := s.fault(true); err != nil {
		return err
	}
	s.mu.Lock()
	do()
	s.mu.Unlock()
	return s.fault(true)
}

// clone shares nothing that anybody changes.
func clone(r bot.Run) bot.Run {
	r.Pieces, r.Dispatch, r.Checks = slices.Clone(r.Pieces), slices.Clone(r.Dispatch), slices.Clone(r.Checks)
	r.Lost, r.Trail = slices.Clone(r.Lost), slices.Clone(r.Trail)
	for i := range r.Pieces {
		r.Pieces[i].Trouble = slices.Clone(r.Pieces[i].Trouble)
	}
	return r
}

func (s *shelf) Run(_ context.Context, id string) (r bot.Run, err error) {
	err = s.read(func() { r = clone(s.run) })
	if err == nil && id != r.ID {
		return bot.Run{}, bot.ErrNotFound
	}
	return r, err
}

func (s *shelf) Piece(ctx context.Context, run, id string) (bot.Piece, error) {
	r, err := s.Run(ctx, run)
	if err == nil && r.Piece(id) == nil {
		err = bot.ErrNotFound
	}
	if err != nil {
		return bot.Piece{}, err
	}
	return *r.Piece(id), nil
}

func (s *shelf) RunOf(_ context.Context, _ bot.Repo, workflowRun int64) (run string, err error) {
	err = s.read(func() {
		if slices.ContainsFunc(s.run.Dispatch, func(d bot.Dispatch) bool { return d.WorkflowRun == workflowRun }) {
			run = s.run.ID
		}
	})
	if err == nil && run == "" {
		err = bot.ErrNotFound
	}
	return run, err
}

func (s *shelf) LiveRuns(context.Context) (all []bot.Run, err error) {
	err = s.read(func() {
		if s.run.State != bot.Closed {
			all = append(all, clone(s.run))
		}
	})
	return all, err
}

func (s *shelf) Runs(context.Context, bot.Repo, int) (all []bot.Run, err error) {
	err = s.read(func() { all = append(all, clone(s.run)) })
	return all, err
}

func (s *shelf) UpdateRun(_ context.Context, _ string, change func(*bot.Run) bool) (r bot.Run, err error) {
	err = s.write(func() {
		r = clone(s.run)
		if change(&r) {
			s.run = clone(r)
		} else {
			r = clone(s.run)
		}
	})
	return r, err
}

func (s *shelf) AddEntry(_ context.Context, _ string, e bot.StoredEntry) error {
	return s.write(func() {
		key := fmt.Sprintf("%s/%d/%d", e.Piece, e.Attempt, e.Seq)
		if _, known := s.entries[key]; !known {
			s.entries[key] = e
		}
	})
}

func (s *shelf) Entries(_ context.Context, _, piece string) (all []bot.StoredEntry, err error) {
	err = s.read(func() {
		for _, e := range s.entries {
			if piece == "" || e.Piece == piece {
				all = append(all, e)
			}
		}
	})
	slices.SortFunc(all, func(a, b bot.StoredEntry) int {
		return cmp.Or(cmp.Compare(a.Piece, b.Piece), a.Attempt-b.Attempt, a.Seq-b.Seq)
	})
	return all, err
}

func (s *shelf) Metas(ctx context.Context, run string) ([]bot.StoredEntry, error) {
	return s.Entries(ctx, run, "")
}

func (s *shelf) PutResult(_ context.Context, _, goal string, result json.RawMessage) error {
	return s.write(func() { s.results[goal] = result })
}

func (s *shelf) Results(context.Context, string) (all map[string]json.RawMessage, err error) {
	err = s.read(func() { all = maps.Clone(s.results) })
	return all, err
}

func (s *shelf) Delivery(_ context.Context, guid string) (d bot.Delivery, err error) {
	err = s.read(func() { d = s.deliveries[guid] })
	return d, err
}

func (s *shelf) FinishDelivery(_ context.Context, guid, outcome string) error {
	return s.write(func() {
		d := s.deliveries[guid]
		d.Outcome = outcome
		s.deliveries[guid] = d
	})
}

// deliver stores a webhook, whose GUID it returns.
func (s *shelf) deliver(payload []byte, now time.Time) (guid string, err error) {
	err = s.write(func() {
		guid = fmt.Sprint(len(s.deliveries))
		s.deliveries[guid] = bot.Delivery{GUID: guid, Event: "workflow_job", Payload: payload, ReceivedAt: now}
	})
	return guid, err
}
