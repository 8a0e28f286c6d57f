package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/expect"
	"github.com/ortest/ortest/report/suite"
)

// expectations carries the white list over, as expectations import does. A
// project's file begins with what the catalog has: a file of an overlay takes the
// place of the built-in one.
func (m *migration) expectations(cmd *cobra.Command, dirs suite.Folders) error {
	file := m.from.tool(oldList)
	part := migratedPart{Name: "expectations", Source: file}
	defer func() { m.Parts = append(m.Parts, part) }()
	text, ok, err := m.from.read(file)
	if err != nil {
		return err
	}
	if !ok {
		part.missing("it is not there: the known failures are the catalog's")
		return nil
	}
	all, left, line, err := oldEntries(text, file)
	if err != nil {
		return err
	}
	part.Source, part.Found = fmt.Sprintf("%s:%d", file, line), len(all)+len(left)
	part.leave(left...)
	list, err := asList(all)
	if err != nil {
		return err
	}
	src := upstream{cmd: cmd, catalog: m.catalog, dirs: dirs}
	in := expect.Importing{Since: time.Now().UTC(), Modes: src.modes}
	if len(dirs) > 0 {
		in.Source = src.census
	}
	imported, err := expect.Import(list, in)
	if err != nil {
		return broken(file, err)
	}
	if src.failed != nil {
		return src.failed
	}
	known, err := m.sortEntries(&imported, all, &part)
	if err != nil {
		return err
	}
	m.notes(imported, all, known, &part)
	return nil
}

// sortEntries writes the entries that the catalog lacks and returns the numbers of
// the others. An entry's id ends with a sum of what the old one says, so that
// one that was corrected since is known all the same.
func (m *migration) sortEntries(in *expect.Imported, all []oldEntry, part *migratedPart) (known map[int]bool, err error) {
	file := m.from.tool(oldList)
	known = make(map[int]bool)
	for _, project := range slices.Sorted(maps.Keys(in.Entries)) {
		entries := in.Entries[project]
		text, _ := m.catalog.Expectations(project)
		exps, err := report.ReadExpectations("expectations/"+project+".yaml", text)
		if err != nil {
			return nil, err
		}
		sums := make(map[string]bool)
		for _, e := range exps {
			sums[sumOf(e.ID)] = true
		}
		var fresh []expect.Entry
		for _, e := range entries {
			line := all[e.From-1].line
			if known[e.From] = sums[sumOf(e.ID)]; known[e.From] {
				part.know(noteAt(lineOf(file, line), numbered(e.From, project), "known already", "the catalog has it"))
				continue
			}
			e.Issue = fmt.Sprintf("https://github.com/openresty/opsboy/blob/%s/misc/logs/%s#L%d", m.Revision, oldList, line)
			e.Reason = fmt.Sprintf("Line %d of opsboy's white list, which gives no reason for it.", line)
			fresh = append(fresh, e)
		}
		merged, fresh, covered := merge(project, text, fresh)
		for _, number := range slices.Sorted(maps.Keys(covered)) {
			part.leave(noteAt(lineOf(file, all[number-1].line), numbered(number, project), "covered by the catalog's", covered[number]))
		}
		for _, e := range fresh {
			part.carry(noteAt(lineOf(file, all[e.From-1].line), numbered(e.From, project), "carried as "+e.ID, e.Test))
		}
		if len(fresh) > 0 {
			m.overlay["expectations/"+project+".yaml"] = merged
		}
	}
	return known, nil
}

// merge makes a project's file: what the catalog has, as it is, and then the new
// entries but for those that the catalog's cover, which are returned by their numbers.
func merge(project string, text []byte, fresh []expect.Entry) (file []byte, rest []expect.Entry, covered map[int]string) {
	header := []string{
		fmt.Sprintf("Known failures of %s. Those of class imported were carried over by ortest migrate from", project),
		"opsboy's white list. Copyright (c) Yichun Zhang, OpenResty Inc. BSD-2-Clause: see opsboy's README.",
	}
	if len(text) > 0 {
		header = []string{"", "Carried over by ortest migrate, beside what the built-in catalog has (above):"}
		text = append(text, '\n')
	}
	covered = make(map[int]string)
	for {
		file = append(slices.Clone(text), expect.Write(header, fresh)...)
		n := len(fresh)
		for _, p := range expect.Lint(project, file, expect.Linting{Now: time.Now()}) {
			at := slices.IndexFunc(fresh, func(e expect.Entry) bool { return e.ID == p.ID })
			if at >= 0 && (p.Cause == "duplicate" || p.Cause == "shadowed") {
				covered[fresh[at].From] = p.Text
				fresh = slices.Delete(fresh, at, at+1)
			}
		}
		if len(fresh) == n {
			return file, fresh, covered
		}
	}
}

func numbered(number int, project string) string { return fmt.Sprintf("%d (%s)", number, project) }

// sumOf is the end of an imported entry's id.
func sumOf(id string) string { return id[strings.LastIndexByte(id, '-')+1:] }

// notes says of each old entry what the importer says of it.
func (m *migration) notes(in expect.Imported, all []oldEntry, known map[int]bool, part *migratedPart) {
	for _, n := range in.Notes {
		note := noteAt(lineOf(m.from.tool(oldList), all[n.Number-1].line), numbered(n.Number, n.Project), n.Cause, n.Text)
		switch {
		case n.Dropped:
			part.leave(note)
		case !known[n.Number]:
			part.say(note)
		}
	}
}
