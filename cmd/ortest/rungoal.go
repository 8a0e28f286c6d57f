package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/action"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

// makeUnits makes this machine ready for the goals, which needs root or sudo;
// what it does is told as it does it.
func (a *app) makeUnits(cmd *cobra.Command, f *runFlags, goals []plan.Goal, lanes bool) (action.Unmet, error) {
	var projects []plan.Project
	var modes []plan.Mode
	for _, g := range goals {
		project, mode, err := f.judging.catalog.Goal(g)
		if err != nil {
			return nil, err
		}
		projects, modes = append(projects, project), append(modes, mode)
	}
	return action.MakeUnits(cmd.Context(), projects, modes, lanes, cmd.ErrOrStderr())
}

// openGoal says how a goal is made ready.
func (a *app) openGoal(cmd *cobra.Command, f *runFlags, g plan.Goal) (action.Config, error) {
	project, mode, err := f.judging.catalog.Goal(g)
	if err != nil {
		return action.Config{}, err
	}
	repo := strings.TrimPrefix(project.Repo, "https://github.com/")
	server := "https://github.com"
	switch {
	case f.mirror != "":
		server = "file://" + f.mirror
	case project.Example:
		// Its repository is in this program.
		if server, err = serveExample(cmd.Context(), filepath.Join(f.work, "examples"), project.Name, repo); err != nil {
			return action.Config{}, err
		}
	}
	workspace := filepath.Join(f.work, "goals", g.String())
	if err := os.RemoveAll(workspace); err != nil {
		return action.Config{}, fmt.Errorf("clear workspace: %w", err)
	}
	cfg := action.Config{
		Piece:   action.Piece{ID: "run/" + g.String() + "/1", Goal: g, Repo: repo, Options: f.req.Options},
		Project: project, Mode: mode, ServerURL: server, Mirror: f.mirror, Pins: f.pins, Unmet: f.unmet, Workspace: workspace, Work: filepath.Join(f.work, "builds"),
		Env: os.Environ(), Only: f.files, Logger: a.log(cmd.ErrOrStderr()),
	}
	if a.verbose > 0 {
		cfg.Log = cmd.ErrOrStderr()
	}
	return cfg, nil
}

// What a block takes is known of suites that ask each twice. Every time more is
// one request to the same server: 50 ms where a block takes 240 ms, measured.
const (
	usualRepeat = 2
	perRepeat   = 0.2
)

// estimate is what a file took before, or what its blocks usually take.
func (f *runFlags) estimate(h *plan.History, g plan.Goal, t report.TestFile) plan.File {
	o := f.req.Options
	if e, ok := h.Estimate(plan.Observation{Arch: o.Arch, Nginx: o.Nginx, Goal: g.String(), File: t.Path}); ok {
		return e
	}
	mode, _ := f.judging.catalog.Mode(g.Mode)
	each := mode.PerBlock * (1 + perRepeat*float64(max(0, t.Repeat-usualRepeat)))
	takes := time.Duration(float64(max(1, len(t.Blocks))) * each * float64(time.Second))
	return plan.File{Path: t.Path, Median: takes, P90: takes}
}
