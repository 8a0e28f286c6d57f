package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
)

const (
	defaultLimit = time.Hour       // -t where no configuration says otherwise
	packTime     = 2 * time.Second // the backstop; the search itself is bounded by its steps
)

func (a *app) dispatch() *cobra.Command {
	var p planner
	cmd := &cobra.Command{
		Use:   "dispatch [flags] TARGET…",
		Short: "Plan goals onto machines, as the old dispatcher did",
		Long: "Plan goals onto as few machines as can end within -t (60 minutes unless given). The plan is only shown: this command starts no " +
			"machines, and -r ends with exit code 3 and names what does, the comment /ortest on a pull request or, on this machine alone, ortest run.\n\nDurations come from --ast, from the history in --data, or from both when both are given; what was never measured " +
			"is counted by its test blocks, with a warning.\n\nWith --json the files of a piece are listed where it is a part of its goal; a whole goal has an empty list, and runs all the files that it has by then.",
		Example: "  ortest dispatch -t 120 -a 'linux x86_64' t tv\n  ortest dispatch --split never --ast ast.json -f -t 230 t-lua-resty-redis ngx_lua",
		Args:    anyTargets,
		RunE: func(cmd *cobra.Command, targets []string) error {
			in, err := p.input(a, cmd, targets)
			if err != nil {
				return err
			}
			if p.req.Run {
				return p.noMachines()
			}
			begun := time.Now()
			made, err := pack(cmd.Context(), in)
			if err != nil {
				return wrong(err)
			}
			if a.verbose > 0 {
				a.log(cmd.ErrOrStderr()).Info("planned", "machines", len(made.Buckets), "bound", made.Lower, "took", time.Since(begun))
			}
			a.warnAll(cmd.ErrOrStderr(), made)
			if p.req.JSON {
				return made.WriteJSON(cmd.OutOrStdout())
			}
			return made.WriteText(cmd.OutOrStdout())
		},
	}
	p.bind(cmd)
	return cmd
}

// noMachines answers -r with the comment that does run this plan.
func (p *planner) noMachines() error {
	asked := p.req
	asked.Run, asked.JSON, asked.AST = false, false, ""
	return fmt.Errorf("-r needs machines, and this command starts none; to run the plan, write the comment\n\n\t/ortest %s\n\n"+
		"on a pull request where the bot is installed; to run goals on this machine, use ortest run; to see the plan, leave -r out", asked)
}

// planner is what the commands that plan are told.
type planner struct {
	req     plan.Request
	data    historyFile
	overlay string
	prices  string
}

func (p *planner) bind(cmd *cobra.Command) {
	plan.BindFlags(cmd.Flags(), &p.req)
	cmd.Flags().StringVar(&p.data.dir, "data", defaultData(""), "read the history of durations in `DIR`; beside --ast only when given")
	catalogFlag(cmd, &p.overlay)
	pricesFlag(cmd, &p.prices)
}

// input expands the targets and looks up how long each takes.
func (p *planner) input(a *app, cmd *cobra.Command, targets []string) (plan.Input, error) {
	p.req.Targets = targets
	if p.req.Limit == 0 {
		p.req.Limit = defaultLimit
	}
	if err := p.req.Validate(); err != nil {
		return plan.Input{}, wrong(err)
	}
	c, err := p.catalog(a, cmd)
	if err != nil {
		return plan.Input{}, err
	}
	if err := c.Check(p.req); err != nil {
		return plan.Input{}, wrong(err)
	}
	goals, dropped, err := c.Goals(targets, p.req.Exclude)
	if err != nil {
		return plan.Input{}, wrong(err)
	}
	if err := checkPrices(p.prices); err != nil {
		return plan.Input{}, usage(err)
	}
	h, err := p.durations(cmd)
	if err != nil {
		return plan.Input{}, err
	}
	a.skipped(cmd.ErrOrStderr(), dropped)
	if a.verbose > 0 {
		a.log(cmd.ErrOrStderr()).Info("planning", "catalog", c.Revision, "goals", len(goals), "known", len(h.All()))
	}
	in := c.InputFrom(p.req, goals, h)
	if len(goals) > 0 && asksAWS(p.prices) {
		in.Price = a.ask(cmd, in.Price)
	}
	return in, nil
}

// catalog opens the revision that -b names, where it is kept here; a revision
// of a bot's own repository is carried to the machines as it is.
func (p *planner) catalog(a *app, cmd *cobra.Command) (*catalog.Catalog, error) {
	c, err := catalogIn(p.overlay, p.data.dir)
	asked := p.req.Options.Revision
	if err != nil || asked == "" || p.overlay != "" || asked == c.Revision {
		return c, err
	}
	other, err := kept(p.data.dir).Revision(asked)
	var unknown *catalog.UnknownError
	if errors.As(err, &unknown) {
		a.warn(cmd.ErrOrStderr(), fmt.Sprintf("catalog revision %q is not kept here; the plan rests on %s", shortened(asked), c.Revision))
		return c, nil
	}
	return other, err
}

// durations reads --ast, --data, or both when both are given: with --ast alone
// the answer rests on that file and on nothing that was measured here.
func (p *planner) durations(cmd *cobra.Command) (*plan.History, error) {
	named := cmd.Flags().Changed("data")
	h := new(plan.History)
	if p.req.AST == "" || named {
		var err error
		if h, err = p.data.read(named); err != nil {
			return nil, err
		}
	}
	if p.req.AST == "" {
		return h, nil
	}
	b, err := readInput(cmd, p.req.AST)
	if err != nil {
		return nil, fmt.Errorf("--ast: %w", err)
	}
	if _, err := h.ImportAST(bytes.NewReader(b)); err != nil {
		return nil, usage(fmt.Errorf("--ast %s: %w", p.req.AST, err))
	}
	return h, nil
}

func (a *app) warnAll(w io.Writer, made plan.Plan) {
	for _, text := range made.Warnings {
		a.warn(w, text)
	}
}

// pack plans, for packTime of the processor at most and no longer than ctx. The
// clock on the wall would give another plan where others use the processor too;
// it counts only where they leave hardly any of it.
func pack(ctx context.Context, in plan.Input) (plan.Plan, error) {
	begun, used := time.Now(), cpuTime()
	in.Stop = func() bool {
		return ctx.Err() != nil || cpuTime()-used > packTime || time.Since(begun) > 5*packTime
	}
	made, err := plan.Pack(in)
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("plan goals: %w", context.Cause(ctx))
	}
	return made, err
}

// cpuTime is what this process has used of the processor; 0 where the system does not say.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
