package html

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ortest/ortest/report"
)

// Text is a run for a terminal: its state, the goals, and what they found with
// file, line and block. Every line of foreign text is set behind a bar, so that
// none can be a command of the runner that prints it.
func Text(run RunView) string {
	var s strings.Builder
	fmt.Fprintf(&s, "run %s: %s\n", term(run.ID, 40), run.word())
	if run.Command != "" {
		fmt.Fprintf(&s, "  %s, by %s, at %.12s\n", term(run.Command, 1000), term(run.Author, 100), term(run.Head, 64))
	}
	for _, t := range run.Trouble {
		fmt.Fprintf(&s, "  trouble: %s\n", term(t, 500))
	}
	for i, b := range run.Plan.Buckets {
		var pieces []string
		for _, p := range b.Pieces {
			pieces = append(pieces, p.String())
		}
		fmt.Fprintf(&s, "  bucket %d: %s (%s)\n", i+1, term(strings.Join(pieces, " "), 2000), minutes(b.Estimate))
	}
	width := 0
	for _, g := range run.Goals {
		width = max(width, len(g.Goal))
	}
	s.WriteString("\n")
	for _, g := range run.Goals {
		fmt.Fprintf(&s, "%-10s  %-*s  %s\n", g.word(), width, term(g.Goal, 200), g.line())
	}
	if run.State == "done" {
		textFindings(&s, run.results())
	}
	return s.String()
}

// line is what a goal did, in a line.
func (g GoalView) line() string {
	if g.Result == nil {
		return g.progress()
	}
	r := g.Result
	return fmt.Sprintf("%d of %s, %d of %s, %s, %.0f s", r.Files, plural(r.Planned, "file"), r.Blocks, plural(r.Expected, "block"), tally(*r), r.Seconds)
}

func textFindings(s *strings.Builder, gs []report.GoalResult) {
	all := clusters(gs)
	for _, h := range headings {
		in := slices.DeleteFunc(slices.Clone(all), func(c cluster) bool { return c.Class != h.class })
		if len(in) == 0 {
			continue
		}
		fmt.Fprintf(s, "\n%s: %d\n", h.title, len(in))
		for i, c := range in {
			if i == shownFindings {
				fmt.Fprintf(s, "  …and %d more\n", len(in)-i)
				break
			}
			textFinding(s, c, h.folded)
		}
	}
}

func textFinding(s *strings.Builder, c cluster, short bool) {
	at := term(c.File, 300)
	if c.Line > 0 {
		at = fmt.Sprintf("%s:%d", at, c.Line)
	}
	head := strings.TrimSpace(strings.Join([]string{at, term(c.BlockName(), 300)}, " "))
	if head != "" {
		head += ": "
	}
	fmt.Fprintf(s, "  %s%s (%s)\n", head, term(c.Name, 500), term(strings.Join(c.goals, ", "), 1000))
	if c.Why != "" {
		fmt.Fprintf(s, "    %s\n", term(c.Why, 300))
	}
	if short || c.Detail == "" {
		return
	}
	for line := range strings.Lines(excerpt(c.Detail, excerptLines, excerptBytes)) {
		fmt.Fprintf(s, "    | %s\n", strings.ReplaceAll(strings.TrimRight(line, "\n"), "##[", "#\u200B#["))
	}
}

// term makes one line for a terminal.
func term(s string, most int) string {
	return clip(strings.ReplaceAll(strings.Join(strings.Fields(clean(s)), " "), "##[", "#\u200B#["), most)
}
