package botless

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ortest/ortest/action"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/workflows"
)

// asked is what a workflow run is to test.
type asked struct {
	words   []string // flags and targets
	show    bool     // only show the plan
	run     run
	comment bool
}

// maxMatrix is how many jobs GitHub makes of a matrix.
const maxMatrix = 256

// plan decides what the event asks for. Only what this program made goes into its
// outputs: names of the catalog, commits, numbers.
func (j Job) plan(ctx context.Context) error {
	ask, err := j.asked(ctx)
	if err != nil {
		return err
	}
	req, err := plan.ParseRequest(ask.words)
	if err != nil {
		return err
	}
	req.Limit = cmp.Or(req.Limit, j.Limit)
	req.AllAtOnce = req.AllAtOnce || os.Getenv("ORTEST_ALL_AT_ONCE") == "true"
	c, err := j.catalog()
	if err != nil {
		return err
	}
	if err := errors.Join(plan.Policy{}.Check(req), c.Check(req)); ask.comment && err != nil {
		return err
	}
	goals, _, err := c.Goals(req.Targets, req.Exclude)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(cmp.Or(os.Getenv("ORTEST_STAGES"), "1"))
	if err != nil || n < 1 || n > 3 {
		return usage(fmt.Errorf("ORTEST_STAGES: %q is not from 1 to 3", os.Getenv("ORTEST_STAGES")))
	}
	ask.run.Options, ask.run.Stages = req.Options, n
	return j.outputs(ctx, ask, c, req, inStages(goals, n, req.AllAtOnce))
}

// inStages cuts goals: t first, then tv and to where there are three stages, then the
// rest. A stage without goals is left out, so that the first always has some.
func inStages(goals []plan.Goal, n int, atOnce bool) [][]plan.Goal {
	if atOnce || n == 1 {
		return [][]plan.Goal{goals}
	}
	all := make([][]plan.Goal, n)
	for _, g := range goals {
		at := n - 1
		switch {
		case g.Mode == "t":
			at = 0
		case n == 3 && (g.Mode == "tv" || g.Mode == "to"):
			at = 1
		}
		all[at] = append(all[at], g)
	}
	return slices.DeleteFunc(all, func(s []plan.Goal) bool { return len(s) == 0 })
}

func (j Job) outputs(ctx context.Context, ask asked, c *catalog.Catalog, req plan.Request, stages [][]plan.Goal) error {
	out := j.Stdout
	var so made
	for i := range ask.run.Stages {
		suffix := ""
		if i > 0 {
			suffix = fmt.Sprintf("-%d", i+1)
		}
		matrix, fleet := []workflows.Piece{}, []machine{}
		if i < len(stages) {
			p, err := j.Pack(ctx, c.InputFrom(req, stages[i], new(plan.History)))
			if err != nil {
				return err
			}
			if matrix, fleet, err = so.share(ask.run, c, p); err != nil {
				return err
			}
			fmt.Fprintf(out, "stage %d: %d jobs on %d machines\n", i+1, len(matrix), len(fleet))
		}
		if len(matrix) > maxMatrix {
			return usage(fmt.Errorf("stage %d would have %d jobs, and GitHub makes at most %d of a matrix: name fewer targets or a longer -t; the bot cuts them into several workflow runs", i+1, len(matrix), maxMatrix))
		}
		if ask.show {
			matrix, fleet = []workflows.Piece{}, []machine{}
		}
		if ask.run.Cloud == "hosted" {
			fleet = []machine{}
		}
		for name, v := range map[string]any{"pieces": matrix, "machines": fleet} {
			text, err := encode(v)
			if err != nil {
				return err
			}
			if err := output(name+suffix, text); err != nil {
				return err
			}
		}
	}
	text, err := encode(ask.run)
	if err != nil {
		return err
	}
	summary := fmt.Sprintf("### ortest\n\n%d jobs on %d machines test <code>%s</code>.\n", so.pieces, so.machines, ask.run.Head)
	return errors.Join(output("run", text), output("attempt", cmp.Or(os.Getenv("GITHUB_RUN_ATTEMPT"), "1")), action.AppendTo(os.Getenv("GITHUB_STEP_SUMMARY"), summary))
}

// nonce is 32 hex digits that nobody can guess.
func nonce() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}

// made counts what a plan has so far: names are numbered through all stages.
type made struct{ pieces, machines int }

// share makes jobs of a plan's pieces, and machines of its buckets.
func (so *made) share(run run, c *catalog.Catalog, p plan.Plan) (matrix []workflows.Piece, fleet []machine, err error) {
	for _, bucket := range p.Buckets {
		so.machines++
		m := machine{ID: fmt.Sprintf("b%d", so.machines), Arch: run.Options.Arch, Type: run.Options.InstanceType, Minutes: 30}
		for _, p := range bucket.Pieces {
			so.pieces++
			project, ok := c.Project(p.Goal.Project)
			if !ok {
				return nil, nil, fmt.Errorf("catalog %s has no project %s", c.Revision, p.Goal.Project)
			}
			minutes := int(max(2*p.Estimate, 30*time.Minute) / time.Minute)
			leg := workflows.Piece{
				ID: fmt.Sprintf("%s/p%d/1", run.ID, so.pieces), Label: workflows.Label(nonce()), Goal: p.Goal.String(), Catalog: c.Revision,
				Repo: strings.TrimSuffix(strings.TrimPrefix(project.Repo, "https://github.com/"), ".git"), Files: p.Files, Options: run.Options, Timeout: minutes,
			}
			if strings.EqualFold(leg.Repo, run.Repo) {
				leg.Commit = run.Head
			}
			if err := leg.Validate(); err != nil {
				return nil, nil, err
			}
			m.Minutes += minutes
			m.Pieces = append(m.Pieces, piece{ID: leg.ID, Goal: leg.Goal, Label: leg.Label, Minutes: minutes})
			switch run.Cloud {
			case "hosted":
				leg.Label = cmp.Or(os.Getenv("ORTEST_HOSTED_LABEL"), workflows.Defaults().Runner)
			case "local": // whoever runs the workflow here runs its jobs too
				leg.Label = "ortest-local"
			}
			matrix = append(matrix, leg)
		}
		fleet = append(fleet, m)
	}
	return matrix, fleet, nil
}
