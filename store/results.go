package store

import (
	"context"
	"encoding/json"
	"fmt"
)

// PutResult keeps what a goal of a run came to. What is kept stays: a verdict
// does not change because it is looked at again.
func (s *Store) PutResult(ctx context.Context, run, goal string, result json.RawMessage) error {
	const insert = `INSERT INTO results (run, goal, document) VALUES ($1, $2, $3) ON CONFLICT (run, goal) DO NOTHING`
	if _, err := s.execute(ctx, insert, number(run), goal, string(result)); err != nil {
		return fmt.Errorf("keep result of %s, run %s: %w", goal, run, err)
	}
	return nil
}

// Results returns those of a run by goal.
func (s *Store) Results(ctx context.Context, run string) (map[string]json.RawMessage, error) {
	type row struct {
		goal string
		doc  []byte
	}
	all, err := collect(ctx, s.read, func(scan func(...any) error) (r row, err error) {
		err = scan(&r.goal, &r.doc)
		return r, err
	}, `SELECT goal, document FROM results WHERE run = $1`, number(run))
	if err != nil {
		return nil, fmt.Errorf("read results of run %s: %w", run, err)
	}
	results := make(map[string]json.RawMessage, len(all))
	for _, r := range all {
		results[r.goal] = r.doc
	}
	return results, nil
}
