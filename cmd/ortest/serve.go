package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/local"
	"github.com/ortest/ortest/store"
)

func (a *app) serve() *cobra.Command {
	var path string
	var example bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "The bot: webhooks, runs, instances and pages",
		Long: "The bot: webhooks at /webhook, pages at /runs, the instances' interface at /agent/, Prometheus metrics at /metrics, /healthz and /readyz.\n\n" +
			"SIGTERM drains: /readyz fails, what is being worked gets ten seconds, and the instances go on; the next start finds them. " +
			"Settings under live, and the catalog, count from the moment they are saved.",
		Example: "  ortest serve --example > ortest.yaml\n  ortest doctor --config ortest.yaml\n  ortest serve --config ortest.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if example {
				_, err := cmd.OutOrStdout().Write(exampleConfig)
				return err
			}
			cfg, err := readServeConfig(path)
			if err != nil {
				return usage(err)
			}
			return serve(cmd.Context(), path, cfg, a.serveLog(cfg, cmd.ErrOrStderr()))
		},
	}
	cmd.Flags().StringVar(&path, "config", "ortest.yaml", "read the configuration from `FILE`")
	cmd.Flags().BoolVar(&example, "example", false, "print a configuration with every key and its meaning, and stop")
	return cmd
}

func (a *app) serveLog(cfg serveConfig, w io.Writer) *slog.Logger {
	if cfg.Log != "json" {
		return a.log(w)
	}
	return slog.New(slog.NewJSONHandler(w, a.loudness()))
}

func serve(ctx context.Context, path string, cfg serveConfig, log *slog.Logger) (err error) {
	live, err := openLive(path, cfg, log)
	if err != nil {
		return err
	}
	sc, err := cfg.system(live, log)
	if err != nil {
		return err
	}
	tracer, err := cfg.Trace.open(cfg.URL, log)
	if err != nil {
		return err
	}
	sc.Stores = tracer.stores
	if err := free(cfg.Listen); err != nil { // before it works anything
		return err
	}
	sys, err := newSystem(ctx, sc)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sys.close()) }()
	live.judged = catalogCheck(sys.forge)
	if !store.IsURL(cfg.Database) { // each of several servers has revisions of its own
		sys.bot.Rollback = live.rollback
	}
	sys.http.Handle("GET /{$}", http.RedirectHandler("/runs", http.StatusFound))
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return sys.run(ctx) })
	g.Go(func() error {
		// Whoever balances the load of several servers sends none to one that does not listen.
		select {
		case <-sys.begun:
		case <-ctx.Done():
			return nil
		}
		ln, err := listen(cfg.Listen)
		if err != nil {
			return err
		}
		log.Info("serving", "addr", ln.Addr().String(), "url", cfg.URL, "catalog", live.catalog.Load().Revision)
		return serveHTTP(ctx, ln, sys.http)
	})
	g.Go(func() error { return live.run(ctx) })
	g.Go(func() error { return tracer.run(ctx) })
	err = g.Wait()
	log.Info("serving ended")
	return err
}

func listen(addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; choose another address in the configuration", addr, err)
	}
	return ln, nil
}

// free errs where nobody can listen.
func free(addr string) error {
	ln, err := listen(addr)
	if err != nil {
		return err
	}
	return ln.Close()
}

// system reads what the configuration names and builds what newSystem takes.
func (c serveConfig) system(live *live, log *slog.Logger) (systemConfig, error) {
	key, err := secret(c.GitHub.KeyFile, 1)
	if err != nil {
		return systemConfig{}, err
	}
	var secrets [][]byte
	for _, file := range c.GitHub.Secrets {
		s, err := secret(file, leastWebhookSecret)
		if err != nil {
			return systemConfig{}, err
		}
		secrets = append(secrets, s)
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return systemConfig{}, fmt.Errorf("make data directory: %w", err)
	}
	fleetKey, err := c.fleetKey()
	if err != nil {
		return systemConfig{}, err
	}
	revisions := kept(c.Data)
	sc := systemConfig{
		URL: c.URL, Server: c.GitHub.Server, Database: c.Database, Data: c.Data, Keep: store.Keep{Logs: c.Keep.Logs, Runs: c.Keep.Runs},
		App:     github.App{ID: c.GitHub.AppID, Slug: c.GitHub.Slug},
		GitHub:  github.Config{AppID: c.GitHub.AppID, Key: key, BaseURL: c.GitHub.API, RunnerGroup: c.GitHub.RunnerGroup, Owners: c.GitHub.Owners, Redeliver: c.Pace.Redeliver, Log: log},
		Secrets: secrets, Catalog: live.catalog.Load, Kept: &revisions, Settings: live.settings, Releases: live.rules, FleetKey: fleetKey, Limits: c.Fleet.limits(),
		Pace: c.Pace.Poll, Hold: c.Pace.Hold, Sweep: c.Pace.Sweep, Log: log,
	}
	sc.Heard = func(event string) {
		if event == "push" {
			live.hurry()
		}
	}
	if sc.Pages, err = c.pages(live, log); err != nil {
		return systemConfig{}, err
	}
	if c.Fleet.Cloud == "local" {
		sc.Cloud, err = c.cloud(log)
		return sc, err
	}
	sc.OpenCloud = func(ctx context.Context, notes *store.Store) (runnerfleet.Cloud, error) {
		return c.Fleet.EC2.open(ctx, c, live.catalog.Load(), notes, log)
	}
	sc.Binaries, err = c.Fleet.EC2.binaries()
	return sc, err
}

// fleetKey reads the key of one-time tokens, and makes one that stays when none is named.
func (c serveConfig) fleetKey() ([]byte, error) {
	if c.Fleet.KeyFile != "" {
		return secret(c.Fleet.KeyFile, leastFleetKey)
	}
	file := filepath.Join(c.Data, "fleet.key")
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(file, []byte(randomHex()+"\n"), 0o600); err != nil {
			return nil, fmt.Errorf("make the fleet's key: %w", err)
		}
	}
	return secret(file, 32)
}

func (c serveConfig) cloud(log *slog.Logger) (runnerfleet.Cloud, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find our own binary: %w", err)
	}
	argv, err := shellquote.Split(c.Fleet.Runner)
	if err != nil {
		return nil, err
	}
	return &local.Cloud{
		Dir: filepath.Join(c.Data, "fleet"),
		Exe: []string{exe, "agent", "--runner", shellquote.Join(argv...)},
		Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8", "ORTEST_BIN=" + exe},
		Log: log,
	}, nil
}
