package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
	"github.com/ortest/ortest/runnerfleet/local"
	"github.com/ortest/ortest/store"
)

// reaper is what the fleet commands may do to a cloud.
type reaper interface {
	List(ctx context.Context) ([]runnerfleet.Machine, error)
	Terminate(ctx context.Context, cloudID string) error
}

// fleetFlags say which fleet is meant.
type fleetFlags struct {
	cloud, name, data, config string

	database string        // of the configuration, where --data names none; "" is in data
	forge    *github.Forge // of the configuration; nil where none is given
}

func (f *fleetFlags) add(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&f.cloud, "cloud", "ec2", "where the machines are: ec2 (region and credentials as every AWS tool reads them) or local")
	cmd.PersistentFlags().StringVar(&f.name, "fleet", "ortest", "name of the fleet on EC2, as its machines are tagged")
	cmd.PersistentFlags().StringVar(&f.config, "config", "", "configuration `FILE` of the bot, which says all of that; ls then asks GitHub as well")
	cmd.PersistentFlags().StringVar(&f.data, "data", "", "data `DIR` of the bot: its database, and the machines of a local fleet; or the URL of its PostgreSQL database")
}

func (a *app) fleet() *cobra.Command {
	var f fleetFlags
	cmd := &cobra.Command{
		Use:   "fleet",
		Short: "See and end the instances",
		Example: `  ortest fleet ls --config ortest.yaml
  ortest fleet sweep --fleet ortest --yes`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f.add(cmd)
	cmd.AddCommand(a.fleetLs(&f), a.fleetSweep(&f))
	return cmd
}

// configured takes from the bot's configuration what no flag says.
func (f *fleetFlags) configured(cmd *cobra.Command) error {
	if f.config == "" {
		return nil
	}
	c, err := readServeConfig(f.config)
	if err != nil {
		return usage(err)
	}
	for flag, set := range map[string]func(){
		"cloud": func() { f.cloud = c.Fleet.Cloud }, "fleet": func() { f.name = c.Fleet.EC2.Name }, "data": func() { f.data = c.Data },
	} {
		if !cmd.Flags().Changed(flag) {
			set()
		}
	}
	if !cmd.Flags().Changed("data") {
		f.database = c.Database
	}
	key, err := secret(c.GitHub.KeyFile, 1)
	if err != nil {
		return err
	}
	f.forge, err = github.New(github.Config{AppID: c.GitHub.AppID, Key: key, BaseURL: c.GitHub.API, Log: slog.New(slog.DiscardHandler)})
	return err
}

// openFleet returns the fleet's cloud.
func (a *app) openFleet(cmd *cobra.Command, f *fleetFlags) (reaper, error) {
	if err := f.configured(cmd); err != nil {
		return nil, err
	}
	switch f.cloud {
	case "ec2":
		return ec2.OpenReaper(cmd.Context(), f.name)
	case "local":
		dir, err := filepath.Abs(f.data)
		switch {
		case f.data == "" || store.IsURL(f.data):
			return nil, usage(errors.New("a local fleet needs --data, the data directory of its bot; with a database elsewhere also --config, which names it"))
		case err != nil:
			return nil, err
		}
		if _, err := os.Stat(dir); err != nil {
			return nil, usage(fmt.Errorf("--data: %w", err))
		}
		return &local.Cloud{Dir: filepath.Join(dir, "fleet"), Log: a.log(cmd.ErrOrStderr())}, nil
	}
	return nil, usage(fmt.Errorf("--cloud %q is neither ec2 nor local", f.cloud))
}

// fleetRow is an instance as the cloud, the bot's database and GitHub have it.
type fleetRow struct {
	CloudID  string            `json:"cloud_id,omitempty"`
	Instance string            `json:"instance,omitempty"`
	Cloud    string            `json:"cloud"` // running, ended, absent
	Store    runnerfleet.State `json:"store,omitempty"`
	Launched time.Time         `json:"launched,omitzero"`
	Deadline time.Time         `json:"deadline,omitzero"`
	Runners  []fleetRunner     `json:"runners,omitempty"`
	Differs  string            `json:"differs,omitempty"`
}

func (a *app) fleetLs(f *fleetFlags) *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the instances, as the cloud, the bot's database and GitHub have them",
		Long: `List the instances, as the cloud, the bot's database (--data) and GitHub (--config) have them, side by side,
and what differs: a machine that the database does not know or that outlives its instance, its run or its deadline,
an instance that is not in the cloud, a runner that is registered and has no instance, or should be and is not.
The three are looked at one after the other, so what has just begun or ended may differ for a moment.
Exit code 1 when something differs.`,
		Example: `  ortest fleet ls --config ortest.yaml
  ortest fleet ls --fleet ortest --json
  ortest fleet ls --cloud local --data ~/.local/state/ortest/demo`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cloud, err := a.openFleet(cmd, f)
			if err != nil {
				return err
			}
			rows, err := fleetRows(cmd.Context(), a, cmd, f, cloud)
			if err != nil {
				return err
			}
			if !all {
				rows = slices.DeleteFunc(rows, func(r fleetRow) bool {
					return r.Cloud != "running" && r.Differs == "" && (r.Store == "" || r.Store == runnerfleet.Gone)
				})
			}
			write := func() error { return writeFleet(cmd, rows) }
			if asJSON {
				write = func() error { return writeJSON(cmd.OutOrStdout(), append([]fleetRow{}, rows...)) }
			}
			if err := write(); err != nil {
				return err
			}
			if slices.ContainsFunc(rows, func(r fleetRow) bool { return r.Differs != "" }) {
				return errBadVerdict
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&all, "all", false, "also those that are gone")
	return cmd
}

