package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ortest/ortest/action"
	"github.com/ortest/ortest/action/lane"
	"github.com/ortest/ortest/action/local"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

// runFlags are those of ortest run.
type runFlags struct {
	req                         plan.Request
	judging                     judging
	history                     historyFile
	work, mirror, files, result string
	shuffle                     string
	jobs                        int
	json                        bool

	commits string       // file
	pins    pins         // commits of this run
	unmet   action.Unmet // units that this machine does not have
}

func (a *app) run() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [flags] GOAL…",
		Short: "Run goals on this machine, now, without GitHub",
		Long: "Run goals on this machine: prepare, check out, build, test file by file, judge. Progress goes to stderr, a table of verdicts to stdout, and the exit code is 1 " +
			"if any goal is fail or incomplete.\n\nSeveral files run at once, over all goals, each in a lane of its own: network, processes, services, and a view of the machine's files " +
			"in which every change is lost. A file that fails beside others is run once more alone, and that run counts, unless it crashed, leaked or had a memory error: that counts at once. What was interrupted continues with the files that are left, " +
			"unless -f is given. Sources come from https://github.com, or from --mirror: bare repositories DIR/OWNER/NAME.git.",
		Example: "  ortest run t-hello t-tally\n  ortest run --mirror ~/mirror --jobs 8 t-ngx_echo tv-ngx_echo\n  ortest run --files 't/04*.t' --results out t-ngx_lua && ortest report --out report out/ortest.log.gz",
		Args:    anyTargets,
		RunE:    func(cmd *cobra.Command, args []string) error { return a.runGoals(cmd, &f, args) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.work, "work", defaultWork(), "keep builds and what is unfinished in `DIR`")
	fl.StringVar(&f.mirror, "mirror", "", "take sources from `DIR`: OWNER/NAME.git for repositories, files/NAME for downloads")
	fl.StringVar(&f.files, "files", "", "test only the files that `GLOB` matches, such as 't/00*.t'; ** crosses folders")
	fl.IntVar(&f.jobs, "jobs", 0, "run `N` files at once; 0 is as many as the cores bear, 1 needs no lanes")
	fl.StringVar(&f.result, "results", "", "leave the log, each goal's log and entries, commits.json and results.jsonl in `DIR`")
	fl.StringVar(&f.commits, "commits", "", "take repositories at the commits in `FILE`, the commits.json that --results left")
	fl.StringVar(&f.shuffle, "shuffle", "", "shuffle the files by `SEED`; without one a seed is chosen and printed")
	fl.Lookup("shuffle").NoOptDefVal = "0"
	fl.BoolVar(&f.json, "json", false, "write JSON: the verdict, and the goals with their findings")
	fl.StringVar(&f.judging.catalogDir, "catalog", "", "lay the files of `DIR` over the built-in catalog")
	fl.StringVar(&f.judging.expectations, "expectations", "", "take the expectations of `DIR`, PROJECT.yaml, before all others")
	fl.StringVar(&f.history.dir, "data", defaultData(""), "take the catalog that is in force in `DIR`, and keep the durations there")
	shared := pflag.NewFlagSet("", pflag.ContinueOnError)
	plan.BindFlags(shared, &f.req)
	for _, name := range []string{"force", "resty-core", "no-systemtap", "nginx", "cc-opt", "exclude"} {
		fl.AddFlag(shared.Lookup(name))
	}
	return cmd
}

// defaultWork is where builds are kept: they can be made again.
func defaultWork() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "ortest", "work")
}

func (a *app) runGoals(cmd *cobra.Command, f *runFlags, targets []string) error {
	goals, err := a.openRun(cmd, f, targets)
	if err != nil {
		return err
	}
	history, err := f.history.read(false)
	if err != nil {
		return err
	}
	cfg, err := a.local(cmd, f, goals, history)
	if err != nil {
		return err
	}
	if f.unmet, err = a.makeUnits(cmd, f, goals, cfg.Lanes); err != nil {
		return err
	}
	cfg.Deliver = func(out local.Outcome) error {
		a.remember(cmd, f, out)
		if f.result == "" {
			return nil
		}
		return runResults{dir: f.result, arch: f.req.Options.Arch, pins: f.pins}.write(out)
	}
	out, err := local.Run(cmd.Context(), cfg)
	if err != nil && cmd.Context().Err() != nil {
		return errors.New("interrupted; the same command goes on with the files that are left")
	}
	if err != nil {
		return wrong(err)
	}
	sayRun(cfg.Progress, out)
	return showRun(cmd, f, out)
}

