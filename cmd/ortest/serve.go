package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/plan/catalog"
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
	level := slog.LevelInfo
	switch {
	case a.quiet:
		level = slog.LevelError
	case a.verbose > 0:
		level = slog.LevelDebug
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
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
	sys, err := newSystem(ctx, sc)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sys.close()) }()
	sys.http.Handle("GET /{$}", http.RedirectHandler("/runs", http.StatusFound))
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; choose another address in the configuration", cfg.Listen, err)
	}
	log.Info("serving", "addr", ln.Addr().String(), "url", cfg.URL, "catalog", live.catalog.Load().Revision)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return serveHTTP(ctx, ln, sys.http) })
	g.Go(func() error { return sys.run(ctx) })
	g.Go(func() error { return live.run(ctx) })
	return g.Wait()
}

// system reads what the configuration names and builds what newSystem takes.
func (c serveConfig) system(live *live, log *slog.Logger) (systemConfig, error) {
	key, err := secret(c.GitHub.KeyFile, 1)
	if err != nil {
		return systemConfig{}, err
	}
	var secrets [][]byte
	for _, file := range c.GitHub.Secrets {
		s, err := secret(file, 8)
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
	sc := systemConfig{
		URL: c.URL, Server: c.GitHub.Server, Database: filepath.Join(c.Data, "ortest.db"),
		App:     github.App{ID: c.GitHub.AppID, Slug: c.GitHub.Slug},
		GitHub:  github.Config{AppID: c.GitHub.AppID, Key: key, BaseURL: c.GitHub.API, RunnerGroup: c.GitHub.RunnerGroup, Log: log},
		Secrets: secrets, Catalog: live.catalog.Load, Settings: live.settings, FleetKey: fleetKey, Limits: c.Fleet.limits(),
		Pace: c.Pace.Poll, Hold: c.Pace.Hold, Sweep: c.Pace.Sweep, Log: log,
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
		return secret(c.Fleet.KeyFile, 32)
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

// live is what may change while the server works: it is swapped whole, and only
// for something that is valid.
type live struct {
	path    string
	data    string
	log     *slog.Logger
	config  atomic.Pointer[liveConfig]
	catalog atomic.Pointer[catalog.Catalog]
	seen    [2]string // what configuration and catalog looked like when they were read last
}

// reloadEvery is how soon a change counts.
const reloadEvery = 2 * time.Second

func openLive(path string, cfg serveConfig, log *slog.Logger) (*live, error) {
	l := &live{path: path, data: cfg.Data, log: log}
	l.config.Store(&cfg.Live)
	c, err := l.readCatalog()
	if err != nil {
		return nil, usage(fmt.Errorf("the catalog is not valid:\n%w", err))
	}
	l.catalog.Store(c)
	l.seen = [2]string{look(path), l.catalogLook()}
	return l, nil
}

// look tells whether anything at a path has changed, without reading it.
func look(path string) string {
	sum := sha256.New()
	err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(sum, name, info.Size(), info.ModTime().UnixNano(), info.Mode())
		return nil
	})
	return fmt.Sprintf("%x %v", sum.Sum(nil), err)
}

func (l *live) catalogLook() string {
	if dir := l.config.Load().Catalog; dir != "" {
		return look(dir)
	}
	return look(kept(l.data).Dir)
}

func (l *live) settings() bot.Settings { return l.config.Load().settings() }

func (l *live) readCatalog() (*catalog.Catalog, error) {
	if dir := l.config.Load().Catalog; dir != "" {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("live.catalog: %s is no directory", dir)
		}
		return catalog.Load(os.DirFS(dir))
	}
	return kept(l.data).Current()
}

// run looks for changes until ctx ends.
func (l *live) run(ctx context.Context) error {
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			l.reload()
		}
	}
}

// reload takes what has changed. What is not valid is said once and left.
func (l *live) reload() {
	if now := look(l.path); now != l.seen[0] {
		l.seen[0] = now
		cfg, err := readServeConfig(l.path)
		if err != nil {
			l.log.Error("configuration refused, the one before still counts", "err", err)
		} else {
			l.config.Store(&cfg.Live)
			l.log.Info("configuration taken", "maintenance", cfg.Live.Maintenance != "", "kill", cfg.Live.Kill != "")
		}
	}
	now := l.catalogLook()
	if now == l.seen[1] {
		return
	}
	l.seen[1] = now
	c, err := l.readCatalog()
	if err != nil {
		l.log.Error("catalog refused, the revision before still counts", "revision", l.catalog.Load().Revision, "err", err)
		return
	}
	if was := l.catalog.Swap(c); was.Revision != c.Revision {
		l.log.Info("catalog taken", "revision", c.Revision, "before", was.Revision)
	}
}
