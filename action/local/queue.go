package local

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ortest/ortest/action"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

// file is a test file that waits for its turn.
type file struct {
	goal  *goal
	test  report.TestFile
	takes plan.File
	share float64 // CPU seconds per second
	alone bool    // beside no other file
	again bool    // it has failed beside others
}

// queue lists the files that are left. What has failed beside others before
// this run began only waits for its run alone.
func (r *runner) queue() (beside, alone []*file) {
	for _, g := range r.goals {
		if g.suite.Stopped().Reason != "" {
			continue
		}
		for _, t := range g.suite.Manifest().Files {
			if g.records.ended(t.Path) {
				continue
			}
			f := &file{goal: g, test: t, takes: r.cfg.Estimate(g.goal, t), again: g.records.besides(t.Path)}
			f.share = cmp.Or(f.takes.CPUShare, g.mode.CPUShare, 1)
			f.alone = f.again || slices.Contains(g.project.Serial, t.Path)
			if f.alone {
				alone = append(alone, f)
			} else {
				beside = append(beside, f)
			}
		}
	}
	return beside, alone
}

// order puts the longest files first: one that begins last is waited for.
func (r *runner) order(files []*file, jobs int) {
	switch {
	case r.cfg.Shuffle != 0:
		rng := rand.New(rand.NewPCG(r.cfg.Shuffle, 0))
		rng.Shuffle(len(files), func(i, k int) { files[i], files[k] = files[k], files[i] })
	case jobs > 1:
		slices.SortStableFunc(files, func(a, b *file) int { return cmp.Compare(b.takes.Median, a.takes.Median) })
	}
}

const (
	// full is how much of the cores is given away: the rest is for this program,
	// the kernel, and files that need more than usual.
	full = 0.85
	// crowd is how many files a core may have at most: memory and waiting
	// processes cost too.
	crowd = 8
)

// jobs is how many files run at once.
func (r *runner) jobs(files []*file) int {
	switch {
	case r.cfg.Jobs > 0:
		return r.cfg.Jobs
	case !r.cfg.Lanes:
		return 1
	}
	var cpu, wall float64
	for _, f := range files {
		cpu += f.share * f.takes.Median.Seconds()
		wall += f.takes.Median.Seconds()
	}
	if cpu <= 0 {
		return 1
	}
	n := int(float64(r.cfg.Cores)*full*wall/cpu + 1e-9)
	return max(1, min(n, crowd*r.cfg.Cores, len(files)))
}

// test runs the files that are left and returns how many ran at once.
func (r *runner) test(ctx context.Context) (int, error) {
	beside, alone := r.queue()
	jobs := r.jobs(beside)
	r.order(beside, jobs)
	for _, g := range r.goals {
		g.suite.Share(jobs)
	}
	w := &watch{runner: r, all: len(beside) + len(alone), jobs: jobs, left: map[*file]bool{}}
	for _, f := range slices.Concat(beside, alone) {
		w.left[f] = true
	}
	if w.all > 0 {
		r.progress("%s, %s", plural(w.all, "test file"), plural(jobs, "at once", "at once"))
	}
	failed, err := w.several(ctx, beside, jobs)
	if err != nil {
		return jobs, err
	}
	for _, f := range append(alone, failed...) {
		if _, err := w.one(ctx, f, false); err != nil {
			return jobs, err
		}
	}
	return jobs, nil
}

// several runs files in order, so many at once, and returns those that failed
// beside others.
func (w *watch) several(ctx context.Context, files []*file, jobs int) ([]*file, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan *file)
	go func() {
		defer close(next)
		for _, f := range files {
			select {
			case next <- f:
			case <-ctx.Done():
				return
			}
		}
	}()
	var lanes sync.WaitGroup
	var mu sync.Mutex
	var failed []*file
	jobs = min(jobs, len(files)) // a single file has no company to blame
	for range jobs {
		lanes.Go(func() {
			for f := range next {
				good, err := w.one(ctx, f, jobs > 1)
				if err != nil {
					cancel(err)
					return
				}
				if !good {
					mu.Lock()
					failed = append(failed, f)
					mu.Unlock()
				}
			}
		})
	}
	lanes.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return failed, nil
}

