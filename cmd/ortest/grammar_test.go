package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/internal/githubtest"
	"github.com/ortest/ortest/plan"
)

// head returns the pull request's head.
func (p *place) head(t *testing.T) string {
	t.Helper()
	return p.talk(t).Pull.HeadSHA
}

// run returns the newest run, which must be the nth.
func (p *place) run(t testing.TB, n int) bot.Run {
	t.Helper()
	runs := p.runs(t)
	if len(runs) != n {
		t.Fatalf("%d runs, want %d", len(runs), n)
	}
	return runs[0]
}

func (p *place) says(t *testing.T, comment int64, parts ...string) {
	t.Helper()
	found, _ := answers(p.talk(t), comment)
	all := strings.Join(found, "\n")
	for _, part := range parts {
		if !strings.Contains(all, part) {
			t.Errorf("the answer lacks %q:\n%s", part, all)
		}
	}
}

// TestACommandsLife goes through what people say one after another on one
// pull request whose suite passes.
func TestACommandsLife(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	var settings atomic.Pointer[bot.Settings]
	settings.Store(&bot.Settings{})
	p := newPlace(t, func(c *systemConfig) {
		machines(c, act)
		c.Settings = func() bot.Settings { return *settings.Load() }
	})
	head := p.head(t)

	p.settle(t)
	p.ask(t, demoMaintainer, "/ortest retry", "nothing was run")
	p.ask(t, demoMaintainer, "/ortest confirm", "nothing on this pull request waits")
	p.ask(t, demoMaintainer, "/ortest approve 1234567", "is not the head", "/ortest approve "+head)
	p.ask(t, demoMaintainer, "/ortest approve", "`approve` needs a word")
	p.ask(t, demoMaintainer, "/ortest approve HEAD", "is no commit")

	p.ask(t, demoStranger, "/ortest t-hello", "yours is `read`", "/ortest approve "+head)
	p.ask(t, demoStranger, "/ortest approve "+head, "yours is `read`")
	p.ask(t, demoMaintainer, "/ortest approve "+head[:39], "is the beginning of many commits", "/commit/"+head+") first", "/ortest approve "+head)
	p.ask(t, demoMaintainer, "/ortest approve "+head)
	if r := p.run(t, 1); r.Author != demoStranger || r.Approved != demoMaintainer {
		t.Errorf("the run is %s's, approved by %s", r.Author, r.Approved)
	}
	p.ask(t, demoStranger, "/ortest t-hello", "run 1", "has already run just this", "/ortest retry t-hello")
	p.ask(t, demoStranger, "/ortest retry", "nothing of [run 1]")
	p.ask(t, demoStranger, "/ortest retry tv-hello", "the run has no goal of `tv-hello`")
	p.ask(t, demoStranger, "/ortest retry t-hello")
	if r := p.run(t, 2); r.Of != "1" || r.Author != demoStranger {
		t.Errorf("the repeat is %+v", r)
	}
	p.ask(t, demoStranger, "/ortest why", "run 2", demoMaintainer+" approved the commit", head, "repeats 1 goal of run 1")
	p.ask(t, demoStranger, "/ortest why t-hello", "verdict **", "run 1", "run 2")

	settings.Store(&bot.Settings{Command: bot.Budget{USD: 0.0001}})
	p.ask(t, demoMaintainer, "/ortest -f t-hello", "the budget of one command would be exceeded", "/ortest confirm")
	p.ask(t, demoStranger, "/ortest confirm", "yours is `read`")
	p.ask(t, demoMaintainer, "/ortest confirm")
	if r := p.run(t, 3); !r.Plan.Options.Force {
		t.Errorf("what was confirmed is %+v", r.Plan.Options)
	}
	p.ask(t, demoMaintainer, "/ortest confirm", "nothing on this pull request waits")
	settings.Store(&bot.Settings{Maintenance: "new disks"})
	p.ask(t, demoMaintainer, "/ortest -f -c t-hello", "in maintenance and starts nothing: new disks")
	p.edit(t)
	p.auditHolds(t, "approve", "run", "ask", "refuse", "end", "close")
}

