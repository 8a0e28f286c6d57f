package bot

import (
	"context"
	"strings"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/plan/recipe"
	"github.com/ortest/ortest/workflows"
)

// leg is the piece as the workflow and the action see it.
func leg(c *catalog.Catalog, r Run, p Piece) workflows.Piece {
	leg := workflows.Piece{
		ID:      wireID(r.ID, p),
		Label:   label(p),
		Goal:    p.Goal.String(),
		Files:   p.Files,
		Options: r.Plan.Options,
		Timeout: int(p.timeout().Minutes()),
	}
	if c.Revision == r.Catalog {
		leg.Catalog = r.Catalog
	}
	project, ok := c.Project(p.Goal.Project)
	if !ok {
		return leg
	}
	leg.Repo, leg.Commit = repository(project), r.pinned(under(project))
	for _, s := range project.Recipe.Sources {
		if sha := r.pinned(s); sha != "" {
			if leg.Sources == nil {
				leg.Sources = make(map[string]string)
			}
			leg.Sources[s.Name] = sha
		}
	}
	return leg
}

// under is the source that a project's own repository is.
func under(p plan.Project) recipe.Source { return recipe.Source{Name: p.Name, Repo: p.Repo} }

// sources are all that a project's goals take: its own repository, and what they build with.
func sources(p plan.Project) []recipe.Source {
	return append([]recipe.Source{under(p)}, p.Recipe.Sources...)
}

// pinned is the commit at which the run takes a source: of the pull request's
// own repository the one under test, wherever it is needed.
func (r *Run) pinned(s recipe.Source) string {
	if strings.EqualFold(s.Slug(), r.Repo.String()) { // GitHub takes either case
		return r.Head
	}
	return r.Commits[s.Pin()]
}

// fixCommits writes down the commit of every other repository that the run
// tests or builds with, so that all of its pieces, and all of their attempts, take
// the same one. A repeat takes those of the run that it repeats: their results
// are merged.
func (b *Bot) fixCommits(ctx context.Context, r Run) error {
	if !r.live() || r.Commits != nil {
		return nil
	}
	commits := make(map[string]string)
	if r.Of != "" {
		of, err := b.Store.Run(ctx, r.Of)
		if err != nil {
			return err
		}
		for pin, sha := range of.Commits {
			commits[pin] = sha
		}
	}
	c, err := b.catalogOf(ctx, r)
	if err != nil {
		return err
	}
	for _, p := range r.Pieces {
		project, ok := c.Project(p.Goal.Project)
		if !ok {
			continue
		}
		for _, s := range sources(project) {
			if _, known := commits[s.Pin()]; known || strings.EqualFold(s.Slug(), r.Repo.String()) {
				continue
			}
			sha, err := b.Forge.Head(ctx, r.Repo, s.Slug(), s.Ref)
			if err != nil && !final(err) {
				return err
			}
			commits[s.Pin()] = sha // "" where GitHub does not show it: then each job takes the newest
		}
	}
	return b.update(ctx, r.ID, func(r *Run) bool { r.Commits = commits; return true })
}
