package github

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v60/github"

	"github.com/ortest/ortest/bot"
)

// mostClosed is how many pull requests of one intent may have been closed
// before the next one is refused.
const mostClosed = 20

// OpenPull opens a pull request with files in a repository, OWNER/NAME, unless
// one of its branch is open, and returns where it is shown. A branch whose pull
// request was closed is left alone: the next one has a number behind its name.
// It may be called again after any error.
func (f *Forge) OpenPull(ctx context.Context, repo bot.Repo, name string, p bot.Proposal) (string, error) {
	to, err := f.sibling(ctx, repo, name)
	if err != nil {
		return "", wrap(err, "find the installation on %s", name)
	}
	client, err := f.clientTo(to, "propose", toPropose)
	if err != nil {
		return "", err
	}
	about, _, err := client.Repositories.Get(ctx, to.Owner, to.Name)
	if err != nil {
		return "", wrap(err, "read %s", to)
	}
	for n := range mostClosed {
		w := opening{client, to, p}
		if n > 0 {
			w.Branch = fmt.Sprintf("%s-%d", p.Branch, n+1)
		}
		at, closed, err := w.known(ctx)
		if at != "" || err != nil {
			return at, err
		}
		if closed {
			continue
		}
		return w.open(ctx, about.GetDefaultBranch(), slices.Sorted(maps.Keys(w.Files)))
	}
	return "", fmt.Errorf("open a pull request in %s: %d of this were closed: %w", to, mostClosed, bot.ErrRefused)
}

// sibling returns another repository with the installation that is on it.
func (f *Forge) sibling(ctx context.Context, repo bot.Repo, name string) (bot.Repo, error) {
	owner, name, _ := strings.Cut(name, "/")
	if !validName(owner) || !validName(name) {
		return bot.Repo{}, fmt.Errorf("%.100q is no repository: %w", owner+"/"+name, bot.ErrRefused)
	}
	if strings.EqualFold(owner, repo.Owner) {
		return bot.Repo{Installation: repo.Installation, Owner: owner, Name: name}, nil
	}
	app, err := f.app()
	if err != nil {
		return bot.Repo{}, err
	}
	on, _, err := app.Apps.FindRepositoryInstallation(ctx, owner, name)
	return bot.Repo{Installation: on.GetID(), Owner: owner, Name: name}, err
}

// clientTo returns a client whose tokens are good for one purpose.
func (f *Forge) clientTo(repo bot.Repo, purpose string, may map[string]string) (*gh.Client, error) {
	if _, err := f.client(repo); err != nil { // what cannot be a repository
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key := purpose + " " + repo.String()
	if c := f.others[key]; c != nil {
		return c, nil
	}
	tr, err := ghinstallation.New(f.of(repo.Installation), f.cfg.AppID, repo.Installation, f.cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("read the App's private key: %w", err)
	}
	tr.BaseURL = strings.TrimRight(f.base.String(), "/")
	tr.InstallationTokenOptions = &gh.InstallationTokenOptions{Repositories: []string{repo.Name}, Permissions: granting(may)}
	c := gh.NewClient(&http.Client{Transport: tr, CheckRedirect: sameHost})
	c.BaseURL, c.UserAgent = f.base, "ortest"
	if f.others == nil {
		f.others = make(map[string]*gh.Client)
	}
	f.others[key] = c
	return c, nil
}

// File returns a file of the default branch; bot.ErrGone when there is none.
func (f *Forge) File(ctx context.Context, repo bot.Repo, name, path string) ([]byte, error) {
	to, err := f.sibling(ctx, repo, name)
	if err != nil {
		return nil, wrap(err, "find the installation on %s", name)
	}
	var file struct {
		Encoding string `json:"encoding"`
		Content  string `json:"content"`
	}
	_, err = f.do(ctx, to, call{method: http.MethodGet, path: append([]string{"contents"}, strings.Split(path, "/")...)}, &file)
	if err != nil {
		return nil, wrap(err, "read %s of %s", path, to)
	}
	if file.Encoding != "base64" { // a directory, or longer than GitHub hands out this way
		return nil, fmt.Errorf("read %s of %s: it is no file of at most a megabyte: %w", path, to, bot.ErrRefused)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(file.Content, "\n", ""))
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", path, to, err)
	}
	return raw, nil
}

// Member reports whether a user is in a team, ORG/SLUG, or in one below it. Who
// was only invited is not.
func (f *Forge) Member(ctx context.Context, repo bot.Repo, team, login string) (bool, error) {
	org, slug, _ := strings.Cut(team, "/")
	if !validName(org) || !validName(slug) || !validName(login) {
		return false, nil
	}
	client, err := f.clientTo(repo, "ask", toAsk)
	if err != nil {
		return false, err
	}
	at := "orgs/" + url.PathEscape(org) + "/teams/" + url.PathEscape(slug) + "/memberships/" + url.PathEscape(login)
	req, err := client.NewRequest(http.MethodGet, at, nil)
	if err != nil {
		return false, err
	}
	var is struct {
		State string `json:"state"`
	}
	_, err = client.Do(inLane(ctx, acks), req, &is)
	if err = wrap(err, "read membership of %s in %s", login, team); errors.Is(err, bot.ErrGone) {
		return false, nil
	}
	return err == nil && is.State == "active", err
}