// openRun checks what was asked for and returns its goals.
func (a *app) openRun(cmd *cobra.Command, f *runFlags, targets []string) ([]plan.Goal, error) {
	f.req.Targets, f.req.Options.Arch = targets, action.Arch()
	if err := f.req.Validate(); err != nil {
		return nil, wrong(err)
	}
	f.judging.data, f.judging.arch = f.history.dir, f.req.Options.Arch
	if err := f.judging.open(cmd); err != nil {
		return nil, err
	}
	if err := f.judging.catalog.Check(f.req); err != nil {
		return nil, wrong(err)
	}
	if f.mirror != "" {
		if err := checkDir(f.mirror); err != nil {
			return nil, usage(fmt.Errorf("--mirror: %w; give the directory that holds OWNER/NAME.git", err))
		}
	}
	var err error
	if f.pins, err = readPins(f.commits); err != nil {
		return nil, err
	}
	if f.jobs < 0 {
		return nil, usage(fmt.Errorf("--jobs %d: want 1 or more, or 0 for as many as the cores bear", f.jobs))
	}
	for _, dir := range []*string{&f.work, &f.mirror} {
		if *dir == "" {
			continue
		}
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return nil, err
		}
		*dir = abs
	}
	if err := a.makeWork(cmd, f); err != nil {
		return nil, err
	}
	goals, dropped, err := f.judging.catalog.Goals(targets, f.req.Exclude)
	if err != nil {
		return nil, wrong(err)
	}
	a.skipped(cmd.ErrOrStderr(), dropped)
	if len(goals) == 0 {
		return nil, usage(errors.New("nothing is left to test: -e leaves out every goal"))
	}
	return goals, nil
}

// makeWork makes the folder for builds. Where the usual place cannot be
// written, as in a home that is read-only, a temporary one does.
func (a *app) makeWork(cmd *cobra.Command, f *runFlags) error {
	if f.result != "" {
		if err := os.MkdirAll(f.result, 0o755); err != nil {
			return usage(fmt.Errorf("--results: %w; choose a folder that can be written", err))
		}
	}
	err := os.MkdirAll(f.work, 0o755)
	switch {
	case err == nil:
		return nil
	case cmd.Flags().Changed("work"):
		return usage(fmt.Errorf("--work: %w; choose a folder that can be written", err))
	}
	f.work = filepath.Join(os.TempDir(), fmt.Sprintf("ortest-%d", os.Getuid()))
	a.warn(cmd.ErrOrStderr(), fmt.Sprintf("builds are kept in %s: %v; choose another folder with --work", f.work, err))
	if err := os.MkdirAll(f.work, 0o700); err != nil {
		return fmt.Errorf("find a folder for builds: %w; choose one with --work", err)
	}
	return nil
}

// local says how the goals are run here.
func (a *app) local(cmd *cobra.Command, f *runFlags, goals []plan.Goal, h *plan.History) (local.Config, error) {
	ctx := cmd.Context()
	cfg := local.Config{
		Goals: goals, Work: f.work, Jobs: f.jobs, Cores: runtime.NumCPU(), Fresh: f.req.Options.Force, Progress: io.Discard,
		Open:  func(g plan.Goal) (action.Config, error) { return a.openGoal(cmd, f, g) },
		Judge: f.judging.evidence,
		Estimate: func(g plan.Goal, t report.TestFile) plan.File {
			return f.estimate(h, g, t)
		},
	}
	if !a.quiet {
		cfg.Progress = cmd.ErrOrStderr()
	}
	why := lane.Available(ctx)
	if cfg.Lanes = why == nil; !cfg.Lanes {
		if f.jobs > 1 {
			return cfg, fmt.Errorf("--jobs %d needs lanes, and this machine has none: %w; use --jobs 1", f.jobs, why)
		}
		a.warn(cmd.ErrOrStderr(), "this machine has no lanes, so one file runs at a time, on the machine's own network: "+why.Error())
	}
	if cmd.Flags().Changed("shuffle") {
		seed, err := strconv.ParseUint(f.shuffle, 10, 64)
		if err != nil {
			return cfg, usage(fmt.Errorf("--shuffle %q: want a whole number", shortened(f.shuffle)))
		}
		cfg.Shuffle = cmp.Or(seed, uint64(rand.Uint32())+1)
		fmt.Fprintf(cfg.Progress, "shuffled by seed %d\n", cfg.Shuffle)
	}
	return cfg, nil
}

// sayRun sums a run up.
func sayRun(w io.Writer, out local.Outcome) {
	var wall, cpu float64
	files := 0
	for _, g := range out.Goals {
		for _, e := range g.Evidence.Pieces[0].Entries {
			if e.File != nil {
				wall, cpu, files = wall+e.File.Seconds, cpu+e.File.CPUSeconds, files+1
			}
		}
	}
	fmt.Fprintf(w, "tested in %.1f s with --jobs %d: %d files, %.1f s one after another, %.1f s of CPU\n", out.Testing.Seconds(), out.Jobs, files, wall, cpu)
}

func showRun(cmd *cobra.Command, f *runFlags, out local.Outcome) error {
	var v judgement
	var all []report.GoalResult
	for _, g := range out.Goals {
		g.Result.Seconds = math.Round(g.Result.Seconds*10) / 10
		v.Goals = append(v.Goals, judgedGoal{Arch: f.req.Options.Arch, GoalResult: g.Result})
		all = append(all, g.Result)
	}
	v.Verdict = report.Overall(all)
	var err error
	if f.json {
		err = writeJSON(cmd.OutOrStdout(), v)
	} else {
		err = v.write(cmd.OutOrStdout())
	}
	if err == nil && !v.good() {
		err = errBadVerdict
	}
	return err
}
