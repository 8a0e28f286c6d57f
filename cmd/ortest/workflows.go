package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/ortest/ortest/workflows"
)

func (a *app) workflows() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "workflows",
		Short: "The workflow files: fill, check and install them",
		Long: "The workflow files. ortest.yml is what the bot dispatches. ortest-comment.yml, ortest-release.yml and ortest-nightly.yml are for those " +
			"who have no bot: they do nothing until the repository's variable ORTEST_WITHOUT_BOT is \"true\".\n\n" +
			"Settings stand in the repository's " + workflows.SettingsFile + "; each key has a flag of its name or a default.",
		Example: "  ortest workflows render --out .\n  ortest workflows check\n  ortest workflows install OWNER/NAME",
		Args:    knownCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.workflowsRender(), a.workflowsCheck(), a.workflowsInstall())
	return cmd
}

// renderFlags are the settings as flags.
type renderFlags struct {
	file     string
	settings workflows.Settings
}

func (f *renderFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.file, "settings", "", "read the settings from `FILE`; "+workflows.SettingsFile+" when there is one")
	fl.StringVar(&f.settings.Commit, "commit", "", "pin ortest to this full `SHA`; the one that this binary is made of, if it knows")
	fl.StringVar(&f.settings.Version, "version", "", "what that commit is called, for people")
	fl.StringVar(&f.settings.Source, "source", "", "ortest's own repository, `OWNER/NAME`")
	fl.StringVar(&f.settings.Cloud, "cloud", "", "where the files without a bot test: ec2, hosted or local")
	fl.StringVar(&f.settings.Runner, "runner", "", "`LABEL` of GitHub's own runners")
	fl.StringVar(&f.settings.Environment, "environment", "", "the protected environment that holds the secrets")
	fl.StringSliceVar(&f.settings.Branches, "branches", nil, "release branches, as patterns")
	fl.StringSliceVar(&f.settings.Tags, "tags", nil, "release tags, as patterns")
	fl.StringVar(&f.settings.Targets, "targets", "", "flags and targets of a release")
	fl.StringVar(&f.settings.Nightly, "nightly", "", "flags and targets of a night")
	fl.StringVar(&f.settings.Cron, "cron", "", "when a night begins, as cron writes it")
}

// read returns the settings: flags over the file over what this binary knows of itself.
func (f *renderFlags) read(cmd *cobra.Command) (workflows.Settings, error) {
	var s workflows.Settings
	name := f.file
	if name == "" {
		name = workflows.SettingsFile
	}
	raw, err := os.ReadFile(name)
	switch {
	case err == nil:
		if err := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict()).Decode(&s); err != nil && !errors.Is(err, io.EOF) {
			return s, fmt.Errorf("read %s: %w", name, err)
		}
	case f.file != "" || !errors.Is(err, fs.ErrNotExist):
		return s, fmt.Errorf("read settings: %w", err)
	}
	g := f.settings
	for flag, set := range map[string]func(){
		"commit": func() { s.Commit = g.Commit }, "version": func() { s.Version = g.Version }, "source": func() { s.Source = g.Source },
		"cloud": func() { s.Cloud = g.Cloud }, "runner": func() { s.Runner = g.Runner }, "environment": func() { s.Environment = g.Environment },
		"branches": func() { s.Branches = g.Branches }, "tags": func() { s.Tags = g.Tags }, "targets": func() { s.Targets = g.Targets },
		"nightly": func() { s.Nightly = g.Nightly }, "cron": func() { s.Cron = g.Cron },
	} {
		if cmd.Flags().Changed(flag) {
			set()
		}
	}
	if s.Commit == "" {
		if s.Commit = ownCommit(); s.Commit == "" {
			return s, errors.New("this binary does not know its commit: say which one of ortest the files are to use, --commit SHA")
		}
	}
	return s, s.Validate()
}

// ownCommit returns the commit that this binary was made of, "" when that is
// not known, or when it holds changes that no commit has.
func ownCommit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	commit := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			return ""
		}
	}
	return commit
}

