package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan"
)

func (a *app) simulate() *cobra.Command {
	var s simulation
	cmd := &cobra.Command{
		Use:   "simulate [--machines N,…] [flags] TARGET…",
		Short: "Play a run many times over a model of EC2 and GitHub",
		Long: "Play a run many times in virtual time: machines boot, are interrupted or not to be had, jobs wait to be picked up, and tests take " +
			"longer or shorter than estimated. Shows percentiles of end, machine time, money, and machines that end after -t (late). The same arguments give the same figures.\n\n" +
			"The plan is that of ortest dispatch. With --machines it is instead the plan that ends earliest on at most so many machines; " +
			"several numbers are compared.",
		Example: "  ortest simulate -t 60 --boot 2 --build 1 t tv\n  ortest simulate --machines 8,16,32 --spot-interruptions 0.2 tv",
		Args:    anyTargets,
		RunE: func(cmd *cobra.Command, targets []string) error {
			if err := s.check(); err != nil {
				return usage(err)
			}
			in, err := s.input(a, cmd, targets)
			if err != nil {
				return err
			}
			s.model.Cores = in.Cores
			plans, err := s.plans(cmd.Context(), in)
			if err != nil {
				return wrong(err)
			}
			for _, made := range plans {
				a.warnAll(cmd.ErrOrStderr(), made)
			}
			if !a.quiet {
				fmt.Fprintf(cmd.ErrOrStderr(), "playing %d runs of %d plans\n", s.runs, len(plans))
			}
			return interruptible(cmd.Context(), func() error { return s.write(cmd.OutOrStdout(), plans) })
		},
	}
	s.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&s.fleets, "machines", "", "plan for at most `N` machines instead of within -t; several separated by commas")
	f.IntVar(&s.runs, "runs", 1000, "how often a plan is played, up to 100000")
	f.Uint64Var(&s.model.Seed, "seed", 1, "the first run's `SEED`; the same seed gives the same runs")
	f.Float64Var(&s.model.Interrupted, "spot-interruptions", 0.05, "interruptions per machine and hour")
	f.Float64Var(&s.model.NoCapacity, "no-capacity", 0.02, "chance that a launch finds no machine")
	f.Float64Var(&s.model.Error, "error", 0.1, "how far estimates are off, as the sigma of a log-normal factor")
	f.DurationVar(&s.model.PickUp, "pick-up", 8*time.Second, "how long GitHub lets a job wait for its runner, on average")
	f.DurationVar(&s.model.File, "file", 2*time.Minute, "length of a test file, which an interruption loses in part")
	f.BoolVar(&s.model.OnDemand, "on-demand", false, "pay for machines that are not interrupted")
	for _, name := range []string{"run", "all-at-once"} {
		f.Lookup(name).Hidden = true // a request's, but without a meaning here
	}
	return cmd
}

// simulation is what the command is told.
type simulation struct {
	planner
	model  plan.Model
	fleets string
	runs   int
}

func (s *simulation) check() error {
	m := s.model
	within := func(x, most float64) bool { return !math.IsNaN(x) && x >= 0 && x <= most }
	switch {
	case s.req.Run:
		return errors.New("-r has no meaning here: simulate never starts a machine; leave it out")
	case s.runs < 1 || s.runs > 100_000:
		return fmt.Errorf("--runs %d is not between 1 and 100000", s.runs)
	case !within(m.Interrupted, 60):
		return fmt.Errorf("--spot-interruptions %v is not between 0 and 60 an hour", m.Interrupted)
	case !within(m.NoCapacity, 1):
		return fmt.Errorf("--no-capacity %v is no chance between 0 and 1", m.NoCapacity)
	case !within(m.Error, 2):
		return fmt.Errorf("--error %v is not between 0 and 2", m.Error)
	case m.PickUp < 0 || m.PickUp > time.Hour:
		return fmt.Errorf("--pick-up %s is not between 0s and 1h", m.PickUp)
	case m.File < 0 || m.File > 24*time.Hour:
		return fmt.Errorf("--file %s is not between 0s and 24h", m.File)
	}
	_, err := s.sizes()
	return err
}

