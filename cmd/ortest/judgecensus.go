package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
)

// denominator finds the test files that should have run, so that what a log does
// not tell of has a name: those of the commit that the log is about.
type denominator struct {
	dir     string // of checkouts or repositories; "" is none
	catalog *catalog.Catalog
	say     io.Writer // why a goal goes without
	seen    map[string][]report.TestFile
}

// of returns the test files of a record's goal, nil when they are not at hand.
func (d *denominator) of(ctx context.Context, goal string, rec *report.Record) []report.TestFile {
	g, err := plan.ParseGoal(goal)
	if d.dir == "" || err != nil {
		return nil
	}
	p, _ := d.catalog.Project(g.Project)
	repo, ok := mirrors{d.dir}.find(p)
	key := repo + "\x00" + rec.Commit
	if !ok || rec.Commit == "" {
		key = checkouts(d.dir).of(goal)
	}
	if files, ok := d.seen[key]; ok {
		return files
	}
	var all []report.TestFile
	if ok && rec.Commit != "" {
		all, err = census(ctx, repo, rec.Commit)
	} else {
		all = readTests(key)
	}
	under, _, _ := strings.Cut(p.Test.Glob, "*")
	all = slices.DeleteFunc(all, func(f report.TestFile) bool { return !strings.HasPrefix(f.Path, under) })
	switch {
	case err != nil:
		fmt.Fprintf(d.say, "%s: what did not run is not known: %s\n", goal, shownText(err.Error()))
	case len(all) == 0:
		fmt.Fprintf(d.say, "%s: what did not run is not known: %s has no test file of %s\n", goal, shownText(d.dir), g.Project)
	}
	if d.seen == nil {
		d.seen = make(map[string][]report.TestFile)
	}
	d.seen[key] = all
	return all
}
