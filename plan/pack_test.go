package plan

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const minute = time.Minute

// goal makes one goal of files that take these minutes each.
func goalOf(name string, build time.Duration, files ...float64) Work {
	w := Work{Goal: Goal{"t", name}, Build: build, CPUShare: 0.5}
	for i, m := range files {
		d := time.Duration(m * float64(minute))
		w.Files = append(w.Files, File{Path: fmt.Sprintf("t/%02d.t", i), Median: d, P90: d})
	}
	return w
}

func request(limit time.Duration, split string, work ...Work) Input {
	return Input{Options: Options{Arch: "linux x86_64"}, Limit: limit, Split: split, Lanes: 1, Cores: 2, Work: work}
}

func TestPackThresholds(t *testing.T) {
	boot := func(in Input, d time.Duration) Input { in.Boot = d; return in }
	for _, tt := range []struct {
		name     string
		in       Input
		machines int
		end      time.Duration
		warned   string
	}{
		{"nothing to do needs no machine", request(minute, "auto"), 0, 0, ""},
		{"goals that fill the limit exactly share a machine", request(10*minute, "auto", goalOf("a", 0, 4), goalOf("b", 0, 6)), 1, 10 * minute, ""},
		{"a millisecond more needs a second one", request(10*minute, "never", goalOf("a", 0, 4), goalOf("b", 0, 6.00001)), 2, 6000*minute/1000 + minute/100000, ""},
		{"boot counts once per machine", boot(request(11*minute, "auto", goalOf("a", 0, 4), goalOf("b", 0, 6)), minute), 1, 11 * minute, ""},
		{"a build counts once per goal and machine", request(12*minute, "auto", goalOf("a", minute, 2, 2), goalOf("b", minute, 6)), 1, 12 * minute, ""},
		{"a goal of exactly the limit is not over it", request(10*minute, "never", goalOf("a", 0, 10)), 1, 10 * minute, ""},
		{"a whole goal over the limit stands alone, with a warning", request(10*minute, "never", goalOf("a", 0, 6, 6), goalOf("b", 0, 1)), 2, 12 * minute, "the smallest -t that fits all is 12"},
		{"cut, it needs two machines that end early", request(10*minute, "auto", goalOf("a", 0, 6, 6), goalOf("b", 0, 1)), 2, 7 * minute, ""},
		{"a cut that saves a machine is made", request(10*minute, "auto", goalOf("a", 0, 3, 4), goalOf("b", 0, 3, 4), goalOf("c", 0, 3, 3)), 2, 10 * minute, ""},
		{"a build that a cut would repeat is counted", request(10*minute, "auto", goalOf("a", minute, 2, 4), goalOf("b", minute, 2, 4), goalOf("c", minute, 2, 2.1)), 3, 7 * minute, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Pack(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Buckets) != tt.machines || p.End().Round(time.Second) != tt.end.Round(time.Second) {
				t.Errorf("%d machines, end %s; want %d, %s\n%+v", len(p.Buckets), p.End(), tt.machines, tt.end, p.Buckets)
			}
			if w := strings.Join(p.Warnings, "\n"); !strings.Contains(w, tt.warned) || tt.warned == "" && w != "" {
				t.Errorf("warnings %q, want %q", w, tt.warned)
			}
		})
	}
}

// TestSerialFilesHaveTheMachine: the time of a file that may not share a machine
// with another lane is added alone.
func TestSerialFilesHaveTheMachine(t *testing.T) {
	for _, tt := range []struct {
		name     string
		split    string
		lanes    int
		limit    time.Duration
		machines int
		end      time.Duration
		pieces   string
	}{
		{"its time and the others' fill the limit exactly", "auto", 2, 9 * minute, 1, 9 * minute, "t-b t-a[1/2] t-a[2/2]!"},
		{"a minute less needs another machine", "auto", 2, 8 * minute, 2, 5 * minute, "t-b t-a[1/2] t-a[2/2]!"},
		{"on one lane it is a file like others", "auto", 1, 12 * minute, 1, 12 * minute, "t-a t-b"},
		{"a goal that is not cut waits as a whole", "never", 2, 12 * minute, 1, 12 * minute, "t-b t-a!"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := request(tt.limit, tt.split, goalOf("a", 0, 3, 4), goalOf("b", 0, 5))
			in.Work[0].Files[1].Serial = true
			in.Lanes = tt.lanes
			p, err := Pack(in)
			if err != nil {
				t.Fatal(err)
			}
			var pieces []string
			for _, pc := range p.Pieces() {
				name := pc.String()
				if pc.Serial {
					name += "!"
				}
				pieces = append(pieces, name)
			}
			if got := strings.Join(pieces, " "); len(p.Buckets) != tt.machines || p.End() != tt.end || got != tt.pieces {
				t.Errorf("%d machines, %s: %s", len(p.Buckets), p.End(), got)
			}
		})
	}
}

