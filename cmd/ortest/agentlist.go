package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/agent"
)

// idleTime is how long a runner without a bot waits for its job: longer than the job
// that starts the machines may take, since the jobs that test begin after it.
const idleTime = 25 * time.Minute

// readList reads the pieces of a machine without a bot, and removes the file: it
// holds a runner's configuration for each.
func readList(path string) ([]runnerfleet.Assignment, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read list: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return nil, fmt.Errorf("remove list: %w", err)
	}
	var list []runnerfleet.Assignment
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("read list: %w", err)
	}
	if len(list) == 0 {
		return nil, errors.New("read list: it is empty")
	}
	return list, nil
}

// listedAgent reads what an agent without a bot is told: its directory and how long
// it may live stand in the environment, what it runs in the file.
func listedAgent(path string) (agent.Config, []runnerfleet.Assignment, error) {
	cfg := agent.Config{Dir: os.Getenv(runnerfleet.EnvDir), Instance: os.Getenv(runnerfleet.EnvInstance), Env: os.Environ()}
	deadline, err := time.Parse(time.RFC3339Nano, os.Getenv(runnerfleet.EnvDeadline))
	if err != nil {
		return cfg, nil, fmt.Errorf("read %s: %w", runnerfleet.EnvDeadline, err)
	}
	cfg.Deadline = deadline
	list, err := readList(path)
	return cfg, list, err
}

// runList runs an agent that has no server: what it asks is answered in this
// process, from a list. The results are the jobs' own to keep.
func runList(ctx context.Context, cfg agent.Config, list []runnerfleet.Assignment) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the agent: %w", err)
	}
	if cfg.Instance == "" {
		cfg.Instance = "alone"
	}
	cfg.URL, cfg.Metadata, cfg.Token = "http://"+ln.Addr().String(), "", randomHex()
	sum := sha256.Sum256([]byte(cfg.Token))
	work := &listWork{list: list, in: runnerfleet.Instance{
		ID: cfg.Instance, Bucket: "alone", Attempt: 1, State: runnerfleet.Booting, Enrol: sum[:], LaunchedAt: time.Now(), IntendedAt: time.Now(), Deadline: cfg.Deadline,
	}}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, gctx := errgroup.WithContext(ctx)
	api := &runnerfleet.API{Store: work, Work: work, Key: []byte(randomHex()), Wake: func() {}, Log: slog.New(slog.DiscardHandler)}
	g.Go(func() error { return serveHTTP(gctx, ln, http.Handler(api)) })
	g.Go(func() error {
		defer stop()
		return agent.Run(gctx, cfg)
	})
	return g.Wait()
}

// listWork is the work of one instance, in the order of its list.
type listWork struct {
	mu   sync.Mutex
	in   runnerfleet.Instance
	list []runnerfleet.Assignment
}

var (
	_ runnerfleet.Work  = (*listWork)(nil)
	_ runnerfleet.Store = (*listWork)(nil)
)

// Buckets has none: nobody launches anything here.
func (w *listWork) Buckets(context.Context) ([]runnerfleet.Bucket, error) { return nil, nil }

// Next is the first of the list until it is finished.
func (w *listWork) Next(context.Context, runnerfleet.Instance) (runnerfleet.Assignment, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.list) == 0 {
		return runnerfleet.Assignment{}, runnerfleet.ErrNoMore
	}
	return w.list[0], nil
}

// Entry takes nothing: the job keeps it as an artifact.
func (w *listWork) Entry(context.Context, runnerfleet.Instance, string, json.RawMessage, []byte) error {
	return nil
}

// Finished moves on.
func (w *listWork) Finished(_ context.Context, _ runnerfleet.Instance, piece string, _ int, _ string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.list) == 0 || w.list[0].Piece != piece {
		return runnerfleet.ErrStale
	}
	w.list = w.list[1:]
	return nil
}

// Holds always: nobody takes a piece away.
func (w *listWork) Holds(context.Context, runnerfleet.Instance, string) error { return nil }

// Lost has nobody to tell.
func (w *listWork) Lost(context.Context, runnerfleet.Instance) error { return nil }

// Instances is the one.
func (w *listWork) Instances(context.Context) ([]runnerfleet.Instance, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return []runnerfleet.Instance{w.in}, nil
}

// Instance returns it by its name.
func (w *listWork) Instance(_ context.Context, id string) (runnerfleet.Instance, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id != w.in.ID {
		return runnerfleet.Instance{}, runnerfleet.ErrNotFound
	}
	return w.in, nil
}

// AddInstance refuses: there is one.
func (w *listWork) AddInstance(context.Context, runnerfleet.Instance) error {
	return runnerfleet.ErrExists
}

// UpdateInstance changes it.
func (w *listWork) UpdateInstance(_ context.Context, id string, change func(*runnerfleet.Instance) bool) (runnerfleet.Instance, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id != w.in.ID {
		return runnerfleet.Instance{}, runnerfleet.ErrNotFound
	}
	next := w.in
	if change(&next) {
		w.in = next
	}
	return w.in, nil
}
