package main

import (
	"cmp"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/bot/github"
)

// source looks at the catalog that is in force, and at where newer ones come from.
func (d *doctor) source(c serveConfig) {
	const check = "catalog in force"
	now, err := kept(c.Data).Current()
	if err != nil {
		d.bad(check, err.Error(), "ortest catalog revisions and rollback, with --data "+c.Data)
		return
	}
	if _, err := mergeSettings(c.Live, now); err != nil {
		d.bad(check, err.Error(), "mend settings.yaml where the catalog comes from")
		return
	}
	d.ok(check, now.Revision)
	f, err := readFeed(c.Data)
	switch {
	case err != nil:
		d.bad("catalog source", err.Error(), "see the error")
	case f.Refused != "":
		d.bad("catalog source", fmt.Sprintf("%s was not taken at %s: %s", f.From, f.At.Format(time.DateTime), f.Refused), "mend it there; the revision above stays in force")
	case f.From != "":
		d.ok("catalog source", f.From)
	}
	if c.Live.Catalog != "" {
		if _, err := readOverlay(c.Live.Catalog); err != nil {
			d.bad("live.catalog", err.Error(), "mend it; until then the revision in force stays")
		}
	}
	if c.Live.Repository.URL != "" {
		if _, err := exec.LookPath("git"); err != nil {
			d.bad("live.repository", err.Error(), "install git, which fetches it")
		}
	}
}

// pages looks at what people reach without and with a login.
func (d *doctor) pages(c serveConfig) {
	if c.GitHub.ClientSecret == "" {
		d.skip("login", "nobody can log in to the pages; the audit log is for "+auditFor(c))
		return
	}
	if _, err := secret(c.GitHub.ClientSecret, 8); err != nil {
		d.bad("login", err.Error(), "see github.client_secret_file in the configuration")
		return
	}
	d.ok("login", fmt.Sprintf("with GitHub, back to %s/login/callback; the audit log is for %s", c.URL, auditFor(c)))
}

func auditFor(c serveConfig) string {
	switch {
	case c.Pages.Audit != "":
		return string(c.Pages.Audit)
	case c.GitHub.ClientSecret != "":
		return "maintainers"
	}
	return "everybody"
}

// owners looks at whom the bot serves, of the accounts that the App is installed on.
func (d *doctor) owners(named, on []string) {
	const check = "owners"
	among := func(all []string) func(string) bool {
		return func(a string) bool {
			return slices.ContainsFunc(all, func(b string) bool { return strings.EqualFold(a, b) })
		}
	}
	says := "installed on " + cmp.Or(strings.Join(on, ", "), "no account")
	if len(named) == 0 {
		if len(on) > 1 {
			d.bad(check, says+", and github.owners is empty: people of each of them start machines", "name those that are to be served in github.owners")
			return
		}
		d.ok(check, says)
		return
	}
	if strangers := slices.DeleteFunc(slices.Clone(on), among(named)); len(strangers) > 0 {
		says += "; not served: " + strings.Join(strangers, ", ")
	}
	d.ok(check, says)
	if without := slices.DeleteFunc(slices.Clone(named), among(on)); len(without) > 0 {
		d.warn(check, "github.owners names "+strings.Join(without, ", ")+", where the App is not installed", "install it there, or mend the name; who renames an account has another one")
	}
}

// optional looks at what only some deployments need of the App.
func (d *doctor) optional(c serveConfig, about github.About) {
	const grant = "grant it in the App's settings; each installation's owner then accepts"
	if lacks := strings.Join(about.MissingToPropose, ", "); lacks != "" {
		d.warn("propose", "missing: "+lacks+", so that Propose expectation shows its entries and opens no pull request", grant+", if you want that")
	} else {
		d.ok("propose", "expectations can be proposed")
	}
	switch lacks := strings.Join(about.MissingToAskTeams, ", "); {
	case len(c.Live.Teams) == 0:
	case lacks != "":
		d.bad("teams", "missing: "+lacks+", so that nobody has rights by live.teams", grant)
	default:
		d.ok("teams", strings.Join(c.Live.Teams, ", "))
	}
}