func TestPackRefuses(t *testing.T) {
	nan := goalOf("a", 0, 1)
	nan.CPUShare = -1
	less := goalOf("a", 0, 1)
	less.Files[0].P90 = 0
	for _, tt := range []struct {
		name string
		in   Input
		want string
	}{
		{"a limit of 0", request(0, "auto"), "-t 0"},
		{"a limit that is no whole minute", request(90*time.Second, "auto"), "whole minutes"},
		{"more than a day", request(25*time.Hour, "auto"), "whole minutes"},
		{"a file over the limit, with the smallest that works", request(10*minute, "auto", goalOf("a", 2*minute, 1, 9)), "t/01.t of t-a alone takes 11 minutes on a machine; the smallest -t that fits is 11"},
		{"a file of a day, which is the longest limit", request(10*minute, "auto", goalOf("a", 0, 1440)), "the smallest -t that fits is 1440"},
		{"a file that no limit fits", request(10*minute, "auto", goalOf("a", 0, 1440.5)), "takes 1441 minutes on a machine; not even -t 1440 fits: leave out with -e"},
		{"a boot as long as the limit", Input{Limit: minute, Split: "auto", Boot: minute}, "no longer than a machine takes to boot"},
		{"a goal twice", request(minute, "auto", goalOf("a", 0, 1), goalOf("a", 0, 1)), "stands once"},
		{"a goal without files", request(minute, "auto", goalOf("a", 0)), "has files"},
		{"a negative duration", request(minute, "auto", goalOf("a", 0, -1)), "not possible"},
		{"a 90th percentile below the median", request(minute, "auto", less), "not possible"},
		{"an absurd duration", request(minute, "auto", goalOf("a", 0, 50_000)), "not possible"},
		{"an impossible CPU share", request(minute, "auto", nan), "not possible"},
		{"a split of neither kind", request(minute, "maybe"), "--split"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Pack(tt.in)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Pack = %v, want %q", err, tt.want)
			}
		})
	}
}

// randomInput is a request of up to n goals; small numbers make ties, exact
// fits and near misses common.
func randomInput(rng *rand.Rand, n int) Input {
	in := request(time.Duration(4+rng.IntN(12))*minute, []string{"auto", "never"}[rng.IntN(2)])
	in.Lanes = []int{1, 1, 0, 2, 3}[rng.IntN(5)]
	in.Boot = time.Duration(rng.IntN(3)) * minute
	for g := range 1 + rng.IntN(n) {
		var files []float64
		for range 1 + rng.IntN(5) {
			files = append(files, float64(1+rng.IntN(40))/10)
		}
		w := goalOf(fmt.Sprintf("g%d", g), time.Duration(rng.IntN(3))*30*time.Second, files...)
		w.CPUShare = float64(1+rng.IntN(10)) / 10
		w.Files[rng.IntN(len(w.Files))].Serial = rng.IntN(6) == 0
		for i := range w.Files {
			w.Files[i].P90 += time.Duration(rng.IntN(20)) * time.Second
		}
		in.Work = append(in.Work, w)
	}
	return in
}

