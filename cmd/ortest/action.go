package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/action"
	"github.com/ortest/ortest/action/root32"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
)

func (a *app) action() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "action",
		Short: "Run one piece inside a workflow job",
		Long:  "Run one piece inside a workflow job. action.yml calls it; the piece comes as INPUT_PIECE, results go to ORTEST_SPOOL. Each test file runs in a lane of its own where the machine has lanes; ORTEST_LANES=1 insists on it, 0 keeps to the machine itself.",
		Example: `  INPUT_PIECE='{"id":"1/p1/1","goal":"t-hello","repo":"ortest-examples/hello","commit":"","options":{"arch":"linux x86_64"}}' ` +
			"ortest action",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if root32.Wanted(os.Environ()) {
				return inside(cmd)
			}
			weigh := judgingBy(nil)
			return action.Job{
				Environ: os.Environ(),
				Stdout:  cmd.OutOrStdout(),
				Lookup: func(p action.Piece) (project plan.Project, mode plan.Mode, err error) {
					if weigh.catalog, err = catalogOf(p.Catalog, os.Getenv("ORTEST_CATALOG_FILE")); err != nil {
						return project, mode, err
					}
					return weigh.catalog.Goal(p.Goal)
				},
				Judge:  weigh.evidence,
				Logger: a.log(cmd.ErrOrStderr()),
			}.Run(cmd.Context())
		},
	}
	cmd.AddCommand(a.actionCommands()...)
	return cmd
}

// inside runs the action in the 32-bit system of this machine.
func inside(cmd *cobra.Command) error {
	s := root32.Streams{In: cmd.InOrStdin(), Out: cmd.OutOrStdout(), Err: cmd.ErrOrStderr()}
	code, err := root32.Run(cmd.Context(), os.Args[1:], os.Environ(), s)
	if err == nil && code != 0 {
		err = &exitError{code: code}
	}
	return err
}

// catalogOf returns the catalog that a piece was planned with: the built-in one, or
// what the agent left in a file, if it is just that.
func catalogOf(revision, file string) (*catalog.Catalog, error) {
	c, err := catalog.Default()
	if err != nil || revision == "" || revision == c.Revision {
		return c, err
	}
	if file == "" {
		return nil, fmt.Errorf("the piece is of catalog %s, this ortest has %s, and no other came with the piece", revision, c.Revision)
	}
	packed, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read catalog %s: %w", revision, err)
	}
	return catalog.Unpack(revision, packed)
}
