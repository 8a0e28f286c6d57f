package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/ortest/ortest"
	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/examples"
	"github.com/ortest/ortest/internal/githubtest"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/local"
)

// demoAppID is the App's id on the stand-in; it only has to be the same on both sides.
const demoAppID = 4711

func (a *app) demo() *cobra.Command {
	var d demo
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show everything on this machine, without an account",
		Long: "Show everything on this machine, without an account: a stand-in GitHub with a pull request, the bot, machines that are processes, " +
			"and a real nginx under test.",
		Example: "  ortest demo\n  ortest demo --once '/ortest hello' --variant memory",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(examples.Variants(), d.variant) {
				return usage(fmt.Errorf("--variant %q is none of %s", d.variant, strings.Join(examples.Variants(), ", ")))
			}
			if d.release != "" && !slices.Contains(examples.Variants(), d.release) {
				return usage(fmt.Errorf("--release %q is none of %s", d.release, strings.Join(examples.Variants(), ", ")))
			}
			if _, _, err := net.SplitHostPort(d.addr); err != nil {
				return usage(fmt.Errorf("--addr %q is not HOST:PORT", d.addr))
			}
			if d.as != demoMaintainer && d.as != demoStranger {
				return usage(fmt.Errorf("--as %q is neither %s, who maintains the project, nor %s, a stranger", d.as, demoMaintainer, demoStranger))
			}
			d.out, d.err = cmd.OutOrStdout(), cmd.ErrOrStderr()
			d.log = a.log(d.err)
			d.onceAsked = cmd.Flags().Changed("once")
			if d.onceAsked && a.verbose == 0 {
				d.log = slog.New(slog.NewTextHandler(d.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
			}
			return d.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.addr, "addr", "127.0.0.1:7878", "HOST:PORT to listen on; port 0 is any free one. Data made at another address keeps it")
	f.StringVar(&d.once, "once", "", "post this comment, wait, print what became of it, exit 0 or 1 by the verdict")
	f.StringVar(&d.release, "release", "", "push this variant to the release branch, wait, print the release's table, exit 0 or 1 by it: "+strings.Join(examples.Variants(), ", "))
	f.StringVar(&d.as, "as", demoMaintainer, "who posts it: "+demoMaintainer+" (maintainer) or "+demoStranger+" (stranger)")
	f.StringVar(&d.data, "data", defaultData("demo"), "directory for everything the demo keeps")
	f.StringVar(&d.variant, "variant", examples.Good, "what the pull request contains: "+strings.Join(examples.Variants(), ", "))
	return cmd
}

// defaultData returns a directory of ours below $XDG_STATE_HOME.
func defaultData(name string) string {
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			home = os.TempDir()
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "ortest", name)
}

// demo is the whole of ortest on one machine.
type demo struct {
	addr, once, as, data, variant string
	release                       string
	onceAsked                     bool
	out, err                      io.Writer
	log                           *slog.Logger
	deaf                          bool // no webhook ever comes
	wrap                          func(*systemConfig)

	mu sync.Mutex // guards variant once the demo serves

	gh   *githubtest.Server
	sys  *system
	url  string
	pull int
}

func (d *demo) run(ctx context.Context) (err error) {
	dir, err := openDemoDir(d.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.close()) }()
	ln, err := dir.listen(d.addr)
	if err != nil {
		return err
	}
	d.url = "http://" + ln.Addr().String()
	if err := d.open(ctx, dir); err != nil {
		return errors.Join(err, ln.Close())
	}
	defer func() { err = errors.Join(err, d.sys.close(), d.gh.Close()) }()

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return serveHTTP(ctx, ln, d.handler()) })
	g.Go(func() error { return d.gh.Run(ctx) })
	g.Go(func() error { return d.sys.run(ctx) })
	g.Go(func() error {
		if d.release != "" {
			defer stop()
			return d.onceRelease(ctx)
		}
		if !d.onceAsked {
			fmt.Fprintf(d.out, "The demo's pull request: %s/%s/pull/%d\nWrite /ortest hello there. Ctrl-C stops the demo; its state stays in %s\n",
				d.url, demoRepo, d.pull, dir.path)
			return nil
		}
		defer stop()
		return d.onceComment(ctx)
	})
	return g.Wait()
}

