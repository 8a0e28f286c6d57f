package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/store"
)

func (a *app) logs() *cobra.Command {
	var data, out string
	cmd := &cobra.Command{
		Use:   "logs RUN [GOAL]",
		Short: "Fetch the raw logs of a run",
		Long: "Fetch the raw logs of a run from the server's data, byte for byte: one goal's, or those of all goals one after another, " +
			"to the standard output; with --out as DIR/GOAL.log. What ortest judge and report read is what this writes.",
		Example: "  ortest logs 7 tv-ngx_lua | less\n  ortest logs 7 --out logs --data /var/lib/ortest\n  ortest logs 7 | ortest report --out report -",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return errors.New("name a run, such as 7, and at most one goal")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := databaseOf(data, cmd.Flags().Changed("data"))
			if err != nil {
				return usage(err)
			}
			st, err := store.Open(cmd.Context(), store.Config{Database: file, Log: a.log(cmd.ErrOrStderr())})
			if err != nil {
				return err
			}
			defer func() { _ = st.Close() }() // only read
			return a.fetchLogs(cmd, st, args, out)
		},
	}
	cmd.Flags().StringVar(&data, "data", defaultData(""), "`DIR` of the server's data, or the URL of its PostgreSQL database")
	cmd.Flags().StringVar(&out, "out", "", "write DIR/GOAL.log instead of the standard output, for `DIR`")
	return cmd
}

// databaseOf finds the database. The demo keeps its own below the default.
func databaseOf(dir string, named bool) (string, error) {
	file := databaseIn(dir)
	err := isThere(file)
	if err != nil && !named {
		if demo := filepath.Join(defaultData("demo"), "ortest.db"); exists(demo) {
			return demo, nil
		}
	}
	if err != nil {
		return "", fmt.Errorf("read logs: %w; --data names the directory of ortest serve or ortest demo", err)
	}
	return file, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (a *app) fetchLogs(cmd *cobra.Command, st *store.Store, args []string, out string) error {
	r, err := st.Run(cmd.Context(), args[0])
	if errors.Is(err, bot.ErrNotFound) {
		return usage(fmt.Errorf("there is no run %s; %s", shortened(args[0]), runsOf(cmd.Context(), st)))
	}
	if err != nil {
		return err
	}
	goals := goalsOf(r)
	if len(args) == 2 {
		if !slices.Contains(goals, args[1]) {
			return usage(fmt.Errorf("run %s has no goal %s; it has %s", r.ID, shortened(args[1]), strings.Join(goals, " ")))
		}
		goals = args[1:]
	}
	if out != "" {
		if err := os.MkdirAll(out, 0o755); err != nil {
			return err
		}
	}
	reader := &bot.Bot{Store: st}
	for _, goal := range goals {
		ev, err := reader.Evidence(cmd.Context(), r, goal)
		if err != nil {
			return err
		}
		if r.State == bot.Closed && !reported(ev) {
			return fmt.Errorf("run %s has no log of %s: it never began, or is older than keep.logs of the configuration says", r.ID, goal)
		}
		if out == "" {
			if err := writeRaw(cmd.OutOrStdout(), ev); err != nil {
				return err
			}
			continue
		}
		file := filepath.Join(out, goal+".log")
		if err := writeWhole(file, func(w io.Writer) error { return writeRaw(w, ev) }); err != nil {
			return fmt.Errorf("write log of %s: %w", goal, err)
		}
		if !a.quiet {
			fmt.Fprintln(cmd.OutOrStdout(), file)
		}
	}
	return nil
}

// goalsOf returns a run's goals, each once, in plan order.
func goalsOf(r bot.Run) []string {
	var goals []string
	for _, p := range r.Pieces {
		if g := p.Goal.String(); !slices.Contains(goals, g) {
			goals = append(goals, g)
		}
	}
	return goals
}

// runsOf says which runs there are, for whom asked for another.
func runsOf(ctx context.Context, st *store.Store) string {
	recent, err := st.RecentRuns(ctx, 5)
	if err != nil || len(recent) == 0 {
		return "there is none yet"
	}
	var ids []string
	for _, r := range recent {
		ids = append(ids, r.ID)
	}
	return "the newest are " + strings.Join(ids, ", ")
}

// reported says whether anything was handed over.
func reported(ev report.Evidence) bool {
	return slices.ContainsFunc(ev.Pieces, func(p report.PieceEvidence) bool { return len(p.Entries) > 0 })
}

// writeRaw writes a goal's log: what its pieces printed, entry by entry.
func writeRaw(w io.Writer, ev report.Evidence) error {
	for _, piece := range ev.Pieces {
		for _, log := range piece.Logs {
			if _, err := w.Write(log); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeWhole writes a file beside its place and then puts it there.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(write(f), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
