package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

// failedGoals is what retry repeats when it is told nothing else.
const failedGoals = "failed"

// maxLineage bounds how many runs' results are merged.
const maxLineage = 50

// decideRetry repeats goals of the newest run on its commit.
func (b *Bot) decideRetry(ctx context.Context, c comment, words []string) error {
	runs, err := b.Store.Runs(ctx, c.Repo, c.Number)
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		return b.answer(ctx, c, refusal("nothing was run on this pull request yet, so there is nothing to repeat"))
	}
	of := runs[0]
	if of.live() {
		return b.answer(ctx, c, refusal(fmt.Sprintf("[run %s](%s) is not over yet; wait for it, or cancel it first:\n\n%s", of.ID, b.runURL(of.ID), fence(Prefix+" cancel"))))
	}
	goals, why, err := b.repeatable(ctx, of, words)
	if err != nil {
		return err
	}
	if why != "" {
		return b.answer(ctx, c, refusal(why))
	}
	if len(goals) == 0 {
		return b.answer(ctx, c, understood(fmt.Sprintf("nothing of [run %s](%s) failed, so there is nothing to repeat. Name goals to repeat them all the same.", of.ID, b.runURL(of.ID))))
	}
	return b.repeat(ctx, c, of, goals)
}

// repeat starts goals of a run again, on its commit.
func (b *Bot) repeat(ctx context.Context, c comment, of Run, goals []string) error {
	at, ok, err := b.fix(ctx, c)
	if err != nil || !ok {
		return err
	}
	if at.Head != of.Head {
		return b.answer(ctx, c, refusal(fmt.Sprintf("run %s tested %s, and the pull request is at %s now, so their results cannot be merged. To run all of it there:\n\n%s",
			of.ID, code(of.Head), code(at.Head), fence(lineOf(verbRun, of.Words)))))
	}
	return b.startTrusted(ctx, c, start{at: at, words: of.Words, goals: goals, of: of.ID})
}

// repeatable returns the goals of a run that words name: those that failed when
// they say so or nothing. why is for the author when they cannot be found.
func (b *Bot) repeatable(ctx context.Context, of Run, words []string) (goals []string, why string, err error) {
	view, err := b.View(ctx, of)
	if err != nil {
		return nil, "", err
	}
	if len(words) == 0 || len(words) == 1 && words[0] == failedGoals {
		for _, g := range view.Goals {
			if g.Result == nil || g.Result.Verdict == report.Fail || g.Result.Verdict == report.Incomplete {
				goals = append(goals, g.Goal)
			}
		}
		return goals, "", nil
	}
	var all []string
	for _, g := range view.Goals {
		all = append(all, g.Goal)
	}
	goals, why = b.among(ctx, verbRetry, words, all)
	return goals, why, nil
}

// among returns those goals of all that targets name; why says which target names none.
func (b *Bot) among(ctx context.Context, v verb, targets, all []string) (goals []string, why string) {
	for _, t := range targets {
		if slices.Contains(all, t) { // whatever catalog it is of
			if !slices.Contains(goals, t) {
				goals = append(goals, t)
			}
			continue
		}
		named, _, err := b.Catalog().Goals([]string{t}, "")
		if err != nil {
			return nil, b.explain(ctx, v, targets, err)
		}
		found := false
		for _, g := range named {
			if name := g.String(); slices.Contains(all, name) {
				found = true
				if !slices.Contains(goals, name) {
					goals = append(goals, name)
				}
			}
		}
		if !found {
			why = fmt.Sprintf("the run has no goal of %s; it has %s", code(t), code(strings.Join(all, " ")))
			if near := plan.Nearest(t, all); len(near) > 0 {
				why += ". Ready to paste:\n\n" + fence(lineOf(v, replaced(targets, t, t, near[0])))
			}
			return nil, why
		}
	}
	return goals, ""
}

// lineage returns a run and those whose results count with its own, newest first.
func (b *Bot) lineage(ctx context.Context, r Run) ([]Run, error) {
	all := []Run{r}
	for r.Of != "" && len(all) < maxLineage {
		before, err := b.Store.Run(ctx, r.Of)
		if errors.Is(err, ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		r = before
		all = append(all, r)
	}
	return all, nil
}
