package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// appCreate is what ortest app create was told.
type appCreate struct {
	name, url, org, server, api, out, listen string
	public, propose, teams, stay, asJSON     bool
	patience                                 time.Duration
}

func (a *app) githubApp() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "app",
		Short:   "Make the GitHub App that the bot is",
		Example: "  ortest app create --url https://ortest.example.org --org openresty --out /etc/ortest",
		Args:    knownCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.appCreate())
	return cmd
}

func (a *app) appCreate() *cobra.Command {
	var c appCreate
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a GitHub App with what the bot needs, and store its credentials",
		Long: "Make a GitHub App from a manifest: a page on this machine sends your browser to GitHub with the permissions and events that the " +
			"bot needs and no more; you confirm there, GitHub sends the browser back, and the App's key and secrets are stored, each in a file " +
			"that only you can read, beside a configuration for ortest serve. No secret is printed, and no file that exists is touched.\n\n" +
			"On a machine without a browser, forward the port: ssh -L 7879:127.0.0.1:7879 HOST, and --listen 127.0.0.1:7879.",
		Example: "  ortest app create --url https://ortest.example.org\n  ortest app create --url https://ortest.example.org --org openresty --name 'OpenResty tests' --out /etc/ortest",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.check(); err != nil {
				return usage(err)
			}
			made, err := c.run(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if c.asJSON {
				return writeJSON(cmd.OutOrStdout(), made)
			}
			return made.print(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.url, "url", "", "where GitHub and people will reach ortest serve, such as https://ortest.example.org (required)")
	f.StringVar(&c.name, "name", "ortest", "the App's name, unique on GitHub, up to 34 characters")
	f.StringVar(&c.org, "org", "", "make it an App of this organization; without it, yours")
	f.StringVar(&c.out, "out", ".", "write the files into `DIR`")
	f.StringVar(&c.server, "github", "https://github.com", "where GitHub is")
	f.StringVar(&c.api, "api", "", "where its API is; without it as --github says")
	f.StringVar(&c.listen, "listen", "127.0.0.1:0", "loopback HOST:PORT of the page; port 0 is any free one")
	f.BoolVar(&c.public, "public", false, "let other accounts install the App too; those that it is to serve must then be named in github.owners of the configuration")
	f.BoolVar(&c.propose, "propose", false, "let it write contents: the button Propose expectation then opens pull requests")
	f.BoolVar(&c.teams, "teams", false, "let it read members: live.teams then gives rights by team")
	f.BoolVar(&c.stay, "no-open", false, "only print the page's address, open no browser")
	f.DurationVar(&c.patience, "timeout", 30*time.Minute, "how long to wait for the browser")
	f.BoolVar(&c.asJSON, "json", false, "write JSON instead of text")
	return cmd
}

// check completes what was told, or says what is wrong with it.
func (c *appCreate) check() error {
	at, err := url.Parse(c.url)
	switch {
	case c.url == "":
		return fmt.Errorf("--url is missing: where GitHub will reach ortest serve, such as https://ortest.example.org")
	case err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http":
		return fmt.Errorf("--url: %q is no address such as https://ortest.example.org", c.url)
	case c.name == "" || len(c.name) > 34:
		return fmt.Errorf("--name: %q has %d characters, GitHub takes 1 to 34", c.name, len(c.name))
	case strings.ContainsAny(c.org, "/?#% "):
		return fmt.Errorf("--org: %q is no organization", c.org)
	}
	hub, err := url.Parse(c.server)
	if err != nil || hub.Host == "" || hub.Scheme != "https" && hub.Scheme != "http" {
		return fmt.Errorf("--github: %q is no address such as https://github.com", c.server)
	}
	host, _, err := net.SplitHostPort(c.listen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("--listen: %q is not on the loopback interface, and the page is for this machine alone", c.listen)
	}
	c.url, c.server = strings.TrimRight(c.url, "/"), strings.TrimRight(c.server, "/")
	switch {
	case c.api != "":
		c.api = strings.TrimRight(c.api, "/")
	case hub.Host == "github.com":
		c.api = "https://api.github.com"
	default:
		c.api = c.server + "/api/v3"
	}
	return nil
}

// run waits until the App is made and its files are written.
func (c *appCreate) run(ctx context.Context, says io.Writer) (madeApp, error) {
	files, err := reserve(c.out)
	if err != nil {
		return madeApp{}, err
	}
	defer files.clean()
	ln, err := net.Listen("tcp", c.listen)
	if err != nil {
		return madeApp{}, usage(fmt.Errorf("--listen: %w", err))
	}
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	p, err := newManifestPage(c, ln.Addr().String(), files)
	if err != nil {
		return madeApp{}, err
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- serveHTTP(serving, ln, p) }()
	defer func() { stop(); <-served }()
	at := "http://" + ln.Addr().String() + "/"
	fmt.Fprintf(says, "Open %s in a browser that is logged in to %s, and confirm there.\n", at, c.server)
	if !c.stay {
		openBrowser(ctx, at)
	}
	select {
	case made := <-p.made:
		return made.app, made.err
	case err := <-served:
		served <- nil
		return madeApp{}, err
	case <-ctx.Done():
		return madeApp{}, fmt.Errorf("make the App: no browser came back within %v; nothing was written", c.patience)
	}
}

// openBrowser tries; the address was printed.
func openBrowser(ctx context.Context, at string) {
	name := map[string]string{"darwin": "open", "linux": "xdg-open"}[runtime.GOOS]
	if exe, err := exec.LookPath(name); err == nil {
		cmd := exec.CommandContext(ctx, exe, at)
		if cmd.Start() == nil {
			go func() { _ = cmd.Wait() }() // whatever it says, the address was printed
		}
	}
}

// madeApp is what may be shown of an App.
type madeApp struct {
	ID      int64    `json:"app_id"`
	Slug    string   `json:"slug"`
	URL     string   `json:"url"`
	Install string   `json:"install_url"`
	Public  bool     `json:"public"`
	Owners  []string `json:"owners"` // that the configuration serves
	Config  string   `json:"config"`
	Files   []string `json:"files"`
}

func (m madeApp) print(w io.Writer) error {
	owners := ""
	if m.Public {
		owners = fmt.Sprintf("  name the accounts that it serves in github.owners of %s, which has %s: anybody may install a public App\n",
			m.Config, cmp.Or(strings.Join(m.Owners, ", "), "nobody and so serves everybody"))
	}
	_, err := fmt.Fprintf(w, "The App %s (%d) was made: %s\nWritten, readable by you alone: %s\n\nNext:\n  install it on repositories: %s\n%s  ortest doctor --config %s\n  ortest serve --config %s\n",
		m.Slug, m.ID, m.URL, strings.Join(m.Files, " "), m.Install, owners, m.Config, m.Config)
	return err
}
