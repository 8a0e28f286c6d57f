package bot

import (
	"context"
	"fmt"
	"strings"

	"github.com/ortest/ortest/report/html"
)

// decideWhy tells how the newest run came about, or what became of a goal of it.
func (b *Bot) decideWhy(ctx context.Context, c comment, words []string) error {
	runs, err := b.Store.Runs(ctx, c.Repo, c.Number)
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		return b.answer(ctx, c, understood("nothing was run on this pull request yet, so there is nothing to explain."))
	}
	r := runs[0]
	view, err := b.View(ctx, r)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return b.answer(ctx, c, understood(b.whyRun(r)))
	}
	var all []string
	for _, g := range view.Goals {
		all = append(all, g.Goal)
	}
	goals, why := b.among(ctx, verbWhy, words, all)
	if why != "" {
		return b.answer(ctx, c, refusal(why))
	}
	lines, err := b.lineage(ctx, r)
	if err != nil {
		return err
	}
	var s strings.Builder
	fmt.Fprintf(&s, "why %s is as it is:\n", code(strings.Join(goals, " ")))
	for _, g := range view.Goals {
		for _, name := range goals {
			if g.Goal == name && s.Len() < maxWhy {
				whyGoal(&s, lines, g)
			}
		}
	}
	return b.answer(ctx, c, understood(s.String()))
}

// maxWhy keeps an explanation within a comment.
const maxWhy = 20_000

func (b *Bot) whyRun(r Run) string {
	var s strings.Builder
	fmt.Fprintf(&s, "why [run %s](%s) is as it is (%s):\n\n1. %s asked for %s\n", r.ID, b.runURL(r.ID), r.Word(), code(r.Author), code(r.Text))
	for _, t := range r.Trail {
		fmt.Fprintf(&s, "1. %s\n", plain(t))
	}
	for _, d := range r.Dispatch {
		if d.WorkflowRun != 0 {
			fmt.Fprintf(&s, "1. [workflow run %d](%s/%s/actions/runs/%d) for %s\n", d.WorkflowRun, b.Server, r.Repo, d.WorkflowRun, count(len(d.Pieces), "piece"))
		}
	}
	for _, p := range r.Pieces {
		for _, t := range p.Trouble {
			if s.Len() < maxWhy {
				fmt.Fprintf(&s, "1. %s, %s\n", code(p.String()), plain(t))
			}
		}
	}
	fmt.Fprintf(&s, "\n`%s why GOAL` says more of one goal.\n", Prefix)
	return s.String()
}

// whyGoal tells a goal's attempts and what its verdict rests on.
func whyGoal(s *strings.Builder, lines []Run, g html.GoalView) {
	fmt.Fprintf(s, "\n**%s**\n\n", code(g.Goal))
	for _, r := range lines {
		for _, p := range r.Pieces {
			if p.Goal.String() != g.Goal {
				continue
			}
			fmt.Fprintf(s, "- run %s, %s, stage %d: %s, attempt %d", r.ID, code(p.String()), p.Stage+1, p.State, p.Attempt)
			if p.Instance != "" {
				fmt.Fprintf(s, ", instance %s", code(p.Instance))
			}
			if p.Reason != "" {
				fmt.Fprintf(s, "; %s", plain(p.Reason))
			}
			s.WriteString("\n")
			for _, t := range p.Trouble {
				fmt.Fprintf(s, "  - %s\n", plain(t))
			}
		}
	}
	if g.Result == nil {
		fmt.Fprintf(s, "- not judged yet: %s\n", g.State)
		return
	}
	fmt.Fprintf(s, "- verdict **%s**\n", g.Result.Verdict)
	for i, why := range g.Result.Why {
		if i == 20 {
			fmt.Fprintf(s, "  - and %d more\n", len(g.Result.Why)-i)
			break
		}
		fmt.Fprintf(s, "  - %s\n", plain(why))
	}
}