// ask says something, waits, and checks what the answer holds; without parts
// there is no answer, but a run.
func (p *place) ask(t *testing.T, who, text string, parts ...string) int64 {
	t.Helper()
	id := p.say(t, who, text)
	p.settle(t)
	found, _ := answers(p.talk(t), id)
	if len(parts) == 0 && len(found) > 0 {
		t.Fatalf("%s of %s is answered: %s", text, who, found)
	}
	p.says(t, id, parts...)
	return id
}

// edit checks that an edit runs only what is new.
func (p *place) edit(t *testing.T) {
	t.Helper()
	id := p.say(t, demoMaintainer, "/ortest status")
	p.settle(t)
	if err := p.gh.EditComment(id, demoMaintainer, "/ortest help\n/ortest status"); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	found, _ := answers(p.talk(t), id)
	if len(found) != 2 || !strings.Contains(found[0], "the runs of this pull request") || !strings.Contains(found[1], "TARGET") {
		t.Errorf("answers to an edited comment: %q", found)
	}
}

func (p *place) auditHolds(t *testing.T, want ...string) {
	t.Helper()
	lines, err := p.sys.store.AuditLog(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	did := make(map[string]bool)
	for _, l := range lines {
		did[l.Did] = true
	}
	for _, w := range want {
		if !did[w] {
			t.Errorf("the audit log has no %q: %+v", w, lines)
		}
	}
}

// TestStages lets the first stage fail: the others are not started, until a
// maintainer says so.
func TestStages(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act, scriptEnv+"="+scriptNoEnd) })
	p.say(t, demoMaintainer, "/ortest t-hello tv-hello")
	p.settle(t)
	r := p.run(t, 1)
	if len(r.Pieces) != 2 || r.Pieces[1].Stage != 1 || !r.Pieces[1].Held || r.Pieces[1].Instance != "" {
		t.Fatalf("pieces %+v, want the second held", r.Pieces)
	}
	if text := sticky(p.talk(t)); !strings.Contains(text, "tv-hello") {
		t.Errorf("nothing is said of the held goal:\n%s", text)
	}
	p.ask(t, demoMaintainer, "/ortest why tv-hello", "not started, since stage 1 is not good", "t-hello")
	p.ask(t, demoMaintainer, "/ortest confirm")
	again := p.run(t, 2)
	if again.Of != "1" || len(again.Pieces) != 1 || again.Pieces[0].Goal != (plan.Goal{Mode: "tv", Project: "hello"}) || again.Pieces[0].Instance == "" && again.Pieces[0].Attempt == 1 {
		t.Errorf("what was confirmed is %+v", again.Pieces)
	}
}

// TestButtons presses what check runs offer.
func TestButtons(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act, scriptEnv+"="+scriptNoEnd) })
	p.ask(t, demoMaintainer, "/ortest t-hello")
	check := p.check(t, "ortest / t-hello")
	if err := p.gh.RequestAction(check.ID, "rerun_new", demoMaintainer); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	if r := p.run(t, 2); r.Of != "1" || r.Author != demoMaintainer {
		t.Errorf("the button's run is %+v", r)
	}
	if err := p.gh.Rerequest(p.check(t, "ortest / verdict").ID, demoStranger); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	p.run(t, 2)
	if err := p.gh.Rerequest(p.check(t, "ortest / verdict").ID, demoMaintainer); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	p.run(t, 3)
}

// TestNewFailuresAreRepeated presses the button that runs five times what newly
// failed, and shows how often it failed.
func TestNewFailuresAreRepeated(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act, scriptEnv+"="+scriptNews) })
	p.ask(t, demoMaintainer, "/ortest t-hello")
	p.press(t, "ortest / t-hello", "repeat_new", demoStranger)
	p.run(t, 1)
	p.press(t, "ortest / t-hello", "repeat_new", demoMaintainer)
	r := p.run(t, 2)
	if r.Repeat != 5 || r.Of != "1" || len(r.Pieces) != 5 {
		t.Fatalf("the repeat is %+v", r)
	}
	for _, piece := range r.Pieces {
		if len(piece.Files) != 1 || piece.Files[0] != scriptFiles[0] {
			t.Errorf("%s runs %q", piece, piece.Files)
		}
	}
	if c := p.check(t, "ortest / t-hello"); c.Conclusion != "failure" || !strings.Contains(c.Summary, "failed 3 of 5 times") {
		t.Errorf("the check run ended as %s:\n%s", c.Conclusion, c.Summary)
	}
	p.ask(t, demoMaintainer, "/ortest why", "repeats the new failures of run 1", "5 times")
	p.ask(t, demoMaintainer, "/ortest retry")
	if r := p.run(t, 3); r.Of != "2" || len(r.Pieces) != 1 {
		t.Errorf("the retry is %+v", r)
	}
}

