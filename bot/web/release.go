package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"strings"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/release"
	"github.com/ortest/ortest/report/html"
)

// ReleaseConfig is what the pages of releases are made from.
type ReleaseConfig struct {
	Table func(ctx context.Context, repo bot.Repo, ref string) (release.Table, error)
	Log   *slog.Logger
}

// Releases serves /releases/OWNER/NAME/REF as a page and, with .json behind it, as JSON.
func Releases(cfg ReleaseConfig) http.Handler {
	page := template.Must(template.ParseFS(files, "release.gohtml"))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /releases/{owner}/{name}/{ref...}", func(w http.ResponseWriter, r *http.Request) {
		ref, asJSON := strings.CutSuffix(r.PathValue("ref"), ".json")
		t, err := cfg.Table(r.Context(), bot.Repo{Owner: r.PathValue("owner"), Name: r.PathValue("name")}, ref)
		if errors.Is(err, bot.ErrNotFound) {
			http.Error(w, "No rule is about that branch, or nothing was run for it yet.", http.StatusNotFound)
			return
		}
		var body bytes.Buffer
		switch {
		case err != nil:
		case asJSON:
			w.Header().Set("Content-Type", "application/json")
			err = json.NewEncoder(&body).Encode(t)
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", html.Policy())
			err = page.Execute(&body, struct {
				Style template.CSS
				release.Table
			}{html.Style(), t})
		}
		if err != nil {
			cfg.Log.Error("page not made", "path", r.URL.Path, "err", err)
			http.Error(w, "The page could not be made; the server's log says why.", http.StatusInternalServerError)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if _, err := w.Write(body.Bytes()); err != nil {
			cfg.Log.Debug("page not read", "path", r.URL.Path, "err", err)
		}
	})
	return mux
}
