// Package githubtest is a GitHub for the demo and for tests: the part of its
// REST interface that ortest uses, its webhooks, and its repositories over
// git's own protocol. What GitHub would refuse is refused here too.
//
// All state lies in one directory and survives the process being killed at any
// moment: a request is answered only after what it changed has been written.
// A workflow job waits for a single-use runner, which the package runner
// provides:
//
//	queued -> in_progress -> completed
//
// The stand-in is stricter than GitHub where GitHub is lenient about public
// repositories: a token reads only what its permissions name.
package githubtest

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config is what a stand-in is started with. Dir, URL, AppID and AppKey are
// required.
type Config struct {
	Dir string // state, logs and repositories; created when missing
	URL string // where Handler is reachable, such as http://127.0.0.1:8080, without a path

	AppID       int64
	AppKey      *rsa.PublicKey
	AppSlug     string            // "" means ortest; the App comments as SLUG[bot]
	Permissions map[string]string // of the App; nil means what the bot needs and no more
	Events      []string          // the App's subscriptions; nil means all that are sent here

	WebhookURL    string // "" sends none and records none
	WebhookSecret string

	LostAfter time.Duration // a silent runner's job fails after it; 0 means 60 s
	RateLimit int           // requests per hour and installation; 0 means 5000

	Log *slog.Logger     // nil discards
	Now func() time.Time // nil means time.Now
}

// Server is a stand-in. All its methods may be called at once.
type Server struct {
	cfg   Config
	log   *slog.Logger
	git   gitDir
	api   http.Handler
	limit limiter
	hooks http.Client // sends webhooks

	browser browser

	mu      sync.RWMutex
	st      *state
	journal *journal
	broken  error               // set once a write failed: memory and file may differ
	seen    map[int64]time.Time // runner: when it was last heard; forgotten on restart
	subs    map[chan struct{}]bool
}

// Open loads the state of cfg.Dir, creating it when there is none. It starts
// nothing: call Run for webhooks to be sent. One directory serves one Server
// at a time.
func Open(cfg Config) (*Server, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{cfg.Dir, filepath.Join(cfg.Dir, "logs"), filepath.Join(cfg.Dir, "git")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("create state directory: %w", err)
		}
	}
	git, err := newGitDir(filepath.Join(cfg.Dir, "git"))
	if err != nil {
		return nil, err
	}
	st := newState()
	j, err := openJournal(cfg.Dir, st)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, log: cfg.Log, git: git, st: st, journal: j,
		limit: limiter{max: cfg.RateLimit, now: cfg.Now},
		hooks: http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		seen:  make(map[int64]time.Time), subs: make(map[chan struct{}]bool),
	}
	s.api = s.routes()
	// Runners that work on a job get a full LostAfter to be heard again.
	for _, r := range st.runners.filter(func(r Runner) bool { return r.Job != 0 }) {
		s.seen[r.ID] = cfg.Now()
	}
	if _, err := s.CreateUser(s.botLogin(), "Bot"); err != nil {
		return nil, errors.Join(err, j.close())
	}
	return s, nil
}

func (c Config) complete() (Config, error) {
	if c.Dir == "" || c.AppID == 0 || c.AppKey == nil {
		return c, errors.New("githubtest: Dir, AppID and AppKey are required")
	}
	if u, err := url.Parse(c.URL); err != nil || u.Scheme == "" || u.Host == "" {
		return c, fmt.Errorf("githubtest: URL %q is not absolute", c.URL)
	}
	abs, err := filepath.Abs(c.Dir)
	if err != nil {
		return c, fmt.Errorf("resolve state directory: %w", err)
	}
	c.Dir, c.URL = abs, strings.TrimRight(c.URL, "/")
	if c.AppSlug == "" {
		c.AppSlug = "ortest"
	}
	if c.Permissions == nil {
		c.Permissions = map[string]string{
			"actions": "write", "administration": "write", "checks": "write", "contents": "write",
			"members": "read", "metadata": "read", "pull_requests": "write",
		}
	}
	if c.Events == nil {
		c.Events = []string{"check_run", "check_suite", "issue_comment", "pull_request", "pull_request_review", "pull_request_review_comment", "push", "workflow_job", "workflow_run"}
	}
	if c.LostAfter == 0 {
		c.LostAfter = time.Minute
	}
	if c.RateLimit == 0 {
		c.RateLimit = 5000
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

// Run sends webhooks and ends the jobs of lost runners until ctx ends, and
// then returns nil. Webhooks not sent before come first.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.runDeliveries(ctx) })
	g.Go(func() error { return s.runSweeps(ctx) })
	return g.Wait()
}

// Close releases the state's file. No other method may be called after it.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = errors.New("githubtest: closed")
	return s.journal.close()
}

// Handler serves the REST interface at / and at /api/v3/, with what people see in
// a browser of Apps and logins, repositories at
// /OWNER/NAME.git and /OWNER/NAME, and the runners' private interface at
// /_runner/.
func (s *Server) Handler() http.Handler {
	runners, api := s.runnerRoutes(), s.browserRoutes(s.api)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/_runner/"):
			runners.ServeHTTP(w, r)
		case isGitPath(r.URL.Path):
			s.git.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, "/api/v3/"):
			http.StripPrefix("/api/v3", api).ServeHTTP(w, r)
		default:
			api.ServeHTTP(w, r)
		}
	})
}

// Subscribe returns a channel that holds a value whenever the state has
// changed since it was last read, and a function that ends the subscription.
func (s *Server) Subscribe() (changed <-chan struct{}, end func()) {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs[c] = true
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subs, c)
	}
}

// view reads the state.
func (s *Server) view(read func(st *state) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return read(s.st)
}

// update changes the state and writes the change down, or does neither. The
// lock is held while the line is written: the file's order is the state's.
func (s *Server) update(change func(st *state, x *tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	x := &tx{st: s.st}
	err := change(s.st, x)
	if err == nil {
		err = x.err
	}
	if err != nil {
		x.rollback()
		return err
	}
	if len(x.rows) == 0 {
		return nil
	}
	if err := s.journal.append(line{Next: s.st.next, Rows: x.rows}); err != nil {
		x.rollback()
		s.broken = err
		return err
	}
	s.notify()
	return nil
}

// notify wakes the subscribers; s.mu is held.
func (s *Server) notify() {
	for c := range s.subs {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// now returns the time to the second, as GitHub reports it.
func (s *Server) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Second) }

func (s *Server) botLogin() string { return s.cfg.AppSlug + "[bot]" }
