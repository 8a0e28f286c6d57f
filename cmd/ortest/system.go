package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
	releases "github.com/ortest/ortest/bot/release"
	"github.com/ortest/ortest/bot/web"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/store"
)

// systemConfig is what the bot and its fleet are built from, wherever GitHub
// and the machines are.
type systemConfig struct {
	URL      string // where people, GitHub and agents reach us, without a trailing slash
	Server   string // where GitHub shows repositories
	Database string // path, or URL
	Data     string // directory of what a replica keeps for itself; "": the database's
	Keep     store.Keep
	App      github.App
	GitHub   github.Config
	Secrets  [][]byte // of webhooks
	Catalog  func() *catalog.Catalog
	Kept     *catalog.Kept          // revisions that -b may name; nil: none
	Settings func() bot.Settings    // nil: the zero value
	Releases func() []releases.Rule // nil: none
	Cloud    runnerfleet.Cloud
	Binaries map[string]string // agents that machines fetch, by "uname -m"
	FleetKey []byte
	Limits   runnerfleet.Limits
	Pace     time.Duration // between two looks at what no event announces
	Hold     time.Duration // between two updates of what a run shows
	Sweep    time.Duration // between two sweeps for what webhooks missed; 0: none
	Settle   time.Duration // how long GitHub may take to list what it started
	Log      *slog.Logger

	// OpenCloud makes the cloud where it keeps notes in the store; nil: Cloud is it.
	OpenCloud func(context.Context, *store.Store) (runnerfleet.Cloud, error)
	// Pages adds to what the pages are made from; nil adds nothing.
	Pages func(*system, *web.Config)
	// Heard is told which events come, once they are stored; nil is told nothing.
	Heard func(event string)
	// Stores wraps the store for the bot and for the fleet; nil leaves it as it is.
	Stores func(*store.Store) (bot.Store, runnerfleet.Store)
}

// system is a bot, its store and its fleet, put together.
type system struct {
	store    *store.Store
	bot      *bot.Bot
	fleet    *runnerfleet.Fleet
	forge    *github.Forge
	releases *releases.Releases
	http     *http.ServeMux
	sweep    time.Duration
	log      *slog.Logger
	begun    chan struct{} // closed when webhooks are worked as they come
	works    atomic.Bool   // from the start of the work until it is to end
}

func newSystem(ctx context.Context, cfg systemConfig) (*system, error) {
	st, err := store.Open(ctx, store.Config{Database: cfg.Database, Log: cfg.Log, Keep: cfg.Keep})
	if err != nil {
		return nil, err
	}
	cfg.GitHub.Ledger = st
	if cfg.OpenCloud != nil {
		if cfg.Cloud, err = cfg.OpenCloud(ctx, st); err != nil {
			return nil, errors.Join(err, st.Close())
		}
	}
	s := &system{store: st, http: http.NewServeMux(), begun: make(chan struct{}), sweep: cfg.Sweep, log: cfg.Log}
	if err := s.build(cfg); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return s, nil
}

