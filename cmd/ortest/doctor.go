package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"

	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/store"
)

// finding is one line of the doctor.
type finding struct {
	Check string `json:"check"`
	State string `json:"state"` // ok, warn, bad, skip
	Says  string `json:"says"`
	Do    string `json:"do,omitempty"`
}

// doctor collects findings.
type doctor struct {
	found []finding
	http  *http.Client
}

func (d *doctor) ok(check, says string)       { d.add(finding{check, "ok", says, ""}) }
func (d *doctor) warn(check, says, do string) { d.add(finding{check, "warn", says, do}) }
func (d *doctor) bad(check, says, do string)  { d.add(finding{check, "bad", says, do}) }
func (d *doctor) skip(check, says string)     { d.add(finding{check, "skip", says, ""}) }
func (d *doctor) add(f finding)               { d.found = append(d.found, f) }

func (a *app) doctor() *cobra.Command {
	var path, repository string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is missing or wrong here",
		Long: "Say what is missing or wrong here: programs, disk, catalog; and with a configuration the clock against GitHub's, the App's " +
			"permissions and events, its webhook and that webhook's last deliveries, secrets, database and runner; for a fleet on EC2 also network, images, quotas and what a launch needs. Nothing is changed. " +
			"Exit code 1 when something is bad.",
		Example: "  ortest doctor\n  ortest doctor --config ortest.yaml --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor{http: &http.Client{Timeout: 10 * time.Second}}
			if err := d.look(cmd.Context(), path, repository); err != nil {
				return usage(err)
			}
			return d.print(cmd.OutOrStdout(), asJSON)
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "look at what this configuration `FILE` of ortest serve names, too")
	cmd.Flags().StringVar(&repository, "repository", "", "look at `OWNER/NAME`, too: whether workflows can run there (token in GITHUB_TOKEN)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON instead of a table")
	return cmd
}

func (d *doctor) print(out io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(d.found); err != nil {
			return err
		}
	} else {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, f := range d.found {
			line := f.Says
			if f.Do != "" {
				line += "; " + f.Do
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", f.State, f.Check, strings.ReplaceAll(line, "\n", " "))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	for _, f := range d.found {
		if f.State == "bad" {
			return errBadVerdict
		}
	}
	return nil
}

// look looks at everything that was asked for.
func (d *doctor) look(ctx context.Context, path, repository string) error {
	if path == "" {
		d.programs()
		d.here()
		d.skip("configuration", "none was given; --config FILE looks at the server's too")
	} else {
		c, err := readServeConfig(path)
		if err != nil {
			return err
		}
		if c.Fleet.Cloud == "ec2" {
			d.skip("programs", "none is needed here: machines on EC2 build and test, with what their image has")
		} else {
			d.programs()
		}
		d.here()
		d.ok("configuration", path)
		d.config(ctx, c)
	}
	if repository == "" {
		return nil
	}
	return d.repository(ctx, repository)
}

// programs looks for what goals need on the machine they run on.
func (d *doctor) programs() {
	for _, p := range []struct{ name, needed, get string }{
		{"git", "checks sources out", "apt-get install git"},
		{"prove", "runs the suites", "apt-get install perl"},
		{"make", "builds what is tested", "apt-get install make"},
		{"gcc", "builds what is tested", "apt-get install gcc libc6-dev"},
	} {
		if at, err := exec.LookPath(p.name); err != nil {
			d.bad(p.name, p.name+", which "+p.needed+", is not in PATH", p.get)
		} else {
			d.ok(p.name, at)
		}
	}
	for _, p := range []struct{ name, needed string }{
		{"nginx", "the demo's server under test"}, {"valgrind", "the modes with v"}, {"act", "runs the demo's workflow"},
	} {
		at, err := exec.LookPath(p.name)
		if exe, exeErr := os.Executable(); err != nil && exeErr == nil && p.name == "act" {
			at = filepath.Join(filepath.Dir(exe), "act")
			_, err = os.Stat(at)
		}
		if err != nil {
			d.warn(p.name, p.name+" ("+p.needed+") is not in PATH", "needed only where goals run on this machine")
		} else {
			d.ok(p.name, at)
		}
	}
}

// here looks at this machine and this program.
func (d *doctor) here() {
	d.disk("disk", os.TempDir())
	if c, err := catalog.Default(); err != nil {
		d.bad("catalog", err.Error(), "this binary is broken; build it again")
	} else {
		d.ok("catalog", c.Summary())
	}
}

// Room that a server and its machines need; below the first, SQLite and builds fail soon.
const (
	leastDisk = 1 << 30
	fewDisk   = 10 << 30
)

func (d *doctor) disk(check, dir string) {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		d.bad(check, err.Error(), "give a directory that exists")
		return
	}
	free := st.Bavail * uint64(st.Bsize)
	says := fmt.Sprintf("%.1f GiB free at %s", float64(free)/(1<<30), dir)
	switch {
	case free < leastDisk:
		d.bad(check, says, "make room: at least 1 GiB")
	case free < fewDisk:
		d.warn(check, says, "a build and its logs may need 10 GiB")
	default:
		d.ok(check, says)
	}
}

