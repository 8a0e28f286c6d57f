package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
	"github.com/ortest/ortest/runnerfleet/local"
)

// up mints a runner for each piece, and starts each machine with the list of its
// own. Whatever fails, the job down ends what was started.
func (b botless) up(ctx context.Context) error {
	r, err := b.readRun()
	if err != nil {
		return err
	}
	if again(r) {
		return usage(errAgain)
	}
	var machines []botlessMachine
	if err := json.Unmarshal([]byte(os.Getenv("ORTEST_MACHINES")), &machines); err != nil {
		return usage(fmt.Errorf("ORTEST_MACHINES holds no machines: hand it the output machines of the job that plans (%w)", err))
	}
	forge, repo, err := b.administrator(ctx)
	if err != nil {
		return err
	}
	launch, err := b.launcher(ctx, r)
	if err != nil {
		return err
	}
	for _, m := range machines {
		list, err := b.mint(ctx, forge, repo, r, m)
		if err != nil {
			return err
		}
		if err := b.start(ctx, launch, r, m, list); err != nil {
			return fmt.Errorf("start machine %s: %w", m.ID, err)
		}
	}
	fmt.Fprintf(b.cmd.OutOrStdout(), "%d machines started\n", len(machines))
	return nil
}

// errAgain says why some jobs of a workflow run cannot be run again without the others.
var errAgain = errors.New("the plan is of an earlier attempt, whose machines are gone: choose \"Re-run all jobs\", not \"failed jobs\"")

// again reports whether some jobs of a workflow run are run again with an old plan.
func again(r botlessRun) bool {
	return !strings.HasSuffix(r.ID, "-"+cmp.Or(os.Getenv("GITHUB_RUN_ATTEMPT"), "1"))
}

// runnerPrefix begins the names of a run's runners.
func runnerPrefix(run string) string { return "ortest-" + run + "-" }

// machinePrefix begins the names of a run's machines.
func machinePrefix(run string) string { return "gha-" + run + "-" }

// mint registers a runner for each piece of a machine: good for one job, with the
// label that only this job asks for.
func (b botless) mint(ctx context.Context, forge *github.Forge, repo bot.Repo, r botlessRun, m botlessMachine) (list []runnerfleet.Assignment, err error) {
	deadline := r.At.Add(time.Duration(m.Minutes) * time.Minute)
	if now := time.Now(); now.After(r.At) {
		deadline = now.Add(time.Duration(m.Minutes) * time.Minute)
	}
	for _, p := range m.Pieces {
		name := runnerPrefix(r.ID) + strings.NewReplacer("/", "-").Replace(p.ID[strings.Index(p.ID, "/")+1:])
		_, jit, err := forge.MintRunner(ctx, repo, name, p.Label)
		if errors.Is(err, bot.ErrRefused) || errors.Is(err, bot.ErrGone) {
			return nil, usage(fmt.Errorf("%w; what ORTEST_APP_ID or ORTEST_RUNNER_TOKEN stands for needs \"administration: write\" on %s", err, repo))
		}
		if err != nil {
			return nil, err
		}
		list = append(list, runnerfleet.Assignment{
			Piece: p.ID, Goal: p.Goal, JIT: jit, Repository: r.Repo, RunID: r.Run, Deadline: deadline,
		})
	}
	return list, nil
}

// launcher starts a machine with a list.
type launcher func(ctx context.Context, l runnerfleet.Launch, list []byte) error

// start starts a machine, or several where its list is too long for one.
func (b botless) start(ctx context.Context, launch launcher, r botlessRun, m botlessMachine, list []runnerfleet.Assignment) error {
	raw, err := json.Marshal(list)
	if err != nil {
		return err
	}
	id := machinePrefix(r.ID) + m.ID
	l := runnerfleet.Launch{Instance: id, Bucket: r.ID + "/" + m.ID, Arch: m.Arch, Type: m.Type, Deadline: list[len(list)-1].Deadline.Truncate(time.Second), OnDemand: true}
	err = launch(ctx, l, raw)
	if errors.Is(err, ec2.ErrTooLong) && len(list) > 1 {
		half := len(list) / 2
		first, second := m, m
		first.ID, second.ID = m.ID+"a", m.ID+"b"
		return errors.Join(b.start(ctx, launch, r, first, list[:half]), b.start(ctx, launch, r, second, list[half:]))
	}
	return err
}

func (b botless) launcher(ctx context.Context, r botlessRun) (launcher, error) {
	switch r.Cloud {
	case "local":
		return b.localLauncher(r)
	case "ec2":
		return b.ec2Launcher(ctx, r)
	}
	return nil, usage(fmt.Errorf("the plan's cloud is %q, which starts no machines", r.Cloud))
}

