package main

import (
	"context"
	"path/filepath"
	"testing"

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
