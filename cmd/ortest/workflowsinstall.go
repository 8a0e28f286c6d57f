package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/workflows"
	"github.com/ortest/ortest/workflows/botless"
)

// installFlags are those of ortest workflows install.
type installFlags struct {
	renderFlags
	only   []string
	api    string
	branch string
	fork   bool
	dry    bool
	asJSON bool
}

func (a *app) workflowsInstall() *cobra.Command {
	var f installFlags
	cmd := &cobra.Command{
		Use:   "install OWNER/NAME",
		Short: "Open a pull request with the workflow files",
		Long: "Open a pull request with the workflow files, against the repository's default branch. Files that are there already and the same are left out; " +
			"a pull request that is open is brought up to date, so that a second time changes nothing.\n\n" +
			"The token in GITHUB_TOKEN (or GH_TOKEN) needs to write contents, pull requests and workflows.",
		Example: "  ortest workflows install openresty/lua-nginx-module\n  ortest workflows install --only ortest.yml --dry-run OWNER/NAME",
		Args:    oneArg("name one repository, OWNER/NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.install(cmd, &f, args[0])
		},
	}
	f.add(cmd)
	fl := cmd.Flags()
	fl.StringSliceVar(&f.only, "only", nil, "`NAMES` of the files to install; with the bot ortest.yml is enough")
	fl.StringVar(&f.api, "api", "", "`URL` of GitHub's API; GITHUB_API_URL or https://api.github.com")
	fl.StringVar(&f.branch, "branch", "ortest-workflows", "branch of the pull request")
	fl.BoolVar(&f.fork, "fork", false, "install them although the repository is a fork of another")
	fl.BoolVar(&f.dry, "dry-run", false, "only say what would be proposed")
	fl.BoolVar(&f.asJSON, "json", false, "write JSON instead of text")
	return cmd
}

func (a *app) install(cmd *cobra.Command, f *installFlags, name string) error {
	repo, err := botless.RepoOf(name)
	if err != nil {
		return usage(err)
	}
	names, err := chosen(f.only)
	if err != nil {
		return usage(err)
	}
	s, err := f.read(cmd)
	if err != nil {
		return usage(err)
	}
	p := github.Proposal{Branch: f.branch, Title: "Add the workflows of ortest", Files: make(map[string][]byte), Fork: f.fork}
	for _, n := range names {
		text, err := workflows.Render(n, s)
		if err != nil {
			return err
		}
		found, err := workflows.Check(n, text)
		if err != nil || len(found) > 0 {
			return fmt.Errorf("%s would not pass ortest workflows check: %v: %w", n, found, err)
		}
		p.Files[workflows.Folder+n] = text
	}
	p.Body = installBody(names)
	token := cmp.Or(os.Getenv("GITHUB_TOKEN"), os.Getenv("GH_TOKEN"))
	if token == "" {
		return usage(errors.New("there is no token: set GITHUB_TOKEN to one that may write contents, pull requests and workflows of " + name))
	}
	forge, err := github.WithToken(github.Config{BaseURL: cmp.Or(f.api, os.Getenv("GITHUB_API_URL")), Log: a.log(cmd.ErrOrStderr())}, repo, token)
	if err != nil {
		return usage(err)
	}
	return f.propose(cmd, forge, repo, p)
}

func (f *installFlags) propose(cmd *cobra.Command, forge *github.Forge, repo bot.Repo, p github.Proposal) error {
	do := forge.Propose
	if f.dry {
		do = func(ctx context.Context, repo bot.Repo, p github.Proposal) (out github.Proposed, err error) {
			out.Base, out.Notes, err = forge.Look(ctx, repo, p.Fork)
			return out, err
		}
	}
	got, err := do(cmd.Context(), repo, p)
	if errors.Is(err, github.ErrOdd) || errors.Is(err, bot.ErrGone) {
		return &exitError{exitBad, err}
	}
	if err != nil {
		return err
	}
	if f.asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]any{
			"repository": repo.String(), "base": got.Base, "pull_request": got.URL, "opened": got.Opened, "changed": got.Changed, "notes": got.Notes,
		})
	}
	for _, n := range got.Notes {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s: %s\n", repo, n)
	}
	out := cmd.OutOrStdout()
	switch {
	case f.dry:
		fmt.Fprintf(out, "would propose to %s of %s:\n", got.Base, repo)
		for n := range p.Files {
			fmt.Fprintln(out, "  "+n)
		}
	case got.URL == "":
		fmt.Fprintf(out, "%s has them all on %s\n", repo, got.Base)
	case got.Opened:
		fmt.Fprintf(out, "opened %s\n", got.URL)
	default:
		fmt.Fprintf(out, "%s is open and up to date\n", got.URL)
	}
	return nil
}

func installBody(names []string) string {
	var b strings.Builder
	b.WriteString("These are the workflow files of ortest, as `ortest workflows render` writes them; `ortest workflows check` finds nothing in them.\n\n")
	for _, n := range names {
		fmt.Fprintf(&b, "- `%s`: %s\n", n, map[string]string{
			"ortest.yml":         "dispatched by the bot, one job per piece",
			"ortest-comment.yml": "without the bot: a comment `/ortest …` starts it",
			"ortest-release.yml": "without the bot: a push to a release branch starts it, in stages",
			"ortest-nightly.yml": "without the bot: tests the default branch by the clock",
		}[n])
	}
	b.WriteString("\nThose without the bot do nothing until the repository's variable `ORTEST_WITHOUT_BOT` is `true`.\n")
	return b.String()
}
