package github

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/ortest/ortest/bot"
)

// PullRequest returns a pull request, or bot.ErrGone.
func (f *Forge) PullRequest(ctx context.Context, repo bot.Repo, number int) (bot.PullRequest, error) {
	ctx = inLane(ctx, acks)
	client, err := f.client(repo)
	if err != nil {
		return bot.PullRequest{}, err
	}
	pr, _, err := client.PullRequests.Get(ctx, repo.Owner, repo.Name, number)
	if err != nil {
		return bot.PullRequest{}, wrap(err, "read pull request %s#%d", repo, number)
	}
	if !validSHA(pr.GetHead().GetSHA()) || pr.GetBase().GetRef() == "" || pr.GetState() == "" {
		return bot.PullRequest{}, fmt.Errorf("read pull request %s#%d: head, base or state is missing", repo, number)
	}
	return bot.PullRequest{
		Number: number,
		Open:   pr.GetState() == "open",
		Head:   pr.GetHead().GetSHA(),
		Base:   pr.GetBase().GetRef(),
		// The repository of a head whose fork was deleted is null.
		Fork: pr.GetHead().GetRepo().GetID() != pr.GetBase().GetRepo().GetID(),
	}, nil
}

// Permission returns a user's role on the repository. A login that GitHub does
// not know has none.
func (f *Forge) Permission(ctx context.Context, repo bot.Repo, login string) (string, error) {
	if !validName(strings.TrimSuffix(login, "[bot]")) {
		return "none", nil
	}
	var answer struct {
		Permission string `json:"permission"`
		RoleName   string `json:"role_name"`
	}
	_, err := f.do(inLane(ctx, acks), repo, call{method: "GET", path: []string{"collaborators", login, "permission"}}, &answer)
	err = wrap(err, "read permission of %s on %s", login, repo)
	if errors.Is(err, bot.ErrGone) {
		return "none", nil
	}
	if err != nil {
		return "", err
	}
	// permission knows only admin, write, read and none: maintain counts as
	// write there, triage as read. Servers too old to tell the role have it alone.
	for _, role := range []string{answer.RoleName, answer.Permission} {
		if role != "" {
			return role, nil
		}
	}
	return "", fmt.Errorf("read permission of %s on %s: the answer names no role", login, repo)
}

// Comments returns those changed at since or later, oldest first; the zero
// time means all.
func (f *Forge) Comments(ctx context.Context, repo bot.Repo, number int, since time.Time) ([]bot.Comment, error) {
	q := url.Values{}
	if !since.IsZero() {
		q.Set("since", since.UTC().Format(time.RFC3339))
	}
	all, err := list(inLane(ctx, acks), f, repo, call{path: []string{"issues", strconv.Itoa(number), "comments"}, query: q},
		func(page *[]comment) []comment { return *page })
	if err != nil {
		return nil, wrap(err, "list comments of %s#%d", repo, number)
	}
	var comments []bot.Comment
	for _, c := range all {
		mine := bot.Comment{ID: c.ID, Ours: App{ID: f.cfg.AppID}.ours(&c, nil), CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt}
		if c.Body != nil {
			mine.Body = *c.Body
		}
		if c.User != nil { // null once the account is deleted
			mine.Author, mine.Bot = c.User.Login, c.User.Type == "Bot"
		}
		comments = append(comments, mine)
	}
	return comments, nil
}

// CreateComment posts a comment. It may have done so although it returns an
// error: look in Comments before a repeat.
func (f *Forge) CreateComment(ctx context.Context, repo bot.Repo, number int, body string) (int64, error) {
	client, err := f.client(repo)
	if err != nil {
		return 0, err
	}
	c, _, err := client.Issues.CreateComment(inLane(ctx, acks), repo.Owner, repo.Name, number, &gh.IssueComment{Body: &body})
	if err != nil {
		return 0, wrap(err, "comment on %s#%d", repo, number)
	}
	if c.GetID() == 0 {
		return 0, fmt.Errorf("comment on %s#%d: the answer has no id", repo, number)
	}
	return c.GetID(), nil
}

// UpdateComment replaces a comment's text; bot.ErrGone when somebody deleted it.
func (f *Forge) UpdateComment(ctx context.Context, repo bot.Repo, id int64, body string) error {
	client, err := f.client(repo)
	if err != nil {
		return err
	}
	_, _, err = client.Issues.EditComment(mayRepeat(ctx), repo.Owner, repo.Name, id, &gh.IssueComment{Body: &body})
	return wrap(err, "update comment %d of %s", id, repo)
}

// DeleteComment removes a comment of ours; one that is gone is no error.
func (f *Forge) DeleteComment(ctx context.Context, repo bot.Repo, id int64) error {
	client, err := f.client(repo)
	if err != nil {
		return err
	}
	_, err = client.Issues.DeleteComment(ctx, repo.Owner, repo.Name, id)
	if err = wrap(err, "delete comment %d of %s", id, repo); errors.Is(err, bot.ErrGone) {
		return nil
	}
	return err
}

// React adds a reaction to what stands at a place; GitHub adds the same one
// only once, and to the body of a review none.
func (f *Forge) React(ctx context.Context, repo bot.Repo, place string, id int64, content string) error {
	client, err := f.client(repo)
	if err != nil {
		return err
	}
	switch place {
	case bot.InComment:
		_, _, err = client.Reactions.CreateIssueCommentReaction(inLane(mayRepeat(ctx), acks), repo.Owner, repo.Name, id, content)
	case bot.InReviewComment:
		_, _, err = client.Reactions.CreatePullRequestCommentReaction(inLane(mayRepeat(ctx), acks), repo.Owner, repo.Name, id, content)
	}
	return wrap(err, "react to comment %d of %s", id, repo)
}