// TestAnExpectationIsProposed opens one pull request, however often the button is
// pressed, and believes what was merged.
func TestAnExpectationIsProposed(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act, scriptEnv+"="+scriptNews) })
	p.ask(t, demoMaintainer, "/ortest t-hello")
	for range 2 {
		p.press(t, "ortest / t-hello", "propose_expect", demoMaintainer)
	}
	pulls, err := p.gh.Pulls(demoRepo)
	if err != nil || len(pulls) != 2 {
		t.Fatalf("%d pull requests, %v; want the demo's and one; said was %+v", len(pulls), err, p.talk(t).Comments)
	}
	made := pulls[0]
	if made.Number == p.pull {
		made = pulls[1]
	}
	const path = ".ortest/expectations/hello.yaml"
	text, err := p.gh.FileAt(t.Context(), demoRepo, made.Head, path)
	if err != nil || !strings.Contains(string(text), "expires: ") || !strings.Contains(string(text), scriptFiles[0]) {
		t.Fatalf("the proposal has %q, %v", text, err)
	}
	if c := p.check(t, "ortest / t-hello"); !strings.Contains(c.Summary, fmt.Sprintf("/pull/%d", made.Number)) {
		t.Errorf("the check run does not link it:\n%s", c.Summary)
	}
	if _, err := p.gh.Push(t.Context(), githubtest.Commit{
		Repo: demoRepo, Branch: "main", Author: demoMaintainer, Message: "merge", Files: map[string]githubtest.File{path: {Data: text}},
	}); err != nil {
		t.Fatal(err)
	}
	p.ask(t, demoMaintainer, "/ortest retry t-hello")
	if c := p.check(t, "ortest / t-hello"); c.Conclusion != "success" {
		t.Errorf("what is expected now ended as %s:\n%s", c.Conclusion, c.Summary)
	}
}

// TestEveryReRunIsARetry presses GitHub's own buttons: a check run's, its suite's,
// and the workflow run's.
func TestEveryReRunIsARetry(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act, scriptEnv+"="+scriptNews) })
	p.ask(t, demoMaintainer, "/ortest t-hello")
	for i, again := range []func() error{
		func() error { return p.gh.Rerequest(p.check(t, "ortest / t-hello").ID, demoMaintainer) },
		func() error { return p.gh.RerequestSuite(demoRepo, p.head(t), demoMaintainer) },
		func() error { return p.gh.Rerun(p.runs(t)[0].Dispatch[0].WorkflowRun, demoMaintainer) },
		func() error {
			return p.gh.RequestAction(p.check(t, "ortest / t-hello").ID, "rerun_new", demoMaintainer)
		},
	} {
		if err := again(); err != nil {
			t.Fatalf("button %d: %v", i, err)
		}
		p.settle(t)
		if r := p.run(t, i+2); r.Of != fmt.Sprint(i+1) || r.Author != demoMaintainer {
			t.Errorf("button %d: the run is %+v", i, r)
		}
	}
}

// TestATeamOfTheSettingsMayStartRuns, and nobody whom GitHub does not tell of.
func TestATeamOfTheSettingsMayStartRuns(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	org, _, _ := strings.Cut(demoRepo, "/")
	p := newPlace(t, func(c *systemConfig) {
		machines(c, act)
		c.Settings = func() bot.Settings { return bot.Settings{Teams: []string{"others/none", org + "/testers"}} }
	})
	p.ask(t, demoStranger, "/ortest t-hello", "yours is `read`")
	if err := p.gh.SetTeam(org, "testers", []string{demoStranger}, nil); err != nil {
		t.Fatal(err)
	}
	p.await(t, func(context.Context) (string, error) { // that somebody is in no team is known for seconds
		is, err := p.sys.forge.Member(t.Context(), p.runsRepo(t), org+"/testers", demoStranger)
		if !is {
			return "the membership is to be seen", err
		}
		return "", err
	})
	p.ask(t, demoStranger, "/ortest -f t-hello")
	if r := p.run(t, 1); !strings.Contains(strings.Join(r.Trail, "\n"), "is in "+org+"/testers") {
		t.Errorf("the trail is %q", r.Trail)
	}
}

