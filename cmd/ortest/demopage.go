package main

import (
	"context"
	"net/http"

	"github.com/ortest/ortest/examples"
	"github.com/ortest/ortest/internal/githubtest/page"
	"github.com/ortest/ortest/runnerfleet"
)

// handler serves everything of the demo at one address: the bot's own
// interface, the pull request's page, and the stand-in's.
func (d *demo) handler() http.Handler {
	d.sys.http.Handle("/", d.gh.Handler())
	return page.Handler(page.Config{
		GitHub: d.gh, Repo: demoRepo, Pull: d.pull, Log: d.log,
		Writers: []page.Writer{{Login: demoMaintainer, Role: "maintainer"}, {Login: demoStranger, Role: "stranger"}},
		Examples: []page.Example{
			{Text: "/ortest hello", Note: "test everything"},
			{Text: "/ortest plan hello", Note: "only show what it would take"},
			{Text: "/ortest -t 20 hello", Note: "on more machines"},
			{Text: "/ortest status"}, {Text: "/ortest cancel"}, {Text: "/ortest help"},
			{Text: "/ortest t-helo", Note: "a typo"}, {Text: "/ortest -a sparc hello", Note: "an arch that nobody has"},
		},
		Variants: []page.Variant{
			{Name: examples.Good, Note: "only the known failure"},
			{Name: "fail", Note: "one block fails"},
			{Name: "memory", Note: "an invalid read that only valgrind sees"},
			{Name: "leak", Note: "memory that only the leak check sees grow"},
		},
		Current:  d.current,
		Switch:   d.change,
		Machines: d.machines,
	}, d.sys.http)
}

func (d *demo) current() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.variant
}

func (d *demo) change(ctx context.Context, variant string) error {
	if _, err := pushVariant(ctx, d.gh, variant); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.variant = variant
	return nil
}

func (d *demo) machines(ctx context.Context) ([]page.Machine, error) {
	all, err := d.sys.store.Instances(ctx)
	var live []page.Machine
	for _, in := range all {
		if in.State != runnerfleet.Gone {
			live = append(live, page.Machine{ID: in.ID, State: string(in.State), Bucket: in.Bucket, Since: in.LaunchedAt})
		}
	}
	return live, err
}
