package botless

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
	"github.com/ortest/ortest/runnerfleet/image"
	"github.com/ortest/ortest/runnerfleet/local"
	"github.com/ortest/ortest/workflows"
)

// launcher starts a machine with a list.
type launcher func(ctx context.Context, l runnerfleet.Launch, list []byte) error

func (j Job) launcher(ctx context.Context, r run) (launcher, error) {
	switch r.Cloud {
	case "local":
		return j.localLauncher(r)
	case "ec2":
		return j.ec2Launcher(ctx, r)
	}
	return nil, usage(fmt.Errorf("the plan's cloud is %q, which starts no machines", r.Cloud))
}

// localDir is where the machines of a run on this very machine are known.
func (j Job) localDir(run string) (string, error) {
	return filepath.Abs(filepath.Join(cmp.Or(os.Getenv("ORTEST_DATA"), j.Data), run))
}

func (j Job) localLauncher(r run) (launcher, error) {
	dir, err := j.localDir(r.ID)
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find our own binary: %w", err)
	}
	agent := []string{exe, "agent", "--idle", cmp.Or(os.Getenv("ORTEST_IDLE"), j.Idle.String()), "--runner", cmp.Or(os.Getenv("ORTEST_RUNNER_COMMAND"), "./run.sh")}
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
			Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8", "ORTEST_BIN=" + exe}, Log: j.Log,
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

// required returns an error that names the variables that are empty.
func required(names ...string) error {
	missing := slices.DeleteFunc(names, func(name string) bool { return os.Getenv(name) != "" })
	if len(missing) == 0 {
		return nil
	}
	is := "is"
	if len(missing) > 1 {
		is = "are"
	}
	return usage(fmt.Errorf("%s %s empty: set what is missing under variables in %s and render the workflows again", strings.Join(missing, ", "), is, workflows.SettingsFile))
}

func (j Job) ec2Launcher(ctx context.Context, r run) (launcher, error) {
	if err := required("ORTEST_SUBNETS", "ORTEST_SECURITY_GROUPS", "ORTEST_AGENT_BINARY", "ORTEST_AGENT_SHA256"); err != nil {
		return nil, err
	}
	if err := j.signIn(ctx); err != nil {
		return nil, err
	}
	c, err := j.catalog()
	if err != nil {
		return nil, err
	}
	arches := make(map[string]ec2.Arch)
	if a, ok := c.Arch(r.Options.Arch); ok {
		arches[a.Name] = machinesOf(a)
	}
	owners := words("ORTEST_IMAGE_OWNERS")
	if len(owners) == 0 {
		owners = []string{"self"}
	}
	cloud, err := ec2.Open(ctx, ec2.Config{
		Fleet: fleetName(), Arches: arches, Subnets: words("ORTEST_SUBNETS"), Groups: words("ORTEST_SECURITY_GROUPS"), Owners: owners,
		AgentURL: os.Getenv("ORTEST_AGENT_BINARY"), MaxAge: 24 * time.Hour, Notes: new(shortNotes), Log: j.Log,
	})
	if err != nil {
		return nil, usage(err)
	}
	return j.patiently(cloud), nil
}

// machinesOf is what the job's variables say of an arch's machines, or the catalog does.
func machinesOf(a catalog.Arch) ec2.Arch {
	arch := ec2.Arch{Image: cmp.Or(os.Getenv("ORTEST_IMAGE"), a.Image), Types: words("ORTEST_TYPES"), Digest: os.Getenv("ORTEST_AGENT_SHA256"), Root: image.RootOf(a.Name)}
	if len(arch.Types) == 0 {
		arch.Types = a.Alike()
	}
	return arch
}

// patiently launches on a cloud, thrice where it has no machine left.
func (j Job) patiently(cloud *ec2.Cloud) launcher {
	return func(ctx context.Context, l runnerfleet.Launch, list []byte) error {
		for try := 0; ; try++ {
			l.Try = try
			_, err := cloud.LaunchAlone(ctx, l, list)
			if !errors.Is(err, runnerfleet.ErrCapacity) || try == 2 {
				return err
			}
			j.Log.Warn("no capacity", "instance", l.Instance, "err", err)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Minute):
			}
		}
	}
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
