package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/examples"
	"github.com/ortest/ortest/internal/githubtest"
	"github.com/ortest/ortest/report"
)

// testRun lets a place run /ortest t-hello to its end, and returns the run and
// what it came to.
func testRun(t *testing.T, p *place) (bot.Run, report.GoalResult) {
	t.Helper()
	id := p.say(t, demoMaintainer, "/ortest t-hello")
	p.settle(t)
	return p.result(t, id)
}

func (p *place) result(t *testing.T, comment int64) (bot.Run, report.GoalResult) {
	t.Helper()
	runs := p.runs(t)
	if len(runs) != 1 || runs[0].Comment != comment {
		t.Fatalf("runs %+v, want one for comment %d", runs, comment)
	}
	view, err := p.sys.bot.View(t.Context(), runs[0])
	if err != nil || len(view.Goals) != 1 || view.Goals[0].Result == nil {
		t.Fatalf("the run is shown as %+v, %v", view, err)
	}
	if left := p.processes(t); len(left) > 0 {
		t.Errorf("processes left: %q", left)
	}
	return runs[0], *view.Goals[0].Result
}

// conclusions returns those of the check runs by name.
func conclusions(talk githubtest.Conversation) map[string]string {
	got := make(map[string]string)
	for _, c := range talk.Checks {
		got[c.Name] = c.Status + " " + c.Conclusion
	}
	return got
}

func sticky(talk githubtest.Conversation) string {
	for _, c := range talk.Comments {
		if c.App && strings.HasPrefix(c.Body, "<!-- ortest:runs -->") {
			return c.Body
		}
	}
	return ""
}

// TestAnAgentKilledWithinAPiece loses a machine when one file of two has been
// reported: the rest runs on a new machine.
func TestAnAgentKilledWithinAPiece(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act, scriptEnv+"="+scriptHang) })
	id := p.say(t, demoMaintainer, "/ortest t-hello")
	p.await(t, func(ctx context.Context) (string, error) {
		all, err := p.sys.store.Entries(ctx, "1", "p1")
		if len(all) < 2 {
			return "the first file is to be reported", err
		}
		return "", err
	})
	agent, err := agentOf(filepath.Join(p.data, "fleet", "1-b0-a1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	r, got := p.result(t, id)
	if got.Verdict != report.Pass {
		t.Errorf("verdict %s: %+v", got.Verdict, got)
	}
	piece := r.Pieces[0]
	if piece.Attempt != 2 || piece.Instance != "1-b0-a2" || len(piece.Files) != 1 || piece.Files[0] != scriptFiles[1] {
		t.Errorf("the piece ended as %+v, want the second file on a second instance", piece)
	}
	if text := sticky(p.talk(t)); !strings.Contains(text, "1-b0-a1 was lost") {
		t.Errorf("nothing is said of the lost machine:\n%s", text)
	}
	dispatchedOnce(t, p) // GitHub gives up the lost attempt's job by itself, later
}

func TestEveryMachineLost(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act, scriptEnv+"="+scriptKill) })
	r, got := testRun(t, p)
	incomplete(t, p, got, "was lost")
	if r.Pieces[0].Attempt != bot.MaxAttempts {
		t.Errorf("the piece had %d attempts, want %d", r.Pieces[0].Attempt, bot.MaxAttempts)
	}
}

func TestAPieceWithoutItsEnd(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act, scriptEnv+"="+scriptNoEnd) })
	_, got := testRun(t, p)
	incomplete(t, p, got, "before the piece was complete")
}

func TestALogThatIsCut(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act, scriptEnv+"="+scriptCutLog) })
	_, got := testRun(t, p)
	incomplete(t, p, got, scriptFiles[1])
}

// TestATestFileThatDies has a real suite whose second file kills itself.
func TestATestFileThatDies(t *testing.T) {
	t.Parallel()
	act := realAct(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act) })
	files, err := exampleFiles("hello", examples.Good)
	if err != nil {
		t.Fatal(err)
	}
	dies := "#!/usr/bin/perl\n$| = 1;\nprint qq{1..2\\nok 1 - so far\\n};\nkill 9, $$;\n"
	files["t/0015-dies.t"] = githubtest.File{Data: []byte(dies), Exec: true}
	if _, err := p.gh.Push(t.Context(), githubtest.Commit{
		Repo: demoRepo, Branch: demoBranch, Author: demoAuthor, Message: "Die", Files: files, Whole: true,
	}); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	_, got := testRun(t, p)
	incomplete(t, p, got, "t/0015-dies.t")
}

// incomplete checks that a goal is that, and that its check run says why.
func incomplete(t *testing.T, p *place, got report.GoalResult, why string) {
	t.Helper()
	if got.Verdict != report.Incomplete {
		t.Errorf("verdict %s: %+v", got.Verdict, got)
	}
	talk := p.talk(t)
	for name, c := range conclusions(talk) {
		if c == "completed success" || !strings.HasPrefix(c, "completed ") {
			t.Errorf("check run %s is %q", name, c)
		}
	}
	said := ""
	for _, c := range talk.Checks {
		if c.Name == "ortest / t-hello" {
			said = c.Title + "\n" + c.Summary + "\n" + c.Text
		}
	}
	if !strings.Contains(said, why) {
		t.Errorf("the check run does not say %q:\n%s", why, said)
	}
}

func TestARunThatIsCancelled(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act, scriptEnv+"="+scriptHang) })
	p.say(t, demoMaintainer, "/ortest t-hello")
	p.await(t, func(ctx context.Context) (string, error) {
		all, err := p.sys.store.Entries(ctx, "1", "p1")
		if len(all) < 2 {
			return "the first file is to be reported", err
		}
		return "", err
	})
	refused := p.say(t, demoStranger, "/ortest cancel")
	p.await(t, func(context.Context) (string, error) {
		if found, _ := answers(p.talk(t), refused); len(found) == 0 {
			return "the stranger is to be answered", nil
		}
		return "", nil
	})
	if r := p.runs(t)[0]; r.State != bot.Running {
		t.Fatalf("a stranger's cancel left the run %s", r.State)
	}
	id := p.say(t, demoMaintainer, "/ortest cancel")
	p.settle(t)
	checkAnswers(t, p, id, demoMaintainer, "eyes", [][]string{{"run 1 is cancelled"}})
	talk := p.talk(t)
	got := conclusions(talk)
	for _, name := range []string{"ortest / verdict", "ortest / t-hello"} {
		if got[name] != "completed cancelled" {
			t.Errorf("check run %s is %q", name, got[name])
		}
	}
	if text := sticky(talk); !strings.Contains(text, "cancelled by") {
		t.Errorf("nothing is said of the cancelling:\n%s", text)
	}
	for _, run := range p.activity(t).Runs {
		if run.Conclusion != "cancelled" {
			t.Errorf("workflow run %d ended as %s", run.ID, run.Conclusion)
		}
	}
	if left := p.processes(t); len(left) > 0 {
		t.Errorf("processes left: %q", left)
	}
	if _, err := os.Stat(filepath.Join(p.data, "fleet", "1-b0-a1", "work")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the machine's files are left: %v", err)
	}
}
