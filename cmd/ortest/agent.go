package main

import (
	"fmt"
	"os"
	"time"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"

	"github.com/ortest/ortest/internal/githubtest/runner"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/agent"
)

func (a *app) agent() *cobra.Command {
	var with, listed string
	var idle time.Duration
	var lanes laneFlags
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Serve one bucket on this machine, then stop",
		Long: "Serve one bucket on this machine, then stop. A cloud starts it, and says in the environment (ORTEST_INSTANCE and so on) which instance it is.\n\n" +
			"With --list it needs no bot: it runs the pieces of that file, one after another, and removes the file first. The jobs keep their results as artifacts. " +
			"It ends when the list does, at ORTEST_AGENT_DEADLINE, and when no job comes for a runner within --idle: then nobody waits for it any more.",
		Example: "  ortest agent --runner-dir /opt/actions-runner --runner 'bin/Runner.Listener run' --users ortest-lane-",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			argv, err := shellquote.Split(with)
			if err != nil || len(argv) == 0 {
				return usage(fmt.Errorf("--runner %q is no command line", with))
			}
			var list []runnerfleet.Assignment
			var cfg agent.Config
			if listed == "" {
				cfg, err = agent.FromEnv(os.Environ())
			} else {
				cfg, list, err = listedAgent(listed)
			}
			if err != nil {
				return usage(fmt.Errorf("%w; an instance's environment is set by its cloud", err))
			}
			if err := lanes.set(&cfg); err != nil {
				return err
			}
			cfg.Runner, cfg.Log, cfg.Output = argv, a.log(cmd.ErrOrStderr()), os.Stderr
			if list != nil {
				cfg.Idle = idle
				return runList(cmd.Context(), cfg, list)
			}
			return agent.Run(cmd.Context(), cfg)
		},
	}
	cmd.Flags().StringVar(&listed, "list", "", "run the pieces of `FILE`, without a bot")
	cmd.Flags().DurationVar(&idle, "idle", idleTime, "with --list, how long a runner waits for its job")
	cmd.Flags().StringVar(&with, "runner", "./run.sh", "command line of actions/runner, or of something that behaves like it")
	lanes.addTo(cmd)
	return cmd
}

// runner stands for actions/runner in the demo: same command line, one job.
func (a *app) runner() *cobra.Command {
	return &cobra.Command{
		Use:                "runner --jitconfig BLOB",
		Short:              "Run one workflow job of the stand-in GitHub with act",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			code := runner.Run(cmd.Context(), args, os.Environ(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			if code != 0 {
				return &exitError{code: code}
			}
			return nil
		},
	}
}
