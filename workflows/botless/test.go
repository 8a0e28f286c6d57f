package botless

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ortest/ortest/action"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
)

// pieceFile names, among the results of a piece, which one it is.
const pieceFile = "piece.txt"

// planned refuses to test and judge by another catalog than the plan was made with.
func planned(c *catalog.Catalog, revision string) error {
	if revision == "" || revision == c.Revision {
		return nil
	}
	return usage(fmt.Errorf("the plan is of catalog %s, and this job has %s: give all jobs the same version of ortest, and the same ORTEST_CATALOG", revision, c.Revision))
}

// test runs a piece as the action does, and ends with its verdict: the next stage
// begins only where this one is good.
func (j Job) test(ctx context.Context) error {
	c, err := j.catalog()
	if err != nil {
		return err
	}
	var piece struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(os.Getenv("INPUT_PIECE")), &piece); err != nil {
		return usage(fmt.Errorf("INPUT_PIECE holds no piece: hand it one leg of the matrix as JSON (%w)", err))
	}
	spool, err := jobFolder("ORTEST_SPOOL", "ortest-spool")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(spool, pieceFile), []byte(piece.ID+"\n"), 0o600); err != nil {
		return err
	}
	judge := j.Judge(c)
	var judged *report.GoalResult
	err = action.Job{
		Environ: append(os.Environ(), "ORTEST_SPOOL="+spool),
		Stdout:  j.Stdout,
		Lookup: func(p action.Piece) (plan.Project, plan.Mode, error) {
			if err := planned(c, p.Catalog); err != nil {
				return plan.Project{}, plan.Mode{}, err
			}
			return c.Goal(p.Goal)
		},
		Judge: func(ev report.Evidence) (report.GoalResult, error) {
			g, err := judge(ev)
			if err == nil {
				judged = &g
			}
			return g, err
		},
		Logger: j.Log,
	}.Run(ctx)
	switch {
	case err != nil:
		return err
	case judged == nil:
		return errors.New("the piece left too much to be judged here; the job that reports does")
	case judged.Verdict != report.Pass && judged.Verdict != report.Known:
		return refused(fmt.Errorf("%s: %s", judged.Goal, judged.Verdict))
	}
	return nil
}
