package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/trace"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/store"
)

// traceConfig says where traces go.
type traceConfig struct {
	Endpoint   string `yaml:"endpoint"`
	HeaderFile string `yaml:"header_file"`
}

func (c traceConfig) validate(wrong func(is bool, format string, args ...any)) {
	if c.Endpoint == "" {
		return
	}
	u, err := url.Parse(c.Endpoint)
	wrong(err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https", "trace.endpoint: %q is no address such as http://localhost:4318", c.Endpoint)
}

// tracer sends a trace of each run that this process closes. A collector that
// does not take one costs that trace and nothing else.
type tracer struct {
	at     string
	to     *trace.Exporter // nil sends nothing
	log    *slog.Logger
	closed chan closedRun
}

type closedRun struct {
	run       bot.Run
	instances []runnerfleet.Instance
	at        time.Time
}

// mostTraces is how many wait for a collector that is slow.
const mostTraces = 100

func (c traceConfig) open(at string, log *slog.Logger) (*tracer, error) {
	t := &tracer{at: at, log: log, closed: make(chan closedRun, mostTraces)}
	if c.Endpoint == "" {
		return t, nil
	}
	header := http.Header{}
	if c.HeaderFile != "" {
		b, err := secret(c.HeaderFile, 3)
		if err != nil {
			return nil, err
		}
		name, value, ok := strings.Cut(string(b), ":")
		if !ok {
			return nil, usage(fmt.Errorf("trace.header_file: %s holds no \"Name: value\"", c.HeaderFile))
		}
		header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	t.to = &trace.Exporter{Endpoint: c.Endpoint, Header: header, Client: &http.Client{Timeout: 10 * time.Second}}
	return t, nil
}

// stores is the store, with an ear for runs that are closed.
func (t *tracer) stores(st *store.Store) (bot.Store, runnerfleet.Store) {
	if t.to == nil {
		return st, st
	}
	return traced{st, t}, st
}

type traced struct {
	*store.Store
	tracer *tracer
}

func (s traced) UpdateRun(ctx context.Context, id string, change func(*bot.Run) bool) (bot.Run, error) {
	closing := false
	r, err := s.Store.UpdateRun(ctx, id, func(r *bot.Run) bool {
		was := r.State
		changed := change(r)
		closing = changed && was != bot.Closed && r.State == bot.Closed
		return changed
	})
	if err == nil && closing {
		instances, err := s.Instances(ctx)
		if err != nil {
			s.tracer.log.Warn("instances of a trace not read", "run", id, "err", err)
		}
		select {
		case s.tracer.closed <- closedRun{r, instances, time.Now()}:
		default:
			s.tracer.log.Warn("trace dropped, since the collector is slow", "run", id)
		}
	}
	return r, err
}

// run sends what is closed until ctx ends.
func (t *tracer) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-t.closed:
			if err := t.to.Send(ctx, trace.Spans(t.at, c.run, c.instances, c.at)); err != nil && ctx.Err() == nil {
				t.log.Warn("trace not sent", "run", c.run.ID, "err", err)
			}
		}
	}
}
