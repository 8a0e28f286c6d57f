package html

import (
	"fmt"
	"slices"

	"github.com/ortest/ortest/report"
)

// shownInJob is how many findings of a class a job's summary has.
const shownInJob = 1000

// JobSummary is what a job's summary shows of the goals that it judged: the
// check run's content with room for all of it. It is below the 1 MiB that
// GitHub takes, whatever the goals hold.
func JobSummary(run RunView, results []report.GoalResult) string {
	s := newSheet(run, jobBudget)
	word := string(report.Overall(results))
	s.addf("## %s %s: %s\n\n%s\n\n", sign(word), word, tally(results...), meaning(word))
	for _, t := range run.Trouble {
		s.addf("- %s\n", code(t, 500))
	}
	worst := slices.Clone(results)
	slices.SortStableFunc(worst, func(a, b report.GoalResult) int { return badness(b.Verdict) - badness(a.Verdict) })
	run.findings(s, worst, shownInJob)
	s.add(resultTable(run, worst))
	for i, g := range worst {
		if s.full() {
			s.dropped += len(worst) - i
			break
		}
		s.add(fmt.Sprintf("### %s %s %s\n\n", sign(string(g.Verdict)), code(g.Goal, 100), g.Verdict) + facts(run, g) + again(g) + "\n")
		s.details(run, g)
	}
	return s.String()
}

func badness(v report.Verdict) int {
	return slices.Index([]report.Verdict{report.Pass, report.Known, report.Incomplete, report.Fail}, v)
}
