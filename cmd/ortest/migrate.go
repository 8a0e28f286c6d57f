package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report/suite"
)

// migration carries what a checkout of the old tools knows over into files that
// ortest reads.
type migration struct {
	from    oldCheckout
	catalog *catalog.Catalog  // the built-in one, and from the projects on with those carried over
	overlay map[string][]byte // files of a catalog, by path
	fleet   oldFleet
	migrationReport
}

func (a *app) migrate() *cobra.Command {
	var out string
	var dirs suite.Folders
	var asJSON, dry bool
	cmd := &cobra.Command{
		Use:   "migrate DIR",
		Short: "Carry over what a checkout of opsboy knows: durations, known failures, images, projects",
		Long: "Read a checkout of openresty/opsboy, without running anything of it, and write what ortest reads: " +
			"data/history.jsonl from ast.json, catalog/expectations from the white list in parse-logs, catalog/projects from gen-user-data where " +
			"the catalog lacks a project, and ortest.yaml with the machines of run-node. What was carried, what was known already, and what was left and why " +
			"is printed with file and line. The whole is written or nothing.\n\n" +
			"With --mirror each test file and title of the white list is looked up at the repository's HEAD: what moved is corrected, what is dead is left out.",
		Example: "  ortest migrate ~/opsboy --out ./carried-over\n  ortest migrate ~/opsboy --dry-run --json\n  ortest migrate ~/opsboy --mirror ./repos",
		Args:    oneArg("name one directory, a clone of openresty/opsboy"),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := openOpsboy(args[0])
			if err != nil {
				return err
			}
			m := migration{from: from, overlay: make(map[string][]byte)}
			m.From, m.Revision = args[0], from.revision()
			switch {
			case dry:
			case out == "":
				return usage(errors.New("--out names no directory; --dry-run writes nothing"))
			default:
				m.Out = out
			}
			if err := m.run(cmd, dirs); err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), m.migrationReport)
			}
			return a.migrated(cmd.OutOrStdout(), m.migrationReport)
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "ortest-migrated", "write to `OUT`, a directory that is not there yet or is empty")
	f.StringArrayVar((*[]string)(&dirs), "mirror", nil, "look test files and titles up in the git repositories in `DIR`")
	f.BoolVar(&asJSON, "json", false, "write the report as JSON")
	f.BoolVar(&dry, "dry-run", false, "write nothing, only report")
	return cmd
}

// run makes everything beside the place where it belongs, and moves it there when
// it is whole.
func (m *migration) run(cmd *cobra.Command, dirs suite.Folders) (err error) {
	beside := ""
	if m.Out != "" {
		if err := vacant(m.Out); err != nil {
			return err
		}
		beside = existing(m.Out)
	}
	next, err := os.MkdirTemp(beside, ".ortest-migrate-")
	if err != nil {
		return usage(fmt.Errorf("--out: make a folder: %w; choose another directory", err))
	}
	defer func() { err = errors.Join(err, os.RemoveAll(next)) }()
	if m.catalog, err = catalog.Default(); err != nil {
		return err
	}
	if err := m.carry(cmd, next, dirs); err != nil {
		return err
	}
	if err := m.check(next); err != nil {
		return err
	}
	err = filepath.WalkDir(next, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, err = filepath.Rel(next, name)
			m.Written = append(m.Written, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil || m.Out == "" {
		return err
	}
	return m.place(cmd.Context(), next)
}

// carry reads part by part and writes below dir. The projects come first: what else
// is known may be of them.
func (m *migration) carry(cmd *cobra.Command, dir string, dirs suite.Folders) error {
	overlay := filepath.Join(dir, "catalog")
	if err := m.projects(); err != nil {
		return err
	}
	if err := m.write(overlay); err != nil {
		return err
	}
	if len(m.overlay) > 0 {
		c, err := catalog.Load(os.DirFS(overlay))
		if err != nil {
			return usage(fmt.Errorf("the projects of %s make no catalog; nothing was written:\n%w", m.from.tool(oldGoals), err))
		}
		m.catalog = c
	}
	if err := m.durations(cmd.Context(), filepath.Join(dir, "data")); err != nil {
		return err
	}
	if err := m.expectations(cmd, dirs); err != nil {
		return err
	}
	if err := m.images(); err != nil {
		return err
	}
	m.sort()
	if err := m.write(overlay); err != nil {
		return err
	}
	return m.configure(dir)
}

// write writes the files of the catalog.
func (m *migration) write(dir string) error {
	for _, name := range slices.Sorted(maps.Keys(m.overlay)) {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return fmt.Errorf("write catalog: %w", err)
		}
		if err := os.WriteFile(full, m.overlay[name], 0o644); err != nil {
			return fmt.Errorf("write catalog: %w", err)
		}
	}
	return nil
}

// durations carries ast.json over, as history import does.
func (m *migration) durations(ctx context.Context, dir string) error {
	file := m.from.tool(oldDurations)
	part := migratedPart{Name: "durations", Source: file}
	defer func() { m.Parts = append(m.Parts, part) }()
	text, ok, err := m.from.read(file)
	if err != nil {
		return err
	}
	if !ok {
		part.missing("it is not there: git ignores it, so it is only where the old reports are made. Copy it here, or make it there with ./gen-report ortest")
		return nil
	}
	var alone plan.History
	if part.Found, err = addDurations(&alone, []byte(text)); err != nil {
		return broken(file, err)
	}
	history := historyFile{dir: dir}
	err = history.update(ctx, func(h *plan.History) error {
		_, err := addDurations(h, []byte(text))
		return err
	})
	if err != nil {
		return err
	}
	part.Carried = part.Found
	for _, text := range m.catalog.Strays(&alone) {
		part.say(noteAt(lineOf(file, 0), "", "no plan will use them", text))
	}
	return os.Remove(history.path() + ".lock")
}

// check reads everything that was made as its users will.
func (m *migration) check(dir string) error {
	if len(m.overlay) > 0 {
		c, err := catalog.Load(os.DirFS(filepath.Join(dir, "catalog")))
		if err == nil {
			err = readExpectations(c)
		}
		if err != nil {
			return fmt.Errorf("what was carried over makes no catalog, and nothing was written:\n%w", err)
		}
	}
	if len(m.fleet.Images) > 0 {
		if _, err := readServeConfig(filepath.Join(dir, "ortest.yaml")); err != nil {
			return fmt.Errorf("what was carried over makes no configuration, and nothing was written: %w", err)
		}
	}
	return nil
}

// vacant refuses a place where something is.
func vacant(out string) error {
	all, err := os.ReadDir(out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return usage(fmt.Errorf("--out: %w; choose another directory", err))
	case len(all) > 0:
		return usage(fmt.Errorf("--out: %s is not empty, and nothing in it is touched; choose another directory, or move it away", shownText(out)))
	}
	return nil
}

// existing is the nearest directory above a place that is there.
func existing(name string) string {
	for dir := filepath.Dir(filepath.Clean(name)); ; dir = filepath.Dir(dir) {
		if checkDir(dir) == nil || dir == filepath.Dir(dir) {
			return dir
		}
	}
}

// place moves what was made to where it belongs. Only an empty directory gives way.
func (m *migration) place(ctx context.Context, next string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Chmod(next, 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(m.Out)), 0o755); err != nil {
		return usage(fmt.Errorf("--out: %w; choose another directory", err))
	}
	if err := os.Remove(m.Out); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make room for what was carried over: %w; nothing was written", err)
	}
	if err := os.Rename(next, m.Out); err != nil {
		return fmt.Errorf("put in place what was carried over: %w; nothing was written", err)
	}
	return nil
}