// config looks at what a configuration names.
func (d *doctor) config(ctx context.Context, c serveConfig) {
	d.disk("data", c.Data)
	d.secrets(c)
	d.database(ctx, c)
	d.runner(c)
	d.listening(ctx, c)
	d.aws(ctx, c)
	d.source(c)
	d.pages(c)
	key, err := secret(c.GitHub.KeyFile, 1)
	if err != nil {
		return // said already
	}
	forge, err := github.New(github.Config{AppID: c.GitHub.AppID, Key: key, BaseURL: c.GitHub.API, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		d.bad("app", err.Error(), "see github: in the configuration")
		return
	}
	d.app(ctx, c, forge)
}

func (d *doctor) secrets(c serveConfig) {
	look := func(file string, least int, do string) {
		_, err := secret(file, least)
		switch {
		case err == nil:
			d.ok("secret", file)
		case errors.Is(err, os.ErrNotExist) && strings.HasPrefix(file, "/run/credentials/"):
			d.bad("secret", err.Error(), "it is there only while the unit runs, and has a LoadCredential for it: systemctl status ortest")
		default:
			d.bad("secret", err.Error(), do)
		}
	}
	look(c.GitHub.KeyFile, 1, "see github: in the configuration")
	for _, f := range c.GitHub.Secrets {
		look(f, leastWebhookSecret, "see github: in the configuration")
	}
	if c.Fleet.KeyFile != "" {
		look(c.Fleet.KeyFile, leastFleetKey, "see fleet.key_file; openssl rand -hex 32 makes one")
	}
}

func (d *doctor) database(ctx context.Context, c serveConfig) {
	file := c.Database
	if err := isThere(file); errors.Is(err, os.ErrNotExist) {
		d.skip("database", file+" does not exist yet; the first start makes it")
		return
	}
	st, err := store.Open(ctx, store.Config{Database: file, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		d.bad("database", err.Error(), "see database: in the configuration")
		return
	}
	defer func() { _ = st.Close() }() // only read
	stats, err := st.Stats(ctx)
	if err != nil {
		d.bad("database", err.Error(), "see the error")
		return
	}
	d.ok("database", fmt.Sprintf("%s: %.0f webhooks to process, %.0f answers owed", shownDatabase(file), stats["ortest_deliveries_open"][""], stats["ortest_answers_owed"][""]))
}

// runner looks for actions/runner where its jobs run here; on EC2 the image has it.
func (d *doctor) runner(c serveConfig) {
	if c.Fleet.Cloud == "ec2" {
		return
	}
	argv, err := shellquote.Split(c.Fleet.Runner)
	if err != nil || len(argv) == 0 {
		d.bad("runner", "fleet.runner is no command line", "see fleet: in the configuration")
		return
	}
	at, err := exec.LookPath(argv[0])
	if err != nil {
		d.bad("runner", fmt.Sprintf("%s: %v", argv[0], err), "unpack actions/runner there, or name where it is in fleet.runner")
		return
	}
	d.ok("runner", at)
}

func (d *doctor) listening(ctx context.Context, c serveConfig) {
	var dialer net.Dialer
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", c.Listen)
	if err != nil {
		d.warn("server", "nothing listens on "+c.Listen, "start it: ortest serve")
		return
	}
	_ = conn.Close() // it was only to see whether somebody is there
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Listen+"/readyz", nil)
	if err != nil {
		d.bad("server", err.Error(), "see listen: in the configuration")
		return
	}
	resp, err := d.http.Do(req)
	if err != nil {
		d.bad("server", err.Error(), "something else listens there")
		return
	}
	defer func() { _ = resp.Body.Close() }() // only its code counts
	if resp.StatusCode != http.StatusOK {
		d.bad("server", "it is not ready: "+resp.Status, "see its log")
		return
	}
	d.ok("server", "ready on "+c.Listen)
}

// Clocks that differ more make GitHub refuse the App's signature.
const mostSkew = 30 * time.Second

// app asks GitHub about the App.
func (d *doctor) app(ctx context.Context, c serveConfig, forge *github.Forge) {
	about, err := forge.About(ctx)
	if err != nil {
		d.bad("app", err.Error(), "is app_id the number of the App whose key this is, and github.api reachable?")
		return
	}
	d.ok("app", fmt.Sprintf("%s (%d) on %d installations", about.Slug, c.GitHub.AppID, about.Installations))
	if about.Slug != c.GitHub.Slug {
		d.bad("slug", fmt.Sprintf("the App's slug is %s, the configuration says %s", about.Slug, c.GitHub.Slug), "set github.slug: the bot knows its own comments by it")
	}
	switch skew := about.Skew.Abs(); {
	case skew > mostSkew:
		d.bad("clock", fmt.Sprintf("%s away from GitHub's", skew.Round(time.Second)), "run a time service")
	default:
		d.ok("clock", fmt.Sprintf("%s away from GitHub's", skew.Round(time.Second)))
	}
	if len(about.MissingPermissions) > 0 {
		d.bad("permissions", "missing: "+strings.Join(about.MissingPermissions, ", "), "grant them in the App's settings; each installation's owner then accepts")
	} else {
		d.ok("permissions", "all that are needed")
	}
	d.owners(c.GitHub.Owners, about.Accounts)
	d.optional(c, about)
	if len(about.MissingEvents) > 0 {
		d.warn("events", "not subscribed: "+strings.Join(about.MissingEvents, ", "), "subscribe in the App's settings; sweeps find the most of it later")
	} else {
		d.ok("events", "all that are used")
	}
	if want := strings.TrimRight(c.URL, "/") + "/webhook"; about.WebhookURL != want {
		d.bad("webhook", fmt.Sprintf("the App sends to %q, not to %s", about.WebhookURL, want), "set it in the App's settings")
	} else {
		d.ok("webhook", want)
	}
	switch {
	case about.Deliveries == 0:
		d.warn("deliveries", "GitHub has sent nothing lately", "write a comment and look again")
	case about.Failed > 0:
		d.warn("deliveries", fmt.Sprintf("%d of the last %d failed", about.Failed, about.Deliveries), "the server asks for them again; the App's settings show why")
	default:
		d.ok("deliveries", fmt.Sprintf("the last %d were taken", about.Deliveries))
	}
}
