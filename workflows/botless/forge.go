package botless

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
)

// RepoOf reads OWNER/NAME. The installation only fills a place: a token needs none.
func RepoOf(name string) (bot.Repo, error) {
	owner, repo, ok := strings.Cut(name, "/")
	if !ok || owner == "" || repo == "" || strings.Contains(repo, "/") {
		return bot.Repo{}, fmt.Errorf("%q is not OWNER/NAME", name)
	}
	return bot.Repo{Installation: 1, Owner: owner, Name: repo}, nil
}

// repo is the repository that the workflow runs in.
func (j Job) repo() (bot.Repo, error) {
	repo, err := RepoOf(os.Getenv("GITHUB_REPOSITORY"))
	if err != nil {
		return repo, usage(fmt.Errorf("GITHUB_REPOSITORY: %w; this command belongs into a workflow job", err))
	}
	return repo, nil
}

// forge speaks with the workflow run's own token.
func (j Job) forge() (*github.Forge, bot.Repo, error) {
	repo, err := j.repo()
	if err != nil {
		return nil, repo, err
	}
	token := cmp.Or(os.Getenv("ORTEST_TOKEN"), os.Getenv("GITHUB_TOKEN"))
	if token == "" {
		return nil, repo, usage(errors.New("ORTEST_TOKEN is empty: set it to ${{ github.token }} in the step's env"))
	}
	f, err := github.WithToken(github.Config{BaseURL: os.Getenv("GITHUB_API_URL"), Log: j.Log}, repo, token)
	return f, repo, err
}

// administrator speaks with what may administrate runners.
func (j Job) administrator(ctx context.Context) (*github.Forge, bot.Repo, error) {
	repo, err := j.repo()
	if err != nil {
		return nil, repo, err
	}
	cfg := github.Config{BaseURL: os.Getenv("GITHUB_API_URL"), Log: j.Log}
	id, key, token := os.Getenv("ORTEST_APP_ID"), os.Getenv("ORTEST_APP_KEY"), os.Getenv("ORTEST_RUNNER_TOKEN")
	if token != "" {
		f, err := github.WithToken(cfg, repo, token)
		return f, repo, err
	}
	if id == "" || key == "" {
		return nil, repo, usage(errors.New("nothing here may administrate runners: give the environment that this job names (\"ortest\" unless the settings say otherwise) " +
			"the secrets ORTEST_APP_ID and ORTEST_APP_KEY of a GitHub App with \"administration: write\" on this repository, or ORTEST_RUNNER_TOKEN, " +
			"a fine-grained token with the same; and protect the environment, so that only the default branch's workflows reach it"))
	}
	if _, err := fmt.Sscan(id, &cfg.AppID); err != nil {
		return nil, repo, usage(fmt.Errorf("ORTEST_APP_ID: %q is no number", id))
	}
	cfg.Key = []byte(key)
	f, err := github.New(cfg)
	if err != nil {
		return nil, repo, usage(fmt.Errorf("ORTEST_APP_ID, ORTEST_APP_KEY: %w", err))
	}
	repo, err = f.Installed(ctx, repo.Owner, repo.Name)
	if errors.Is(err, bot.ErrGone) {
		err = usage(fmt.Errorf("the App %s is not installed on %s: install it there; %w", id, os.Getenv("GITHUB_REPOSITORY"), err))
	}
	return f, repo, err
}