// fleetRows puts what the cloud lists beside what the store and GitHub know.
func fleetRows(ctx context.Context, a *app, cmd *cobra.Command, f *fleetFlags, cloud reaper) ([]fleetRow, error) {
	machines, err := cloud.List(ctx)
	if err != nil {
		return nil, err
	}
	known, err := a.fleetKnow(cmd, f)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	rows := known.rows()
	listed := make(map[string]bool)
	for _, m := range machines {
		in, ok := known.instances[m.Instance]
		r := fleetRow{
			CloudID: m.CloudID, Instance: m.Instance, Cloud: "ended", Store: in.State, Launched: m.LaunchedAt, Deadline: m.Deadline,
		}
		if m.Running {
			r.Cloud, r.Runners = "running", known.runners[m.Instance]
			r.Differs = cmp.Or(differs(m, in, known.instances != nil && !ok, now), known.differs(in))
			listed[m.Instance] = true
		}
		rows = append(rows, r)
	}
	for id, in := range known.instances {
		if in.State != runnerfleet.Gone && !listed[id] {
			rows = append(rows, fleetRow{
				CloudID: in.CloudID, Instance: id, Cloud: "absent", Store: in.State, Launched: in.LaunchedAt, Deadline: in.Deadline,
				Runners: known.runners[id], Differs: absent(in),
			})
		}
	}
	slices.SortFunc(rows, func(a, b fleetRow) int {
		return cmp.Or(a.Launched.Compare(b.Launched), cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.CloudID, b.CloudID))
	})
	return rows, nil
}

// absent says what is wrong with an instance that the cloud does not list: nothing while
// its launch waits for capacity.
func absent(in runnerfleet.Instance) string {
	if in.State == runnerfleet.Intended && in.CloudID == "" {
		return ""
	}
	return "not in the cloud"
}

// differs says what is wrong with a machine that runs, or "".
func differs(m runnerfleet.Machine, in runnerfleet.Instance, unknown bool, now time.Time) string {
	switch {
	case unknown:
		return "unknown to the database"
	case in.State == runnerfleet.Done || in.State == runnerfleet.Gone:
		return "ended, and still running"
	case !m.Deadline.IsZero() && !now.Before(m.Deadline):
		return "past its deadline"
	}
	return ""
}

