package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/ortest/ortest/bot"
)

// WithToken returns a Forge that speaks with a token of somebody's, such as the one
// of a workflow run, to one repository. What only an App may do fails.
func WithToken(cfg Config, repo bot.Repo, token string) (*Forge, error) {
	if cfg.BaseURL == "" {
		cfg.BaseURL = "https://api.github.com"
	}
	base, err := url.Parse(strings.TrimRight(cfg.BaseURL, "/") + "/")
	switch {
	case err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http"):
		return nil, fmt.Errorf("configure GitHub: %q is no URL of an API", cfg.BaseURL)
	case token == "" || cfg.Log == nil:
		return nil, errors.New("configure GitHub: the token or Log is missing")
	case !validName(repo.Owner) || !validName(repo.Name) || repo.Installation <= 0:
		return nil, fmt.Errorf("configure GitHub: %q of installation %d is no repository", repo, repo.Installation)
	}
	if cfg.RunnerGroup == 0 {
		cfg.RunnerGroup = 1
	}
	if cfg.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.ResponseHeaderTimeout = answerWithin
		cfg.Transport = t
	}
	c := gh.NewClient(&http.Client{Transport: bearer{cfg.Transport, token}, CheckRedirect: sameHost})
	c.BaseURL, c.UserAgent = base, "ortest"
	return &Forge{cfg: cfg, base: base, clients: map[bot.Repo]*gh.Client{repo: c}}, nil
}

// bearer adds a token to requests.
type bearer struct {
	next  http.RoundTripper
	token string
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

// Installed returns the repository with the App's installation on it. bot.ErrGone:
// there is none.
func (f *Forge) Installed(ctx context.Context, owner, name string) (bot.Repo, error) {
	client, err := f.app()
	if err != nil {
		return bot.Repo{}, err
	}
	in, _, err := client.Apps.FindRepositoryInstallation(ctx, owner, name)
	if err != nil {
		return bot.Repo{}, wrap(err, "find the App's installation on %s/%s", owner, name)
	}
	return bot.Repo{Installation: in.GetID(), Owner: owner, Name: name}, nil
}

// RemoveRunners takes the registrations of all runners away whose name begins
// with a prefix, and returns how many that were. One that runs a job stays: it
// goes with its job.
func (f *Forge) RemoveRunners(ctx context.Context, repo bot.Repo, prefix string) (int, error) {
	type runner struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	type answer struct {
		Runners []runner `json:"runners"`
	}
	all, err := list(ctx, f, repo, call{path: []string{"actions", "runners"}}, func(a *answer) []runner { return a.Runners })
	if err != nil {
		return 0, wrap(err, "list runners of %s", repo)
	}
	n := 0
	var errs []error
	for _, r := range all {
		if prefix == "" || !strings.HasPrefix(r.Name, prefix) {
			continue
		}
		switch err := f.RemoveRunner(ctx, repo, r.ID); {
		case err == nil:
			n++
		case !errors.Is(err, bot.ErrRefused): // else it is busy
			errs = append(errs, err)
		}
	}
	return n, errors.Join(errs...)
}
