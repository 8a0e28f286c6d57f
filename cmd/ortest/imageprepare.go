package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/runnerfleet/image"
)

func (a *app) imagePrepare() *cobra.Command {
	var arch, runner, sum, root, listed string
	cmd := &cobra.Command{
		Use:   "prepare",
		Short: "Make this machine what an image is made of",
		Long: `Make this machine what an image is made of: install actions/runner and make true all units of the catalog.
ortest image build runs it on the builder, as root; it is of no use on a machine that is meant for something else.`,
		Example: "  ortest image prepare --arch 'linux x86_64' --runner URL --runner-sha256 HEX",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			which, err := imageArchOf(arch)
			switch {
			case err != nil:
				return err
			case root == "" && (runner == "" || len(sum) != 64):
				return usage(errors.New("--runner and --runner-sha256 name the package of actions/runner"))
			case os.Geteuid() != 0:
				return usage(errors.New("a machine is prepared by root"))
			}
			units, err := image.ReadUnits(listed)
			if err != nil {
				return usage(err)
			}
			if root != "" {
				return image.Inside(cmd.Context(), root, units, cmd.ErrOrStderr())
			}
			m := image.Machine{Units: units, Runner: image.Package{URL: runner, SHA256: sum}, Log: cmd.ErrOrStderr()}
			if which.short == "i386" {
				self, err := os.Executable()
				if err != nil {
					return fmt.Errorf("find this program: %w", err)
				}
				m.Self = []string{self, "image", "prepare", "--arch", "i386"}
			}
			return m.Prepare(cmd.Context())
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&arch, "arch", "x64", "prepare for `ARCH`")
	fl.StringVar(&runner, "runner", "", "`URL` of actions/runner's package")
	fl.StringVar(&sum, "runner-sha256", "", "its checksum in `HEX`")
	fl.StringVar(&listed, "units", "", "make the units of this JSON `FILE` true and not those of the catalog that is built in")
	fl.StringVar(&root, "root", "", "make the units true below `DIR` and do nothing else")
	return cmd
}
