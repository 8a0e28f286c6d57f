package main

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/ortest/ortest/bot"
	releases "github.com/ortest/ortest/bot/release"
	"github.com/ortest/ortest/examples"
)

// TestTheButtonsOfARelease presses each of the three, as a stranger and as a
// maintainer. Only the webhook of the push starts the release: nothing sweeps.
func TestTheButtonsOfARelease(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act, scriptEnv+"="+scriptNews) })
	p.settle(t)
	nothingStarted(t, p) // what was there at the first look is only noted
	head, err := pushRelease(t.Context(), p.gh, examples.Good)
	if err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	if r := p.run(t, 1); r.Head != head || r.Author != "release" {
		t.Fatalf("the push started %+v", r)
	}
	p.releaseIs(t, head, "failure", "1 bad, 2 held")

	for _, button := range []string{"release_refresh", "release_stage", "release_override"} {
		p.pressRelease(t, head, button, demoStranger)
	}
	p.run(t, 1)
	p.releaseIs(t, head, "failure", "1 bad, 2 held")
	if c := p.releaseCheck(t, head); strings.Count(c.Summary, "pressed by `"+demoStranger+"`") != 3 || !strings.Contains(c.Summary, "has the role read") {
		t.Errorf("a stranger is not told why nothing came of it:\n%s", c.Summary)
	}

	p.pressRelease(t, head, "release_stage", demoMaintainer)
	if r := p.run(t, 2); r.Author != demoMaintainer || r.Head != head || !strings.HasSuffix(strings.Join(r.Words, " "), " tv-hello th-hello") {
		t.Errorf("the held stages are %+v", r)
	}
	p.releaseIs(t, head, "failure", "bad")
	p.pressRelease(t, head, "release_refresh", demoMaintainer)
	if r := p.run(t, 3); r.Of != "2" || !maps.Equal(r.Commits, p.runs(t)[1].Commits) {
		t.Errorf("what is bad is tested again by %+v", r)
	}
	p.releaseIs(t, head, "failure", "bad")
	if err := p.gh.RequestAction(p.checkOf(t, head, "ortest / t-hello").ID, "rerun_new", demoMaintainer); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	if r := p.run(t, 4); r.Of == "" || r.Head != head || r.Text != p.runs(t)[1].Text || len(r.Pieces) != 1 {
		t.Errorf("the goal's own button started %+v", r)
	}
	p.releaseIs(t, head, "failure", "bad")
	p.pressRelease(t, head, "release_override", demoMaintainer)
	p.run(t, 4)
	p.releaseIs(t, head, "success", "3 good")
	p.auditHolds(t, "run", "answer", "refuse")
}

// checkOf returns the newest check run of a name on a commit.
func (p *place) checkOf(t *testing.T, head, name string) (found bot.CheckRun) {
	t.Helper()
	all, err := p.sys.forge.CheckRuns(t.Context(), p.runsRepo(t), head)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.Name == name && c.ID > found.ID {
			found = c
		}
	}
	if found.ID == 0 {
		t.Fatalf("no check run %s on %s", name, head)
	}
	return found
}

// releaseCheck returns the check run of a release's commit.
func (p *place) releaseCheck(t *testing.T, head string) bot.CheckRun {
	t.Helper()
	all, err := p.sys.forge.CheckRuns(t.Context(), p.runsRepo(t), head)
	if err != nil {
		t.Fatal(err)
	}
	var found []bot.CheckRun
	for _, c := range all {
		if c.Name == releases.CheckName {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d check runs %s, want one", len(found), releases.CheckName)
	}
	return found[0]
}

func (p *place) releaseIs(t *testing.T, head, conclusion, title string) {
	t.Helper()
	p.await(t, func(context.Context) (string, error) { // it is shown after the run is closed
		c := p.releaseCheck(t, head)
		if c.Conclusion == conclusion && strings.Contains(c.Title, title) {
			return "", nil
		}
		return "the release is " + c.Conclusion + ": " + c.Title, nil
	})
}

func (p *place) pressRelease(t *testing.T, head, button, who string) {
	t.Helper()
	if err := p.gh.RequestAction(p.releaseCheck(t, head).ID, button, who); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
}
