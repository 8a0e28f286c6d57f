// Package web serves the bot's pages: runs, a run as it goes on, goals over
// time, the queue, machines and money, the catalog, the audit log. They are
// read-only and whole without a script; the one script there is only keeps a
// run's page up to date. Beside them it serves what monitors ask for: /healthz
// and /metrics.
//
// Nobody needs to log in. Where Config.Login is set people can, with GitHub,
// and the audit log may be for maintainers alone.
package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
	"github.com/ortest/ortest/runnerfleet"
)

// Config is what the pages are made from. Fields without a remark are required.
type Config struct {
	Bot interface {
		View(ctx context.Context, r bot.Run) (html.RunView, error)
		Evidence(ctx context.Context, r bot.Run, goal string) (report.Evidence, error)
	}
	Store     Store
	Instances func(ctx context.Context) ([]runnerfleet.Instance, error)
	Log       *slog.Logger

	Settings func() bot.Settings // those in force, for what the queue says of them; nil says nothing
	Catalog  func() Catalog      // nil: there is no page of it
	Login    *Login              // nil: nobody can log in
	Audit    Access              // who reads the audit log
	Refused  func() bool         // whether the configuration that was saved last does not count; nil: it does
	Clients  int                 // how many may follow runs at once; 200 when zero
}

// Store is what the pages read. Its lists go backwards from the newest, each
// page before what the one before it ended with.
type Store interface {
	Run(ctx context.Context, id string) (bot.Run, error)
	RunIDs(ctx context.Context, before string, limit int) ([]string, error)
	LiveRuns(ctx context.Context) ([]bot.Run, error)
	// Lived returns how long the instances that were launched at t or later have lived
	// until now, those of each run together.
	Lived(ctx context.Context, t, now time.Time) (map[string]time.Duration, error)
	Goals(ctx context.Context, each func(goal, run string, n int, result json.RawMessage) error) error
	GoalResults(ctx context.Context, goal, before string, limit int, each func(run string, at time.Time, result json.RawMessage) error) error
	AuditBefore(ctx context.Context, before int64, limit int) ([]bot.Audit, error)
	AuditLog(ctx context.Context, after int64, limit int) ([]bot.Audit, error)
	// Stats returns how many there are, by metric and label value.
	Stats(ctx context.Context) (map[string]map[string]float64, error)
}

// Access says who may read something.
type Access string

// Who may read the audit log. The zero value is Everybody without a login, and
// Maintainers with one.
const (
	Everybody   Access = "everybody"
	Maintainers Access = "maintainers" // people who may write to a repository that the bot serves
	Nobody      Access = "nobody"
)

// Catalog is what is in force of the catalog, and what last was not taken.
type Catalog struct {
	Revision  string
	Source    string // where it came from: a directory, a repository and its commit; "" is what is kept
	Summary   string
	TakenAt   time.Time
	Refused   string // why the newest was not taken; "" when it was
	RefusedOf string // what was not taken, such as a commit
	RefusedAt time.Time
}

//go:embed *.gohtml
var files embed.FS

// Handler serves /runs, /goals, /queue, /machines, /catalog, /audit with what
// is below them, /audit.jsonl, /login, /logout, /metrics and /healthz.
func Handler(cfg Config) http.Handler {
	if cfg.Clients == 0 {
		cfg.Clients = 200
	}
	if cfg.Audit == "" && cfg.Login != nil {
		cfg.Audit = Maintainers
	}
	if cfg.Audit == Maintainers && cfg.Login == nil {
		cfg.Audit = Nobody // whom nobody can tell apart gets nothing
	}
	p := &pages{
		Config: cfg, templates: template.Must(template.ParseFS(files, "*.gohtml")), policy: policyOf(cfg.Login != nil),
		rows: cache[row]{most: 10_000}, shots: cache[*shot]{most: 100}, places: make(chan struct{}, cfg.Clients), traffic: newTraffic(),
	}
	mux := http.NewServeMux()
	for pattern, page := range map[string]func(*http.Request, *answer) error{
		"/runs": p.runs, "/runs/{id}": p.run, "/runs/{id}/logs/{goal}": p.log, "/goals": p.goals, "/goals/{goal}": p.goal,
		"/queue": p.queue, "/machines": p.machines, "/catalog": p.catalog, "/audit": p.audit, "/metrics": p.metrics,
	} {
		mux.HandleFunc("GET "+pattern, p.serve(pattern, page))
	}
	mux.HandleFunc("GET /runs/{id}/events", p.events)
	mux.HandleFunc("GET /audit.jsonl", p.auditLines)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	if cfg.Login != nil {
		mux.HandleFunc("GET /login", p.login)
		mux.HandleFunc("GET "+callbackPath, p.loggedIn)
		mux.HandleFunc("POST /logout", p.logout)
	}
	return mux
}

