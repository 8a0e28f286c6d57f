package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/report/expect"
	"github.com/ortest/ortest/report/suite"
)

func (a *app) expectationsLint() *cobra.Command {
	var j judging
	var dirs suite.Folders
	var at string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lint [LOG…]",
		Short: "Say which known failures are dead, double, too wide or not needed",
		Long: "Check the files of expectations, those of --expectations or all that judge would take: what cannot be read, doubles, entries that another shadows, " +
			"that cover too much, that have expired. With --mirror or --at each file and title is looked up in the projects' repositories, with the likely new title; with logs, " +
			"what covers nothing in them, or more than its budget, is told. Each line begins with FILE:LINE:COLUMN. The exit code is 1 if anything but a warning is found.",
		Example: "  ortest expectations lint --mirror ./repos\n  ortest expectations lint --at v0.10.29 --expectations ours --mirror ./repos run.log.gz",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := j.open(cmd); err != nil {
				return err
			}
			runs, err := j.runs(cmd, args)
			if err != nil {
				return err
			}
			if at != "" && len(dirs) == 0 {
				dirs = suite.Folders{"."}
			}
			src := upstream{cmd: cmd, catalog: j.catalog, dirs: dirs, rev: at}
			problems, n, err := j.lint(&src, runs)
			if err = errors.Join(err, src.failed); err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), problems)
			} else {
				err = a.problems(cmd, problems, n)
			}
			if err == nil && slices.ContainsFunc(problems, func(p expect.Problem) bool { return !p.Warning }) {
				err = errBadVerdict
			}
			return err
		},
	}
	j.listFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&at, "at", "", "look files and titles up at the revision `REF` (default HEAD)")
	f.StringArrayVar((*[]string)(&dirs), "mirror", nil, "look files and titles up in the git repositories in `DIR` (default the current directory, with --at)")
	f.BoolVar(&asJSON, "json", false, "write JSON instead of lines")
	return cmd
}

// listFlags are those of commands that are about the lists, not about verdicts.
func (j *judging) listFlags(cmd *cobra.Command) {
	j.flags(cmd)
	for _, name := range []string{"base", "same", "old-is-known", "goals", "sources"} {
		if err := cmd.Flags().MarkHidden(name); err != nil {
			panic(err) // flags has just defined it
		}
	}
}

// lint checks each file and returns how many there were.
func (j *judging) lint(src *upstream, runs map[string][]expect.Run) ([]expect.Problem, int, error) {
	problems := []expect.Problem{}
	projects, err := j.projects()
	if err != nil {
		return nil, 0, err
	}
	for _, project := range projects {
		name, text, err := j.expectationFile(project)
		if err != nil {
			return nil, 0, err
		}
		in := expect.Linting{Now: j.now, Modes: src.modes(project), Runs: runs[project]}
		if len(src.dirs) > 0 {
			files, ok := src.census(project)
			if in.Files = files; !ok {
				problems = append(problems, expect.Problem{Place: name + ":1:1", Cause: "not looked up", Text: "no repository of " + project + " is at hand", Warning: true})
			}
		}
		problems = append(problems, expect.Lint(name, text, in)...)
	}
	return problems, len(projects), nil
}

// projects are those that have a file: in the directory that was named, or in
// any place where judge looks.
func (j *judging) projects() ([]string, error) {
	var all []string
	dirs := []string{j.expectations}
	if j.expectations == "" {
		dirs = []string{filepath.Join(j.data, "expectations")}
		for _, p := range j.catalog.Projects() {
			if _, ok := j.catalog.Expectations(p.Name); ok {
				all = append(all, p.Name)
			}
		}
	}
	for _, dir := range dirs {
		files, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, usage(fmt.Errorf("read expectations: %w", err))
		}
		for _, f := range files {
			if project, ok := strings.CutSuffix(f.Name(), ".yaml"); ok {
				all = append(all, project)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// runs judges logs and sorts what they tell by project.
func (j *judging) runs(cmd *cobra.Command, args []string) (map[string][]expect.Run, error) {
	all := make(map[string][]expect.Run)
	if len(args) == 0 {
		return all, nil
	}
	logs, err := j.logs(cmd, args)
	if err != nil {
		return nil, err
	}
	for _, l := range logs {
		for i, g := range l.Results {
			_, project, _ := strings.Cut(g.Goal, "-")
			r := expect.Run{Log: l.Name, Arch: l.Log.Arch, Result: g}
			for _, f := range l.Log.Records[i].Files {
				r.Files = append(r.Files, f.Path)
			}
			all[project] = append(all[project], r)
		}
	}
	return all, nil
}

func (a *app) problems(cmd *cobra.Command, all []expect.Problem, files int) error {
	w := cmd.OutOrStdout()
	bad := 0
	for _, p := range all {
		kind := "warning: "
		if !p.Warning {
			bad++
			kind = ""
		} else if a.quiet {
			continue
		}
		id := ""
		if p.ID != "" {
			id = p.ID + ": "
		}
		if _, err := fmt.Fprintf(w, "%s: %s%s%s: %s\n", p.Place, kind, id, p.Cause, shownText(p.Text)); err != nil {
			return err
		}
	}
	if a.quiet {
		return nil
	}
	_, err := fmt.Fprintf(w, "%d files, %d problems, %d warnings\n", files, bad, len(all)-bad)
	return err
}
