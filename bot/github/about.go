package github

import (
	"context"
	"net/http"
	"slices"
	"time"

	gh "github.com/google/go-github/v60/github"
)

// About is what GitHub says of the App.
type About struct {
	Slug               string
	Installations      int
	Accounts           []string      // on which it is installed and not suspended
	Skew               time.Duration // our clock less GitHub's
	MissingPermissions []string      // name:level
	MissingToPropose   []string      // what only proposed expectations need
	MissingToAskTeams  []string      // what only rights by team need
	MissingEvents      []string
	WebhookURL         string
	Deliveries         int // of the newest ones: how many were sent
	Failed             int // and how many of them failed
}

// About asks GitHub about the App; it changes nothing.
func (f *Forge) About(ctx context.Context) (About, error) {
	client, err := f.app()
	if err != nil {
		return About{}, err
	}
	var app struct {
		Slug          string            `json:"slug"`
		Permissions   map[string]string `json:"permissions"`
		Events        []string          `json:"events"`
		Installations int               `json:"installations_count"`
	}
	req, err := client.NewRequest(http.MethodGet, "app", nil)
	if err != nil {
		return About{}, err
	}
	resp, err := client.Do(ctx, req, &app)
	if err != nil {
		return About{}, wrap(err, "read the App")
	}
	a := About{Slug: app.Slug, Installations: app.Installations}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		a.Skew = time.Since(at)
	}
	a.MissingPermissions = lacking(needed, app.Permissions)
	a.MissingToPropose = lacking(toPropose, app.Permissions)
	a.MissingToAskTeams = lacking(toAsk, app.Permissions)
	for _, e := range events {
		if !slices.Contains(app.Events, e) {
			a.MissingEvents = append(a.MissingEvents, e)
		}
	}
	hook, _, err := client.Apps.GetHookConfig(ctx)
	if err != nil {
		return a, wrap(err, "read the App's webhook")
	}
	a.WebhookURL = hook.GetURL()
	installs, err := installations(ctx, client)
	if err != nil {
		return a, err
	}
	for _, in := range installs {
		a.Accounts = append(a.Accounts, in.GetAccount().GetLogin())
	}
	return a, f.newest(ctx, client, &a)
}

// installations returns where the App is installed and not suspended.
func installations(ctx context.Context, client *gh.Client) ([]*gh.Installation, error) {
	all, err := pages(func(page int) ([]*gh.Installation, *gh.Response, error) {
		return client.Apps.ListInstallations(ctx, &gh.ListOptions{Page: page, PerPage: perPage})
	})
	if err != nil {
		return nil, wrap(err, "list installations")
	}
	return slices.DeleteFunc(all, func(in *gh.Installation) bool { return in.SuspendedAt != nil }), nil
}

func (f *Forge) newest(ctx context.Context, client *gh.Client, a *About) error {
	sent, _, err := client.Apps.ListHookDeliveries(ctx, &gh.ListCursorOptions{PerPage: 50})
	if err != nil {
		return wrap(err, "list the App's deliveries")
	}
	for _, d := range sent {
		a.Deliveries++
		if code := d.GetStatusCode(); code < 200 || code > 299 {
			a.Failed++
		}
	}
	return nil
}
