package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ortest/ortest/bot"
	releases "github.com/ortest/ortest/bot/release"
	"github.com/ortest/ortest/examples"
	"github.com/ortest/ortest/internal/githubtest"
)

// demoRelease is the demo's release branch.
const demoRelease = "release-1.x"

// demoRules have the demo's release branch tested in every mode that hello has.
func demoRules() []releases.Rule {
	return []releases.Rule{{Repository: demoRepo, Branches: []string{"release-*"}, Targets: []string{"t-hello", "tv-hello", "th-hello"}}}
}

// seedRelease makes the release branch at what main is, unless it is there.
func seedRelease(ctx context.Context, gh *githubtest.Server) error {
	if gh.HasBranch(ctx, demoRepo, demoRelease) {
		return nil
	}
	files, err := exampleFiles("hello", examples.Good)
	if err != nil {
		return err
	}
	_, err = gh.Push(ctx, githubtest.Commit{
		Repo: demoRepo, Branch: demoRelease, From: "main", Author: demoMaintainer, Files: files, Whole: true, Message: "Begin " + demoRelease,
	})
	return err
}

// pushRelease puts a variant of the example project on the release branch.
func pushRelease(ctx context.Context, gh *githubtest.Server, variant string) (sha string, err error) {
	files, err := exampleFiles("hello", variant)
	if err != nil {
		return "", err
	}
	files["RELEASE.md"] = githubtest.File{Data: fmt.Appendf(nil, "# %s\n\nThe %s variant of the demo.\n", demoRelease, variant)}
	return gh.Push(ctx, githubtest.Commit{
		Repo: demoRepo, Branch: demoRelease, From: "main", Author: demoMaintainer, Files: files, Whole: true,
		Message: fmt.Sprintf("Release %s\n\nThe %s variant.", demoRelease, variant),
	})
}

// onceRelease pushes to the release branch, waits for what becomes of it, and prints
// the release's table.
func (d *demo) onceRelease(ctx context.Context) error {
	// What is there at the first look is only noted: that look comes before the push.
	if err := d.sys.releases.Sweep(ctx); err != nil {
		return err
	}
	head, err := pushRelease(ctx, d.gh, d.release)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.err, "pushed %.12s to %s\n", head, demoRelease)
	if err := d.sys.releases.Sweep(ctx); err != nil {
		return err
	}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for said := ""; ; {
		t, over, err := d.releaseOver(ctx, head)
		if err != nil {
			return err
		}
		if now := fmt.Sprintf("release %s: %s", demoRelease, t.State); now != said && t.State != "" {
			said = now
			fmt.Fprintln(d.err, now)
		}
		if over {
			fmt.Fprintf(d.out, "%s at %s: %s\n\n%s", t.Ref, t.Head, t.State, t.Markdown())
			if t.State != "good" {
				return errBadVerdict
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
}

// releaseOver returns the table of the release branch, and whether it is final: the
// runs of the commit are closed, and so are their machines.
func (d *demo) releaseOver(ctx context.Context, head string) (t releases.Table, over bool, err error) {
	runs, err := d.sys.store.RecentRuns(ctx, 50)
	if err != nil {
		return t, false, err
	}
	some := false
	for _, r := range runs {
		if r.Head == head && r.Base == demoRelease {
			some = true
			if r.State != bot.Closed {
				return t, false, nil
			}
			t, err = d.sys.releases.Table(ctx, r.Repo, demoRelease)
		}
	}
	return t, some && err == nil, err
}