// runsRepo is the demo's repository as the bot knows it.
func (p *place) runsRepo(t *testing.T) bot.Repo {
	t.Helper()
	all, err := p.sys.forge.Repositories(t.Context())
	if err != nil || len(all) == 0 {
		t.Fatalf("repositories %v, %v", all, err)
	}
	return all[0]
}

// press presses a check run's own button and waits.
func (p *place) press(t *testing.T, check, button, who string) {
	t.Helper()
	if err := p.gh.RequestAction(p.check(t, check).ID, button, who); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
}

// check returns the newest check run of a name.
func (p *place) check(t *testing.T, name string) githubtest.CheckRun {
	t.Helper()
	var found githubtest.CheckRun
	for _, c := range p.talk(t).Checks {
		if c.Name == name && c.ID > found.ID {
			found = c
		}
	}
	if found.ID == 0 {
		t.Fatalf("no check run %s", name)
	}
	return found
}

// TestAStickyCommentThatIsDeletedComesBack, also after the run is over.
func TestAStickyCommentThatIsDeletedComesBack(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act) })
	p.ask(t, demoMaintainer, "/ortest t-hello")
	before := sticky(p.talk(t))
	p.deleteSticky(t)
	p.settle(t)
	if after := sticky(p.talk(t)); after != before {
		t.Errorf("the comment was\n%s\nand is\n%s", before, after)
	}
}

// TestWithoutAnyWebhook reaches the same end by sweeps alone.
func TestWithoutAnyWebhook(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	p := openDeaf(t, func(c *systemConfig) {
		machines(c, act)
		c.Sweep = 300 * time.Millisecond
	}).start(t)
	p.await(t, func(ctx context.Context) (string, error) {
		at, err := p.sys.store.Mark(ctx, "born")
		if at.IsZero() {
			return "the first sweep is to come", err
		}
		return "", err
	})
	p.say(t, demoMaintainer, killComment)
	p.await(t, func(ctx context.Context) (string, error) {
		runs, err := p.sys.store.RecentRuns(ctx, 1)
		owed, owedErr := p.sys.store.UnpostedAnswers(ctx)
		if err == nil && owedErr == nil && len(runs) == 1 && runs[0].State == bot.Closed && len(owed) == 0 {
			return "", nil
		}
		return fmt.Sprintf("runs %+v, %d answers owed", runs, len(owed)), err
	})
	if n := len(p.gh.Deliveries()); n != 0 {
		t.Fatalf("%d webhooks were sent", n)
	}
	checkOnce(t, p)
	p.deleteSticky(t)
	p.await(t, func(context.Context) (string, error) {
		if sticky(p.talk(t)) == "" {
			return "the comment is to come back", nil
		}
		return "", nil
	})
}

func (p *place) deleteSticky(t *testing.T) {
	t.Helper()
	for _, c := range p.talk(t).Comments {
		if strings.HasPrefix(c.Body, "<!-- ortest:runs -->") {
			if err := p.gh.DeleteComment(c.ID, demoMaintainer); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestFailedDeliveriesAreAskedForAgain refuses every webhook at first.
func TestFailedDeliveriesAreAskedForAgain(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	p := open(t, t.TempDir(), func(c *systemConfig) {
		machines(c, act)
		c.GitHub.Redeliver = 10 * time.Millisecond
	})
	var refused atomic.Int32
	p.front = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/webhook" && refused.Add(1) <= 2 {
				_, _ = io.Copy(io.Discard, r.Body)
				http.Error(w, "down", http.StatusBadGateway)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	p.start(t)
	id := p.say(t, demoMaintainer, "/ortest help")
	p.await(t, func(ctx context.Context) (string, error) {
		if refused.Load() < 2 {
			return "the webhooks are to fail", nil
		}
		return "", p.sys.forge.RedeliverFailed(ctx, p.sys.store)
	})
	p.await(t, func(ctx context.Context) (string, error) {
		if found, _ := answers(p.talk(t), id); len(found) == 1 {
			return "", nil
		}
		return "the answer is to come", p.sys.forge.RedeliverFailed(ctx, p.sys.store)
	})
	p.settle(t)
}
