package fleettest

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/ortest/ortest/runnerfleet"
)

// Store is a store in memory.
type Store struct {
	Faults *Faults

	mu   sync.Mutex
	rows map[string]runnerfleet.Instance
}

// Instances returns every instance ever added.
func (s *Store) Instances(context.Context) ([]runnerfleet.Instance, error) {
	if err := s.Faults.at("store.Instances", false); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []runnerfleet.Instance
	for _, in := range s.rows {
		all = append(all, clone(in))
	}
	slices.SortFunc(all, func(a, b runnerfleet.Instance) int {
		return cmp.Or(a.IntendedAt.Compare(b.IntendedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// Instance returns one.
func (s *Store) Instance(_ context.Context, id string) (runnerfleet.Instance, error) {
	if err := s.Faults.at("store.Instance", false); err != nil {
		return runnerfleet.Instance{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	in, ok := s.rows[id]
	if !ok {
		return in, runnerfleet.ErrNotFound
	}
	return clone(in), nil
}

// AddInstance stores a new one.
func (s *Store) AddInstance(_ context.Context, in runnerfleet.Instance) error {
	if err := s.Faults.at("store.AddInstance", false); err != nil {
		return err
	}
	s.mu.Lock()
	if _, ok := s.rows[in.ID]; ok {
		s.mu.Unlock()
		return runnerfleet.ErrExists
	}
	if s.rows == nil {
		s.rows = make(map[string]runnerfleet.Instance)
	}
	s.rows[in.ID] = clone(in)
	s.mu.Unlock()
	return s.Faults.at("store.AddInstance", true)
}

// UpdateInstance changes one.
func (s *Store) UpdateInstance(ctx context.Context, id string, change func(*runnerfleet.Instance) bool) (runnerfleet.Instance, error) {
	if err := cmp.Or(s.Faults.at("store.UpdateInstance", false), ctx.Err()); err != nil {
		return runnerfleet.Instance{}, err
	}
	s.mu.Lock()
	old, ok := s.rows[id]
	if !ok {
		s.mu.Unlock()
		return old, runnerfleet.ErrNotFound
	}
	in := clone(old)
	if !change(&in) {
		in = clone(old)
	}
	s.rows[id] = clone(in)
	s.mu.Unlock()
	return in, s.Faults.at("store.UpdateInstance", true)
}

func clone(in runnerfleet.Instance) runnerfleet.Instance {
	in.Secret, in.Enrol = bytes.Clone(in.Secret), bytes.Clone(in.Enrol)
	return in
}
