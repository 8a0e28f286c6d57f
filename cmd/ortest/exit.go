package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/workflows/botless"
)

// Exit codes (STYLE: 0 good, 1 a verdict is bad, 2 wrong usage, 3 we failed).
const (
	exitGood = iota
	exitBad
	exitUsage
	exitFailed
)

// exitError ends the program with a code; its text is printed unless empty.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usage(err error) error { return &exitError{exitUsage, err} }

var errBadVerdict = &exitError{code: exitBad}

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

// markUsage makes wrong arguments of every command end with the code of wrong usage.
func markUsage(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usage(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		markUsage(sub)
	}
}

// flagError makes what is wrong with a flag wrong usage, and names the flags
// that an unknown one may have been meant to be.
func flagError(cmd *cobra.Command, err error) error {
	hint := ""
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if near := plan.Nearest(unknown.GetSpecifiedName(), names); len(near) > 0 {
			hint = "; did you mean --" + strings.Join(near, " or --") + "?"
		}
	}
	return usage(fmt.Errorf("%w%s; see %s --help", err, hint, cmd.CommandPath()))
}
