package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
)

func (a *app) goals() *cobra.Command {
	var exclude, overlay, data string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "goals [-e RE] TARGET…",
		Short: "Show which goals some targets name",
		Long: "Show which goals some targets name, each once, on one line. A target is a goal (tv-ngx_lua), a project (ngx_lua: all its modes) " +
			"or a mode (tv: all projects that are tested in it).",
		Example: "  ortest goals tv\n  ortest goals -e '^t[rwh]?v-' ngx_lua lua-resty-redis",
		Args:    anyTargets,
		RunE: func(cmd *cobra.Command, targets []string) error {
			c, err := catalogIn(overlay, data)
			if err != nil {
				return err
			}
			goals, dropped, err := c.Goals(targets, exclude)
			if err != nil {
				return wrong(err)
			}
			a.skipped(cmd.ErrOrStderr(), dropped)
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), append([]plan.Goal{}, goals...))
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), catalog.Line(goals))
			return err
		},
	}
	cmd.Flags().StringVarP(&exclude, "exclude", "e", "", "leave out the goals that `RE`, an RE2 pattern, matches")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write a list of names as JSON")
	cmd.Flags().StringVar(&data, "data", defaultData(""), "take the catalog that is in force in `DIR`")
	catalogFlag(cmd, &overlay)
	return cmd
}
