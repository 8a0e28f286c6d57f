package main

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
)

// TestARevisionThatACommandNamesIsWhatItsJobRuns has an overlay with a project that
// the catalog in force lacks: with -b it is planned and really run.
func TestARevisionThatACommandNamesIsWhatItsJobRuns(t *testing.T) {
	t.Parallel()
	act, revisions := realAct(t), &catalog.Kept{Dir: t.TempDir()}
	builtIn, err := revisions.Current()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := revisions.Use(fstest.MapFS{"examples/greet.yaml": {Data: []byte("name: greet\ntitle: the first file of hello\n" +
		"kind: nginx-lua\nrepo: https://github.com/ortest-examples/hello\norder: 30\n" +
		"test: {glob: t/001*.t, prove: [-It/lib]}\nfiles:\n  t/001-greet.t: 5\n")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := revisions.Rollback(builtIn.Revision); err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, func(c *systemConfig) {
		machines(c, act)
		c.Kept = revisions
	})
	for text, says := range map[string]string{
		"/ortest t-greet":                        "`t-greet` is no goal",
		"/ortest -b " + ours.Revision[1:] + " t": "/ortest -b " + ours.Revision + " t\n",
		"/ortest -b ../x t":                      "`-b ../x`",
	} {
		id := p.say(t, demoMaintainer, text)
		p.settle(t)
		if said, _ := answers(p.talk(t), id); len(said) != 1 || !strings.Contains(said[0], says) {
			t.Errorf("%s: %q; want %q", text, said, says)
		}
	}
	nothingStarted(t, p)

	id := p.say(t, demoMaintainer, "/ortest -b "+ours.Revision+" t-greet")
	p.settle(t)
	runs := p.runs(t)
	if len(runs) != 1 || runs[0].Catalog != ours.Revision || runs[0].State != bot.Closed {
		said, _ := answers(p.talk(t), id)
		t.Fatalf("runs %+v; %q", runs, said)
	}
	view, err := p.sys.bot.View(t.Context(), runs[0])
	if err != nil {
		t.Fatal(err)
	}
	g := view.Goals[0]
	if g.Goal != "t-greet" || g.Result == nil || g.Result.Verdict != report.Pass || g.Result.Files != 1 {
		t.Errorf("it came to %+v %+v", g, g.Result)
	}
}
