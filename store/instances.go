package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/ortest/ortest/runnerfleet"
)

// instanceColumns are in the order of getInstance and instanceValues.
const instanceColumns = `id, bucket, attempt, arch, type, url, cloud_id, state, reason, owed, secret, enrol,
	intended_at, launched_at, enrolled_at, seen_at, ended_at, deadline, on_demand, params, tries, retry_at, lanes, taken`

// Instances returns those that are not gone, those owed, and those gone whose
// run is not closed, by the time they were intended.
func (s *Store) Instances(ctx context.Context) ([]runnerfleet.Instance, error) {
	const query = `SELECT ` + instanceColumns + ` FROM instances
		WHERE state <> 'gone' OR owed = 1 OR run IN (SELECT id FROM runs WHERE state <> 'closed')
		ORDER BY intended_at, id`
	all, err := collect(ctx, s.read, getInstance, query)
	if err != nil {
		return nil, fmt.Errorf("read instances: %w", err)
	}
	return all, nil
}

// Instance returns an instance, or runnerfleet.ErrNotFound.
func (s *Store) Instance(ctx context.Context, id string) (runnerfleet.Instance, error) {
	in, err := oneInstance(s.read.QueryRowContext(ctx, `SELECT `+instanceColumns+` FROM instances WHERE id = $1`, id))
	if err != nil {
		return runnerfleet.Instance{}, fmt.Errorf("read instance %s: %w", id, err)
	}
	return in, nil
}

// AddInstance stores an instance; runnerfleet.ErrExists when the ID is taken.
func (s *Store) AddInstance(ctx context.Context, in runnerfleet.Instance) error {
	const insert = `INSERT INTO instances (` + instanceColumns + `, run)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25) ON CONFLICT (id) DO NOTHING`
	ok, err := s.execute(ctx, insert, append(instanceValues(in), runOf(in.Bucket))...)
	if err == nil && !ok {
		err = runnerfleet.ErrExists
	}
	if err != nil {
		return fmt.Errorf("add instance %s: %w", in.ID, err)
	}
	return nil
}

// UpdateInstance reads, changes and writes an instance in one transaction. A
// new state also stores the job that drives its run: a run closes only when
// its instances are gone. change must call nothing of the Store; it returns
// false to leave the instance as it is. ID and bucket cannot change.
func (s *Store) UpdateInstance(ctx context.Context, id string, change func(*runnerfleet.Instance) bool) (runnerfleet.Instance, error) {
	var result runnerfleet.Instance
	err := s.write(ctx, func(tx *sql.Tx) error {
		if err := s.engine.hold(ctx, tx, `SELECT 1 FROM instances WHERE id = $1`, id); err != nil {
			return err
		}
		old, err := oneInstance(tx.QueryRowContext(ctx, `SELECT `+instanceColumns+` FROM instances WHERE id = $1`, id))
		if err != nil {
			return err
		}
		in := old
		result = old
		if !change(&in) {
			return nil
		}
		in.ID, in.Bucket = old.ID, old.Bucket
		result = in
		const update = `UPDATE instances SET bucket = $2, attempt = $3, arch = $4, type = $5, url = $6,
			cloud_id = $7, state = $8, reason = $9, owed = $10, secret = $11, enrol = $12,
			intended_at = $13, launched_at = $14, enrolled_at = $15, seen_at = $16, ended_at = $17, deadline = $18,
			on_demand = $19, params = $20, tries = $21, retry_at = $22, lanes = $23, taken = $24 WHERE id = $1`
		if _, err := tx.ExecContext(ctx, update, instanceValues(in)...); err != nil {
			return err
		}
		if run := runOf(in.Bucket); run.Valid && in.State != old.State {
			return s.pushDrive(ctx, tx, run.Int64)
		}
		return nil
	})
	if err != nil {
		return runnerfleet.Instance{}, fmt.Errorf("update instance %s: %w", id, err)
	}
	return result, nil
}

func oneInstance(row *sql.Row) (runnerfleet.Instance, error) {
	in, err := getInstance(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return runnerfleet.Instance{}, runnerfleet.ErrNotFound
	}
	return in, err
}

func getInstance(scan func(...any) error) (in runnerfleet.Instance, err error) {
	var intended, launched, enrolled, seen, ended, deadline, retry, taken int64
	err = scan(&in.ID, &in.Bucket, &in.Attempt, &in.Arch, &in.Type, &in.URL,
		&in.CloudID, &in.State, &in.Reason, &in.Owed, &in.Secret, &in.Enrol,
		&intended, &launched, &enrolled, &seen, &ended, &deadline,
		&in.OnDemand, &in.Params, &in.Tries, &retry, &in.Lanes, &taken)
	if err != nil {
		return runnerfleet.Instance{}, err
	}
	in.IntendedAt, in.LaunchedAt, in.EnrolledAt = fromMicros(intended), fromMicros(launched), fromMicros(enrolled)
	in.SeenAt, in.EndedAt, in.Deadline = fromMicros(seen), fromMicros(ended), fromMicros(deadline)
	in.RetryAt, in.Taken = fromMicros(retry), uint64(taken) // one bit for each lane
	return in, nil
}

func instanceValues(in runnerfleet.Instance) []any {
	return []any{in.ID, in.Bucket, in.Attempt, in.Arch, in.Type, in.URL, in.CloudID, string(in.State), plain(in.Reason), bit(in.Owed), in.Secret, in.Enrol,
		micros(in.IntendedAt), micros(in.LaunchedAt), micros(in.EnrolledAt), micros(in.SeenAt), micros(in.EndedAt), micros(in.Deadline),
		bit(in.OnDemand), in.Params, in.Tries, micros(in.RetryAt), in.Lanes, int64(in.Taken)}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// runOf reads the run from a bucket's ID, such as "r1/b2" or "1/b2".
func runOf(bucket string) sql.NullInt64 {
	run, _, ok := strings.Cut(bucket, "/")
	n := number(strings.TrimPrefix(run, "r"))
	return sql.NullInt64{Int64: n, Valid: ok && n > 0}
}
