package botless

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
)

// up mints a runner for each piece, and starts each machine with the list of its
// own. Whatever fails, the job down ends what was started.
func (j Job) up(ctx context.Context) error {
	r, err := j.readRun()
	if err != nil {
		return err
	}
	if again(r) {
		return usage(errAgain)
	}
	var machines []machine
	if err := json.Unmarshal([]byte(os.Getenv("ORTEST_MACHINES")), &machines); err != nil {
		return usage(fmt.Errorf("ORTEST_MACHINES holds no machines: hand it the output machines of the job that plans (%w)", err))
	}
	forge, repo, err := j.administrator(ctx)
	if err != nil {
		return err
	}
	launch, err := j.launcher(ctx, r)
	if err != nil {
		return err
	}
	for _, m := range machines {
		list, err := j.mint(ctx, forge, repo, r, m)
		if err != nil {
			return err
		}
		if err := j.start(ctx, launch, r, m, list); err != nil {
			return fmt.Errorf("start machine %s: %w", m.ID, err)
		}
	}
	fmt.Fprintf(j.Stdout, "%d machines started\n", len(machines))
	return nil
}

// errAgain says why some jobs of a workflow run cannot be run again without the others.
var errAgain = errors.New("the plan is of an earlier attempt, whose machines are gone: choose \"Re-run all jobs\", not \"failed jobs\"")

// again reports whether some jobs of a workflow run are run again with an old plan.
func again(r run) bool {
	return !strings.HasSuffix(r.ID, "-"+cmp.Or(os.Getenv("GITHUB_RUN_ATTEMPT"), "1"))
}

// runnerPrefix begins the names of a run's runners.
func runnerPrefix(run string) string { return "ortest-" + run + "-" }

// machinePrefix begins the names of a run's machines.
func machinePrefix(run string) string { return "gha-" + run + "-" }

// mint registers a runner for each piece of a machine: good for one job, with the
// label that only this job asks for.
func (j Job) mint(ctx context.Context, forge *github.Forge, repo bot.Repo, r run, m machine) (list []runnerfleet.Assignment, err error) {
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

// start starts a machine, or several where its list is too long for one.
func (j Job) start(ctx context.Context, launch launcher, r run, m machine, list []runnerfleet.Assignment) error {
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
		return errors.Join(j.start(ctx, launch, r, first, list[:half]), j.start(ctx, launch, r, second, list[half:]))
	}
	return err
}
