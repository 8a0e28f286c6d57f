package github

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/release"
)

// Refs returns a repository's branches and tags with their commits.
func (f *Forge) Refs(ctx context.Context, repo bot.Repo) ([]release.Ref, error) {
	type named struct {
		Name   string `json:"name"`
		Commit struct {
			SHA string `json:"sha"`
		} `json:"commit"`
	}
	var refs []release.Ref
	for _, kind := range []string{"branches", "tags"} {
		all, err := list(ctx, f, repo, call{path: []string{kind}}, func(page *[]named) []named { return *page })
		if err != nil {
			return nil, wrap(err, "list %s of %s", kind, repo)
		}
		for _, n := range all {
			if validSHA(n.Commit.SHA) {
				refs = append(refs, release.Ref{Name: n.Name, Tag: kind == "tags", Head: n.Commit.SHA})
			}
		}
	}
	return refs, nil
}

// Pushed reads a webhook of a push, or of a tag that was made: the repository and the
// ref's name. It says where to look, not what is true.
func Pushed(raw []byte) (bot.Repo, string, error) {
	var p struct {
		Ref          string `json:"ref"`
		Installation *struct {
			ID int64 `json:"id"`
		} `json:"installation"`
		Repository *struct {
			Name  string `json:"name"`
			Owner *struct {
				Login string `json:"login"`
				Name  string `json:"name"` // a push has the owner's login here
			} `json:"owner"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return bot.Repo{}, "", fmt.Errorf("decode push: %w", err)
	}
	switch {
	case p.Installation == nil || p.Installation.ID <= 0:
		return bot.Repo{}, "", missing("installation.id")
	case p.Repository == nil || p.Repository.Owner == nil || !validName(p.Repository.Name):
		return bot.Repo{}, "", missing("repository.name")
	}
	owner := p.Repository.Owner.Login
	if owner == "" {
		owner = p.Repository.Owner.Name
	}
	if !validName(owner) {
		return bot.Repo{}, "", missing("repository.owner.login")
	}
	return bot.Repo{Installation: p.Installation.ID, Owner: owner, Name: p.Repository.Name}, p.Ref, nil
}
