package page

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"time"
)

//go:embed assets
var assets embed.FS

// types are the files that a page may ask for; its template is not among them.
var types = map[string]string{
	"page.css": "text/css; charset=utf-8",
	"page.js":  "text/javascript; charset=utf-8",
	"icon.svg": "image/svg+xml",
}

var pullTemplate = template.Must(template.New("pull.html").Funcs(template.FuncMap{
	"markdown": renderMarkdown,
	"moment":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"machine":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"word":     wordOf,
	"short":    func(sha string) string { return sha[:min(7, len(sha))] },
}).ParseFS(assets, "assets/*.html"))

func serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	kind, ok := types[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	raw, err := assets.ReadFile("assets/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	secure(w.Header())
	w.Header().Set("Content-Type", kind)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(raw))
}