// checkPlan holds what must be true of every plan.
func checkPlan(in Input, p Plan) error {
	parts := map[Goal]int{}
	seen := map[string]int{}
	byGoal := map[Goal]Work{}
	for _, w := range in.Work {
		byGoal[w.Goal] = w
	}
	for i, b := range p.Buckets {
		if len(b.Pieces) == 0 {
			return fmt.Errorf("bucket %d is empty", i)
		}
		if b.P90 > in.Limit && !(in.Split == "never" && len(b.Pieces) == 1) {
			return fmt.Errorf("bucket %d takes %s, over %s", i, b.P90, in.Limit)
		}
		if b.Estimate > b.P90 {
			return fmt.Errorf("bucket %d: estimate %s above the 90th percentile %s", i, b.Estimate, b.P90)
		}
		for _, pc := range b.Pieces {
			parts[pc.Goal]++
			if pc.Part != parts[pc.Goal] || in.Split == "never" && pc.Parts != 1 {
				return fmt.Errorf("%s is part %d", pc, parts[pc.Goal])
			}
			files := pc.Files
			if pc.Parts == 1 {
				if pc.Files != nil {
					return fmt.Errorf("%s is whole, but lists files", pc)
				}
				for _, f := range byGoal[pc.Goal].Files {
					files = append(files, f.Path)
				}
			}
			if len(files) == 0 || !slices.IsSorted(files) {
				return fmt.Errorf("%s has files %v", pc, files)
			}
			for _, f := range files {
				seen[pc.Goal.String()+" "+f]++
			}
		}
	}
	for _, w := range in.Work {
		for _, f := range w.Files {
			if n := seen[w.Goal.String()+" "+f.Path]; n != 1 {
				return fmt.Errorf("%s of %s is planned %d times", f.Path, w.Goal, n)
			}
		}
	}
	for _, pc := range p.Pieces() {
		if pc.Parts != parts[pc.Goal] {
			return fmt.Errorf("%s: the goal has %d parts", pc, parts[pc.Goal])
		}
	}
	if p.Lower > len(p.Buckets) || p.EndLower > p.End()+time.Second || p.Optimal != (p.Lower == len(p.Buckets)) {
		return fmt.Errorf("bounds %d machines, %s against %d, %s, optimal %v", p.Lower, p.EndLower, len(p.Buckets), p.End(), p.Optimal)
	}
	return nil
}

func TestPackProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	cases := 700
	if testing.Short() {
		cases = 100
	}
	for i := range cases {
		in := randomInput(rng, 12)
		p, err := Pack(in)
		var usage *UsageError
		if errors.As(err, &usage) {
			continue // a file does not fit: said with the smallest limit
		}
		if err == nil {
			err = checkPlan(in, p)
		}
		if err != nil {
			t.Fatalf("case %d: %v\n%+v\n%+v", i, err, in, p)
		}
		if again, err := Pack(in); err != nil || !cmp.Equal(again, p) {
			t.Fatalf("case %d: the same input gave another plan: %s", i, cmp.Diff(p, again))
		}
		more := in
		more.Limit += time.Duration(1+rng.IntN(5)) * minute
		q, err := Pack(more)
		if err != nil || len(q.Buckets) > len(p.Buckets) {
			t.Fatalf("case %d: %d machines at %s, %d at %s, %v\n%+v", i, len(p.Buckets), in.Limit, len(q.Buckets), more.Limit, err, in)
		}
	}
}

func TestSmallestLimitIsTheSmallest(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	refused := 0
	for range 500 {
		in := randomInput(rng, 4)
		in.Split, in.Limit = "auto", in.Boot+minute
		_, err := Pack(in)
		var usage *UsageError
		if !errors.As(err, &usage) {
			continue
		}
		refused++
		var least int
		if _, err := fmt.Sscanf(usage.Do, "the smallest -t that fits is %d", &least); err != nil {
			t.Fatalf("%v: %v", usage, err)
		}
		in.Limit = time.Duration(least) * minute
		if _, err := Pack(in); err != nil {
			t.Fatalf("-t %d was promised: %v", least, err)
		}
		if in.Limit -= minute; in.Limit > in.Boot && in.Limit >= minute {
			if _, err := Pack(in); err == nil {
				t.Fatalf("-t %d was promised as the smallest, but one less fits", least)
			}
		}
	}
	if refused < 100 {
		t.Fatalf("only %d cases were refused", refused)
	}
}

// brute returns the fewest bins by trying everything.
func brute(sizes []int64, limit int64) int {
	best := len(sizes)
	var room []int64
	var place func(i int)
	place = func(i int) {
		if len(room) >= best {
			return
		}
		if i == len(sizes) {
			best = len(room)
			return
		}
		for b := range room {
			if room[b] >= sizes[i] {
				room[b] -= sizes[i]
				place(i + 1)
				room[b] += sizes[i]
			}
		}
		room = append(room, limit-sizes[i])
		place(i + 1)
		room = room[:len(room)-1]
	}
	place(0)
	return best
}

func TestFewestIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	gaps := 0
	for i := range 6000 {
		limit := int64(20 + rng.IntN(30))
		sizes := make([]int64, 1+rng.IntN(9))
		least := int64(0)
		if i%2 == 0 { // sizes alike are hard in another way
			least = rng.Int64N(limit / 2)
		}
		for j := range sizes {
			sizes[j] = (1 + least + rng.Int64N(limit-least)) * int64(time.Millisecond)
		}
		limit *= int64(time.Millisecond)
		p := packer{nodes: defaultNodes}
		got := p.fewest(sizes, limit)
		want := brute(sizes, limit)
		if len(got.bins) != want || got.lower != want {
			t.Fatalf("case %d: %d bins, bound %d, want %d: %v in %d", i, len(got.bins), got.lower, want, sizes, limit)
		}
		if lowerBound(sizes, limit) > want {
			t.Fatalf("case %d: bound %d above the best %d: %v in %d", i, lowerBound(sizes, limit), want, sizes, limit)
		}
		if len(firstFit(sizes, limit)) > want {
			gaps++
		}
	}
	if gaps == 0 {
		t.Error("no case was harder than first fit")
	}
}

