package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ortest/ortest/report"
)

// nextStage opens a run's next stage once the one before is good, and ends the
// run when it is not: what is left costs machines and would say little.
func (b *Bot) nextStage(ctx context.Context, r Run) error {
	if r.State != Running || !r.staged() {
		return nil
	}
	views, err := b.goalViews(ctx, r)
	if err != nil {
		return err
	}
	var bad []string
	for _, g := range views {
		good := g.Result != nil && (g.Result.Verdict == report.Pass || g.Result.Verdict == report.Known)
		if r.stageOf(g.Goal) <= r.Stage && !good {
			bad = append(bad, g.Goal)
		}
	}
	if len(bad) == 0 {
		return b.advance(ctx, r.ID, Occurrence{Kind: StageOpened, Stage: r.Stage + 1})
	}
	most := 5
	if len(bad) > most {
		bad = append(bad[:most], fmt.Sprintf("and %d more", len(bad)-most))
	}
	why := fmt.Sprintf("not started, since stage %d is not good: %s; %s confirm starts it all the same", r.Stage+1, strings.Join(bad, ", "), Prefix)
	return b.advance(ctx, r.ID, Occurrence{Kind: StageHeld, Stage: r.Stage + 1, Why: why})
}

// staged reports whether the stages that may run are over, and another waits.
func (r *Run) staged() bool {
	waits := false
	for _, p := range r.Pieces {
		if p.Stage <= r.Stage && p.State != Finished {
			return false
		}
		waits = waits || p.Stage > r.Stage && p.State != Finished
	}
	return waits
}

func (r *Run) stageOf(goal string) int {
	i := slices.IndexFunc(r.Pieces, func(p Piece) bool { return p.Goal.String() == goal })
	return r.Pieces[i].Stage
}

// open lets a stage run.
func (r *Run) open(stage int) bool {
	if stage != r.Stage+1 || r.State != Running {
		return false
	}
	r.Stage = stage
	r.Trail = append(r.Trail, fmt.Sprintf("stage %d was good, stage %d begins", stage, stage+1))
	return true
}

// hold ends the pieces of a stage and those after it.
func (r *Run) hold(stage int, why string) bool {
	changed := false
	for i := range r.Pieces {
		if p := &r.Pieces[i]; p.Stage >= stage && p.State == Waiting {
			p.State, p.Reason, p.Held, changed = Finished, why, true, true
		}
	}
	if changed {
		r.Trail = append(r.Trail, fmt.Sprintf("stage %d was not good, so stage %d and what follows is %s", stage, stage+1, why))
	}
	return changed
}
