package github

import (
	"context"

	"github.com/ortest/ortest/bot"
)

// Runner is one that a repository lists.
type Runner struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"` // online or offline
	Busy   bool   `json:"busy"`
}

// Runners returns what a repository lists, also those that are not ours.
func (f *Forge) Runners(ctx context.Context, repo bot.Repo) ([]Runner, error) {
	type answer struct {
		Runners []Runner `json:"runners"`
	}
	all, err := list(ctx, f, repo, call{path: []string{"actions", "runners"}}, func(a *answer) []Runner { return a.Runners })
	return all, wrap(err, "list runners of %s", repo)
}
