package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/store"
)

// The environment of a server that is to die.
const (
	dieAfterEnv = "ORTEST_TEST_DIE" // "before WRITE" or "after WRITE"
	dieDataEnv  = "ORTEST_TEST_DATA"
	dieActEnv   = "ORTEST_TEST_PATH"
)

// killComment asks for a run and for an answer.
const killComment = "/ortest t-hello\n/ortest plan hello"

// killWrites are the kinds of store writes of a run. Where GitHub or the cloud
// was asked for something first, a kill before the write is another case: the
// effect is there and nothing says so.
var killWrites = []struct {
	write  string
	effect bool // something outside happened before it
}{
	{"AddDelivery issue_comment", false},
	{"AddDelivery pull_request", false},
	{"AddHead", false},
	{"PutCatalog", false},
	{"AddRun", false},
	{"AddAnswer", false},
	{"FinishDelivery", false},
	{"PutAnswer", true},
	{"UpdateRun acknowledged", true},
	{"UpdateRun commits fixed", true},
	{"UpdateRun dispatch intended", false},
	{"UpdateRun dispatch tried", false},
	{"UpdateRun dispatch sent", true},
	{"UpdateRun piece assigned", false},
	{"UpdateRun runner minted", true},
	{"UpdateRun sticky written", true},
	{"UpdateRun checks created", true},
	{"UpdateRun check written", true},
	{"UpdateRun ended", false},
	{"PutResult", false},
	{"UpdateRun closed", true},
	{"UpdateRun touched", false},
	{"AddInstance", false},
	{"UpdateInstance booting", true},
	{"UpdateInstance enrolled", false},
	{"UpdateInstance busy", false},
	{"UpdateInstance idle", false},
	{"UpdateInstance done", false},
	{"UpdateInstance gone", false},
	{"AddEntry manifest", false},
	{"AddEntry file", false},
	{"AddEntry end", false},
	{"AddDelivery workflow_job", false},
}

// watcher is a store that says what is written.
type watcher struct {
	*store.Store
	before, after func(write string)
}

func (w *watcher) AddDelivery(ctx context.Context, d bot.Delivery) (fresh bool, err error) {
	return fresh, w.write("AddDelivery "+d.Event, func() error { fresh, err = w.Store.AddDelivery(ctx, d); return err })
}

func (w *watcher) FinishDelivery(ctx context.Context, guid, outcome string) error {
	return w.write("FinishDelivery", func() error { return w.Store.FinishDelivery(ctx, guid, outcome) })
}

func (w *watcher) AddHead(ctx context.Context, repo bot.Repo, pull int, h bot.Head) error {
	return w.write("AddHead", func() error { return w.Store.AddHead(ctx, repo, pull, h) })
}

func (w *watcher) AddRun(ctx context.Context, r bot.Run) (out bot.Run, err error) {
	return out, w.write("AddRun", func() error { out, err = w.Store.AddRun(ctx, r); return err })
}

func (w *watcher) PutCatalog(ctx context.Context, revision string, packed []byte) error {
	return w.write("PutCatalog", func() error { return w.Store.PutCatalog(ctx, revision, packed) })
}

func (w *watcher) AddApproval(ctx context.Context, repo bot.Repo, pull int, h bot.Head, by string) error {
	return w.write("AddApproval", func() error { return w.Store.AddApproval(ctx, repo, pull, h, by) })
}

func (w *watcher) PutResult(ctx context.Context, run, goal string, result json.RawMessage) error {
	return w.write("PutResult", func() error { return w.Store.PutResult(ctx, run, goal, result) })
}

func (w *watcher) AddAnswer(ctx context.Context, a bot.Answer) error {
	return w.write("AddAnswer", func() error { return w.Store.AddAnswer(ctx, a) })
}

func (w *watcher) PutAnswer(ctx context.Context, a bot.Answer) error {
	return w.write("PutAnswer", func() error { return w.Store.PutAnswer(ctx, a) })
}

func (w *watcher) AddEntry(ctx context.Context, run string, e bot.StoredEntry) error {
	kind := "file"
	for _, k := range []string{"manifest", "end"} {
		if strings.Contains(string(e.Meta), `"`+k+`":`) {
			kind = k
		}
	}
	return w.write("AddEntry "+kind, func() error { return w.Store.AddEntry(ctx, run, e) })
}

func (w *watcher) AddInstance(ctx context.Context, in runnerfleet.Instance) error {
	return w.write("AddInstance", func() error { return w.Store.AddInstance(ctx, in) })
}

func (w *watcher) write(what string, do func() error) error {
	w.before(what)
	err := do()
	if err == nil {
		w.after(what)
	}
	return err
}

func (w *watcher) UpdateInstance(ctx context.Context, id string, change func(*runnerfleet.Instance) bool) (runnerfleet.Instance, error) {
	what := ""
	in, err := w.Store.UpdateInstance(ctx, id, func(in *runnerfleet.Instance) bool {
		from := *in
		if !change(in) {
			return false
		}
		what = "UpdateInstance " + movedTo(from, *in)
		w.before(what)
		return true
	})
	if err == nil && what != "" {
		w.after(what)
	}
	return in, err
}

