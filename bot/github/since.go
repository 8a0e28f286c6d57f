package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/ortest/ortest/bot"
)

// HeadSince returns the commit that a pull request's head was at a time, as far as
// GitHub tells: same says that it is the one that it is now. What it goes by are
// times of GitHub's own, when a push arrived, never those in a commit, which whoever
// writes it chooses. A push within the same second counts as a later one. sha is ""
// where there was a push, and GitHub does not say to which branch, or not yet.
func (f *Forge) HeadSince(ctx context.Context, repo bot.Repo, number int, at time.Time) (sha string, same bool, err error) {
	client, err := f.client(repo)
	if err != nil {
		return "", false, err
	}
	pr, _, err := client.PullRequests.Get(ctx, repo.Owner, repo.Name, number)
	if err != nil {
		return "", false, wrap(err, "read pull request %s#%d", repo, number)
	}
	head := pr.GetHead()
	pushed := head.GetRepo().GetPushedAt()
	// To a fork that was deleted nobody pushes any more.
	if head.GetRepo().GetFullName() == "" || !pushed.IsZero() && pushed.Before(at) {
		return head.GetSHA(), true, nil
	}
	req, err := client.NewRequest(http.MethodGet, "repos/"+head.GetRepo().GetFullName()+"/activity?"+
		url.Values{"ref": {"refs/heads/" + head.GetRef()}, "direction": {"desc"}, "per_page": {"100"}}.Encode(), nil)
	if err != nil {
		return "", false, err
	}
	var pushes []struct {
		Before string       `json:"before"`
		After  string       `json:"after"`
		At     gh.Timestamp `json:"timestamp"`
	}
	_, err = client.Do(ctx, req, &pushes)
	switch code := codeOf(err); {
	case code == http.StatusForbidden || code == http.StatusNotFound:
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("read pushes to %s: %w", head.GetRepo().GetFullName(), wrap(err, "pull request %s#%d", repo, number))
	}
	if len(pushes) == 0 || pushes[0].After != head.GetSHA() {
		return "", false, nil // the list lags: the push that made the head is not in it
	}
	for i, p := range pushes { // the newest first
		if p.At.Before(at) {
			break
		}
		if sha = p.Before; i == len(pushes)-1 {
			return "", false, nil // more of them than one answer holds, or GitHub forgot the older
		}
	}
	if sha == "" {
		return head.GetSHA(), true, nil
	}
	return sha, false, nil
}
