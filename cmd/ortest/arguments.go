package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan"
)

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

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no directory", dir)
	}
	return err
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

func oneArg(want string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || args[0] == "" {
			return errors.New(want)
		}
		return nil
	}
}

// maxInput is far above what any file of durations holds.
const maxInput = 256 << 20

// readInput reads a file that somebody named; "-" is the standard input. One
// that cannot be read is wrong usage.
func readInput(cmd *cobra.Command, path string) ([]byte, error) {
	in := cmd.InOrStdin()
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, usage(fmt.Errorf("%w; give the path of a file that you may read", err))
		}
		defer f.Close()
		in = f
	}
	var b []byte
	err := interruptible(cmd.Context(), func() (err error) {
		b, err = io.ReadAll(io.LimitReader(in, maxInput+1))
		return err
	})
	switch {
	case cmd.Context().Err() != nil:
		return nil, err // and nothing of b, which may still be read

	case err != nil:
		return nil, usage(fmt.Errorf("%w; give the path of a file that you may read", err))
	case len(b) > maxInput:
		return nil, usage(fmt.Errorf("%s is larger than %d bytes; it is no file of durations", path, maxInput))
	}
	return b, nil
}

// someLogs wants at least one log.
func someLogs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("no log: name files, or - for the standard input")
	}
	return nil
}