func movedTo(from, to runnerfleet.Instance) string {
	switch {
	case from.EnrolledAt.IsZero() && !to.EnrolledAt.IsZero():
		return "enrolled"
	case from.CloudID == "" && to.CloudID != "":
		return string(runnerfleet.Booting)
	case from.State != to.State:
		return string(to.State)
	case from.Owed != to.Owed:
		return "told"
	}
	return "heard"
}

func (w *watcher) UpdateRun(ctx context.Context, id string, change func(*bot.Run) bool) (bot.Run, error) {
	what := ""
	r, err := w.Store.UpdateRun(ctx, id, func(r *bot.Run) bool {
		from := clone(*r)
		if !change(r) {
			return false
		}
		what = "UpdateRun " + wentOn(from, *r)
		w.before(what)
		return true
	})
	if err == nil && what != "" {
		w.after(what)
	}
	return r, err
}

// clone returns a run that shares nothing with the one given.
func clone(r bot.Run) (out bot.Run) {
	raw, err := json.Marshal(r)
	if err = errors.Join(err, json.Unmarshal(raw, &out)); err != nil {
		panic(err) // a run is stored as JSON
	}
	return out
}

func wentOn(from, to bot.Run) string {
	switch {
	case from.State != bot.Ended && to.State == bot.Ended:
		return "ended"
	case from.State != to.State && to.State == bot.Closed:
		return "closed"
	case !from.Acked && to.Acked:
		return "acknowledged"
	case from.Commits == nil && to.Commits != nil:
		return "commits fixed"
	case len(from.Dispatch) != len(to.Dispatch):
		return "dispatch intended"
	case len(from.Checks) != len(to.Checks):
		return "checks created"
	case from.Shown != to.Shown:
		return "sticky written"
	case !slices.Equal(from.Checks, to.Checks):
		return "check written"
	}
	for i, d := range to.Dispatch {
		switch was := from.Dispatch[i]; {
		case was.WorkflowRun != d.WorkflowRun:
			return "dispatch sent"
		case !was.TriedAt.Equal(d.TriedAt):
			return "dispatch tried"
		}
	}
	for i, p := range to.Pieces {
		switch was := from.Pieces[i]; {
		case was.State != p.State:
			return "piece " + string(p.State)
		case was.Runner != p.Runner:
			return "runner minted"
		}
	}
	return "touched"
}

// dieServing serves a place and kills it at a write, as power loss would. What
// passes its stand-in is what passed the one of TestTheKindsOfWritesAreAllKilledAt.
func dieServing() int {
	when, write, _ := strings.Cut(os.Getenv(dieAfterEnv), " ")
	die := func(now string) func(string) {
		return func(what string) {
			if now == when && what == write {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {} // not one step more
			}
		}
	}
	ctx := context.Background()
	s, err := openServer(ctx, os.Getenv(dieDataEnv), slog.New(slog.NewTextHandler(os.Stdout, nil)), func(c *systemConfig) {
		machines(c, os.Getenv(dieActEnv))
		c.Stores = func(st *store.Store) (bot.Store, runnerfleet.Store) {
			w := &watcher{Store: st, before: die("before"), after: die("after")}
			return w, w
		}
	})
	if err == nil {
		_, err = s.gh.Comment(demoRepo, s.pull, demoMaintainer, killComment)
	}
	if err == nil {
		err = s.serve(ctx)
	}
	fmt.Fprintln(os.Stderr, "the server was to die:", err)
	return exitFailed
}

// TestAKilledServerEndsItsRunAfterANewStart kills the server at each kind of
// write of a run, and starts it again on what it left.
func TestAKilledServerEndsItsRunAfterANewStart(t *testing.T) {
	act, quiet := scripted(t), t.TempDir()
	made := open(t, quiet, func(c *systemConfig) { machines(c, act) }).start(t)
	made.settle(t)
	made.stop()
	var g errgroup.Group
	g.SetLimit(5) // they mostly wait
	run := func(when string) {
		g.Go(func() error {
			t.Run("killed "+when, func(t *testing.T) {
				data := t.TempDir()
				if !strings.HasSuffix(when, "AddHead") && !strings.HasSuffix(when, "pull_request") {
					copyData(t, data, quiet) // in which the pull request is old news
				}
				killAt(t, when, act, data)
			})
			return nil
		})
	}
	for i, k := range killWrites {
		if testing.Short() && i%3 != 0 {
			continue // make test kills at every kind; under the race detector a third must do
		}
		run("after " + k.write)
		if k.effect {
			run("before " + k.write)
		}
	}
	_ = g.Wait() // they return none
}