// open builds the stand-in and the system on the data directory.
func (d *demo) open(ctx context.Context, dir *demoDir) error {
	key, err := dir.key()
	if err != nil {
		return err
	}
	d.gh, err = githubtest.Open(githubtest.Config{
		Dir: filepath.Join(dir.path, "github"), URL: d.url, AppID: demoAppID, AppKey: &key.PublicKey,
		WebhookURL: d.webhook(), WebhookSecret: dir.state.WebhookSecret, Log: d.log,
	})
	if err != nil {
		return err
	}
	if d.pull, err = seed(ctx, d.gh, d.variant); err != nil {
		return errors.Join(err, d.gh.Close())
	}
	cfg, err := d.config(dir)
	if err == nil {
		d.sys, err = newSystem(ctx, cfg)
	}
	if err != nil {
		return errors.Join(err, d.gh.Close())
	}
	return nil
}

func (d *demo) webhook() string {
	if d.deaf {
		return ""
	}
	return d.url + "/webhook"
}

func (d *demo) config(dir *demoDir) (systemConfig, error) {
	c, err := catalog.Examples()
	if err != nil {
		return systemConfig{}, err
	}
	fleetKey, err := hex.DecodeString(dir.state.FleetKey)
	if err != nil {
		return systemConfig{}, fmt.Errorf("read %s: %w", dir.file(), err)
	}
	cloud, err := d.cloud(dir)
	if err != nil {
		return systemConfig{}, err
	}
	cfg := systemConfig{
		URL:      d.url,
		Server:   d.url,
		Settle:   5 * time.Second,
		Database: filepath.Join(dir.path, "ortest.db"),
		App:      github.App{ID: demoAppID, Slug: "ortest"},
		GitHub:   github.Config{AppID: demoAppID, Key: []byte(dir.state.AppKey), BaseURL: d.url + "/api/v3", Log: d.log},
		Secrets:  [][]byte{[]byte(dir.state.WebhookSecret)},
		Catalog:  func() *catalog.Catalog { return c },
		Releases: demoRules,
		Cloud:    cloud,
		FleetKey: fleetKey,
		Limits: runnerfleet.Limits{
			MaxInstances: 4, MaxAge: 4 * time.Hour, BootGrace: time.Minute, Silence: 30 * time.Second, Settle: 2 * time.Second,
		},
		Pace:  time.Second,
		Hold:  time.Second,
		Sweep: 10 * time.Second,
		Log:   d.log,
	}
	if d.wrap != nil {
		d.wrap(&cfg)
	}
	return cfg, nil
}

// cloud returns the machines of the demo: processes that run this binary.
func (d *demo) cloud(dir *demoDir) (*local.Cloud, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find our own binary: %w", err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(exe), "act")); err != nil {
		if _, err := exec.LookPath("act"); err != nil {
			return nil, fmt.Errorf("act, which runs the workflow, is neither beside %s nor in PATH; make build makes it", exe)
		}
	}
	actions := filepath.Join(dir.path, "action")
	if err := os.MkdirAll(actions, 0o755); err != nil {
		return nil, fmt.Errorf("make the action's directory: %w", err)
	}
	if err := os.WriteFile(filepath.Join(actions, "action.yml"), ortest.ActionFile, 0o644); err != nil {
		return nil, fmt.Errorf("write the action: %w", err)
	}
	return &local.Cloud{
		Dir: filepath.Join(dir.path, "fleet"),
		Exe: []string{exe, "agent", "--runner", shellquote.Join(exe, "runner")},
		Env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8",
			"ORTEST_BIN=" + exe, "ORTEST_ACTION_DIR=" + actions,
		},
		Log: d.log,
	}, nil
}
