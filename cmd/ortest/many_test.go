package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/runnerfleet"
)

// mostWrites is how often the conversation of a run may write to GitHub,
// however many goals the run has.
const mostWrites = 60

// idle is a cloud whose machines do nothing: the test speaks for their agents.
type idle struct {
	mu   sync.Mutex
	live map[string]runnerfleet.Machine
}

func (c *idle) Launch(_ context.Context, l runnerfleet.Launch) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live[l.Instance] = runnerfleet.Machine{CloudID: l.Instance, Instance: l.Instance, Running: true, LaunchedAt: time.Now(), Deadline: l.Deadline}
	return l.Instance, nil
}

func (c *idle) List(context.Context) (all []runnerfleet.Machine, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.live {
		all = append(all, m)
	}
	return all, nil
}

func (c *idle) Terminate(_ context.Context, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.live, id)
	return nil
}

// spared is GitHub without what its points a minute would make last for minutes.
type spared struct{ bot.Forge }

func (spared) MintRunner(context.Context, bot.Repo, string, string) (int64, string, error) {
	return 1, "jit", nil
}
func (spared) Jobs(context.Context, bot.Repo, int64) ([]bot.Job, error) { return nil, nil }

// writes counts what people see being written.
type writes struct {
	mu   sync.Mutex
	made []string
}

func (w *writes) front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen := strings.Contains(r.URL.Path, "/issues/") || strings.Contains(r.URL.Path, "/check-runs")
		if seen && r.Method != http.MethodGet {
			w.mu.Lock()
			w.made = append(w.made, r.Method+" "+r.URL.Path)
			w.mu.Unlock()
		}
		next.ServeHTTP(rw, r)
	})
}

// TestTheConversationOfManyGoals runs more goals than have check runs of their own.
func TestTheConversationOfManyGoals(t *testing.T) {
	t.Parallel()
	manyGoals(t, 1, "th")
}

// BenchmarkTheConversationOfEveryGoal runs all 326 goals on one pull request, as
// fast as their pieces can be handed out, on SQLite and by three replicas.
func BenchmarkTheConversationOfEveryGoal(b *testing.B) {
	for _, replicas := range []int{1, 3} {
		b.Run(fmt.Sprintf("replicas=%d", replicas), func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(manyGoals(b, replicas, "t", "tr", "tw", "tv", "trv", "twv", "th", "thv", "tl", "to")), "writes")
			}
		})
	}
}

// manyGoals lets replicas run the goals of modes and returns how often GitHub was written to.
func manyGoals(t testing.TB, replicas int, modes ...string) int {
	all, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	var seen writes
	shared := func(*systemConfig) {}
	if replicas > 1 {
		shared = onPostgres(t)
	}
	p := open(t, t.TempDir(), func(c *systemConfig) {
		shared(c)
		c.Catalog = func() *catalog.Catalog { return all }
		c.Cloud = &idle{live: make(map[string]runnerfleet.Machine)}
		c.Limits.MaxInstances, c.Limits.BootGrace, c.Limits.Silence = 400, time.Hour, time.Hour
	})
	p.front = seen.front
	p.sys.bot.Forge = spared{p.sys.bot.Forge}
	p.start(t)
	for range replicas - 1 {
		p.join(t, func(s *system) { s.bot.Forge = spared{s.bot.Forge} })
	}
	p.say(t, demoMaintainer, "/ortest -t 600 --split never "+strings.Join(modes, " "))
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for said := "begin"; said != ""; <-pause.C { // as long as the machine takes for so many
		var err error
		if said, err = p.serveAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.settle(t)
	r := p.run(t, 1)
	view, err := p.sys.bot.View(t.Context(), r)
	if err != nil || len(view.Goals) != len(r.Pieces) || len(view.Goals) <= 20 {
		t.Fatalf("%d goals of %d pieces, %v", len(view.Goals), len(r.Pieces), err)
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if len(seen.made) > mostWrites {
		t.Errorf("%d goals: %d writes, want at most %d:\n%s", len(view.Goals), len(seen.made), mostWrites, strings.Join(seen.made, "\n"))
	}
	t.Logf("%d goals, %d replicas: %d writes", len(view.Goals), replicas, len(seen.made))
	return len(seen.made)
}

// serveAll lets every bucket's machine run what it gets, until the run is over.
func (p *place) serveAll(ctx context.Context) (string, error) {
	buckets, err := p.sys.bot.Buckets(ctx)
	if err != nil {
		return "", err
	}
	for _, b := range buckets {
		id, err := runnerfleet.InstanceID(b)
		if err != nil {
			return "", err
		}
		in := runnerfleet.Instance{ID: id, Bucket: b.ID, Attempt: b.Attempt}
		for err == nil {
			err = p.serveNext(ctx, in)
		}
	}
	runs, err := p.sys.store.RecentRuns(ctx, 1)
	if err != nil || len(runs) == 0 {
		return "the run is to begin", err
	}
	if runs[0].State == bot.Closed {
		return "", nil
	}
	return progress(runs[0]), nil
}

// serveNext runs one piece: those of two projects fail.
func (p *place) serveNext(ctx context.Context, in runnerfleet.Instance) error {
	next, err := p.sys.bot.Next(ctx, in)
	if err != nil {
		return err
	}
	if err := p.hearJob(ctx, next, "in_progress"); err != nil {
		return err
	}
	_, project, _ := strings.Cut(next.Goal, "-")
	said := "t/a.t .. \n1..1\nok 1 - it is\nok\nAll tests successful.\nFiles=1, Tests=1,  0 wallclock secs\nResult: PASS\n"
	exit := 0
	if !strings.HasPrefix(next.Goal, "t-") && slices.Contains([]string{"ngx_lua", "lua-resty-redis"}, project) {
		said = strings.Replace(said, "ok 1", "not ok 1", 1)
		exit = 1
	}
	for seq, e := range []report.Entry{
		{Manifest: &report.Manifest{Goal: next.Goal, Repo: "o/" + project, Files: []report.TestFile{{Path: "t/a.t"}}}},
		{File: &report.FileResult{Path: "t/a.t", Exit: exit, Seconds: 1}},
		{End: new(report.End)},
	} {
		log := ""
		if e.File != nil {
			log = said
		}
		e.Seq, e.Bytes = seq, int64(len(log))
		raw, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if err := p.sys.bot.Entry(ctx, in, next.Piece, raw, []byte(log)); err != nil {
			return fmt.Errorf("entry: %w", err)
		}
	}
	return p.hearJob(ctx, next, "completed")
}

// hearJob brings the webhook of a piece's job.
func (p *place) hearJob(ctx context.Context, next runnerfleet.Assignment, action string) error {
	run, _, _ := strings.Cut(next.Piece, "/")
	r, err := p.sys.store.Run(ctx, run)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(map[string]any{
		"action": action, "installation": map[string]any{"id": r.Repo.Installation},
		"repository":   map[string]any{"name": r.Repo.Name, "full_name": r.Repo.String(), "owner": map[string]any{"login": r.Repo.Owner}},
		"workflow_job": map[string]any{"id": 1, "run_id": next.RunID, "name": next.Piece, "status": action, "labels": []string{}},
	})
	if err != nil {
		return err
	}
	_, err = p.sys.store.AddDelivery(ctx, bot.Delivery{GUID: "job " + next.Piece + " " + action, Event: "workflow_job", Payload: raw, ReceivedAt: time.Now()})
	return err
}
