package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ortest/ortest/plan"
)

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
