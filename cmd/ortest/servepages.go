package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/web"
)

// pagesConfig is what the configuration says of the pages.
type pagesConfig struct {
	Audit web.Access `yaml:"audit"`
}

// validate names what cannot be; wrong reports it.
func (c pagesConfig) validate(wrong func(is bool, format string, args ...any), hub githubConfig) {
	login := hub.ClientID != "" && hub.ClientSecret != ""
	wrong((hub.ClientID == "") != (hub.ClientSecret == ""), "github.client_id and github.client_secret_file: a login needs both")
	switch c.Audit {
	case "", web.Everybody, web.Nobody:
	case web.Maintainers:
		wrong(!login, "pages.audit: maintainers cannot be told apart without a login; set github.client_id and github.client_secret_file")
	default:
		wrong(true, "pages.audit: %q is none of: everybody, maintainers, nobody", c.Audit)
	}
}

// pages returns what serve adds to the pages.
func (c serveConfig) pages(live *live, log *slog.Logger) (func(*system, *web.Config), error) {
	var secretOf []byte
	if c.GitHub.ClientSecret != "" {
		var err error
		if secretOf, err = secret(c.GitHub.ClientSecret, 8); err != nil {
			return nil, err
		}
	}
	return func(s *system, w *web.Config) {
		w.Audit, w.Catalog, w.Refused = c.Pages.Audit, live.shown, live.refused.Load
		if secretOf == nil {
			return
		}
		// The same on every replica, and gone when the secret is changed.
		mac := hmac.New(sha256.New, secretOf)
		mac.Write([]byte("ortest pages"))
		api := strings.TrimRight(c.GitHub.API, "/")
		if api == "" {
			api = "https://api.github.com"
		}
		w.Login = &web.Login{
			ClientID: c.GitHub.ClientID, ClientSecret: string(secretOf), Server: strings.TrimRight(c.GitHub.Server, "/"), API: api, URL: c.URL,
			Key: mac.Sum(nil), Maintainer: (&maintainers{forge: s.forge, now: time.Now}).are, HTTP: &http.Client{Timeout: 15 * time.Second}, Now: time.Now,
		}
		log.Info("people can log in", "audit", string(w.Audit))
	}, nil
}

// maintainers remembers for a minute who may write somewhere.
type maintainers struct {
	forge interface {
		Repositories(ctx context.Context) ([]bot.Repo, error)
		Permission(ctx context.Context, repo bot.Repo, login string) (string, error)
	}
	now func() time.Time

	mu    sync.Mutex
	known map[string]maintainer
}

type maintainer struct {
	is bool
	at time.Time
}

// rightsFor is how long a right that was taken away may still count.
const rightsFor = time.Minute

// are reports whether somebody may write to a repository that the bot serves.
// What GitHub does not say is no right.
func (m *maintainers) are(ctx context.Context, login string) (bool, error) {
	m.mu.Lock()
	one, ok := m.known[login]
	m.mu.Unlock()
	if ok && m.now().Sub(one.at) < rightsFor {
		return one.is, nil
	}
	repos, err := m.forge.Repositories(ctx)
	if err != nil {
		return false, err
	}
	is := false
	for _, repo := range repos {
		role, err := m.forge.Permission(ctx, repo, login)
		if err != nil {
			return false, err
		}
		if role == "admin" || role == "maintain" || role == "write" {
			is = true
			break
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) > 1000 {
		m.known = make(map[string]maintainer)
	}
	m.known[login] = maintainer{is, m.now()}
	return is, nil
}
