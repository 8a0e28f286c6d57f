package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan/catalog"
)

func (a *app) catalog() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:     "catalog",
		Short:   "Check and show the projects, modes, arches and releases",
		Example: "  ortest catalog check\n  ortest catalog show ngx_lua\n  ortest catalog use ./our-catalog\n  ortest catalog rollback 4f1c2a9be07d3355",
		Args:    knownCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&data, "data", defaultData(""), "keep the revisions in `DIR`")
	cmd.AddCommand(a.catalogCheck(&data), a.catalogShow(&data), a.catalogUse(&data), a.catalogRevisions(&data), a.catalogRollback(&data))
	return cmd
}

func (a *app) catalogCheck(data *string) *cobra.Command {
	return &cobra.Command{
		Use:   "check [DIR]",
		Short: "Check the catalog, with the files of DIR laid over it",
		Long: "Check the built-in catalog with the files of DIR laid over it, or without DIR the catalog in force. What is wrong is printed " +
			"with file, line and column, and the exit code is 1.",
		Example: "  ortest catalog check\n  ortest catalog check ./our-catalog",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := kept(*data).Current()
			if len(args) == 1 {
				files, bad := overlayFiles(args[0])
				if bad != nil {
					return bad
				}
				c, err = catalog.Load(files)
			}
			if err == nil {
				err = readExpectations(c)
			}
			if err != nil {
				return &exitError{code: exitBad, err: fmt.Errorf("the catalog is not valid:\n%w", err)}
			}
			if a.quiet {
				return nil
			}
			if base, err := catalog.Default(); err == nil && len(args) == 1 && c.Revision == base.Revision {
				a.warn(cmd.ErrOrStderr(), args[0]+" changes nothing of the built-in catalog: a project is a file projects/NAME.yaml in it")
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), c.Summary())
			return err
		},
	}
}

func (a *app) catalogShow(data *string) *cobra.Command {
	var overlay string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a project, a mode, an arch, an nginx core or a release",
		Long: "Show a project with what its kind gives it, a mode, an arch, an nginx core with the releases that bundle it, or a release: " +
			"a tock is the first on a new core, a tick has new packages on the same core.",
		Example: "  ortest catalog show ngx_lua\n  ortest catalog show --json 'linux x86_64'\n  ortest catalog show 1.29.2\n  ortest catalog show 1.29.2.5",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one project, mode, arch, nginx core or release")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := catalogIn(overlay, *data)
			if err != nil {
				return err
			}
			shown, err := c.Show(args[0])
			if err != nil {
				return wrong(err)
			}
			if asJSON {
				return catalog.WriteJSON(cmd.OutOrStdout(), shown)
			}
			return catalog.WriteYAML(cmd.OutOrStdout(), shown)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON instead of YAML")
	catalogFlag(cmd, &overlay)
	return cmd
}
