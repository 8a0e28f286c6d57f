// Package agent is what runs on an instance: it enrols, asks for one piece after
// another, runs a single-use runner for each, hands over what the runner's job
// leaves in the spool, and stops when the fleet has no more for it.
//
// The server may be away for minutes at any time; every call is made again
// until it is answered or the instance's deadline has come. A job's processes
// are the agent's descendants, also those that detach themselves, and none
// outlives its piece.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/runnerfleet"
)

// Config is what an agent needs. All but Output and the durations is required, and
// with Metadata neither Instance nor Token nor Deadline.
type Config struct {
	URL      string // of the agents' interface, without its path
	Instance string
	Token    string   // one-time enrolment token
	Metadata string   // address of the machine's metadata service; "" where it has none
	Dir      string   // absolute; the agent's own, emptied at the end
	Runner   []string // command line of actions/runner, which gets its JIT configuration from the environment; run in a lane's directory
	Keeper   []string // command line of a program that calls Keep with what is added to it
	// Home is the directory where actions/runner is installed; each piece gets a copy
	// of its own, and Runner's first word is a path in it. "" where Runner needs none.
	Home string
	// Users begins the names of the accounts that the lanes' jobs run as: with "lane-"
	// they are lane-1, lane-2 and so on, made where they are missing. "" is the agent's
	// own account; anything else wants root.
	Users string
	// Root is where the system stands in which jobs test, on a machine that has another
	// one for that: their action enters it. "" where they test on the machine's own.
	Root     string
	Deadline time.Time
	// Env is the runners' environment before the agent adds its own; settings with
	// EnvAgentPrefix are left out.
	Env []string
	Log *slog.Logger
	// Output gets what the runners print; nil discards it.
	Output *os.File
	// Heartbeat is the time between two heartbeats; 0 means 5 s.
	Heartbeat time.Duration
	// Grace is how long a runner has between the request to stop and the kill, and
	// how long a stopping agent tries to hand over what it has; 0 means 10 s.
	Grace time.Duration
	// Again is how long a runner that may be started again waits; 0 means 5 s.
	Again time.Duration
	// Idle is how long a runner waits for its job before the machine is given up; 0 where
	// a server says when a job will not come.
	Idle time.Duration
}

// FromEnv reads what a cloud put into an agent's environment, and removes the
// token's file: from then on the token is in this process only. Runner, Log
// and Output are the caller's to set.
func FromEnv(environ []string) (Config, error) {
	env := make(map[string]string, len(environ))
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	need := []string{runnerfleet.EnvURL, runnerfleet.EnvDir}
	if env[runnerfleet.EnvMetadata] == "" {
		need = append(need, runnerfleet.EnvInstance, runnerfleet.EnvTokenFile, runnerfleet.EnvDeadline)
	}
	for _, k := range need {
		if env[k] == "" {
			return Config{}, fmt.Errorf("environment has no %s", k)
		}
	}
	if m := env[runnerfleet.EnvMetadata]; m != "" {
		return Config{URL: env[runnerfleet.EnvURL], Metadata: m, Dir: env[runnerfleet.EnvDir], Env: environ}, nil
	}
	deadline, err := time.Parse(time.RFC3339Nano, env[runnerfleet.EnvDeadline])
	if err != nil {
		return Config{}, fmt.Errorf("read %s: %w", runnerfleet.EnvDeadline, err)
	}
	token, err := os.ReadFile(env[runnerfleet.EnvTokenFile])
	if err != nil {
		return Config{}, fmt.Errorf("read token: %w", err)
	}
	if err := os.Remove(env[runnerfleet.EnvTokenFile]); err != nil {
		return Config{}, fmt.Errorf("remove token: %w", err)
	}
	return Config{
		URL: env[runnerfleet.EnvURL], Instance: env[runnerfleet.EnvInstance], Token: strings.TrimSpace(string(token)),
		Dir: env[runnerfleet.EnvDir], Deadline: deadline, Env: environ,
	}, nil
}

// Validate reports what is missing.
func (c *Config) Validate() error {
	switch {
	case c.URL == "" || c.Log == nil:
		return errors.New("agent: URL and Log are required")
	case c.Metadata == "" && (c.Instance == "" || c.Token == "" || c.Deadline.IsZero()):
		return errors.New("agent: Instance, Token and Deadline are required, or Metadata")
	case !filepath.IsAbs(c.Dir):
		return fmt.Errorf("agent: directory %q is not absolute", c.Dir)
	case c.Root != "" && !filepath.IsAbs(c.Root):
		return fmt.Errorf("agent: root %q is not absolute", c.Root)
	case len(c.Runner) == 0 || len(c.Keeper) == 0:
		return errors.New("agent: Runner and Keeper are required")
	}
	return nil
}

// Why an agent stops by itself.
var (
	errDeadline = errors.New("instance is past its deadline")
	errStopped  = errors.New("agent was told to stop")
)

