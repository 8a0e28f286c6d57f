package store

import (
	"database/sql"
	"errors"
	"sync"
	"testing"
)

// TestWritesThatShareACommit lets many come at once: each gets its own outcome,
// and what one that failed did is undone alone.
func TestWritesThatShareACommit(t *testing.T) {
	s, ctx := onSQLite.fresh(t), t.Context()
	odd := errors.New("odd")
	const n = 300
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			err := s.write(ctx, func(tx *sql.Tx) error {
				if _, err := tx.ExecContext(ctx, `INSERT INTO marks (name, at) VALUES ($1, $2)`, string(rune('a'+i%26))+string(rune('0'+i/26)), i); err != nil {
					return err
				}
				if i%2 == 1 {
					return odd
				}
				return nil
			})
			if errors.Is(err, odd) != (i%2 == 1) {
				t.Errorf("write %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	var left, sum int
	if err := s.read.QueryRowContext(ctx, `SELECT count(*), sum(at % 2) FROM marks`).Scan(&left, &sum); err != nil || left != n/2 || sum != 0 {
		t.Errorf("%d rows, %d of them odd, %v; want %d and 0", left, sum, err, n/2)
	}
}
