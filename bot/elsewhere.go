package bot

import (
	"context"
	"fmt"
	"slices"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
)

// mostElsewhere bounds how many goals are named that failed in other runs.
const mostElsewhere = 10

// failedElsewhere names the goals that failed in earlier runs of the pull request at
// the same commit and with the same options, and that a view has not: what is asked
// for may be good while they are not.
func (b *Bot) failedElsewhere(ctx context.Context, r Run, v html.RunView) (said []string, err error) {
	if r.Pull == 0 {
		return nil, nil // a release's table has all of its goals
	}
	runs, err := b.Store.Runs(ctx, r.Repo, r.Pull)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool)
	for _, g := range v.Goals {
		known[g.Goal] = true
	}
	earlier := slices.IndexFunc(runs, func(o Run) bool { return o.ID == r.ID }) + 1
	for _, o := range runs[earlier:] {
		if o.Head != r.Head || !sameOptions(o, r) || !slices.ContainsFunc(o.goals(), func(g string) bool { return !known[g] }) {
			continue
		}
		kept, err := b.Store.Results(ctx, o.ID)
		if err != nil {
			return nil, err
		}
		for _, goal := range o.goals() { // the newest run that has one has the last word on it
			if kept[goal] == nil || known[goal] {
				continue
			}
			g, err := keptResult(o.ID, goal, kept[goal])
			if err != nil {
				return nil, err
			}
			if known[goal] = true; g.Verdict == report.Fail && len(said) < mostElsewhere {
				said = append(said, fmt.Sprintf("%s is no part of this, and failed at the same commit in run %s", goal, o.ID))
			}
		}
	}
	return said, nil
}

// sameOptions reports whether two runs tested in the same way, on whatever type of machine.
func sameOptions(a, b Run) bool {
	was, is := a.Plan.Options, b.Plan.Options
	was.InstanceType, was.Force = is.InstanceType, is.Force
	return was == is
}
