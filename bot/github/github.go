// Package github is GitHub as the bot needs it: webhooks come in through
// Webhook and Decoder, and Forge is the bot.Forge that speaks to the API.
//
// A webhook is stored before it is answered and read later. Every call of the
// Forge may be repeated: what would happen twice is looked up first. Vendor
// codes stop here: one table makes bot.ErrGone and bot.ErrRefused of them.
//
// The transport below go-github keeps GitHub's limits: it waits for a place in
// each of them, repeats what may be repeated, and obeys Retry-After.
package github

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v60/github"

	"github.com/ortest/ortest/bot"
)

// Config says which App speaks to which GitHub. AppID, Key and Log are required.
type Config struct {
	AppID int64
	Key   []byte // the App's private key, PEM
	// BaseURL is where the API is; "" means https://api.github.com. A GitHub
	// Enterprise Server has it at https://HOST/api/v3.
	BaseURL string
	// RunnerGroup is the id of the group that minted runners join; 0 means 1,
	// the default group.
	RunnerGroup int64
	// Owners are the accounts that are served, in any case; none: each that has
	// installed the App.
	Owners []string
	// Redeliver is the wait after a delivery's first failure, before it is asked
	// for again; a minute when zero. It doubles with each.
	Redeliver time.Duration
	// Ledger has what all processes take of the limits; nil: this one is alone.
	Ledger ledger
	// Transport does the requests; nil means one like Go's default.
	Transport http.RoundTripper
	Log       *slog.Logger
}

// Forge implements bot.Forge. New makes one; its methods may be called at once.
type Forge struct {
	cfg  Config
	base *url.URL   // ends in a slash
	self *transport // of the App itself

	mu         sync.Mutex
	clients    map[bot.Repo]*gh.Client
	others     map[string]*gh.Client // whose tokens are for something else than runs
	transports map[int64]*transport  // by installation
}

var _ bot.Forge = (*Forge)(nil)

// answerWithin is how long GitHub has to begin an answer.
const answerWithin = 30 * time.Second

// New checks the configuration; it asks GitHub nothing.
func New(cfg Config) (*Forge, error) {
	if cfg.AppID <= 0 {
		return nil, errors.New("configure GitHub: the App's ID is missing")
	}
	if cfg.Log == nil {
		return nil, errors.New("configure GitHub: Log is missing")
	}
	if _, err := ghinstallation.NewAppsTransport(http.DefaultTransport, cfg.AppID, cfg.Key); err != nil {
		return nil, fmt.Errorf("configure GitHub: read the App's private key: %w", err)
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = "https://api.github.com"
	}
	base, err := url.Parse(strings.TrimRight(cfg.BaseURL, "/") + "/")
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, fmt.Errorf("configure GitHub: %q is no URL of an API", cfg.BaseURL)
	}
	if cfg.RunnerGroup == 0 {
		cfg.RunnerGroup = 1
	}
	if cfg.Redeliver == 0 {
		cfg.Redeliver = time.Minute
	}
	if cfg.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.ResponseHeaderTimeout = answerWithin
		cfg.Transport = t
	}
	return &Forge{
		cfg:        cfg,
		base:       base,
		self:       newTransport(cfg.Transport, cfg.Log),
		clients:    make(map[bot.Repo]*gh.Client),
		transports: make(map[int64]*transport),
	}, nil
}

// client returns the client for a repository, whose tokens are good for that
// repository only.
func (f *Forge) client(repo bot.Repo) (*gh.Client, error) {
	if repo.Installation <= 0 || !validName(repo.Owner) || !validName(repo.Name) {
		return nil, fmt.Errorf("%q of installation %d is no repository: %w", repo, repo.Installation, bot.ErrRefused)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.clients[repo]; c != nil {
		return c, nil
	}
	// One AppsTransport each: ghinstallation writes to it at every refresh.
	tr, err := ghinstallation.New(f.of(repo.Installation), f.cfg.AppID, repo.Installation, f.cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("read the App's private key: %w", err)
	}
	tr.BaseURL = strings.TrimRight(f.base.String(), "/")
	tr.InstallationTokenOptions = &gh.InstallationTokenOptions{
		Repositories: []string{repo.Name},
		Permissions:  permissions(),
	}
	c := gh.NewClient(&http.Client{Transport: tr, CheckRedirect: sameHost})
	c.BaseURL = f.base
	c.UserAgent = "ortest"
	f.clients[repo] = c
	return c, nil
}

// of returns the transport of an installation. The caller holds f.mu.
func (f *Forge) of(installation int64) *transport {
	t := f.transports[installation]
	if t == nil {
		if f.transports == nil {
			f.transports = make(map[int64]*transport)
		}
		t = newTransport(f.cfg.Transport, f.cfg.Log)
		t.ledger, t.installation = f.cfg.Ledger, installation
		f.transports[installation] = t
	}
	return t
}

// sameHost follows a renamed repository but carries no token to another host.
func sameHost(req *http.Request, via []*http.Request) error {
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		return errors.New("redirect to another host refused")
	}
	if len(via) >= 5 {
		return errors.New("too many redirects")
	}
	return nil
}

// validName reports whether s can be an owner or a repository, and thus stands
// in a URL as it is.
func validName(s string) bool {
	if s == "" || len(s) > 100 || s == "." || s == ".." {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}
