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
	return a, f.newest(ctx, client, &a)
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
