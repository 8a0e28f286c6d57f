package botless

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
	"github.com/ortest/ortest/runnerfleet/local"
)

// How long down waits for machines to be gone.
const (
	downEvery = 2 * time.Second
	downTime  = 10 * time.Minute
)

// reaper is a cloud of which machines are only listed and ended.
type reaper interface {
	List(ctx context.Context) ([]runnerfleet.Machine, error)
	Terminate(ctx context.Context, cloudID string) error
}

// down ends every machine of a run and removes the runners that are left. It lists
// the cloud and GitHub, and believes nothing that an earlier job said of them.
func (j Job) down(ctx context.Context) error {
	r, err := j.readRun()
	if err != nil {
		return err
	}
	if r.Cloud == "hosted" {
		fmt.Fprintln(j.Stdout, "there are no machines of ours")
		return nil
	}
	// One failing must not keep the other from its turn.
	return errors.Join(j.endMachines(ctx, r), j.removeRunners(ctx, r))
}

func (j Job) endMachines(ctx context.Context, r run) error {
	cloud, err := j.reaperOf(ctx, r)
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
			fmt.Fprintf(j.Stdout, "%d machines ended, none is left\n", len(ended))
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

func (j Job) reaperOf(ctx context.Context, r run) (reaper, error) {
	if r.Cloud == "local" {
		dir, err := j.localDir(r.ID)
		if err != nil {
			return nil, err
		}
		return &local.Cloud{Dir: filepath.Join(dir, "fleet"), Log: j.Log}, nil
	}
	if err := j.signIn(ctx); err != nil {
		return nil, err
	}
	return ec2.OpenReaper(ctx, fleetName())
}

func (j Job) removeRunners(ctx context.Context, r run) error {
	if os.Getenv("ORTEST_APP_ID") == "" && os.Getenv("ORTEST_RUNNER_TOKEN") == "" {
		return nil // then up has minted none
	}
	forge, repo, err := j.administrator(ctx)
	if err != nil {
		return err
	}
	n, err := forge.RemoveRunners(ctx, repo, runnerPrefix(r.ID))
	fmt.Fprintf(j.Stdout, "%d unused runners removed\n", n)
	return err
}
