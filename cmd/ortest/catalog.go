package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan/catalog"
)

func (a *app) catalog() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "catalog",
		Short:   "Check and show the projects, modes, arches and releases",
		Example: "  ortest catalog check\n  ortest catalog show ngx_lua",
		Args:    knownCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.catalogCheck(), a.catalogShow())
	return cmd
}

func (a *app) catalogCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check [DIR]",
		Short: "Check the catalog, with the files of DIR laid over it",
		Long: "Check the built-in catalog, with the files of DIR laid over it. What is wrong is printed with file, line and column, " +
			"and the exit code is 1.",
		Example: "  ortest catalog check\n  ortest catalog check ./our-catalog",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := catalog.Default()
			if len(args) == 1 {
				if err := checkDir(args[0]); err != nil {
					return usage(fmt.Errorf("read catalog: %w; give the directory that holds projects/", err))
				}
				c, err = catalog.Load(os.DirFS(args[0]))
			}
			if err != nil {
				return &exitError{code: exitBad, err: fmt.Errorf("the catalog is not valid:\n%w", err)}
			}
			if a.quiet {
				return nil
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), c.Summary())
			return err
		},
	}
}

func (a *app) catalogShow() *cobra.Command {
	var overlay string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a project, a mode, an arch or an nginx core",
		Long:    "Show a project with what its kind gives it, a mode, an arch, or an nginx core with the releases that bundle it.",
		Example: "  ortest catalog show ngx_lua\n  ortest catalog show --json 'linux x86_64'\n  ortest catalog show 1.29.2",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one project, mode, arch or nginx core")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := openCatalog(overlay)
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
