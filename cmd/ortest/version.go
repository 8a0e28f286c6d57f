package main

import (
	"cmp"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release and commit are set by the linker: make build, make dist.
var release, commit string

// version returns the release, or what the toolchain knows of the build.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// ownBuild is what a binary says of itself.
type ownBuild struct {
	Release string `json:"release"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	System  string `json:"system"`
}

func (a *app) versionOf() *cobra.Command {
	var asJSON, bill bool
	cmd := &cobra.Command{
		Use:   "version [BINARY]",
		Short: "Say which release this is, of which commit, and what is in it",
		Long: "Say which release this program is, of which commit, and with which Go it was built. --sbom writes its bill of materials as " +
			"CycloneDX 1.6 JSON: each module in it with its version and checksum, as the linker wrote them into the program; of another ortest, for whatever system, with BINARY.",
		Example: "  ortest version\n  ortest version --sbom dist/ortest-linux-arm64",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && !bill {
				return errors.New("name a binary only with --sbom, and one at most")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if bill {
				return writeBill(cmd, args)
			}
			b := ownBuild{Release: version(), Commit: commitOf(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), b)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "ortest %s\ncommit %s\n%s %s\n", b.Release, b.Commit, b.Go, b.System)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON instead of text")
	cmd.Flags().BoolVar(&bill, "sbom", false, "write the bill of materials")
	cmd.MarkFlagsMutuallyExclusive("json", "sbom")
	return cmd
}

// commitOf returns the commit that the program was built from.
func commitOf() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return cmp.Or(setting(info, "vcs.revision"), "unknown")
	}
	return "unknown"
}

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// writeBill writes the bill of a binary, or of this program.
func writeBill(cmd *cobra.Command, args []string) error {
	path, err := os.Executable()
	if len(args) == 1 {
		path, err = args[0], nil
	}
	if err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return usage(fmt.Errorf("%w; name a program that was built with Go", err))
	}
	sum, err := digestOf(path)
	if err != nil {
		return err
	}
	b, err := billOf(info, version(), sum)
	if err != nil {
		return err
	}
	return writeJSON(cmd.OutOrStdout(), b)
}
