package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ortest/ortest/runnerfleet/ec2"
	"github.com/ortest/ortest/runnerfleet/local"
)

// How long down waits for machines to be gone.
const (
	downEvery = 2 * time.Second
	downTime  = 10 * time.Minute
)

// down ends every machine of a run and removes the runners that are left. It lists
// the cloud and GitHub, and believes nothing that an earlier job said of them.
func (b botless) down(ctx context.Context) error {
	r, err := b.readRun()
	if err != nil {
		return err
	}
	if r.Cloud == "hosted" {
		fmt.Fprintln(b.cmd.OutOrStdout(), "there are no machines of ours")
		return nil
	}
	// One failing must not keep the other from its turn.
	return errors.Join(b.endMachines(ctx, r), b.removeRunners(ctx, r))
}

func (b botless) endMachines(ctx context.Context, r botlessRun) error {
	cloud, err := b.reaperOf(ctx, r)
	if err != nil {
		return err
	}
	ended := make(map[string]bool)
	for end := time.Now().Add(downTime); ; {
		all, err := cloud.List(ctx)
		if err != nil {
			return err
		}
		left := 0
		var errs []error
		for _, m := range all {
			// Also what an earlier run left whose own job down never came.
			late := !m.Deadline.IsZero() && time.Now().After(m.Deadline)
			if !m.Running || !late && !strings.HasPrefix(m.Instance, machinePrefix(r.ID)) {
				continue
			}
			left++
			ended[m.CloudID] = true
			errs = append(errs, cloud.Terminate(ctx, m.CloudID))
		}
		if left == 0 {
			fmt.Fprintf(b.cmd.OutOrStdout(), "%d machines ended, none is left\n", len(ended))
			return nil
		}
		if time.Now().After(end) {
			return errors.Join(append(errs, fmt.Errorf("%d machines still run; ortest fleet sweep --fleet %s ends them", left, fleetName()))...)
		}
		select {
		case <-ctx.Done():
			return errors.Join(append(errs, ctx.Err())...)
		case <-time.After(downEvery):
		}
	}
}

func (b botless) reaperOf(ctx context.Context, r botlessRun) (reaper, error) {
	if r.Cloud == "local" {
		dir, err := localDir(r.ID)
		if err != nil {
			return nil, err
		}
		return &local.Cloud{Dir: filepath.Join(dir, "fleet"), Log: b.log}, nil
	}
	if err := b.signIn(ctx); err != nil {
		return nil, err
	}
	return ec2.OpenReaper(ctx, fleetName())
}

func (b botless) removeRunners(ctx context.Context, r botlessRun) error {
	if os.Getenv("ORTEST_APP_ID") == "" && os.Getenv("ORTEST_RUNNER_TOKEN") == "" {
		return nil // then up has minted none
	}
	forge, repo, err := b.administrator(ctx)
	if err != nil {
		return err
	}
	n, err := forge.RemoveRunners(ctx, repo, runnerPrefix(r.ID))
	fmt.Fprintf(b.cmd.OutOrStdout(), "%d unused runners removed\n", n)
	return err
}