// one runs a file and writes down how it ended. It is not good when it failed
// beside others and they may be to blame: then it is to be run alone.
func (w *watch) one(ctx context.Context, f *file, beside bool) (good bool, err error) {
	log := new(buffer)
	result, err := f.goal.suite.Test(ctx, f.test.Path, f.limit(), log)
	if err != nil {
		return false, err
	}
	judged, err := f.judge(w.cfg, result, log.Bytes())
	if err != nil {
		return false, err
	}
	verdict := f.verdict(judged)
	if beside && verdict != report.Pass && verdict != report.Known && !itsOwn(judged) {
		w.failedBeside(f, result)
		return false, f.goal.records.write(recordBeside, result, log.Bytes())
	}
	w.ended(f, result, verdict)
	return true, f.goal.records.write(recordLast, result, log.Bytes())
}

// inside are the kinds of findings that no company is to blame for: at most it
// brings out what is wrong all the same.
var inside = []string{"crash", "memcheck", "asan", "lsan", "ubsan", "rss_leak"}

// itsOwn reports whether a file that failed shows something of these kinds that
// is not expected. How it ended then counts: a run alone that passes would hide it. A
// crash of nobody knows whose is in the logs of all that ran beside it.
func itsOwn(g report.GoalResult) bool {
	return slices.ContainsFunc(g.Findings, func(f report.Finding) bool {
		expected := f.Class == report.Expected || f.Class == report.Flaky && f.Rule != ""
		return !expected && f.Class != report.NotRun && slices.Contains(inside, f.Kind) && !strings.HasSuffix(f.Name, action.Unowned)
	})
}

// judge weighs one file as if it were the whole goal.
func (f *file) judge(cfg Config, result report.FileResult, log []byte) (report.GoalResult, error) {
	m := f.goal.suite.Manifest()
	m.Files, m.Others = []report.TestFile{f.test}, nil
	return cfg.Judge(report.Evidence{Goal: f.goal.goal.String(), Pieces: []report.PieceEvidence{{
		Entries: []report.Entry{{Manifest: &m}, {Seq: 1, File: &result}, {Seq: 2, End: &report.End{}}},
		Logs:    [][]byte{nil, log, nil},
	}}})
}

// verdict is that of one file. That nothing ran in it, as when it skips itself
// whole, is held against the goal only.
func (f *file) verdict(g report.GoalResult) report.Verdict {
	for _, x := range g.Findings {
		if x.Class != report.Expected && (x.File != "" || x.Class != report.NotRun) {
			return g.Verdict
		}
	}
	if len(g.Findings) == 1 && g.Findings[0].Class == report.NotRun {
		return report.Pass
	}
	return g.Verdict
}

const (
	patience = 4               // times what a file usually takes
	least    = 2 * time.Minute // that a file may take
)

// limit is how long a file may take: what it took before several times over,
// and where nothing was measured what any file may take.
func (f *file) limit() time.Duration {
	limit := f.goal.suite.Limit()
	if f.takes.Runs == 0 {
		return limit
	}
	known := max(least, patience*f.takes.P90)
	if f.goal.project.Test.Timeout > 0 {
		return min(limit, known) // the project has said what is too long
	}
	return known
}

// watch tells how far a run is.
type watch struct {
	*runner
	mu   sync.Mutex
	all  int
	done int
	jobs int
	left map[*file]bool
}

func (w *watch) ended(f *file, result report.FileResult, verdict report.Verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done++
	delete(w.left, f)
	w.progress("[%*d/%d] %s %s: %s, %.1f s%s", len(fmt.Sprint(w.all)), w.done, w.all, f.goal.goal, f.test.Path, verdict, result.Seconds, w.rest())
}

func (w *watch) failedBeside(f *file, result report.FileResult) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f.again = true
	w.progress("[%*s/%d] %s %s: failed beside others, %.1f s; will run alone", len(fmt.Sprint(w.all)), "-", w.all, f.goal.goal, f.test.Path, result.Seconds)
}

// rest estimates what is left: no less than the longest file, and what runs
// alone is not shared.
func (w *watch) rest() string {
	var sum, longest, alone time.Duration
	for f := range w.left {
		if f.alone || f.again {
			alone += f.takes.Median
			continue
		}
		sum += f.takes.Median
		longest = max(longest, f.takes.Median)
	}
	left := max(longest, sum/time.Duration(w.jobs)) + alone
	if len(w.left) == 0 {
		return ""
	}
	return fmt.Sprintf(", about %s left", max(left, time.Second).Round(time.Second))
}

func plural(n int, one string, many ...string) string {
	switch {
	case n == 1:
		return "1 " + one
	case len(many) > 0:
		return fmt.Sprintf("%d %s", n, many[0])
	}
	return fmt.Sprintf("%d %ss", n, one)
}
