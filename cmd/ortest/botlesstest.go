package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ortest/ortest/action"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

// pieceFile names, among the results of a piece, which one it is.
const pieceFile = "piece.txt"

// test runs a piece as the action does, and ends with its verdict: the next stage
// begins only where this one is good.
func (b botless) test(ctx context.Context) error {
	c, err := b.catalogHere()
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
	weigh := judging{catalog: c, known: map[string][]report.Expectation{}, now: time.Now()}
	var judged *report.GoalResult
	err = action.Job{
		Environ: append(os.Environ(), "ORTEST_SPOOL="+spool),
		Stdout:  b.cmd.OutOrStdout(),
		Lookup:  func(p action.Piece) (plan.Project, plan.Mode, error) { return lookup(c, p.Goal) },
		Judge: func(ev report.Evidence) (report.GoalResult, error) {
			exps, err := weigh.expects(ev.Goal)
			if err != nil {
				return report.GoalResult{}, err
			}
			g := report.Judge(ev, exps, report.JudgeOptions{Now: weigh.now})
			judged = &g
			return g, nil
		},
		Logger: b.log,
	}.Run(ctx)
	switch {
	case err != nil:
		return err
	case judged == nil:
		return errors.New("the piece left too much to be judged here; the job that reports does")
	case judged.Verdict != report.Pass && judged.Verdict != report.Known:
		return &exitError{exitBad, fmt.Errorf("%s: %s", judged.Goal, judged.Verdict)}
	}
	return nil
}