// Run serves one instance. It returns nil when the fleet had no more for it, or
// when ctx ended; otherwise why it gave up. Either way no process of a job is
// left, and Dir is empty: the caller powers the machine off. Run makes the
// process a subreaper, and takes every child of it that is no keeper for a job's.
func Run(ctx context.Context, c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become subreaper: %w", err)
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 5 * time.Second
	}
	if c.Grace == 0 {
		c.Grace = 10 * time.Second
	}
	if c.Again == 0 {
		c.Again = 5 * time.Second
	}
	var err error
	if c.Home == "" {
		c.Runner, err = resolve(c.Runner)
	} else if !filepath.IsLocal(c.Runner[0]) {
		err = fmt.Errorf("runner %s is no path in %s", c.Runner[0], c.Home)
	}
	if err != nil {
		return err
	}
	a := &agent{Config: c, calls: caller(c.Heartbeat)}
	a.client = runnerfleet.NewClient(c.URL, c.Instance, a.calls)
	if c.Metadata != "" {
		a.machine = &metadata{base: c.Metadata, poll: noticePoll}
	}
	err = a.run(ctx)
	return errors.Join(err, a.clean())
}

// resolve finds the runner from where the agent was started: a lane is elsewhere.
func resolve(argv []string) ([]string, error) {
	path, err := exec.LookPath(argv[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, fmt.Errorf("find runner: %w", err)
	}
	return append([]string{path}, argv[1:]...), nil
}

type agent struct {
	Config
	keepers
	calls   *http.Client
	client  *runnerfleet.Client
	machine *metadata // nil where the machine has none
	lanes   int

	leave   sync.Once
	leaving chan struct{} // closed when the machine is to be left: no further piece
	working atomic.Int32  // lanes that have not left
	left    chan struct{} // closed when all have
}

// run serves until there is no more, and says goodbye if it stops before that.
func (a *agent) run(parent context.Context) error {
	if err := a.enrol(parent); err != nil {
		return a.why(parent, err)
	}
	ctx, cancel := context.WithDeadlineCause(parent, a.Deadline, errDeadline)
	defer cancel()
	a.Log.Info("agent enrolled", "instance", a.Instance, "lanes", a.lanes)
	err := a.why(parent, a.serve(ctx))
	if reason := a.reason(parent, err); reason != "" {
		a.Log.Info("agent stops", "reason", reason)
		late, cancel := context.WithTimeout(context.WithoutCancel(parent), a.Grace)
		defer cancel()
		if err := a.client.Bye(late, reason); err != nil {
			a.Log.Warn("agent leaves without goodbye", "err", err)
		}
	}
	return err
}

// serve runs all lanes, and returns when the first of them returns: that there is
// nothing more, or that the machine goes, is said to any of them.
func (a *agent) serve(ctx context.Context) error {
	a.leaving, a.left = make(chan struct{}), make(chan struct{})
	a.working.Store(int32(a.lanes))
	g, ctx := errgroup.WithContext(ctx)
	for n := range a.lanes {
		l, err := a.newLane(n)
		if err != nil {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
		g.Go(func() error { return l.run(ctx) })
	}
	if a.machine != nil {
		g.Go(func() error { return a.leaveFor(ctx, a.machine.withdrawn) })
		g.Go(func() error { return a.leaveFor(ctx, a.machine.atRisk) })
	}
	return g.Wait()
}

// leaveFor waits for the cloud's word that the machine is to be left, lets no
// further piece begin, and returns when what runs is over or has to be.
func (a *agent) leaveFor(ctx context.Context, word func(context.Context) (notice, error)) error {
	n, err := word(ctx)
	if err != nil {
		return err
	}
	a.Log.Warn("machine is to be left", "reason", n.why)
	a.leave.Do(func() { close(a.leaving) })
	var late <-chan time.Time
	if !n.stop.IsZero() {
		late = time.After(time.Until(n.stop))
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-a.left:
	case <-late:
	}
	return errors.New(n.why)
}

// bootTime is how long a machine that does not know its deadline tries to enrol.
const bootTime = 30 * time.Minute

// enrol proves which instance this is, and learns until when it may live.
func (a *agent) enrol(parent context.Context) error {
	ctx, cancel := context.WithTimeoutCause(parent, bootTime, errDeadline)
	if !a.Deadline.IsZero() {
		cancel()
		ctx, cancel = context.WithDeadlineCause(parent, a.Deadline, errDeadline)
	}
	defer cancel()
	return a.retry(ctx, "enrol", func(ctx context.Context) error {
		if a.machine == nil {
			in, err := a.client.Enrol(ctx, a.Token)
			a.lanes = max(1, in.Lanes)
			return err
		}
		document, signature, err := a.machine.identity(ctx)
		if err != nil {
			return err
		}
		in, err := a.client.EnrolByIdentity(ctx, document, signature)
		if err == nil {
			a.Instance, a.Deadline, a.lanes = in.Instance, in.Deadline, max(1, in.Lanes)
		}
		return err
	})
}

// why reduces the end of a run to what the caller is to know.
func (a *agent) why(parent context.Context, err error) error {
	if errors.Is(err, runnerfleet.ErrNoMore) || parent.Err() != nil {
		return nil
	}
	return err
}

// reason is what the fleet is to know of an end that it did not ask for.
func (a *agent) reason(parent context.Context, err error) string {
	switch {
	case parent.Err() != nil:
		return errStopped.Error()
	case err != nil:
		return err.Error()
	}
	return ""
}

// clean empties the agent's directory. What a job took the rights from, its
// owner may still remove.
func (a *agent) clean() error {
	entries, err := os.ReadDir(a.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("clean directory: %w", err)
	}
	var errs []error
	for _, e := range entries {
		errs = append(errs, removeAll(filepath.Join(a.Dir, e.Name())))
	}
	return errors.Join(errs...)
}