// chosen returns the named files, or all.
func chosen(names []string) ([]string, error) {
	if len(names) == 0 {
		return workflows.Names(), nil
	}
	for _, n := range names {
		if !slices.Contains(workflows.Names(), n) {
			return nil, fmt.Errorf("there is no workflow file %q; there are %s", n, strings.Join(workflows.Names(), ", "))
		}
	}
	return names, nil
}

func (a *app) workflowsRender() *cobra.Command {
	var f renderFlags
	var out string
	cmd := &cobra.Command{
		Use:     "render [NAME…]",
		Short:   "Write the workflow files, filled with the repository's settings",
		Long:    "Write the workflow files, filled with the repository's settings: into DIR/" + workflows.Folder + " with --out, else to the standard output.",
		Example: "  ortest workflows render --out .\n  ortest workflows render --cloud hosted --commit 0123456789abcdef0123456789abcdef01234567 ortest-comment.yml",
		RunE: func(cmd *cobra.Command, args []string) error {
			names, err := chosen(args)
			if err != nil {
				return usage(err)
			}
			s, err := f.read(cmd)
			if err != nil {
				return usage(err)
			}
			for i, name := range names {
				text, err := workflows.Render(name, s)
				if err != nil {
					return err
				}
				if out == "" {
					if len(names) > 1 {
						fmt.Fprintf(cmd.OutOrStdout(), "%s# %s%s\n", map[bool]string{true: "---\n"}[i > 0], workflows.Folder, name)
					}
					if _, err := cmd.OutOrStdout().Write(text); err != nil {
						return err
					}
					continue
				}
				if err := putFile(filepath.Join(out, workflows.Folder, name), text); err != nil {
					return err
				}
				if !a.quiet {
					fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(out, workflows.Folder, name))
				}
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&out, "out", "", "write below `DIR`, the repository's top")
	return cmd
}

func putFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write workflow files: %w", err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("write workflow files: %w", err)
	}
	return nil
}

func (a *app) workflowsCheck() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [FILE|DIR…]",
		Short: "Say what is wrong in workflow files, with file:line:column",
		Long: "Say what is wrong in workflow files: what actionlint finds, and our own rules. Actions are pinned by commit and images by digest, permissions name what is needed and no more, " +
			"no expression stands in a script, no person's text becomes the environment of later steps, every job has a timeout and a concurrency group. Without arguments those of " + workflows.Folder + " are read, and of a directory its .yml and .yaml files; " +
			"- is the standard input. Exit code 1 when something is found.",
		Example: "  ortest workflows check\n  ortest workflows check --json .github/workflows/ci.yml",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{filepath.Clean(workflows.Folder)}
			}
			files, err := workflowFiles(args)
			if err != nil {
				return usage(err)
			}
			found := []workflows.Finding{}
			for _, name := range files {
				text, err := readWorkflow(cmd, name)
				if err != nil {
					return usage(err)
				}
				some, err := workflows.Check(name, text)
				if err != nil {
					return usage(err)
				}
				found = append(found, some...)
			}
			if asJSON {
				if err := writeJSON(cmd.OutOrStdout(), found); err != nil {
					return err
				}
			}
			for _, f := range found {
				if !asJSON {
					fmt.Fprintln(cmd.OutOrStdout(), f)
				}
			}
			if len(found) > 0 {
				return errBadVerdict
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON instead of lines")
	return cmd
}

func readWorkflow(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(name)
}

// workflowFiles returns the files that arguments mean. A directory without any is
// an error: a check of nothing finds nothing.
func workflowFiles(args []string) (files []string, err error) {
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case arg == "-":
			files = append(files, arg)
		case err != nil:
			return nil, fmt.Errorf("%w; name a workflow file, or a directory with some", err)
		case !info.IsDir():
			files = append(files, arg)
		default:
			var in []string
			for _, pattern := range []string{"*.yml", "*.yaml"} {
				some, err := filepath.Glob(filepath.Join(arg, pattern))
				if err != nil {
					return nil, err
				}
				in = append(in, some...)
			}
			if len(in) == 0 {
				return nil, fmt.Errorf("%s holds no workflow file", arg)
			}
			slices.Sort(in)
			files = append(files, in...)
		}
	}
	return files, nil
}
