package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/action/local"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report/result"
)

// remember adds to the history how long the files took; that it cannot is said
// and changes no verdict.
func (a *app) remember(cmd *cobra.Command, f *runFlags, out local.Outcome) {
	err := f.history.update(context.WithoutCancel(cmd.Context()), func(h *plan.History) error {
		var errs []error
		for _, o := range observations(out, f.req.Options) {
			errs = append(errs, h.Add(o))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		a.warn(cmd.ErrOrStderr(), "durations are not remembered: "+err.Error())
	}
}

// observations are how long a run's files took.
func observations(out local.Outcome, o plan.Options) []plan.Observation {
	var all []plan.Observation
	for _, g := range out.Goals {
		core := o.Nginx
		if core == "" {
			core = result.Core(g.Result.Versions["nginx"])
		}
		for _, e := range g.Evidence.Pieces[0].Entries {
			if e.File == nil || e.File.TimedOut {
				continue
			}
			ob := plan.Observation{
				Arch: o.Arch, Nginx: core, Goal: g.Goal.String(), File: e.File.Path, Run: "ortest run",
				Seconds: e.File.Seconds, CPU: e.File.CPUSeconds, At: out.Began,
			}
			if e.File.Signal != "" {
				ob.Outcome = "interrupted"
			}
			all = append(all, ob)
		}
	}
	return all
}
