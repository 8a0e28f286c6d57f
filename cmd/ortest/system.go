package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
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
	Database string // path
	App      github.App
	GitHub   github.Config
	Secrets  [][]byte // of webhooks
	Catalog  *catalog.Catalog
	Cloud    runnerfleet.Cloud
	FleetKey []byte
	Limits   runnerfleet.Limits
	Pace     time.Duration // between two looks at what no event announces
	Settle   time.Duration // how long GitHub may take to list what it started
	Log      *slog.Logger

	// Stores wraps the store for the bot and for the fleet; nil leaves it as it is.
	Stores func(*store.Store) (bot.Store, runnerfleet.Store)
}

// system is a bot, its store and its fleet, put together.
type system struct {
	store *store.Store
	bot   *bot.Bot
	fleet *runnerfleet.Fleet
	http  *http.ServeMux
}

func newSystem(ctx context.Context, cfg systemConfig) (*system, error) {
	st, err := store.Open(ctx, store.Config{Path: cfg.Database, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	s := &system{store: st, http: http.NewServeMux()}
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
	s.bot = &bot.Bot{
		Store:     forBot,
		Forge:     forge,
		Decode:    github.Decoder(cfg.App),
		Instances: forFleet,
		Catalog:   func() *catalog.Catalog { return cfg.Catalog },
		URL:       cfg.URL,
		Server:    cfg.Server,
		Settle:    cfg.Settle,
		Log:       cfg.Log,
		Now:       time.Now,
		Poll:      cfg.Pace,
		Hold:      cfg.Pace,
	}
	s.fleet = &runnerfleet.Fleet{
		Cloud: cfg.Cloud, Store: forFleet, Work: s.bot, Limits: cfg.Limits,
		URL: cfg.URL, Key: cfg.FleetKey, Interval: cfg.Pace, Log: cfg.Log,
	}
	s.bot.Wake = s.fleet.Wake
	pages := web.Handler(web.Config{Bot: s.bot, Store: forBot, Log: cfg.Log})
	s.http.Handle("/webhook", &github.Webhook{Secrets: cfg.Secrets, Deliveries: forBot, Log: cfg.Log, Now: time.Now})
	s.http.Handle("/agent/", &runnerfleet.API{Store: forFleet, Work: s.bot, Wake: s.fleet.Wake, Log: cfg.Log})
	s.http.Handle("/runs", pages)
	s.http.Handle("/runs/", pages)
	return s.fleet.Validate()
}

// run works until ctx ends or a part cannot go on.
func (s *system) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.fleet.Run(ctx) })
	g.Go(func() error {
		return s.store.Work(ctx, store.Handlers{
			Delivery: s.bot.HandleDelivery, Drive: s.bot.Drive, Answers: s.bot.PostAnswers,
		})
	})
	return g.Wait()
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
