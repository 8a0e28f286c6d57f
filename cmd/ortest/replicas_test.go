package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	releases "github.com/ortest/ortest/bot/release"
	"github.com/ortest/ortest/examples"
	"github.com/ortest/ortest/internal/postgrestest"
)

// onPostgres lets a place keep everything in a database of its own.
func onPostgres(t testing.TB) func(*systemConfig) {
	t.Helper()
	c, err := postgrestest.Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	name, err := c.Database()
	if err != nil {
		t.Fatal(err)
	}
	return func(cfg *systemConfig) { cfg.Data, cfg.Database = filepath.Dir(cfg.Database), name }
}

// join adds a replica to a place that works, until the end of the test.
func (p *place) join(t testing.TB, with func(*system)) {
	t.Helper()
	sys, err := newSystem(t.Context(), p.cfg)
	if err != nil {
		t.Fatal(err)
	}
	with(sys)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- sys.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("replica: %v", err)
		}
		if err := sys.close(); err != nil {
			t.Error(err)
		}
	})
}

// TestReplicasEndOneRunOnce has three drive one run, on real machines, to its end.
func TestReplicasEndOneRunOnce(t *testing.T) {
	t.Parallel()
	var seen writes
	act, shared := scripted(t), onPostgres(t)
	p := open(t, t.TempDir(), func(c *systemConfig) {
		machines(c, act)
		shared(c)
	})
	p.front = seen.front
	p.start(t)
	for range 2 {
		p.join(t, func(*system) {})
	}
	p.say(t, demoMaintainer, killComment)
	p.settle(t)
	checkOnce(t, p)
	t.Logf("%d writes", len(seen.made))
}

// TestTheConversationOfManyGoalsAmongReplicas is the one of many goals, of which each
// replica shows what it happens to see.
func TestTheConversationOfManyGoalsAmongReplicas(t *testing.T) {
	t.Parallel()
	manyGoals(t, 3, "th")
}

// crowd holds up whoever asks for a commit's check runs until another does, too, and
// counts those of releases that are made.
type crowd struct {
	mu    sync.Mutex
	waits chan struct{} // of the one that is held up; nil: nobody is
	made  int
}

func (c *crowd) front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/commits/") && strings.HasSuffix(r.URL.Path, "/check-runs"):
			select {
			case <-c.join():
			case <-time.After(300 * time.Millisecond):
			}
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/check-runs"):
			body, _ := io.ReadAll(r.Body) // what is cut short, GitHub refuses
			r.Body = io.NopCloser(bytes.NewReader(body))
			c.mu.Lock()
			if bytes.Contains(body, []byte(`"`+releases.CheckName+`"`)) {
				c.made++
			}
			c.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}

// join returns what is closed when two are there.
func (c *crowd) join() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	both := c.waits
	if both == nil {
		c.waits = make(chan struct{})
		return c.waits
	}
	close(both)
	c.waits = nil
	return both
}

// TestReplicasMakeOneCheckRunOfARelease has three look at a release at the same moment,
// each of which sees it for the first time.
func TestReplicasMakeOneCheckRunOfARelease(t *testing.T) {
	t.Parallel()
	var seen crowd
	act, shared := scripted(t), onPostgres(t)
	p := open(t, t.TempDir(), func(c *systemConfig) {
		machines(c, act, scriptEnv+"="+scriptNews)
		shared(c)
	})
	p.front = seen.front
	all := []*system{p.sys}
	p.start(t)
	for range 2 {
		p.join(t, func(s *system) { all = append(all, s) })
	}
	p.settle(t)
	nothingStarted(t, p) // what was there at the first look is only noted
	head, err := pushRelease(t.Context(), p.gh, examples.Good)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(func() {
			if err := s.releases.Sweep(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	p.settle(t)
	p.run(t, 1)
	p.releaseIs(t, head, "failure", "1 bad, 2 held")
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if seen.made != 1 {
		t.Errorf("%d check runs %s were made, want one", seen.made, releases.CheckName)
	}
}
