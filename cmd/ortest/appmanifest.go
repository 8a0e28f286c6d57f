package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/report/html"
)

//go:embed appmanifest.gohtml
var manifestText string

// manifestPage is the page that sends a browser to GitHub with a manifest, and
// where it comes back to. It takes one answer: the one to the state that it gave.
type manifestPage struct {
	c        *appCreate
	at       string // our HOST:PORT; a page that a browser believes elsewhere is refused
	state    string
	manifest []byte
	page     *template.Template
	files    *appFiles
	client   *http.Client
	once     sync.Once
	made     chan madeResult
}

type madeResult struct {
	app madeApp
	err error
}

// manifestOf is what GitHub makes the App from.
func manifestOf(c *appCreate, back string) ([]byte, error) {
	permissions, events := github.Needs(c.propose, c.teams)
	return json.Marshal(map[string]any{
		"name": c.name, "url": c.url, "redirect_url": back, "callback_urls": []string{c.url + "/login/callback"}, "public": c.public,
		"hook_attributes":     map[string]any{"url": c.url + "/webhook", "active": true},
		"default_permissions": permissions, "default_events": events,
	})
}

func newManifestPage(c *appCreate, at string, files *appFiles) (*manifestPage, error) {
	manifest, err := manifestOf(c, "http://"+at+"/created")
	if err != nil {
		return nil, fmt.Errorf("make manifest: %w", err)
	}
	page, err := template.New("manifest").Parse(manifestText)
	if err != nil {
		return nil, fmt.Errorf("read page: %w", err)
	}
	return &manifestPage{
		c: c, at: at, state: rand.Text(), manifest: manifest, page: page, files: files,
		client: &http.Client{Timeout: 30 * time.Second}, made: make(chan madeResult, 1),
	}, nil
}

func (p *manifestPage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	// Chromium holds the way back from GitHub to form-action as well.
	h.Set("Content-Security-Policy", strings.Replace(html.Policy(), "form-action 'none'", "form-action 'self' "+p.c.server, 1))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	switch {
	case r.Host != p.at || r.Method != http.MethodGet:
		http.Error(w, "This page is for the browser of this machine.", http.StatusForbidden)
	case r.URL.Path == "/":
		p.show(w, "")
	case r.URL.Path == "/created":
		p.created(w, r)
	default:
		http.NotFound(w, r)
	}
}

// created takes GitHub's answer.
func (p *manifestPage) created(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(p.state)) == 0 || !codeOf.MatchString(q.Get("code")) {
		http.Error(w, "This is no answer to what began here. Begin again at http://"+p.at+"/", http.StatusForbidden)
		return
	}
	taken := false
	p.once.Do(func() {
		taken = true
		// The code is good once: a browser that goes away must not end what it began.
		app, err := p.finish(context.WithoutCancel(r.Context()), q.Get("code"))
		if err != nil {
			http.Error(w, "The App was not stored: "+err.Error(), http.StatusBadGateway)
		} else {
			p.show(w, app.Install)
		}
		p.made <- madeResult{app, err}
	})
	if !taken {
		http.Error(w, "The App was made already; the terminal says what comes next.", http.StatusConflict)
	}
}

var codeOf = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)

// show writes the page before the App is made, or with an address after it.
func (p *manifestPage) show(w http.ResponseWriter, install string) {
	action := p.c.server + "/settings/apps/new"
	if p.c.org != "" {
		action = p.c.server + "/organizations/" + url.PathEscape(p.c.org) + "/settings/apps/new"
	}
	permissions, events := github.Needs(p.c.propose, p.c.teams)
	slices.Sort(events)
	var body bytes.Buffer
	err := p.page.Execute(&body, struct {
		Style                                   template.CSS
		Action, Manifest, Name, Server, Install string
		Permissions                             map[string]string
		Events                                  []string
	}{html.Style(), action + "?state=" + p.state, string(p.manifest), p.c.name, p.c.server, install, permissions, events})
	if err != nil {
		http.Error(w, "The page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = body.WriteTo(w) // nobody to tell
}

// converted is what GitHub says of the new App. Its secrets go to files and nowhere else.
type converted struct {
	ID            int64             `json:"id"`
	Slug          string            `json:"slug"`
	URL           string            `json:"html_url"`
	Key           string            `json:"pem"`
	WebhookSecret string            `json:"webhook_secret"`
	ClientID      string            `json:"client_id"`
	ClientSecret  string            `json:"client_secret"`
	Permissions   map[string]string `json:"permissions"`
	Owner         struct {
		Login string `json:"login"`
	} `json:"owner"`
}

// finish exchanges the code and writes the files.
func (p *manifestPage) finish(ctx context.Context, code string) (madeApp, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.c.api+"/app-manifests/"+code+"/conversions", nil)
	if err != nil {
		return madeApp{}, fmt.Errorf("exchange code: %w", err)
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	resp, err := p.client.Do(req)
	if err != nil {
		return madeApp{}, fmt.Errorf("exchange code: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read as far as it counts
	if resp.StatusCode != http.StatusCreated {
		return madeApp{}, fmt.Errorf("exchange code: GitHub answered %s; is --api the interface of %s?", resp.Status, p.c.server)
	}
	var got converted
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&got); err != nil {
		return madeApp{}, fmt.Errorf("exchange code: read GitHub's answer: %w", err)
	}
	if got.ID <= 0 || got.Slug == "" || got.Key == "" || got.WebhookSecret == "" {
		return madeApp{}, errors.New("exchange code: GitHub's answer lacks the App's number, slug, key or secret")
	}
	return p.files.write(p.c, got)
}
