package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/examples"
	"github.com/ortest/ortest/internal/githubtest"
)

// TestCommentsThatStartNothing writes each comment on the demo's pull request:
// whatever it is, it gets one clear answer a command, and nothing starts.
func TestCommentsThatStartNothing(t *testing.T) {
	long := func(goal string) string { return "/ortest" + strings.Repeat(" "+goal, 5000/(len(goal)+1)) }
	t.Parallel()
	p := newPlace(t, func(*systemConfig) {})
	for _, tt := range []struct {
		name, text string
		by         string     // the maintainer when empty
		says       [][]string // what each answer holds, in the order of the commands; none for no answer
		eyes       bool       // 👀 rather than 😕
	}{
		{name: "a typo is answered with the goal that was meant, ready to paste", text: "/ortest t-helo",
			says: [][]string{{"`t-helo` is no goal", "did you mean `t-hello`", "/ortest t-hello\n"}}},
		{name: "a limit that is no number names the word", text: "/ortest -t x hello", says: [][]string{{"`-t x`", "minutes"}}},
		{name: "an arch that nobody has names those there are", text: "/ortest -a sparc hello", says: [][]string{{"sparc", "x86_64"}}},
		{name: "no target at all says what to say", text: "/ortest", says: [][]string{{"names no goal", "`help`"}}},
		{name: "blanks are no target", text: "/ortest   ", says: [][]string{{"names no goal"}}},
		{name: "5,000 characters of good goals are told the limit", text: long("t-hello"), says: [][]string{{"bytes long", "4096"}}},
		{name: "5,000 characters of garbage are told the limit", text: long("@all<b>`x`|"), says: [][]string{{"bytes long", "4096"}}},
		{name: "too many words are told the limit", text: "/ortest" + strings.Repeat(" t", 401), says: [][]string{{"401 words", "400"}}},
		{name: "as many words as there may be are read", text: "/ortest" + strings.Repeat(" qq-zz", 400), says: [][]string{{"`qq-zz` is no goal"}}},
		{name: "an unknown flag is named", text: "/ortest --frobnicate hello", says: [][]string{{"frobnicate"}}},
		{name: "a quote that is not closed is named", text: "/ortest -o '-O2 hello", says: [][]string{{"quote"}}},
		{name: "a NUL is answered once", text: "/ortest hello\x00evil", says: [][]string{{"is no target"}}},
		{name: "a verb that is misspelt is offered", text: "/ortest stauts", says: [][]string{{"`status`"}}},
		{name: "status takes nothing after it", text: "/ortest status hello", says: [][]string{{"`status` takes nothing"}}},
		{name: "help shows the commands", text: "/ortest help", says: [][]string{{"TARGET", "-t", "cancel"}}, eyes: true},
		{name: "plan shows the machines and starts none", text: "/ortest plan hello",
			says: [][]string{{"nothing was started", "tv-hello", "/ortest hello\n"}}, eyes: true},
		{name: "status without runs says so", text: "/ortest status", says: [][]string{{"nothing was run"}}, eyes: true},
		{name: "cancel without runs says so", text: "/ortest cancel", says: [][]string{{"nothing to cancel"}}, eyes: true},
		{name: "a stranger hears why, and who may", text: "/ortest hello", by: demoStranger,
			says: [][]string{{"`read`", "write, maintain or admin", "/ortest hello\n"}}},
		{name: "the author of the pull request is a stranger as well", text: "/ortest hello", by: demoAuthor,
			says: [][]string{{"write, maintain or admin"}}},
		{name: "a stranger cancels nothing", text: "/ortest cancel", by: demoStranger, says: [][]string{{"write, maintain or admin"}}},
		{name: "a stranger may ask for help", text: "/ortest help", by: demoStranger, says: [][]string{{"TARGET"}}, eyes: true},
		{name: "a command in a code fence is none", text: "Like this:\n```\n/ortest hello\n```\n"},
		{name: "a command in a quotation is none", text: "> /ortest hello\n\nwhat does it do?"},
		{name: "a command within a sentence is none", text: "write /ortest hello on a line of its own"},
		{name: "two commands get two answers", text: "/ortest plan t-hello\nand\n/ortest help",
			says: [][]string{{"t-hello"}, {"TARGET"}}, eyes: true},
		{name: "eleven commands get one answer", text: strings.Repeat("/ortest hello\n", 11), says: [][]string{{"11 commands", "10"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.by == "" {
				tt.by = demoMaintainer
			}
			id := p.say(t, tt.by, tt.text)
			p.settle(t)
			reaction := "confused"
			if tt.eyes {
				reaction = "eyes"
			}
			checkAnswers(t, p, id, tt.by, reaction, tt.says)
		})
	}
	nothingStarted(t, p)
	sweptAgain(t, p)
}

// sweptAgain has a sweep read all that was ever written: each of it was handled.
func sweptAgain(t *testing.T, p *place) {
	t.Helper()
	before := len(p.talk(t).Comments)
	if err := p.sys.store.SetMark(t.Context(), "born", time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := p.sys.bot.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	if after := len(p.talk(t).Comments); after != before {
		t.Errorf("a sweep added %d comments", after-before)
	}
}

// checkAnswers checks all that the bot ever said to a comment.
func checkAnswers(t *testing.T, p *place, comment int64, by, reaction string, says [][]string) {
	t.Helper()
	found, reactions := answers(p.talk(t), comment)
	if len(found) != len(says) {
		t.Fatalf("%d answers, want %d: %q", len(found), len(says), found)
	}
	for i, want := range says {
		for _, part := range append(want, "@"+by+":") {
			if !strings.Contains(found[i], part) {
				t.Errorf("answer %d lacks %q:\n%s", i, part, found[i])
			}
		}
	}
	want := map[string]int{}
	if len(says) > 0 {
		want[reaction] = 1
	}
	if fmt.Sprint(reactions) != fmt.Sprint(want) {
		t.Errorf("reactions %v, want %v", reactions, want)
	}
}

// answers returns the bot's answers to a comment by their commands' order, and
// the comment's reactions.
func answers(talk githubtest.Conversation, comment int64) (found []string, reactions map[string]int) {
	for _, c := range talk.Comments {
		if c.ID == comment {
			reactions = c.Counts()
		}
	}
	for i := 0; ; i++ {
		before := len(found)
		for _, c := range talk.Comments {
			if text, ok := strings.CutPrefix(c.Body, fmt.Sprintf("<!-- ortest:answer %d.%d -->", comment, i)); ok && c.App {
				found = append(found, text)
			}
		}
		if len(found) == before {
			return found, reactions
		}
	}
}

func nothingStarted(t *testing.T, p *place) {
	t.Helper()
	if runs := p.runs(t); len(runs) > 0 {
		t.Errorf("runs %+v", runs)
	}
	all, err := p.sys.store.Instances(t.Context())
	if err != nil || len(all) > 0 {
		t.Errorf("instances %+v, %v", all, err)
	}
	if a := p.activity(t); len(a.Runs)+len(a.Runners) > 0 {
		t.Errorf("activity %+v", a)
	}
	if checks := p.talk(t).Checks; len(checks) > 0 {
		t.Errorf("check runs %+v", checks)
	}
	if left := p.processes(t); len(left) > 0 {
		t.Errorf("processes %q", left)
	}
}

func TestACommandOnAClosedPullRequestStartsNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(*systemConfig) {})
	if err := p.gh.ClosePull(demoRepo, p.pull, demoMaintainer); err != nil {
		t.Fatal(err)
	}
	id := p.say(t, demoMaintainer, "/ortest hello")
	p.settle(t)
	checkAnswers(t, p, id, demoMaintainer, "confused", [][]string{{"the pull request is closed"}})
	nothingStarted(t, p)
}

