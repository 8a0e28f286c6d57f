package store

import (
	"context"
	"fmt"
)

// Stats returns how many there are of what, by metric and label value. What is
// counted without a label has the value "".
func (s *Store) Stats(ctx context.Context) (map[string]map[string]float64, error) {
	type row struct {
		value string
		n     float64
	}
	stats := make(map[string]map[string]float64)
	for metric, query := range map[string]string{
		"ortest_runs":            `SELECT state, count(*) FROM runs GROUP BY state`,
		"ortest_instances":       `SELECT state, count(*) FROM instances WHERE state <> 'gone' GROUP BY state`,
		"ortest_deliveries_open": `SELECT '', count(*) FROM deliveries WHERE outcome = ''`,
		"ortest_answers_owed":    `SELECT '', count(*) FROM answers WHERE owed = 1`,
		"ortest_jobs":            `SELECT state, count(*) FROM river_job WHERE finalized_at IS NULL GROUP BY state`,

		"ortest_last_delivery_timestamp_seconds": `SELECT '', COALESCE(max(received_at), 0) / 1000000.0 FROM deliveries`,
		"ortest_last_sweep_timestamp_seconds":    `SELECT '', COALESCE(min(at), 0) / 1000000.0 FROM marks WHERE name LIKE 'sweep %'`,
	} {
		rows, err := collect(ctx, s.read, func(scan func(...any) error) (r row, err error) {
			err = scan(&r.value, &r.n)
			return r, err
		}, query)
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", metric, err)
		}
		stats[metric] = make(map[string]float64, len(rows))
		for _, r := range rows {
			stats[metric][r.value] = r.n
		}
	}
	return stats, nil
}
