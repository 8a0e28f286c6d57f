package store

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/ortest/ortest/bot"
)

// RunIDs returns the IDs of the runs before one, the newest first, at most
// limit; before "" they are the newest of all.
func (s *Store) RunIDs(ctx context.Context, before string, limit int) ([]string, error) {
	ids, err := collect(ctx, s.read, func(scan func(...any) error) (string, error) {
		var id int64
		err := scan(&id)
		return strconv.FormatInt(id, 10), err
	}, `SELECT id FROM runs WHERE id < $1 ORDER BY id DESC LIMIT $2`, bound(before), max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	return ids, nil
}

// bound is what a page ends before: a run's ID, or everything for "".
func bound(before string) int64 {
	if before == "" {
		return math.MaxInt64
	}
	return number(before)
}

// Goals hands over each goal that has a result: how many, and the newest with its run.
func (s *Store) Goals(ctx context.Context, each func(goal, run string, n int, result json.RawMessage) error) error {
	const query = `SELECT g.goal, g.run, g.n, r.document FROM (SELECT goal, max(run) AS run, count(*) AS n FROM results GROUP BY goal) g
		JOIN results r ON r.run = g.run AND r.goal = g.goal ORDER BY g.goal`
	_, err := collect(ctx, s.read, func(scan func(...any) error) (struct{}, error) {
		var goal string
		var run int64
		var n int
		var doc []byte
		if err := scan(&goal, &run, &n, &doc); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, each(goal, strconv.FormatInt(run, 10), n, doc)
	}, query)
	if err != nil {
		return fmt.Errorf("list goals: %w", err)
	}
	return nil
}

// GoalResults hands over a goal's results of the runs before one, as RunIDs
// has them, each with when its run was asked for.
func (s *Store) GoalResults(ctx context.Context, goal, before string, limit int, each func(run string, at time.Time, result json.RawMessage) error) error {
	const query = `SELECT o.run, r.created_at, o.document FROM results o JOIN runs r ON r.id = o.run
		WHERE o.goal = $1 AND o.run < $2 ORDER BY o.run DESC LIMIT $3`
	_, err := collect(ctx, s.read, func(scan func(...any) error) (struct{}, error) {
		var run, at int64
		var doc []byte
		if err := scan(&run, &at, &doc); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, each(strconv.FormatInt(run, 10), fromMicros(at), doc)
	}, query, goal, bound(before), max(limit, 0))
	if err != nil {
		return fmt.Errorf("read results of %s: %w", goal, err)
	}
	return nil
}

// AuditBefore returns the lines before an id, the newest first, at most limit;
// before 0 they are the newest of all.
func (s *Store) AuditBefore(ctx context.Context, before int64, limit int) ([]bot.Audit, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	all, err := collect(ctx, s.read, auditLine, `SELECT `+auditColumns+` FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2`, before, max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	return all, nil
}
