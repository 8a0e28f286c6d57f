package github

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	gh "github.com/google/go-github/v60/github"

	"github.com/ortest/ortest/bot"
)

// Lists have at most maxPages pages of perPage; a longer one is an error, as
// half a list would be taken for the whole.
const (
	perPage  = 100
	maxPages = 100
)

// call is one request that go-github has no method for, or whose answer it
// reads only in part.
type call struct {
	method string
	path   []string // below /repos/OWNER/NAME, not yet escaped
	query  url.Values
	body   any
}

// do sends a call and decodes the answer into out. A code that is not 2xx is
// an error, and 202 is, as in go-github, a *gh.AcceptedError.
func (f *Forge) do(ctx context.Context, repo bot.Repo, c call, out any) (*gh.Response, error) {
	client, err := f.client(repo)
	if err != nil {
		return nil, err
	}
	at := client.BaseURL.JoinPath(append([]string{"repos", repo.Owner, repo.Name}, escape(c.path)...)...)
	at.RawQuery = c.query.Encode()
	req, err := client.NewRequest(c.method, at.String(), c.body)
	if err != nil {
		return nil, err
	}
	return client.Do(ctx, req, out)
}

func escape(path []string) []string {
	var safe []string
	for _, p := range path {
		safe = append(safe, url.PathEscape(p))
	}
	return safe
}

// pages returns all items of a list that is asked for page by page.
func pages[T any](list func(page int) ([]T, *gh.Response, error)) ([]T, error) {
	var all []T
	for page := 1; page <= maxPages; {
		items, resp, err := list(page)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if resp.NextPage <= page {
			return all, nil
		}
		page = resp.NextPage
	}
	return nil, fmt.Errorf("list is longer than %d pages", maxPages)
}

// list returns all items of a list; pick takes a page's from its answer.
func list[A, T any](ctx context.Context, f *Forge, repo bot.Repo, c call, pick func(*A) []T) ([]T, error) {
	return pages(func(page int) ([]T, *gh.Response, error) {
		q := pageQuery(page)
		for k, v := range c.query {
			q[k] = v
		}
		var answer A
		resp, err := f.do(ctx, repo, call{method: "GET", path: c.path, query: q}, &answer)
		if err != nil {
			return nil, nil, err
		}
		return pick(&answer), resp, nil
	})
}

func pageQuery(page int) url.Values {
	return url.Values{"per_page": {strconv.Itoa(perPage)}, "page": {strconv.Itoa(page)}}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