type pages struct {
	Config
	templates *template.Template
	policy    string
	rows      cache[row]    // of runs that are closed
	shots     cache[*shot]  // pages of runs
	places    chan struct{} // of those who follow runs
	traffic   *traffic
}

// answer is a page on its way: it is sent once it is whole.
type answer struct {
	bytes.Buffer
	header http.Header
}

// errForbidden is for what a person may not read; the page says how they may.
var errForbidden = errors.New("not for everybody")

// serve answers with a page, or with what became of it. Whoever has the page
// already gets no second copy.
func (p *pages) serve(pattern string, page func(*http.Request, *answer) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		code := p.send(w, r, page)
		p.traffic.note(pattern, code, time.Since(began))
	}
}

func (p *pages) send(w http.ResponseWriter, r *http.Request, page func(*http.Request, *answer) error) (code int) {
	a := answer{header: w.Header()}
	protect(a.header, p.policy)
	a.header.Set("Content-Type", "text/html; charset=utf-8")
	a.header.Set("Cache-Control", "private, no-cache")
	if p.Login != nil {
		a.header.Set("Vary", "Cookie")
	}
	fail := func(code int, text string) int {
		http.Error(w, text, code)
		return code
	}
	switch err := page(r, &a); {
	case errors.Is(err, bot.ErrNotFound):
		return fail(http.StatusNotFound, "There is no such page. The newest runs are at /runs.")
	case errors.Is(err, errForbidden):
		return fail(http.StatusForbidden, "This page is not for everybody. "+p.howToSee())
	case err != nil && r.Context().Err() != nil:
		return fail(499, "Nobody waits for this page any more.")
	case err != nil:
		p.Log.Error("page not made", "path", r.URL.Path, "err", err)
		return fail(http.StatusInternalServerError, "The page could not be made; the server's log says why.")
	}
	sum := sha256.Sum256(a.Bytes())
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
	a.header.Set("ETag", tag)
	if match := r.Header.Get("If-None-Match"); strings.Contains(match, tag) {
		w.WriteHeader(http.StatusNotModified)
		return http.StatusNotModified
	}
	if _, err := w.Write(a.Bytes()); err != nil {
		p.Log.Debug("page not read", "path", r.URL.Path, "err", err)
	}
	return http.StatusOK
}

// howToSee is what somebody can do who may not read something.
func (p *pages) howToSee() string {
	if p.Login == nil {
		return "The server's configuration says who may read it."
	}
	return "Log in at /login as somebody who may write to a repository that this bot serves."
}

// top is what stands above every page.
type top struct {
	Login, Audit, Live bool
	User               string
}

func (p *pages) top(r *http.Request, live bool) top {
	return top{Login: p.Login != nil, Audit: p.Audit != Nobody, User: p.user(r), Live: live}
}

// log is what a goal's pieces printed, byte for byte, one after another.
func (p *pages) log(r *http.Request, a *answer) error {
	run, err := p.Store.Run(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	ev, err := p.Bot.Evidence(r.Context(), run, r.PathValue("goal"))
	if err != nil {
		return err
	}
	if len(ev.Pieces) == 0 {
		return bot.ErrNotFound
	}
	a.header.Set("Content-Type", "text/plain; charset=utf-8")
	for _, piece := range ev.Pieces {
		for _, log := range piece.Logs {
			a.Write(log)
			if len(log) > 0 && !strings.HasSuffix(string(log[len(log)-1:]), "\n") {
				a.WriteByte('\n')
			}
		}
	}
	return nil
}
