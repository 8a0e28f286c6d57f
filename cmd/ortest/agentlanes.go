package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/runnerfleet/agent"
)

// laneFlags add what a machine of our own has for its lanes.
type laneFlags struct{ home, users, root string }

func (f *laneFlags) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.home, "runner-dir", "", "`directory` where actions/runner is installed: each piece gets a copy of its own, and --runner begins with a path in it, such as bin/Runner.Listener, whose exit codes run.sh hides")
	cmd.Flags().StringVar(&f.users, "users", "", "run each lane's jobs as the user `PREFIX`1, PREFIX2 and so on, made where they are missing (as root)")
	cmd.Flags().StringVar(&f.root, "root", "", "have jobs test in the 32-bit system that stands in `DIR`, which their action enters")
	cmd.AddCommand(keepCommand())
}

// set completes an agent's configuration.
func (f *laneFlags) set(cfg *agent.Config) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	cfg.Keeper, cfg.Home, cfg.Users, cfg.Root = []string{self, "agent", "keep"}, f.home, f.users, f.root
	return nil
}

// keepCommand is the process between the agent and one runner.
func keepCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "keep ACCOUNT RUNNER ARG...",
		Short:              "Keep the processes of one runner together",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if code := agent.Keep(args); code != 0 {
				return &exitError{code: code}
			}
			return nil
		},
	}
}