// sizes reads --machines.
func (s *simulation) sizes() ([]int, error) {
	if s.fleets == "" {
		return nil, nil
	}
	var sizes []int
	for word := range strings.SplitSeq(s.fleets, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < 1 || n > 10_000 {
			return nil, fmt.Errorf("--machines %q: give numbers from 1 to 10000, such as 8,16", shortened(s.fleets))
		}
		sizes = append(sizes, n)
	}
	if len(sizes) > 20 {
		return nil, errors.New("--machines: compare at most 20 numbers")
	}
	return sizes, nil
}

// plans returns the plan within -t, or the earliest for each number of machines.
func (s *simulation) plans(ctx context.Context, in plan.Input) ([]plan.Plan, error) {
	sizes, err := s.sizes()
	if err != nil {
		return nil, err
	}
	if sizes == nil {
		made, err := pack(ctx, in)
		return []plan.Plan{made}, err
	}
	var plans []plan.Plan
	for _, n := range sizes {
		made, err := packOnto(ctx, in, n)
		if err != nil {
			return nil, err
		}
		plans = append(plans, made)
	}
	return plans, nil
}

// maxMinutes is the longest -t.
const maxMinutes = 1440

// packOnto returns the plan with the shortest limit that needs at most so many
// machines. A longer limit never needs more, so that halving finds it.
func packOnto(ctx context.Context, in plan.Input, machines int) (plan.Plan, error) {
	var best plan.Plan
	var failed error
	try := func(minutes int) bool {
		in.Limit = time.Duration(minutes) * time.Minute
		made, err := pack(ctx, in)
		var words *plan.UsageError
		switch {
		case errors.As(err, &words): // too short for a single file
			return false
		case err != nil:
			failed = err
			return true
		}
		fits := len(made.Buckets) <= machines && made.End() <= in.Limit
		if fits {
			best = made
		}
		return fits
	}
	at := 1 + sort.Search(maxMinutes, func(i int) bool { return failed != nil || try(i+1) })
	switch {
	case failed != nil:
		return plan.Plan{}, failed
	case at > maxMinutes:
		return plan.Plan{}, &plan.UsageError{Word: fmt.Sprintf("--machines %d", machines), What: fmt.Sprintf("are too few to end within %d minutes", maxMinutes),
			Do: "give more machines or fewer targets"}
	}
	return best, nil
}

func (s *simulation) write(w io.Writer, plans []plan.Plan) error {
	if s.req.JSON {
		return s.writeJSON(w, plans)
	}
	for i, made := range plans {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%d machines, planned to end after %.0f of %.0f min\n", len(made.Buckets), math.Ceil(made.End().Minutes()), made.Limit.Minutes())
		if err := s.model.WriteText(w, made, s.runs); err != nil {
			return err
		}
	}
	return nil
}

type simulatedJSON struct {
	Machines    int              `json:"machines"`
	Limit       float64          `json:"limit_minutes"`
	Planned     float64          `json:"planned_minutes"`
	Runs        int              `json:"runs"`
	InTime      float64          `json:"in_time"`          // share of all buckets
	Promised    float64          `json:"in_time_promised"` // the same where nothing but boots and tests vary
	Percentiles []percentileJSON `json:"percentiles"`
}

type percentileJSON struct {
	Percentile  float64 `json:"percentile"`
	End         float64 `json:"end_minutes"`
	Machine     float64 `json:"machine_minutes"`
	Dollars     float64 `json:"price_usd"`
	Launches    int     `json:"launches"`
	Interrupted int     `json:"interrupted"`
	Late        int     `json:"late"`
}

func (s *simulation) writeJSON(w io.Writer, plans []plan.Plan) error {
	hundredth := func(x float64) float64 { return math.Round(x*100) / 100 }
	which := []float64{10, 50, 90, 99}
	all := []simulatedJSON{}
	for _, made := range plans {
		out := simulatedJSON{Machines: len(made.Buckets), Limit: made.Limit.Minutes(), Planned: hundredth(made.End().Minutes()), Runs: s.runs}
		here, promised := s.model.Promise(made, s.runs)
		out.InTime, out.Promised = math.Round(here*1000)/1000, math.Round(promised*1000)/1000
		for i, o := range s.model.Percentiles(made, s.runs, which...) {
			out.Percentiles = append(out.Percentiles, percentileJSON{which[i], hundredth(o.End.Minutes()), hundredth(o.Machine.Minutes()),
				hundredth(o.Dollars), o.Launches, o.Interrupted, o.Late})
		}
		all = append(all, out)
	}
	return writeJSON(w, all)
}
