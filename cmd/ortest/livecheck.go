package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
)

// catalogCheckName is the check run on a commit of the catalog's repository.
const catalogCheckName = "ortest / catalog"

// checker is what catalogCheck asks of a forge.
type checker interface {
	Repositories(ctx context.Context) ([]bot.Repo, error)
	CheckRuns(ctx context.Context, repo bot.Repo, sha string) ([]bot.CheckRun, error)
	CreateCheckRun(ctx context.Context, repo bot.Repo, sha string, c bot.CheckRun) (int64, error)
	UpdateCheckRun(ctx context.Context, repo bot.Repo, c bot.CheckRun) error
}

// catalogCheck returns what says on a commit whether the catalog in it was
// taken. A repository that the App is not installed on hears nothing: the log,
// the page and the doctor say the same.
func catalogCheck(forge checker) func(ctx context.Context, at, commit, refused string) error {
	return func(ctx context.Context, at, commit, refused string) error {
		repos, err := forge.Repositories(ctx)
		if err != nil {
			return err
		}
		for _, repo := range repos {
			if strings.EqualFold(repo.String(), nameOf(at)) {
				return showCatalog(ctx, forge, repo, commit, refused)
			}
		}
		return nil
	}
}

// nameOf is OWNER/NAME of a repository's address.
func nameOf(at string) string {
	u, err := url.Parse(at)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git")
}

// mostReason bounds what a check run shows of an error.
const mostReason = 60_000

// showCatalog looks before it creates: the call before may have been cut off.
func showCatalog(ctx context.Context, forge checker, repo bot.Repo, commit, refused string) error {
	c := bot.CheckRun{
		Name: catalogCheckName, External: "catalog " + commit, Status: "completed", Conclusion: "success", CompletedAt: time.Now(),
		Title: "The catalog is in force", Summary: "The bot has taken this commit's catalog.",
	}
	if refused != "" {
		c.Conclusion, c.Title = "failure", "The catalog is not valid, and was not taken"
		c.Summary = "What was in force before still is. What is wrong, with file, line and column:"
		c.Text = indented(refused[:min(len(refused), mostReason)])
	}
	shown, err := forge.CheckRuns(ctx, repo, commit)
	if err != nil {
		return fmt.Errorf("look for the check run of %.12s: %w", commit, err)
	}
	for _, s := range shown {
		if s.Name == c.Name {
			c.ID = s.ID
			return forge.UpdateCheckRun(ctx, repo, c)
		}
	}
	_, err = forge.CreateCheckRun(ctx, repo, commit, c)
	return err
}

// indented is text as a block of code in Markdown that nothing in it can end.
func indented(text string) string {
	return "    " + strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\n", "\n    ") + "\n"
}

// heard is a store of deliveries that also tells which kinds of events come.
type heard struct {
	bot.Store
	tell func(event string)
}

func (h heard) AddDelivery(ctx context.Context, d bot.Delivery) (bool, error) {
	fresh, err := h.Store.AddDelivery(ctx, d)
	if err == nil && h.tell != nil {
		h.tell(d.Event)
	}
	return fresh, err
}