// TestHardShapes holds what planning reaches where few goals share a machine,
// and that it says how far it is from the bound.
func TestHardShapes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		goals  int
		lo, hi float64
		split  string
		lanes  int
		most   float64 // machines over the bound
	}{
		{"only two fit together", 300, 20, 31, "never", 1, 1},
		{"two or three fit together", 120, 19, 21, "never", 1, 1.03},
		{"three or four", 100, 15, 22, "never", 1, 1},
		{"two to four", 300, 12, 25, "never", 1, 1.03},
		{"all sizes", 300, 10, 40, "never", 1, 1.02},
		{"cut, where two fit whole", 300, 20, 31, "auto", 1, 1.02},
		{"in lanes, where heavy ones may meet", 300, 20, 31, "auto", 0, 1.07},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 1))
			in := request(61*minute, tt.split)
			in.Lanes = tt.lanes
			for g := range tt.goals {
				total, n := tt.lo+rng.Float64()*(tt.hi-tt.lo), 1+rng.IntN(12)
				files := make([]float64, n)
				for i := range files {
					files[i] = total / float64(n)
				}
				in.Work = append(in.Work, goalOf(fmt.Sprintf("g%d", g), minute/2, files...))
			}
			p, err := Pack(in)
			if err == nil {
				err = checkPlan(in, p)
			}
			if err != nil || float64(len(p.Buckets)) > tt.most*float64(p.Lower) {
				t.Errorf("%d machines, bound %d, %v", len(p.Buckets), p.Lower, err)
			}
		})
	}
}

func TestLevelIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for i := range 500 {
		sizes := make([]int64, 2+rng.IntN(8))
		for j := range sizes {
			sizes[j] = (1 + rng.Int64N(40)) * int64(time.Second)
		}
		n := 1 + rng.IntN(min(4, len(sizes)))
		p := packer{nodes: defaultNodes}
		got := p.level(sizes, longestFirst(sizes, n))
		want := int64(1 << 62)
		for limit := levelBound(sizes, n); limit < want; limit += int64(time.Second) {
			limit = ceilDiv(limit, int64(time.Second)) * int64(time.Second)
			if brute(sizes, limit) <= n {
				want = limit
			}
		}
		if longest(sizes, got.bins) != want || got.end > want {
			t.Fatalf("case %d: ends at %d, bound %d, want %d: %v in %d bins", i, longest(sizes, got.bins), got.end, want, sizes, n)
		}
	}
}

func TestStopIsToldOf(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	in := request(61*minute, "never")
	for g := range 60 { // thirds of the limit and a bit: hard to prove
		in.Work = append(in.Work, goalOf(fmt.Sprintf("g%d", g), 0, 17+float64(rng.IntN(600))/100))
	}
	in.Stop = func() bool { return true }
	p, err := Pack(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkPlan(in, p); err != nil {
		t.Error(err)
	}
	if !p.Optimal && !slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, "time for planning") }) {
		t.Errorf("stopped without a word: %v", p.Warnings)
	}
}

// TestLanesWithinSteps: when the steps for filling lanes are used up, the numbers
// of lanes tried so far decide, and the bound still holds for those not tried.
func TestLanesWithinSteps(t *testing.T) {
	in := request(10*minute, "auto")
	in.Lanes = 0
	for g := range 12 {
		in.Work = append(in.Work, goalOf(fmt.Sprintf("g%d", g), 0, 3, 2, 1.5, 1))
	}
	full, cut := newParter(in), newParter(in)
	cut.steps = 0
	all, one := full.best(), cut.best()
	if one.lanes != 1 || all.lanes == 1 || len(all.bays) >= len(one.bays) {
		t.Errorf("%d lanes and %d machines without steps, %d and %d with", one.lanes, len(one.bays), all.lanes, len(all.bays))
	}
	if one.lower > len(all.bays) || one.lower != all.lower {
		t.Errorf("at least %d machines without steps, %d with; %d do", one.lower, all.lower, len(all.bays))
	}
	if full.steps >= laneSteps {
		t.Error("filling lanes took no steps")
	}
}
