package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
)

// kept are the catalog revisions of a data directory.
func kept(data string) catalog.Kept {
	return catalog.Kept{Dir: filepath.Join(data, "catalog")}
}

func catalogFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "catalog", "", "lay the files of `DIR` over the built-in catalog")
}

// openCatalog is catalogIn the usual data directory, for what has no --data.
func openCatalog(dir string) (*catalog.Catalog, error) { return catalogIn(dir, defaultData("")) }

// catalogIn returns the built-in catalog with a directory laid over it, or
// without one the catalog in force. What is wrong with the directory is wrong usage.
func catalogIn(dir, data string) (*catalog.Catalog, error) {
	if dir == "" {
		c, err := kept(data).Current()
		if err != nil {
			err = fmt.Errorf("%w; ortest catalog revisions shows what ortest catalog rollback can put in force instead", err)
		}
		return c, err
	}
	files, err := overlayFiles(dir)
	if err != nil {
		return nil, err
	}
	c, err := catalog.Load(files)
	if err != nil {
		return nil, usage(fmt.Errorf("catalog %s:\n%w", dir, err))
	}
	return c, nil
}

// overlayFiles returns the files of a directory that is to be laid over the built-in catalog.
func overlayFiles(dir string) (fs.FS, error) {
	if err := checkDir(dir); err != nil {
		return nil, usage(fmt.Errorf("read catalog: %w; give the directory that holds projects/", err))
	}
	return os.DirFS(dir), nil
}

// readExpectations says what is wrong with the expectations that a catalog
// carries, and with the settings: it knows their place, and others their form.
func readExpectations(c *catalog.Catalog) error {
	_, err := c.Pack()
	bad := []error{err}
	if text, ok := c.Settings(); ok {
		if _, err := parseSettings(text, liveConfig{}); err != nil {
			bad = append(bad, fmt.Errorf("settings.yaml: %w", err))
		}
	}
	for _, p := range c.Projects() {
		if text, ok := c.Expectations(p.Name); ok {
			_, err := report.ReadExpectations("expectations/"+p.Name+".yaml", text)
			bad = append(bad, err)
		}
	}
	return errors.Join(bad...)
}

func (a *app) catalogUse(data *string) *cobra.Command {
	return &cobra.Command{
		Use:   "use DIR",
		Short: "Put the files of DIR, laid over the built-in catalog, in force",
		Long: "Validate the built-in catalog with the files of DIR laid over it, keep it under its revision, and put it in force for every " +
			"command and bot that has the same --data. What is not valid as a whole changes nothing, and the exit code is 1.",
		Example: "  ortest catalog use ./our-catalog",
		Args:    oneArg("name the directory that holds projects/"),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := overlayFiles(args[0])
			if err != nil {
				return err
			}
			c, err := catalog.Load(files)
			if err == nil {
				err = readExpectations(c)
			}
			if err != nil {
				return &exitError{code: exitBad, err: fmt.Errorf("catalog %s is not valid, the one before stays in force:\n%w", args[0], err)}
			}
			if c, err = kept(*data).Use(files); err != nil {
				return err
			}
			return a.inForce(cmd.OutOrStdout(), c)
		},
	}
}

func (a *app) catalogRollback(data *string) *cobra.Command {
	return &cobra.Command{
		Use:   "rollback REV",
		Short: "Put an earlier revision of the catalog in force again",
		Long: "Put an earlier revision of the catalog in force again, or the built-in one. It is validated whole before; what is no longer " +
			"valid changes nothing, and the exit code is 1.",
		Example: "  ortest catalog revisions\n  ortest catalog rollback 4f1c2a9be07d3355",
		Args:    oneArg("name one revision; ortest catalog revisions lists them"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := rollbackTo(*data, args[0])
			var unknown *catalog.UnknownError
			switch {
			case errors.As(err, &unknown):
				return usage(err)
			case err != nil && c == nil:
				return &exitError{code: exitBad, err: fmt.Errorf("%w\nthe revision before stays in force", err)}
			case err != nil:
				return err
			}
			return a.inForce(cmd.OutOrStdout(), c)
		},
	}
}

func (a *app) inForce(w io.Writer, c *catalog.Catalog) error {
	if a.quiet {
		return nil
	}
	_, err := fmt.Fprintln(w, "in force:", c.Summary())
	return err
}

func (a *app) catalogRevisions(data *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "revisions",
		Short:   "List the revisions that are kept, and which one is in force",
		Example: "  ortest catalog revisions\n  ortest catalog revisions --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := kept(*data).All()
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), all)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, r := range all {
				when, mark := r.At.UTC().Format(time.DateTime), ""
				if r.BuiltIn {
					when = "built in"
				}
				if r.InForce {
					mark = "in force"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", r.Revision, when, mark)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON instead of a table")
	return cmd
}
