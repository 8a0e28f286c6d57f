package github

import (
	"context"
	"net/http"
	"net/url"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/ortest/ortest/bot"
)

// reviews returns what was said in reviews of the pull requests that changed at
// since or later. GitHub lists them by pull request alone, and says when one was
// submitted and not when it was edited: all of a pull request are read, and none is signed.
func (f *Forge) reviews(ctx context.Context, repo bot.Repo, since time.Time) ([]bot.CommentEvent, error) {
	changed, err := f.changed(ctx, repo, "all", since)
	if err != nil {
		return nil, wrap(err, "list pull requests of %s", repo)
	}
	var events []bot.CommentEvent
	for _, p := range changed {
		all, err := list(ctx, f, repo, call{path: []string{"pulls", decimal(int64(p.Number)), "reviews"}}, func(page *[]comment) []comment { return *page })
		if err != nil {
			return nil, wrap(err, "list reviews of %s#%d", repo, p.Number)
		}
		for _, r := range all {
			if r.ID <= 0 || r.Body == nil || *r.Body == "" || r.User == nil || r.Submitted.IsZero() {
				continue // one that is not submitted yet, or says nothing
			}
			events = append(events, bot.CommentEvent{
				Repo: repo, Number: p.Number, OnPull: true, Place: bot.InReview, Action: "created", ID: r.ID, Body: *r.Body,
				Author: r.User.Login, Sender: r.User.Login, SenderBot: r.User.Type == "Bot", At: r.Submitted, Created: r.Submitted, Source: "a sweep",
				Unsigned: true,
			})
		}
	}
	return events, nil
}

// changed returns the pull requests of a state that changed at since or later,
// those changed last first.
func (f *Forge) changed(ctx context.Context, repo bot.Repo, state string, since time.Time) ([]pullRequest, error) {
	all, err := pages(func(page int) ([]pullRequest, *gh.Response, error) {
		q := pageQuery(page)
		for k, v := range (url.Values{"state": {state}, "sort": {"updated"}, "direction": {"desc"}}) {
			q[k] = v
		}
		var list []pullRequest
		resp, err := f.do(ctx, repo, call{method: http.MethodGet, path: []string{"pulls"}, query: q}, &list)
		if err == nil && len(list) > 0 && list[len(list)-1].UpdatedAt.Before(since) {
			resp = &gh.Response{} // what follows is older still
		}
		return list, resp, err
	})
	if err != nil {
		return nil, err
	}
	var some []pullRequest
	for _, p := range all {
		if p.Number > 0 && !p.UpdatedAt.Before(since) {
			some = append(some, p)
		}
	}
	return some, nil
}
