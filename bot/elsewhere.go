package bot

import (
	"context"
	"fmt"
	"slices"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
)

// mostElsewhere bounds how many goals are named that failed in other runs.
const mostElsewhere = 10

// bad is a goal that failed, or came to nothing, in an earlier run and has not been
// good since.
type bad struct {
	goal, run string
	as        report.Verdict // "" is not over
	otherwise bool           // it was tested with other options
}

func (x bad) String() string {
	how := "was " + string(x.as)
	switch x.as {
	case report.Fail:
		how = "failed"
	case "":
		how = "is not over"
	}
	if x.otherwise {
		return fmt.Sprintf("%s with other options %s at the same commit in run %s", x.goal, how, x.run)
	}
	return fmt.Sprintf("%s is no part of this, and %s at the same commit in run %s", x.goal, how, x.run)
}

// elsewhere adds to a view the goals that failed in earlier runs of the pull request at
// the same commit and with the same options, and that it has not: what is asked for may
// be good while they are not. Whoever may not write could make a required check good by
// asking for little. So for that person's run all that was not good at the commit
// counts, whatever it was tested with, and withholds the success.
func (b *Bot) elsewhere(ctx context.Context, r Run, v *html.RunView) error {
	if r.Pull == 0 {
		return nil // a release's table has all of its goals
	}
	all, err := b.badElsewhere(ctx, r, *v)
	if err != nil {
		return err
	}
	if r.trusted() {
		all = slices.DeleteFunc(all, func(x bad) bool { return x.otherwise || x.as != report.Fail })
	}
	for _, x := range all[:min(len(all), mostElsewhere)] {
		v.Trouble = append(v.Trouble, x.String())
	}
	v.Withheld = !r.trusted() && len(all) > 0
	return nil
}

// trusted reports whether somebody asked for a run who may write.
func (r *Run) trusted() bool { return r.Author == r.Approved }

// badElsewhere lists what has not been good since at the commit of a run; the newest
// run that has a goal has the last word on it.
func (b *Bot) badElsewhere(ctx context.Context, r Run, v html.RunView) (all []bad, err error) {
	runs, err := b.Store.Runs(ctx, r.Repo, r.Pull)
	if err != nil {
		return nil, err
	}
	type tested struct {
		goal    string
		options plan.Options
	}
	known := make(map[tested]bool)
	for _, g := range v.Goals {
		known[tested{g.Goal, options(r)}] = true
	}
	earlier := slices.IndexFunc(runs, func(o Run) bool { return o.ID == r.ID }) + 1
	for _, o := range runs[earlier:] {
		if o.Head != r.Head || !slices.ContainsFunc(o.goals(), func(g string) bool { return !known[tested{g, options(o)}] }) {
			continue
		}
		kept, err := b.Store.Results(ctx, o.ID)
		if err != nil {
			return nil, err
		}
		for _, goal := range o.goals() {
			is := tested{goal, options(o)}
			if known[is] {
				continue
			}
			if kept[goal] == nil {
				if known[is] = o.live(); o.live() {
					all = append(all, bad{goal: goal, run: o.ID, otherwise: !sameOptions(o, r)})
				}
				continue
			}
			g, err := keptResult(o.ID, goal, kept[goal])
			if err != nil {
				return nil, err
			}
			if known[is] = true; g.Verdict != report.Pass && g.Verdict != report.Known {
				all = append(all, bad{goal: goal, run: o.ID, as: g.Verdict, otherwise: !sameOptions(o, r)})
			}
		}
	}
	return all, nil
}

// options are how a run tested, on whatever type of machine.
func options(r Run) plan.Options {
	o := r.Plan.Options
	o.InstanceType, o.Force = "", false
	return o
}

// sameOptions reports whether two runs tested in the same way.
func sameOptions(a, b Run) bool { return options(a) == options(b) }