func (s *system) build(cfg systemConfig) error {
	forge, err := github.New(cfg.GitHub)
	if err != nil {
		return err
	}
	var forBot bot.Store = s.store
	var forFleet runnerfleet.Store = s.store
	if cfg.Stores != nil {
		forBot, forFleet = cfg.Stores(s.store)
	}
	s.forge = forge
	s.bot = &bot.Bot{
		Store:     forBot,
		Forge:     forge,
		Decode:    github.Decoder(cfg.App),
		Instances: forFleet,
		Catalog:   cfg.Catalog, Kept: cfg.Kept,
		History:  historyFile{dir: cmp.Or(cfg.Data, filepath.Dir(cfg.Database))},
		Settings: cfg.Settings,
		URL:      cfg.URL,
		Server:   cfg.Server,
		Settle:   cfg.Settle,
		Log:      cfg.Log,
		Now:      time.Now,
		Poll:     cfg.Pace,
		Hold:     cfg.Hold,
		Room:     room(cfg.Cloud, cfg.Limits.MaxInstances),
		Alone:    s.store.Alone,
	}
	s.fleet = &runnerfleet.Fleet{
		Cloud: cfg.Cloud, Store: forFleet, Work: canaries{s.bot, forFleet}, Limits: cfg.Limits,
		URL: cfg.URL, Key: cfg.FleetKey, Interval: cfg.Pace, Log: cfg.Log,
	}
	s.bot.Wake = s.store.Wake
	rules := cfg.Releases
	if rules == nil {
		rules = func() []releases.Rule { return nil }
	}
	s.releases = &releases.Releases{Bot: s.bot, Forge: forge, Rules: rules, Push: github.Pushed, Alone: s.store.Alone, URL: cfg.URL, Log: cfg.Log}
	s.http.Handle("GET /releases/", web.Releases(web.ReleaseConfig{Table: s.releases.Table, Log: cfg.Log}))
	pages := s.pages(cfg)
	handler := web.Handler(pages)
	s.http.Handle("/webhook", &github.Webhook{Secrets: cfg.Secrets, Owners: cfg.GitHub.Owners, Deliveries: heard{forBot, cfg.Heard}, Log: cfg.Log, Now: time.Now})
	attestor, _ := cfg.Cloud.(runnerfleet.Attestor)
	s.http.Handle("/agent/", &runnerfleet.API{
		Store: forFleet, Work: canaries{s.bot, forFleet}, Attest: attestor, Key: cfg.FleetKey, Binaries: cfg.Binaries, Wake: s.store.Wake, Log: cfg.Log,
	})
	for _, path := range []string{
		"/runs", "/runs/", "/goals", "/goals/", "/queue", "/machines", "/catalog", "/audit", "/audit.jsonl", "/metrics", "/healthz",
	} {
		s.http.Handle(path, handler)
	}
	if pages.Login != nil {
		for _, path := range []string{"/login", "/login/callback", "/logout"} {
			s.http.Handle(path, handler)
		}
	}
	s.http.HandleFunc("GET /readyz", s.ready)
	return s.fleet.Validate()
}

// pages is what the pages are made from.
func (s *system) pages(cfg systemConfig) web.Config {
	began := time.Now()
	pages := web.Config{
		Bot: s.bot, Store: s.store, Instances: s.store.Instances, Settings: cfg.Settings, Log: cfg.Log,
		Catalog: func() web.Catalog {
			c := cfg.Catalog()
			return web.Catalog{Revision: c.Revision, Source: "built in", Summary: c.Summary(), TakenAt: began}
		},
	}
	if cfg.Pages != nil {
		cfg.Pages(s, &pages)
	}
	return pages
}

// run works until ctx ends or a part cannot go on.
func (s *system) run(ctx context.Context) error {
	s.works.Store(true)
	stop := context.AfterFunc(ctx, func() { s.works.Store(false) })
	defer stop()
	return s.store.Work(ctx, store.Handlers{
		Delivery: s.releases.HandleDelivery, Drive: s.drive, Answers: s.bot.PostAnswers,
		Alone: s.alone, Woken: s.fleet.Wake, Begun: func() { close(s.begun) },
	})
}

// alone is what one of several replicas does: launching and sweeping.
func (s *system) alone(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.fleet.Run(ctx) })
	if s.sweep > 0 {
		g.Go(func() error { return s.sweepUntil(ctx) })
	}
	return g.Wait()
}

// drive drives a run on, and shows the release that it may belong to.
func (s *system) drive(ctx context.Context, run string) error {
	return errors.Join(s.bot.Drive(ctx, run), s.releases.Driven(ctx, run))
}

// sweepUntil looks for what webhooks missed, now and then, until ctx ends.
func (s *system) sweepUntil(ctx context.Context) error {
	tick := time.NewTicker(s.sweep)
	defer tick.Stop()
	for {
		// GitHub's own list of failed deliveries first: what comes again that way is whole.
		err := errors.Join(s.forge.RedeliverFailed(ctx, s.store), s.bot.Sweep(ctx), s.releases.Sweep(ctx))
		if err != nil && ctx.Err() == nil {
			s.log.Warn("a sweep did not work and will be repeated", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// ready answers whether this process takes and works webhooks now.
func (s *system) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	err := s.store.Ready(ctx)
	if err != nil || !s.works.Load() {
		http.Error(w, "not ready: the database takes nothing, or the server starts or stops; the log says which", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

func (s *system) close() error { return s.store.Close() }

// serveHTTP answers on a listener until ctx ends; requests under way get a few
// seconds, live pages are cut.
func serveHTTP(ctx context.Context, ln net.Listener, h http.Handler) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	cut()
	soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err := srv.Shutdown(soon); err != nil {
		srv.Close()
	}
	<-done
	return nil
}
