// Command ortest is the OpenResty test cluster: the bot, the agent on each
// machine, the action inside each job, and the tools around them, in one binary.
//
// A file is named for its command, and the command's further files begin with that
// name: run.go, runresults.go. What commands share is named for what it is: exit.go,
// arguments.go and output.go; judging.go (verdicts over logs), logfile.go and
// testfiles.go (where logs and test files come from), history.go (durations), live.go
// (what changes while a bot runs) and system.go (the bot, its store and its fleet put
// together, for serve and demo). What can be asked without naming a command has a room
// of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/action/lane"
	"github.com/ortest/ortest/action/root32"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == lane.Word {
		os.Exit(lane.Main(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == root32.Word {
		os.Exit(root32.Main(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitGood
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(stderr, "ortest:", text)
	}
	var e *exitError
	if errors.As(err, &e) {
		return e.code
	}
	return exitFailed
}

// app carries what the flags of every command say.
type app struct {
	quiet   bool
	verbose int
}

func newRoot() *cobra.Command {
	a := new(app)
	root := &cobra.Command{
		Use:           "ortest",
		Short:         "The OpenResty test cluster as a GitHub App",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
		Example:       "  ortest demo\n  ortest run t-hello t-tally\n  ortest dispatch -t 60 t tv",
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "say only what went wrong")
	root.PersistentFlags().CountVar(&a.verbose, "verbose", "say more; twice for debug")
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(a.demo(), a.goals(), a.dispatch(), a.simulate(), a.history(), a.parse(), a.catalog(), a.agent(), a.action(), a.runner())
	root.AddCommand(a.judge(), a.explain(), a.expectations())
	root.AddCommand(a.run(), a.githubApp())
	root.AddCommand(a.report(), a.logs(), a.fleet(), a.image())
	root.AddCommand(a.serve(), a.doctor(), a.audit(), a.workflows(), a.migrate(), a.versionOf())
	markUsage(root)
	return root
}

// log returns a logger to w as loud as the flags say.
func (a *app) log(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, a.loudness()))
}

func (a *app) loudness() *slog.HandlerOptions {
	switch {
	case a.quiet:
		return &slog.HandlerOptions{Level: slog.LevelError}
	case a.verbose > 1:
		return &slog.HandlerOptions{Level: slog.LevelDebug}
	}
	return new(slog.HandlerOptions)
}