func TestACommandForAHeadThatMovedSinceStartsNothing(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := open(t, data, func(*systemConfig) {}).start(t)
	first.settle(t) // the bot has seen the head
	then := first.talk(t).Pull.HeadSHA
	first.stop()

	p := open(t, data, func(*systemConfig) {}) // both come while the bot is away
	id := p.say(t, demoMaintainer, "/ortest hello")
	said := time.Now().Unix()
	p.await(t, func(context.Context) (string, error) {
		if time.Now().Unix() == said { // GitHub tells times to the second
			return "the second of the comment", nil
		}
		return "", nil
	})
	now, err := pushVariant(t.Context(), p.gh, examples.Variants()[1])
	if err != nil {
		t.Fatal(err)
	}
	p.start(t).settle(t)
	checkAnswers(t, p, id, demoMaintainer, "confused", [][]string{{"moved", then[:12], now[:12], "/ortest hello\n"}})
	nothingStarted(t, p)
}

func TestAWebhookThatComesTwiceIsHandledOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(*systemConfig) {})
	id := p.say(t, demoMaintainer, "/ortest plan hello")
	p.settle(t)
	for _, d := range p.gh.Deliveries() {
		if err := p.gh.Redeliver(d.ID); err != nil {
			t.Fatal(err)
		}
	}
	p.settle(t)
	checkAnswers(t, p, id, demoMaintainer, "eyes", [][]string{{"nothing was started"}})
	nothingStarted(t, p)
}