func writeFleet(cmd *cobra.Command, rows []fleetRow) error {
	if len(rows) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "No instance.")
		return nil
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "CLOUD ID\tINSTANCE\tCLOUD\tDATABASE\tGITHUB\tLAUNCHED\tDEADLINE\tDIFFERS")
	for _, r := range rows {
		var at []string
		for _, x := range r.Runners {
			at = append(at, x.Name+" "+x.Status)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", dash(r.CloudID), dash(r.Instance), r.Cloud, dash(string(r.Store)), dash(strings.Join(at, ", ")),
			stamp(r.Launched), stamp(r.Deadline), dash(r.Differs))
	}
	return w.Flush()
}

func dash(s string) string { return cmp.Or(s, "-") }

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// sweepAfter is how long past a machine's deadline the sweep waits for the three guards
// before it, and how old a machine without a deadline may be.
const (
	sweepAfter  = 10 * time.Minute
	sweepNoDate = 24 * time.Hour
)

func (a *app) fleetSweep(f *fleetFlags) *cobra.Command {
	var older time.Duration
	var yes bool
	cmd := &cobra.Command{
		Use:   "sweep",
		Short: "End instances that nothing else has ended",
		Long: `End instances that nothing else has ended: those 10 minutes past the deadline in their tags,
those without one after a day, and with --older all that have lived that long.

It looks at the cloud alone and asks neither the bot nor its database, so that it
works when they do not. Run it from a timer, with credentials that may describe and
terminate instances and nothing else. Without --yes it only says what it would end.`,
		Example: `  ortest fleet sweep --fleet ortest
  ortest fleet sweep --fleet ortest --older 6h --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("older") && older <= 0 {
				return usage(fmt.Errorf("--older %s is not positive", older))
			}
			cloud, err := a.openFleet(cmd, f)
			if err != nil {
				return err
			}
			return sweep(cmd, cloud, older, yes)
		},
	}
	cmd.Flags().DurationVar(&older, "older", 0, "also end all that were launched longer ago, such as 6h")
	cmd.Flags().BoolVar(&yes, "yes", false, "end them")
	return cmd
}

// sweep attempts every machine and joins what failed.
func sweep(cmd *cobra.Command, cloud reaper, older time.Duration, yes bool) error {
	machines, err := cloud.List(cmd.Context())
	if err != nil {
		return err
	}
	out, now := cmd.OutOrStdout(), time.Now()
	word, n := "would end", 0
	if yes {
		word = "ended"
	}
	var errs []error
	for _, m := range machines {
		why := overdue(m, now, older)
		if why == "" {
			continue
		}
		if yes {
			if err := cloud.Terminate(cmd.Context(), m.CloudID); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", m.CloudID, err))
				continue
			}
		}
		n++
		fmt.Fprintf(out, "%s %s (%s): %s\n", word, m.CloudID, dash(m.Instance), why)
	}
	if n == 0 && len(errs) == 0 {
		fmt.Fprintln(out, "Nothing to end.")
	} else if !yes {
		fmt.Fprintln(out, "Nothing was ended: say --yes to do so.")
	}
	return errors.Join(errs...)
}

// overdue says why a machine is to be swept away, or "".
func overdue(m runnerfleet.Machine, now time.Time, older time.Duration) string {
	age := now.Sub(m.LaunchedAt)
	switch {
	case !m.Running:
		return ""
	case older > 0 && age >= older:
		return "launched " + age.Round(time.Second).String() + " ago"
	case m.Deadline.IsZero() && age >= sweepNoDate:
		return "no deadline, launched " + age.Round(time.Second).String() + " ago"
	case !m.Deadline.IsZero() && now.Sub(m.Deadline) >= sweepAfter:
		return "past its deadline by " + now.Sub(m.Deadline).Round(time.Second).String()
	}
	return ""
}
