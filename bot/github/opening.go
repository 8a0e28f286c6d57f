package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	gh "github.com/google/go-github/v60/github"

	"github.com/ortest/ortest/bot"
)

// opening is a pull request on its way. Each step looks before it creates.
type opening struct {
	client *gh.Client
	repo   bot.Repo
	bot.Proposal
}

// open puts files on the branch and opens the pull request; it returns where that
// is shown.
func (w opening) open(ctx context.Context, base string, paths []string) (string, error) {
	if err := w.update(ctx, base, paths); err != nil {
		return "", err
	}
	p, _, err := w.client.PullRequests.Create(ctx, w.repo.Owner, w.repo.Name, &gh.NewPullRequest{
		Title: gh.String(limit(w.Title, maxTitle)), Head: gh.String(w.Branch), Base: gh.String(base), Body: gh.String(limit(w.Body, maxText)),
	})
	if err == nil && p.GetHTMLURL() == "" {
		err = errors.New("the answer has no address")
	}
	return p.GetHTMLURL(), wrap(err, "open a pull request in %s", w.repo)
}

// update makes the branch, at the default branch's head, and puts files on it.
func (w opening) update(ctx context.Context, base string, paths []string) error {
	if err := w.branch(ctx, base); err != nil {
		return err
	}
	for _, path := range paths {
		if err := w.put(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

func (w opening) branch(ctx context.Context, base string) error {
	_, _, err := w.client.Git.GetRef(ctx, w.repo.Owner, w.repo.Name, "heads/"+w.Branch)
	if codeOf(err) != http.StatusNotFound {
		return wrap(err, "read branch %s of %s", w.Branch, w.repo)
	}
	head, _, err := w.client.Git.GetRef(ctx, w.repo.Owner, w.repo.Name, "heads/"+base)
	if err != nil {
		return wrap(err, "read branch %s of %s", base, w.repo)
	}
	_, _, err = w.client.Git.CreateRef(ctx, w.repo.Owner, w.repo.Name, &gh.Reference{
		Ref: gh.String("refs/heads/" + w.Branch), Object: &gh.GitObject{SHA: head.Object.SHA},
	})
	return wrap(err, "make branch %s of %s", w.Branch, w.repo)
}

// put commits a file to the branch, unless it is there as it is to be.
func (w opening) put(ctx context.Context, path string) error {
	same, sha, err := w.holds(ctx, path, w.Branch)
	if err != nil || same {
		return err
	}
	o := &gh.RepositoryContentFileOptions{
		Message: gh.String(w.Title + ": " + path), Content: w.Files[path], Branch: gh.String(w.Branch),
	}
	if sha != "" {
		o.SHA = gh.String(sha)
	}
	_, _, err = w.client.Repositories.CreateFile(ctx, w.repo.Owner, w.repo.Name, path, o)
	return wrap(err, "write %s of %s", path, w.repo)
}

// holds reports whether a file at ref is as it is to be, and which blob it is.
func (w opening) holds(ctx context.Context, path, ref string) (same bool, sha string, err error) {
	file, _, _, err := w.client.Repositories.GetContents(ctx, w.repo.Owner, w.repo.Name, path, &gh.RepositoryContentGetOptions{Ref: ref})
	if codeOf(err) == http.StatusNotFound {
		return false, "", nil
	}
	if err != nil {
		return false, "", wrap(err, "read %s of %s", path, w.repo)
	}
	if file == nil {
		return false, "", fmt.Errorf("%s of %s is a directory: %w: %w; remove it first", path, w.repo, ErrOdd, bot.ErrRefused)
	}
	text, err := file.GetContent()
	if err != nil {
		return false, "", fmt.Errorf("read %s of %s: %w", path, w.repo, err)
	}
	return text == string(w.Files[path]), file.GetSHA(), nil
}

// known returns the address of the branch's open pull request, and whether one was closed.
func (w opening) known(ctx context.Context) (at string, closed bool, err error) {
	all, _, err := w.client.PullRequests.List(ctx, w.repo.Owner, w.repo.Name, &gh.PullRequestListOptions{
		State: "all", Head: w.repo.Owner + ":" + w.Branch, ListOptions: gh.ListOptions{PerPage: perPage},
	})
	if err != nil {
		return "", false, wrap(err, "list pull requests of %s", w.repo)
	}
	for _, p := range all {
		switch {
		case p.GetHead().GetRef() != w.Branch: // a server that does not know the parameter lists every one
		case p.GetState() == "open":
			return p.GetHTMLURL(), false, nil
		default:
			closed = true
		}
	}
	return "", closed, nil
}
