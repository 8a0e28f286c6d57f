package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v60/github"

	"github.com/ortest/ortest/bot"
)

// How failed deliveries are asked for again: each one after a wait that doubles,
// as long as GitHub knows it.
const (
	redeliverFrom = 3 * 24 * time.Hour
	redeliverMost = 100 // in one pass
)

// app returns the client that speaks as the App itself.
func (f *Forge) app() (*gh.Client, error) {
	tr, err := ghinstallation.NewAppsTransport(f.self, f.cfg.AppID, f.cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("read the App's private key: %w", err)
	}
	c := gh.NewClient(&http.Client{Transport: tr, CheckRedirect: sameHost})
	c.BaseURL = f.base
	c.UserAgent = "ortest"
	return c, nil
}

// delivery is an attempt to send a webhook, as the App's list has it.
type delivery struct {
	ID   int64     `json:"id"`
	GUID string    `json:"guid"`
	At   time.Time `json:"delivered_at"`
}

// RedeliverFailed asks GitHub to send again what it could not deliver, and what
// known does not call processed. GitHub itself sends nothing twice.
func (f *Forge) RedeliverFailed(ctx context.Context, known interface {
	Delivery(ctx context.Context, guid string) (bot.Delivery, error)
}) error {
	client, err := f.app()
	if err != nil {
		return err
	}
	failed, err := f.failedDeliveries(ctx, client)
	if err != nil {
		return wrap(err, "list the App's deliveries")
	}
	tries := make(map[string]int)
	for _, d := range failed {
		tries[d.GUID]++
	}
	var errs []error
	asked := 0
	seen := make(map[string]bool)
	for _, d := range failed { // the newest of each comes first
		wait := f.cfg.Redeliver << min(tries[d.GUID]-1, 8)
		if seen[d.GUID] || asked == redeliverMost || time.Since(d.At) < wait {
			seen[d.GUID] = true
			continue
		}
		seen[d.GUID] = true
		stored, err := known.Delivery(ctx, d.GUID)
		if err == nil && stored.Outcome != "" {
			continue
		}
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return err
		}
		asked++
		errs = append(errs, f.redeliver(ctx, client, d))
	}
	return errors.Join(errs...)
}

func (f *Forge) redeliver(ctx context.Context, client *gh.Client, d delivery) error {
	_, _, err := client.Apps.RedeliverHookDelivery(mayRepeat(ctx), d.ID)
	var accepted *gh.AcceptedError
	if err == nil || errors.As(err, &accepted) {
		f.cfg.Log.Info("delivery asked for again", "delivery", d.GUID)
		return nil
	}
	if err = wrap(err, "ask for delivery %s again", d.GUID); errors.Is(err, bot.ErrGone) {
		return nil
	}
	return err
}

// failedDeliveries returns the attempts that failed, newest first. go-github
// cannot ask for them alone.
func (f *Forge) failedDeliveries(ctx context.Context, client *gh.Client) ([]delivery, error) {
	var all []delivery
	q := url.Values{"per_page": {strconv.Itoa(perPage)}, "status": {"failure"}}
	oldest := time.Now().Add(-redeliverFrom)
	for range maxPages {
		req, err := client.NewRequest(http.MethodGet, "app/hook/deliveries?"+q.Encode(), nil)
		if err != nil {
			return nil, err
		}
		var page []delivery
		resp, err := client.Do(ctx, req, &page)
		if err != nil {
			return nil, err
		}
		for _, d := range page {
			if d.At.Before(oldest) {
				return all, nil
			}
			all = append(all, d)
		}
		if resp.Cursor == "" {
			return all, nil
		}
		q.Set("cursor", resp.Cursor)
	}
	return all, nil // newest first: the rest is for a later pass
}

// Repositories returns all that the App is installed on, of the accounts that it serves.
func (f *Forge) Repositories(ctx context.Context) ([]bot.Repo, error) {
	ctx = inLane(ctx, cosmetics)
	client, err := f.app()
	if err != nil {
		return nil, err
	}
	installs, err := installations(ctx, client)
	if err != nil {
		return nil, err
	}
	var all []bot.Repo
	for _, in := range installs {
		if !serves(f.cfg.Owners, in.GetAccount().GetLogin()) {
			continue
		}
		repos, err := f.installed(ctx, in.GetID())
		if err != nil {
			return nil, wrap(err, "list repositories of installation %d", in.GetID())
		}
		all = append(all, repos...)
	}
	return all, nil
}

