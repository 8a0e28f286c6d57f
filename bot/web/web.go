// Package web serves the bot's pages: the newest runs, a run, its goals' logs,
// the instances and the audit log. They are read-only, and need neither scripts
// nor a login. Beside them it serves what monitors ask for: /healthz and /metrics.
package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
	"github.com/ortest/ortest/runnerfleet"
)

// Config is what the pages are made from. All fields are required.
type Config struct {
	Bot interface {
		View(ctx context.Context, r bot.Run) (html.RunView, error)
		Evidence(ctx context.Context, r bot.Run, goal string) (report.Evidence, error)
	}
	Store interface {
		Run(ctx context.Context, id string) (bot.Run, error)
		RecentRuns(ctx context.Context, limit int) ([]bot.Run, error)
		LiveRuns(ctx context.Context) ([]bot.Run, error)
		AuditLog(ctx context.Context, after int64, limit int) ([]bot.Audit, error)
		// Stats returns how many there are, by metric and label value.
		Stats(ctx context.Context) (map[string]map[string]float64, error)
	}
	Instances func(ctx context.Context) ([]runnerfleet.Instance, error)
	Log       *slog.Logger
}

//go:embed *.gohtml
var files embed.FS

// listed is how many runs the list shows.
const listed = 100

// Handler serves /runs, /runs/ID, /runs/ID/logs/GOAL, /queue, /machines, /audit,
// /audit.jsonl, /metrics and /healthz.
func Handler(cfg Config) http.Handler {
	p := &pages{
		Config: cfg, list: template.Must(template.ParseFS(files, "runs.gohtml")), table: template.Must(template.ParseFS(files, "table.gohtml")),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /queue", p.serve(p.queue))
	mux.HandleFunc("GET /machines", p.serve(p.machines))
	mux.HandleFunc("GET /audit", p.serve(p.audit))
	mux.HandleFunc("GET /audit.jsonl", p.auditLines)
	mux.HandleFunc("GET /metrics", p.serve(p.metrics))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /runs", p.serve(p.runs))
	mux.HandleFunc("GET /runs/{id}", p.serve(p.run))
	mux.HandleFunc("GET /runs/{id}/logs/{goal}", p.serve(p.log))
	return mux
}

type pages struct {
	Config
	list, table *template.Template
}

// serve answers with a page once it is whole.
func (p *pages) serve(page func(*http.Request, http.Header, *bytes.Buffer) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := http.Header{}
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", html.Policy())
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		var body bytes.Buffer
		err := page(r, h, &body)
		if errors.Is(err, bot.ErrNotFound) {
			http.Error(w, "There is no such page. The newest runs are at /runs.", http.StatusNotFound)
			return
		}
		if err != nil {
			p.Log.Error("page not made", "path", r.URL.Path, "err", err)
			http.Error(w, "The page could not be made; the server's log says why.", http.StatusInternalServerError)
			return
		}
		for k, v := range h {
			w.Header()[k] = v
		}
		if _, err := w.Write(body.Bytes()); err != nil {
			p.Log.Debug("page not read", "path", r.URL.Path, "err", err)
		}
	}
}

func (p *pages) runs(r *http.Request, _ http.Header, body *bytes.Buffer) error {
	runs, err := p.Store.RecentRuns(r.Context(), listed)
	if err != nil {
		return err
	}
	type row struct {
		bot.Run
		Verdict string // "" while there is none
	}
	var rows []row
	for _, run := range runs {
		one := row{Run: run}
		if run.State == bot.Closed || run.State == bot.Ended {
			if one.Verdict, err = p.verdict(r.Context(), run); err != nil {
				return err
			}
		}
		rows = append(rows, one)
	}
	return p.list.Execute(body, struct {
		Style template.CSS
		Runs  []row
	}{html.Style(), rows})
}

// verdict is the worst of what a run's goals came to.
func (p *pages) verdict(ctx context.Context, run bot.Run) (string, error) {
	view, err := p.Bot.View(ctx, run)
	if err != nil {
		return "", err
	}
	var results []report.GoalResult
	for _, g := range view.Goals {
		if g.Result == nil {
			return string(report.Incomplete), nil
		}
		results = append(results, *g.Result)
	}
	return string(report.Overall(results)), nil
}

func (p *pages) run(r *http.Request, _ http.Header, body *bytes.Buffer) error {
	run, err := p.Store.Run(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	view, err := p.Bot.View(r.Context(), run)
	if err != nil {
		return err
	}
	return html.Page(body, view)
}

// log is what a goal's pieces printed, byte for byte, one after another.
func (p *pages) log(r *http.Request, h http.Header, body *bytes.Buffer) error {
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
	h.Set("Content-Type", "text/plain; charset=utf-8")
	for _, piece := range ev.Pieces {
		for _, log := range piece.Logs {
			body.Write(log)
			if len(log) > 0 && !strings.HasSuffix(string(log[len(log)-1:]), "\n") {
				body.WriteByte('\n')
			}
		}
	}
	return nil
}
