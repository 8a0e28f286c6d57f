package plan

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bytesInput reads a request from bytes: a header, then a goal after another,
// each with its files. What the bytes do not say is 0.
func bytesInput(b []byte) Input {
	next := func(n int) int {
		if len(b) == 0 {
			return 0
		}
		x := int(b[0])
		b = b[1:]
		return x % n
	}
	in := request(time.Duration(1+next(30))*minute, []string{"auto", "never"}[next(2)])
	in.Lanes, in.Cores, in.Boot = next(5), 1+next(4), time.Duration(next(4))*30*time.Second
	in.Options = Options{Arch: "linux x86_64", Force: next(2) == 1, NoSystemTap: next(2) == 1, Nginx: []string{"", "1.29.2"}[next(2)]}
	for len(b) > 0 && len(in.Work) < 40 {
		w := Work{Goal: Goal{"t", fmt.Sprintf("g%d", len(in.Work))}, Build: time.Duration(next(8)) * 10 * time.Second, CPUShare: float64(next(24)) / 8}
		for i := range 1 + next(6) {
			d := time.Duration(next(256)) * 3 * time.Second
			w.Files = append(w.Files, File{Path: fmt.Sprintf("t/%02d.t", i), Median: d, P90: d + time.Duration(next(32))*time.Second, Serial: next(8) == 7})
		}
		in.Work = append(in.Work, w)
	}
	return in
}

// FuzzPack holds what must be true of every plan: each file once, no bucket over
// the limit, the options carried, the same plan again, and no more machines with
// more time.
func FuzzPack(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("a request of a few goals that share a machine"))
	f.Add([]byte{9, 0, 1, 1, 1, 1, 1, 0, 0, 4, 2, 200, 3, 0, 190, 3, 0, 100, 3, 7, 0, 4, 1, 100, 0, 0, 99, 0, 0, 1, 9, 5, 50, 0, 0, 40, 0, 0, 30, 0, 0})
	f.Add([]byte{20, 1, 3, 1, 2, 0, 0, 1, 7, 20, 3, 255, 31, 0, 255, 31, 0, 10, 0, 7, 3, 3, 3, 80, 80, 80})
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytesInput(b)
		in.Nodes = 200_000 // enough for a proof mostly, and a plan must be right without one
		p, err := Pack(in)
		var usage *UsageError
		if errors.As(err, &usage) {
			return
		}
		if err == nil {
			err = checkPlan(in, p)
		}
		if err != nil {
			t.Fatalf("%v\n%+v\n%+v", err, in, p)
		}
		if p.Options != in.Options {
			t.Fatalf("options %+v became %+v", in.Options, p.Options)
		}
		if again, err := Pack(in); err != nil || !cmp.Equal(again, p) {
			t.Fatalf("the same input gave another plan: %v\n%s", err, cmp.Diff(p, again))
		}
		more := in
		for _, add := range []time.Duration{minute, 7 * minute} {
			more.Limit = in.Limit + add
			if q, err := Pack(more); err != nil || len(q.Buckets) > len(p.Buckets) {
				t.Fatalf("%d machines at %s, %d at %s, %v\n%+v", len(p.Buckets), in.Limit, len(q.Buckets), more.Limit, err, in)
			}
		}
	})
}