// copyData makes a data directory of one that nobody uses, to be reached at
// another address.
func copyData(t *testing.T, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	dir, err := openDemoDir(to)
	if err != nil {
		t.Fatal(err)
	}
	dir.state.Addr = ""
	if err := errors.Join(dir.save(), dir.close()); err != nil {
		t.Fatal(err)
	}
}

func killAt(t *testing.T, when, act, data string) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, self(t))
	cmd.Env = append(os.Environ(), dieAfterEnv+"="+when, dieDataEnv+"="+data, dieActEnv+"="+act)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	err := cmd.Run()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL || ctx.Err() != nil {
		t.Errorf("the server ended by itself, or never wrote: %v", err)
	}
	p := open(t, data, func(c *systemConfig) { machines(c, act) }).start(t)
	p.settle(t)
	checkOnce(t, p)
}

// TestTheKindsOfWritesAreAllKilledAt fails when a run writes something that
// killWrites does not name, or no longer writes what it names.
func TestTheKindsOfWritesAreAllKilledAt(t *testing.T) {
	// A heartbeat changes nothing but a time. Both others are a matter of luck:
	// webhooks that come while the run is told of already.
	seen := map[string]bool{"UpdateInstance heard": true, "AddDelivery check_run": true, "AddDelivery push": true, "AddDelivery workflow_run": true}
	known := make(map[string]bool)
	for what := range seen {
		known[what] = true
	}
	for _, k := range killWrites {
		known[k.write] = true
	}
	var mu sync.Mutex
	p := open(t, t.TempDir(), func(c *systemConfig) {
		machines(c, scripted(t))
		c.Stores = func(st *store.Store) (bot.Store, runnerfleet.Store) {
			w := &watcher{Store: st, before: func(string) {}, after: func(what string) {
				mu.Lock()
				defer mu.Unlock()
				seen[what] = true
			}}
			return w, w
		}
	})
	p.say(t, demoMaintainer, killComment)
	p.start(t).settle(t)
	checkOnce(t, p)
	mu.Lock()
	defer mu.Unlock()
	for what := range known {
		if !seen[what] {
			t.Errorf("no run writes %q", what)
		}
	}
	for what := range seen {
		if !known[what] {
			t.Errorf("%q is no kind that killWrites names", what)
		}
	}
}

// checkOnce checks that the run of killComment ended well and left nothing twice.
func checkOnce(t *testing.T, p *place) {
	t.Helper()
	runs := p.runs(t)
	if len(runs) != 1 {
		t.Fatalf("%d runs, want 1", len(runs))
	}
	r := runs[0]
	if result, err := p.printRun(t.Context(), r); result != nil || err != nil {
		t.Errorf("the run of a good pull request ended with %v, %v", result, err)
	}
	count := make(map[string]int)
	for _, c := range p.talk(t).Comments {
		mark, _, _ := strings.Cut(c.Body, "\n")
		switch {
		case c.ID == r.Comment:
			mark = "the command with " + fmt.Sprint(c.Counts())
		case !c.App:
			continue
		}
		count[mark]++
	}
	want := map[string]int{
		"the command with map[eyes:1]":                        1,
		"<!-- ortest:runs -->":                                1,
		fmt.Sprintf("<!-- ortest:answer %d.1 -->", r.Comment): 1,
	}
	if fmt.Sprint(count) != fmt.Sprint(want) {
		t.Errorf("comments %v, want %v", count, want)
	}
	checkRunsOnce(t, p, r)
	dispatchedOnce(t, p)
	jobsOver(t, p)
	if left := p.processes(t); len(left) > 0 {
		t.Errorf("processes left: %q", left)
	}
}

func checkRunsOnce(t *testing.T, p *place, r bot.Run) {
	t.Helper()
	forge, err := github.New(p.cfg.GitHub)
	if err != nil {
		t.Fatal(err)
	}
	checks, err := forge.CheckRuns(t.Context(), r.Repo, r.Head)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]int)
	for _, c := range checks {
		got[c.Name+" "+c.Status+" "+c.Conclusion]++
	}
	want := map[string]int{"ortest / verdict completed success": 1, "ortest / t-hello completed success": 1}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("check runs %v, want %v", got, want)
	}
}

// dispatchedOnce checks that no attempt of a piece was handed to GitHub twice.
func dispatchedOnce(t *testing.T, p *place) {
	t.Helper()
	a, jobs := p.activity(t), make(map[string]int)
	for _, run := range a.Runs {
		for _, j := range run.Jobs {
			jobs[j.Name]++
		}
	}
	for name, n := range jobs {
		if n != 1 {
			t.Errorf("attempt %s was dispatched %d times", name, n)
		}
	}
}

// jobsOver checks that GitHub waits for nothing more.
func jobsOver(t *testing.T, p *place) {
	t.Helper()
	a := p.activity(t)
	for _, run := range a.Runs {
		if run.Status != "completed" {
			t.Errorf("workflow run %s is %s", run.Title, run.Status)
		}
	}
	for _, r := range a.Runners {
		t.Errorf("runner %s is left", r.Name)
	}
}