// localDir is where the machines of a run on this very machine are known.
func localDir(run string) (string, error) {
	return filepath.Abs(filepath.Join(cmp.Or(os.Getenv("ORTEST_DATA"), defaultData("botless")), run))
}

func (b botless) localLauncher(r botlessRun) (launcher, error) {
	dir, err := localDir(r.ID)
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find our own binary: %w", err)
	}
	agent := []string{exe, "agent", "--idle", cmp.Or(os.Getenv("ORTEST_IDLE"), idleTime.String()), "--runner", cmp.Or(os.Getenv("ORTEST_RUNNER_COMMAND"), "./run.sh")}
	return func(ctx context.Context, l runnerfleet.Launch, list []byte) error {
		lists := filepath.Join(dir, "lists")
		if err := os.MkdirAll(lists, 0o700); err != nil {
			return err
		}
		file := filepath.Join(lists, l.Instance+".json")
		if err := os.WriteFile(file, list, 0o600); err != nil {
			return err
		}
		cloud := &local.Cloud{
			Dir: filepath.Join(dir, "fleet"), Exe: append(slices.Clone(agent), "--list", file),
			Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8", "ORTEST_BIN=" + exe}, Log: b.log,
		}
		_, err := cloud.Launch(ctx, l)
		return err
	}, nil
}

// words of a variable.
func words(name string) []string {
	all, err := shellquote.Split(os.Getenv(name))
	if err != nil {
		return nil
	}
	return all
}

func (b botless) ec2Launcher(ctx context.Context, r botlessRun) (launcher, error) {
	if err := b.signIn(ctx); err != nil {
		return nil, err
	}
	c, err := b.catalogHere()
	if err != nil {
		return nil, err
	}
	arches := make(map[string]ec2.Arch)
	for _, a := range c.Arches() {
		if a.Name != r.Options.Arch {
			continue
		}
		arch := ec2.Arch{
			Image: cmp.Or(os.Getenv("ORTEST_IMAGE"), a.Image), Types: words("ORTEST_TYPES"), Spot: false, Digest: os.Getenv("ORTEST_AGENT_SHA256"),
		}
		if len(arch.Types) == 0 {
			arch.Types = alike(a)
		}
		arches[a.Name] = arch
	}
	for name, value := range map[string]string{
		"ORTEST_SUBNETS": os.Getenv("ORTEST_SUBNETS"), "ORTEST_SECURITY_GROUPS": os.Getenv("ORTEST_SECURITY_GROUPS"),
		"ORTEST_AGENT_BINARY": os.Getenv("ORTEST_AGENT_BINARY"), "ORTEST_AGENT_SHA256": os.Getenv("ORTEST_AGENT_SHA256"),
	} {
		if value == "" {
			return nil, usage(fmt.Errorf("%s is empty: set it under variables in %s and render the workflows again", name, settingsFile))
		}
	}
	owners := words("ORTEST_IMAGE_OWNERS")
	if len(owners) == 0 {
		owners = []string{"self"}
	}
	cloud, err := ec2.Open(ctx, ec2.Config{
		Fleet: fleetName(), Arches: arches, Subnets: words("ORTEST_SUBNETS"), Groups: words("ORTEST_SECURITY_GROUPS"), Owners: owners,
		AgentURL: os.Getenv("ORTEST_AGENT_BINARY"), MaxAge: 24 * time.Hour, Notes: new(shortNotes), Log: b.log,
	})
	if err != nil {
		return nil, usage(err)
	}
	return func(ctx context.Context, l runnerfleet.Launch, list []byte) error {
		for try := 0; ; try++ {
			l.Try = try
			_, err := cloud.LaunchAlone(ctx, l, list)
			if !errors.Is(err, runnerfleet.ErrCapacity) || try == 2 {
				return err
			}
			b.log.Warn("no capacity", "instance", l.Instance, "err", err)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Minute):
			}
		}
	}, nil
}

// fleetName is what the machines without a bot are tagged with.
func fleetName() string { return cmp.Or(os.Getenv("ORTEST_FLEET"), "ortest-without-bot") }

// shortNotes are notes for the time of one job.
type shortNotes struct {
	mu  sync.Mutex
	all map[string]time.Time
}

// Note remembers a word.
func (n *shortNotes) Note(_ context.Context, word string, until time.Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all == nil {
		n.all = make(map[string]time.Time)
	}
	n.all[word] = until
	return nil
}

// Noted returns the words whose time is not over.
func (n *shortNotes) Noted(_ context.Context, now time.Time) (words []string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for w, until := range n.all {
		if now.Before(until) {
			words = append(words, w)
		}
	}
	return words, nil
}
