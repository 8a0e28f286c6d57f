package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/workflows/botless"
)

// repository says whether workflows can run in one: it may be a fork, private, or
// without Actions.
func (d *doctor) repository(ctx context.Context, name string) error {
	repo, err := botless.RepoOf(name)
	if err != nil {
		return fmt.Errorf("--repository: %w", err)
	}
	token := cmp.Or(os.Getenv("GITHUB_TOKEN"), os.Getenv("GH_TOKEN"))
	if token == "" {
		return errors.New("--repository needs a token that may read it in GITHUB_TOKEN")
	}
	forge, err := github.WithToken(github.Config{BaseURL: os.Getenv("GITHUB_API_URL"), Log: slog.New(slog.DiscardHandler)}, repo, token)
	if err != nil {
		return fmt.Errorf("--repository: %w", err)
	}
	base, notes, err := forge.Look(ctx, repo, false)
	if err != nil {
		d.bad("repository", err.Error(), "ortest workflows install says the same")
		return nil
	}
	for _, n := range notes {
		d.warn("repository", repo.String()+": "+n, "see docs/workflows.md")
	}
	if len(notes) == 0 {
		d.ok("repository", strings.TrimSpace(repo.String()+", default branch "+base))
	}
	return nil
}
