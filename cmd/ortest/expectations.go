package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/expect"
	"github.com/ortest/ortest/report/suite"
)

func (a *app) expectations() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "expectations",
		Short:   "Keep the lists of known failures in order",
		Example: "  ortest expectations lint --mirror ./repos\n  ortest expectations test run.log.gz",
		Args:    knownCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.expectationsImport(), a.expectationsLint(), a.expectationsTest())
	return cmd
}

// importHeader is what the imported files begin with; the licence asks for it.
var importHeader = []string{
	"Known failures of %s, carried over from the white list of openresty/opsboy,",
	"misc/logs/parse-logs at d61ccb5, by ortest expectations import.",
	"Copyright (c) Yichun Zhang, OpenResty Inc. BSD-2-Clause: see LICENSE-opsboy.txt.",
}

// importFlags are those of ortest expectations import.
type importFlags struct {
	out, data, since, overlay string
	dirs                      suite.Folders
	asJSON                    bool
}

func (a *app) expectationsImport() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Carry the old white list over, one file a project",
		Long: "Carry the old tool's white list (JSON) over into files of expectations, one a project, and say what could not be carried and why. " +
			"With --mirror each file and title is looked up at the repository's HEAD: what moved is corrected, what is dead is left out.",
		Example: "  ortest expectations import data/expectations.json --out expectations --mirror ./repos",
		Args:    oneArg("name one file, or - for the standard input"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.importExpectations(cmd, f, args[0]) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.out, "out", "", "write the files to `DIR` (default DATA/expectations, where judge finds them)")
	fl.StringVar(&f.data, "data", defaultData(""), "the data directory is `DIR`, whose catalog in force is taken, too")
	fl.StringVar(&f.since, "since", "", "the entries hold from `DATE` (default today)")
	fl.StringArrayVar((*[]string)(&f.dirs), "mirror", nil, "look files and titles up in the git repositories in `DIR`")
	fl.BoolVar(&f.asJSON, "json", false, "write JSON instead of text")
	catalogFlag(cmd, &f.overlay)
	return cmd
}

func (a *app) importExpectations(cmd *cobra.Command, f importFlags, file string) error {
	in := expect.Importing{Since: time.Now().UTC()}
	if f.since != "" {
		var err error
		if in.Since, err = time.Parse(time.DateOnly, f.since); err != nil {
			return usage(fmt.Errorf("--since %q: want a date such as 2026-01-31", shortened(f.since)))
		}
	}
	text, err := readInput(cmd, file)
	if err != nil {
		return fmt.Errorf("import expectations: %w", err)
	}
	c, err := catalogIn(f.overlay, f.data)
	if err != nil {
		return err
	}
	src := upstream{cmd: cmd, catalog: c, dirs: f.dirs}
	in.Modes = src.modes
	if len(f.dirs) > 0 {
		in.Source = src.census
	}
	imported, err := expect.Import(text, in)
	if err != nil {
		return usage(fmt.Errorf("%s: %w; nothing was imported", file, err))
	}
	if src.failed != nil {
		return src.failed
	}
	out := cmp.Or(f.out, filepath.Join(f.data, "expectations"))
	if err := writeExpectations(out, imported); err != nil {
		return err
	}
	if f.asJSON {
		return writeJSON(cmd.OutOrStdout(), importReport{imported.Total, imported.Carried, len(imported.Entries), out, imported.Notes})
	}
	return a.told(cmd.OutOrStdout(), out, imported)
}

type importReport struct {
	Entries  int           `json:"entries"`
	Carried  int           `json:"carried"`
	Projects int           `json:"projects"`
	Out      string        `json:"out"`
	Notes    []expect.Note `json:"notes"`
}

// writeExpectations writes the files after it has read each as a judge would.
func writeExpectations(dir string, in expect.Imported) error {
	files := make(map[string][]byte)
	for _, project := range slices.Sorted(maps.Keys(in.Entries)) {
		header := slices.Clone(importHeader)
		header[0] = fmt.Sprintf(header[0], project)
		name := filepath.Join(dir, project+".yaml")
		files[name] = expect.Write(header, in.Entries[project])
		if _, err := report.ReadExpectations(name, files[name]); err != nil {
			return fmt.Errorf("import expectations: what was made cannot be read: %w", err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write expectations: %w; choose another directory with --out", err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(name, files[name], 0o644); err != nil {
			return fmt.Errorf("write expectations: %w; choose another directory with --out", err)
		}
	}
	return nil
}

// told prints what was carried, what was not, and why.
func (a *app) told(w io.Writer, dir string, in expect.Imported) error {
	if a.quiet {
		return nil
	}
	fmt.Fprintf(w, "%d of %d entries carried, in %d files in %s\n", in.Carried, in.Total, len(in.Entries), shownText(dir))
	dropped, causes := make(map[string]int), make(map[string]int)
	for _, n := range in.Notes {
		if n.Dropped {
			dropped[n.Cause]++
		} else {
			causes[n.Cause]++
		}
	}
	for _, cause := range slices.Sorted(maps.Keys(dropped)) {
		fmt.Fprintf(w, "not carried, %s: %d\n", cause, dropped[cause])
	}
	for _, cause := range slices.Sorted(maps.Keys(causes)) {
		fmt.Fprintf(w, "carried with a change, %s: %d\n", cause, causes[cause])
	}
	for _, n := range in.Notes {
		verb := "carried as " + n.ID
		if n.Dropped {
			verb = "not carried"
		}
		fmt.Fprintf(w, "entry %d (%s) %s: %s\n", n.Number, shownText(n.Project), verb, shownText(n.Text))
	}
	return nil
}
