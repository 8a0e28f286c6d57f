package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan"
)

func (a *app) history() *cobra.Command {
	var file historyFile
	cmd := &cobra.Command{
		Use:     "history",
		Short:   "Keep and show how long goals and test files take",
		Example: "  ortest history import ast.json\n  ortest history show tv-ngx_lua\n  ortest history export >durations.jsonl",
		Args:    knownCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&file.dir, "data", defaultData(""), "keep the durations in `DIR`")
	cmd.AddCommand(a.historyImport(&file), a.historyShow(&file), historyExport(&file))
	return cmd
}

func (a *app) historyImport(file *historyFile) *cobra.Command {
	return &cobra.Command{
		Use:     "import FILE",
		Short:   "Add the durations of an old ast.json or of an export",
		Long:    "Add the durations of the old tool's ast.json, or of what history export wrote; - is the standard input. Importing a file twice changes nothing.",
		Example: "  ortest history import ast.json\n  ortest history export --data OLD | ortest history import - --data NEW",
		Args:    oneArg("name one file, or - for the standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := readInput(cmd, args[0])
			if err != nil {
				return fmt.Errorf("import durations: %w", err)
			}
			n := 0
			err = file.update(cmd.Context(), func(h *plan.History) error {
				if n, err = addDurations(h, b); err != nil {
					return usage(fmt.Errorf("%s: %w; nothing was imported", args[0], err))
				}
				return nil
			})
			if err != nil || a.quiet {
				return err
			}
			if err := a.warnStrays(cmd, b, file.dir); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d durations imported into %s\n", n, file.path())
			return err
		},
	}
}

// warnStrays tells which of the durations just imported no plan will use.
func (a *app) warnStrays(cmd *cobra.Command, imported []byte, data string) error {
	c, err := catalogIn("", data)
	if err != nil {
		return err
	}
	var h plan.History
	if _, err := addDurations(&h, imported); err != nil {
		return err
	}
	for _, text := range c.Strays(&h) {
		a.warn(cmd.ErrOrStderr(), text)
	}
	return nil
}

func (a *app) historyShow(file *historyFile) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show GOAL",
		Short:   "Show what is known of a goal's durations",
		Long:    "Show what is known of a goal's durations by arch, nginx core and test file: mean, 90th percentile, and a bar for each run (x failed, . interrupted), the oldest first.",
		Example: "  ortest history show tv-ngx_lua\n  ortest history show --json t-lua-resty-redis",
		Args:    oneArg("name one goal, such as tv-ngx_lua"),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := file.read(cmd.Flags().Changed("data"))
			if err != nil {
				return err
			}
			all := slices.DeleteFunc(h.All(), func(o plan.Observation) bool { return o.Goal != args[0] })
			if len(all) == 0 {
				if err := knownGoal(args[0], file.dir); err != nil {
					return err
				}
			}
			switch {
			case asJSON:
				return writeJSON(cmd.OutOrStdout(), append([]plan.Observation{}, all...))
			case len(all) == 0:
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "nothing is known of %s yet\n", args[0])
			default:
				_, err = h.WriteText(cmd.OutOrStdout(), args[0])
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write every observation as JSON")
	return cmd
}

// knownGoal tells a goal that was never measured from one that does not exist.
func knownGoal(name, data string) error {
	c, err := catalogIn("", data)
	if err != nil {
		return err
	}
	goals, _, err := c.Goals([]string{name}, "")
	if err == nil && (len(goals) != 1 || goals[0].String() != name) {
		err = &plan.UsageError{Word: shortened(name), What: "names several goals", Do: "name one, such as " + goals[0].String()}
	}
	return wrong(err)
}

func historyExport(file *historyFile) *cobra.Command {
	return &cobra.Command{
		Use:     "export",
		Short:   "Write every duration as a line of JSON",
		Example: "  ortest history export >durations.jsonl",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := file.read(cmd.Flags().Changed("data"))
			if err != nil {
				return err
			}
			return h.Write(cmd.OutOrStdout())
		},
	}
}

// addDurations adds an ast.json or an export: only the lines of the latter have
// seconds at their top. It returns how many durations there were.
func addDurations(h *plan.History, b []byte) (int, error) {
	var line struct {
		Seconds json.RawMessage `json:"seconds"`
	}
	first, _, _ := bytes.Cut(bytes.TrimLeft(b, " \t\r\n"), []byte("\n"))
	if err := json.Unmarshal(first, &line); err != nil || line.Seconds == nil {
		return h.ImportAST(bytes.NewReader(b))
	}
	// A file that is wrong in its middle must not be added by half.
	var all plan.History
	if err := all.Read(bytes.NewReader(b)); err != nil {
		return 0, err
	}
	for _, o := range all.All() {
		if err := h.Add(o); err != nil {
			return 0, err
		}
	}
	return len(all.All()), nil
}

// historyFile is the history of a data directory.
type historyFile struct{ dir string }

func (f historyFile) path() string { return filepath.Join(f.dir, "history.jsonl") }

// read returns the history; a directory that has none yet has an empty one. A
// directory that was named must exist, since estimates from nothing look like others.
func (f historyFile) read(named bool) (*plan.History, error) {
	if named {
		if err := checkDir(f.dir); err != nil {
			return nil, usage(fmt.Errorf("--data: %w; give a directory that history import has made", err))
		}
	}
	h := new(plan.History)
	r, err := os.Open(f.path())
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read history: %w; choose another directory with --data", err)
	}
	defer r.Close()
	if err := h.Read(r); err != nil {
		return nil, fmt.Errorf("%s: %w; repair the line or move the file away", f.path(), err)
	}
	return h, nil
}

// History returns what the bot knows of durations.
func (f historyFile) History(context.Context) (*plan.History, error) { return f.read(false) }

// Observe adds what a run of the bot took. A job may have reported what cannot
// be: that is told, and the rest is kept.
func (f historyFile) Observe(ctx context.Context, all []plan.Observation) error {
	var refused []error
	err := f.update(ctx, func(h *plan.History) error {
		refused = nil
		for _, o := range all {
			if err := h.Add(o); err != nil {
				refused = append(refused, fmt.Errorf("add duration: %w", err))
			}
		}
		return nil
	})
	return errors.Join(append(refused, err)...)
}

// update changes the history under a lock and replaces the file whole, so that
// neither another import nor an interruption can leave half of it.
func (f historyFile) update(ctx context.Context, change func(*plan.History) error) error {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w; choose another with --data", err)
	}
	lock, err := os.OpenFile(f.path()+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock history: %w; choose another directory with --data", err)
	}
	defer lock.Close()
	if err := interruptible(ctx, func() error { return syscall.Flock(int(lock.Fd()), syscall.LOCK_EX) }); err != nil {
		return fmt.Errorf("lock history: %w", err)
	}
	h, err := f.read(false)
	if err != nil {
		return err
	}
	if err := change(h); err != nil {
		return err
	}
	return f.replace(h)
}

// replace writes a new file and puts it in the old one's place. One that an
// interruption left behind is written over.
func (f historyFile) replace(h *plan.History) error {
	next, err := os.OpenFile(f.path()+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	err = h.Write(next)
	if err == nil {
		err = next.Sync()
	}
	if err = errors.Join(err, next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), f.path())
}