func (f *Forge) installed(ctx context.Context, id int64) ([]bot.Repo, error) {
	f.mu.Lock()
	rt := f.of(id)
	f.mu.Unlock()
	tr, err := ghinstallation.New(rt, f.cfg.AppID, id, f.cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("read the App's private key: %w", err)
	}
	tr.BaseURL = strings.TrimRight(f.base.String(), "/")
	tr.InstallationTokenOptions = &gh.InstallationTokenOptions{Permissions: &gh.InstallationPermissions{Metadata: gh.String("read")}}
	client := gh.NewClient(&http.Client{Transport: tr, CheckRedirect: sameHost})
	client.BaseURL, client.UserAgent = f.base, "ortest"
	return pages(func(page int) ([]bot.Repo, *gh.Response, error) {
		list, resp, err := client.Apps.ListRepos(ctx, &gh.ListOptions{Page: page, PerPage: perPage})
		if err != nil {
			return nil, nil, err
		}
		var repos []bot.Repo
		for _, r := range list.Repositories {
			if !r.GetArchived() && !r.GetDisabled() {
				repos = append(repos, bot.Repo{Installation: id, Owner: r.GetOwner().GetLogin(), Name: r.GetName()})
			}
		}
		return repos, resp, nil
	})
}

// Heads returns the open pull requests with their heads, those changed last first.
func (f *Forge) Heads(ctx context.Context, repo bot.Repo, since time.Time) ([]bot.PullEvent, error) {
	all, err := f.changed(inLane(ctx, cosmetics), repo, "open", since)
	if err != nil {
		return nil, wrap(err, "list pull requests of %s", repo)
	}
	var heads []bot.PullEvent
	for _, p := range all {
		if p.Head != nil && validSHA(p.Head.SHA) {
			heads = append(heads, bot.PullEvent{Repo: repo, Number: p.Number, Action: "synchronize", Head: p.Head.SHA, At: p.UpdatedAt})
		}
	}
	return heads, nil
}

// listed is a comment as the lists over a whole repository have it.
type listed struct {
	comment
	HTML  string `json:"html_url"`
	Issue string `json:"issue_url"`
	Pull  string `json:"pull_request_url"`
}

// Texts returns what was written or edited on a repository's issues and pull
// requests at since or later, oldest first. Who edited is not told: the author
// stands for that, unsigned, since anybody who may write to the repository may edit.
func (f *Forge) Texts(ctx context.Context, repo bot.Repo, since time.Time) ([]bot.CommentEvent, error) {
	ctx = inLane(ctx, cosmetics)
	var events []bot.CommentEvent
	for place, path := range map[string][]string{bot.InComment: {"issues", "comments"}, bot.InReviewComment: {"pulls", "comments"}} {
		q := url.Values{"sort": {"updated"}, "direction": {"asc"}, "since": {since.UTC().Format(time.RFC3339)}}
		all, err := list(ctx, f, repo, call{path: path, query: q}, func(page *[]listed) []listed { return *page })
		if err != nil {
			return nil, wrap(err, "list comments of %s", repo)
		}
		for _, c := range all {
			if e, ok := c.event(repo, place, App{ID: f.cfg.AppID}); ok {
				events = append(events, e)
			}
		}
	}
	said, err := f.reviews(ctx, repo, since)
	return append(events, said...), err
}

func (c listed) event(repo bot.Repo, place string, app App) (bot.CommentEvent, bool) {
	at := c.Issue
	if place == bot.InReviewComment {
		at = c.Pull
	}
	number, err := strconv.Atoi(at[strings.LastIndex(at, "/")+1:])
	if err != nil || c.ID <= 0 || c.Body == nil || c.User == nil || c.CreatedAt.IsZero() {
		return bot.CommentEvent{}, false
	}
	e := bot.CommentEvent{
		Repo: repo, Number: number, OnPull: place == bot.InReviewComment || strings.Contains(c.HTML, "/pull/"), Place: place,
		Action: "created", ID: c.ID, Body: *c.Body, Author: c.User.Login, Sender: c.User.Login, SenderBot: c.User.Type == "Bot",
		Ours: app.ours(&c.comment, nil), At: c.CreatedAt, Created: c.CreatedAt, Source: "a sweep",
	}
	if c.UpdatedAt.After(c.CreatedAt) {
		e.Action, e.At, e.Unsigned = "edited", c.UpdatedAt, true
	}
	return e, true
}
