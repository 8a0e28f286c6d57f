package bot

import (
	"testing"
	"time"

	"github.com/ortest/ortest/plan"
)

func TestLongest(t *testing.T) {
	buckets := func(p90 ...time.Duration) (p plan.Plan) {
		for _, d := range p90 {
			p.Buckets = append(p.Buckets, plan.Bucket{P90: d * time.Minute})
		}
		return p
	}
	for _, tt := range []struct {
		name string
		in   plan.Plan
		want int
	}{
		{"the only one", buckets(5), 0},
		{"the run's end waits for it", buckets(5, 30, 20), 1},
		{"the first of equals", buckets(20, 30, 30), 1},
	} {
		if got := longest(tt.in); got != tt.want {
			t.Errorf("%s: bucket %d, want %d", tt.name, got, tt.want)
		}
	}
}
