package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/workflows/botless"
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

// anyTargets wants at least one target.
func anyTargets(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("nothing to test: name goals, projects or modes, such as tv-ngx_lua, ngx_lua or tv")
	}
	return nil
}

// knownCommand refuses what is no subcommand, with the nearest names.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	text := fmt.Sprintf("%s has no command %q", cmd.CommandPath(), shortened(args[0]))
	if near := plan.Nearest(args[0], names); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return errors.New(text)
}

func shortened(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// skipped says what -e left out, in the old tool's words.
func (a *app) skipped(w io.Writer, goals []string) {
	if len(goals) > 0 {
		a.warn(w, "skipping goals "+strings.Join(goals, " "))
	}
}

// warn says something that a person should know before trusting the answer.
func (a *app) warn(w io.Writer, text string) {
	if !a.quiet {
		fmt.Fprintln(w, "WARNING:", text)
	}
}

// wrong gives an error the exit code that its type stands for: wrong usage for what
// is about somebody's words or a job's environment, and that of a bad verdict.
func wrong(err error) error {
	var words *plan.UsageError
	var name *catalog.UnknownError
	var job *botless.UsageError
	var bad *botless.BadError
	switch {
	case errors.As(err, &words), errors.As(err, &name), errors.As(err, &job):
		return usage(err)
	case errors.As(err, &bad) && bad.Err == nil:
		return errBadVerdict
	case errors.As(err, &bad):
		return &exitError{exitBad, err}
	}
	return err
}

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no directory", dir)
	}
	return err
}

func writeJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(value)
}

// interruptible ends with ctx, even while work computes or waits for a file.
// The program ends right after, and what work does then is lost with it.
func interruptible(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
