package bot

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
)

func TestParseCommand(t *testing.T) {
	sha := strings.Repeat("a1", 20)
	for _, tt := range []struct {
		name, line string
		verb       verb
		words      []string
		err        string
	}{
		{name: "a target alone is a run", line: "/ortest tv", verb: verbRun, words: []string{"tv"}},
		{name: "run may be said", line: "/ortest run -t 5 tv", verb: verbRun, words: []string{"-t", "5", "tv"}},
		{name: "quotes hold words together", line: "/ortest -o '-O2 -g' tv", verb: verbRun, words: []string{"-o", "-O2 -g", "tv"}},
		{name: "nothing is expanded", line: `/ortest "$HOME" t*`, verb: verbRun, words: []string{"$HOME", "t*"}},
		{name: "cancel alone", line: "/ortest cancel", verb: verbCancel, words: []string{}},
		{name: "cancel takes goals", line: "/ortest cancel t-a tv-a", verb: verbCancel, words: []string{"t-a", "tv-a"}},
		{name: "retry takes failed", line: "/ortest retry failed", verb: verbRetry, words: []string{"failed"}},
		{name: "why takes one goal", line: "/ortest why t-a", verb: verbWhy, words: []string{"t-a"}},
		{name: "why takes no second", line: "/ortest why t-a t-b", verb: verbWhy, words: []string{"t-a", "t-b"}, err: "takes one word"},
		{name: "approve takes a whole commit", line: "/ortest approve " + sha, verb: verbApprove, words: []string{sha}},
		{name: "approve reads seven digits, to answer with the whole commit", line: "/ortest approve " + sha[:7], verb: verbApprove, words: []string{sha[:7]}},
		{name: "approve reads no six", line: "/ortest approve " + sha[:6], verb: verbApprove, words: []string{sha[:6]}, err: "is no commit"},
		{name: "approve takes no branch", line: "/ortest approve main", verb: verbApprove, words: []string{"main"}, err: "is no commit"},
		{name: "approve needs a commit", line: "/ortest approve", verb: verbApprove, words: []string{}, err: "needs a word"},
		{name: "confirm takes nothing", line: "/ortest confirm t", verb: verbConfirm, words: []string{"t"}, err: "takes nothing"},
		{name: "the longest command", line: "/ortest " + strings.Repeat("t", maxCommandLen-8), verb: verbRun, words: []string{strings.Repeat("t", maxCommandLen-8)}},
		{name: "one byte more", line: "/ortest " + strings.Repeat("t", maxCommandLen-7), err: "bytes long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, words, err := parseCommand(tt.line)
			if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			if v != tt.verb || !slices.Equal(words, tt.words) {
				t.Errorf("%s %q, want %s %q", v, words, tt.verb, tt.words)
			}
		})
	}
}

func FuzzParseCommand(f *testing.F) {
	for _, line := range []string{"/ortest t", "/ortest approve aaaaaaa", "/ortest 'x", "/ortest \\", "/ortest\u00a0t", "/ortest -o '-O2' tv"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, found := range FindCommands(line) {
			if word, _, _ := strings.Cut(found, " "); word != Prefix {
				t.Errorf("%q is no command", found)
			}
			if strings.Contains(found, "\x00") {
				t.Errorf("%q is no text for a database", found)
			}
			if _, _, err := parseCommand(found); err != nil && len(FindCommands(refusal(err.Error()).Body)) > 0 {
				t.Errorf("the answer to %q is a command itself: %s", found, err)
			}
		}
	})
}

func TestWhatIsNewInAText(t *testing.T) {
	for _, tt := range []struct {
		name, action, was string
		lines             []string
		known             map[int]string
		want              []string // index and line
	}{
		{name: "all of a new text", action: "created", lines: []string{"/ortest t", "/ortest tv"}, want: []string{"0 /ortest t", "1 /ortest tv"}},
		{name: "nothing of one that comes twice", action: "created", lines: []string{"/ortest t"}, known: map[int]string{0: "/ortest t"}},
		{name: "what a crash left", action: "created", lines: []string{"/ortest t", "/ortest tv"}, known: map[int]string{0: "/ortest t"}, want: []string{"1 /ortest tv"}},
		{name: "what an edit added, in front of the old", action: "edited", was: "/ortest t", lines: []string{"/ortest tv", "/ortest t"}, known: map[int]string{0: "/ortest t"}, want: []string{"1 /ortest tv"}},
		{name: "the same line once more", action: "edited", was: "/ortest t", lines: []string{"/ortest t", "/ortest t"}, known: map[int]string{0: "/ortest t"}, want: []string{"1 /ortest t"}},
		{name: "nothing when an edit takes away", action: "edited", was: "/ortest t\n/ortest tv", lines: []string{"/ortest t"}, known: map[int]string{0: "/ortest t", 1: "/ortest tv"}},
		{name: "not what stood there before the bot came", action: "edited", was: "/ortest t", lines: []string{"/ortest t", "/ortest tv"}, want: []string{"0 /ortest tv"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, c := range unhandled(CommentEvent{Action: tt.action, Was: tt.was}, tt.lines, tt.known) {
				got = append(got, string(rune('0'+c.index))+" "+c.line)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("new: %q, want %q", got, tt.want)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	s := spent{machine: time.Hour, usd: 0.5}
	for _, tt := range []struct {
		name string
		Budget
		over bool
	}{
		{name: "none", Budget: Budget{}},
		{name: "just as many minutes", Budget: Budget{Minutes: 60}},
		{name: "a minute too many", Budget: Budget{Minutes: 59}, over: true},
		{name: "just as many dollars", Budget: Budget{USD: 0.5}},
		{name: "a cent too many", Budget: Budget{USD: 0.49}, over: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if why := tt.Budget.over("it", s); (why != "") != tt.over {
				t.Errorf("over %q", why)
			}
		})
	}
	t.Run("a machine is paid a minute at least", func(t *testing.T) {
		p := plan.Plan{Buckets: []plan.Bucket{{Estimate: time.Second}, {Estimate: 2 * time.Minute}}, Price: plan.Price{OnDemand: 60}}
		if s := (spent{}).plus(p); s.machine != 3*time.Minute || s.usd != 3 {
			t.Errorf("spent %+v", s)
		}
	})
}

func TestWhatIsShownCannotDeceive(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"a mark that turns the direction", "a\u202eb", "`a'b`"},
		{"a blank of no width", "a\u200bb", "`a'b`"},
		{"a backtick", "a`b", "`a'b`"},
		{"a line break", "a\nb", "`a'b`"},
		{"letters of any script stay", "ä文", "`ä文`"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := code(tt.in); got != tt.want {
				t.Errorf("code(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
	if got := fence("/ortest \u202et"); strings.ContainsRune(got, '\u202e') {
		t.Errorf("fence keeps it: %q", got)
	}
}

func TestALongAnswerIsCut(t *testing.T) {
	if s := strings.Repeat("ä", maxBody/2); clipBody(s) != s {
		t.Error("an answer of just the limit is cut")
	}
	got := clipBody("```\n" + strings.Repeat("x", maxBody) + "\n```")
	if len(got) > maxBody+100 || !strings.HasSuffix(got, "too long for a comment.") {
		t.Errorf("cut to %d bytes", len(got))
	}
}

func TestProposedEntriesAreValid(t *testing.T) {
	b := guardedBot(t, &shelf{}, &guarded{})
	b.Server = "https://github.com"
	r := Run{ID: "7", Head: strings.Repeat("c", 40), Pull: 3, Repo: Repo{Owner: "o", Name: "n"}}
	goals := []html.GoalView{{Goal: "tv-lua-resty-core", Result: &report.GoalResult{Findings: []report.Finding{
		{Kind: "assert", Class: report.New, File: "t/a.t", Block: "it \"greets\": \n- id: x", Name: "it greets"},
		{Kind: "memcheck", Class: report.New, File: "t/b.t", Name: "Invalid read"},
		{Kind: "assert", Class: report.Expected, File: "t/c.t"},
	}}}}
	text, err := with("x.yaml", nil, b.entries(comment{CommentEvent: CommentEvent{Sender: "ada"}}, r, goals))
	if err != nil {
		t.Fatal(err)
	}
	all, err := report.ReadExpectations("x.yaml", text)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d entries, %v:\n%s", len(all), err, text)
	}
	if all[0].Expires != noon.AddDate(0, 0, 14).Format(time.DateOnly) {
		t.Errorf("expires %s", all[0].Expires)
	}
}

func TestAWrongWordIsAnsweredWithTheLineThatWasMeant(t *testing.T) {
	b := guardedBot(t, &shelf{}, &guarded{})
	for _, tt := range []struct {
		name  string
		words []string
		line  string // "" when there is none to offer
	}{
		{"a goal", []string{"t-helo"}, "/ortest t-hello"},
		{"a mode", []string{"tvl-hello"}, "/ortest tv-hello"},
		{"a verb behind its flags", []string{"-t", "90", "plan", "hello"}, "/ortest plan -t 90 hello"},
		{"a flag", []string{"--forse", "hello"}, "/ortest --force hello"},
		{"a flag with its value", []string{"--nginks", "1.29.2", "hello"}, "/ortest --nginx 1.29.2 hello"},
		{"an arch", []string{"-a", "linux i368", "hello"}, "/ortest -a 'linux i386' hello"},
		{"a version", []string{"-v", "1.29.20", "hello"}, "/ortest -v 1.29.2 hello"},
		{"a version that is not written out", []string{"-v", "1.29", "hello"}, "/ortest -v 1.29."},
		{"a version behind a long flag", []string{"--nginx=1.29.20", "hello"}, "/ortest --nginx=1.29.2 hello"},
		{"a flag that is like no other", []string{"--frobnicate", "hello"}, ""},
		{"two words that are wrong", []string{"--forse", "helo"}, ""},
		{"every goal of several", []string{"t-helo", "-f", "tv-helo"}, "/ortest t-hello -f tv-hello"},
		{"a verb with what belongs to it", []string{"cancle", "t-hello"}, "/ortest cancel t-hello\n"},
		{"a verb with what does not", []string{"stauts", "t-hello"}, "/ortest status\n"},
		{"a verb in the wrong place that takes nothing", []string{"t-hello", "status"}, "/ortest status\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := b.plan(t.Context(), tt.words)
			if err == nil {
				t.Fatal("nothing is wrong with it")
			}
			said := b.explain(t.Context(), verbRun, tt.words, err)
			if tt.line == "" && strings.Contains(said, "```") || !strings.Contains(said, tt.line) {
				t.Errorf("%s; want %q", said, tt.line)
			}
		})
	}
}

// TestAMendedLineAsksForWhatWasAsked holds the line to paste to the verb of the one
// that it mends: whoever pastes a mended cancel must not start a run.
func TestAMendedLineAsksForWhatWasAsked(t *testing.T) {
	for _, tt := range []struct{ name, text, line string }{
		{"a plan of a goal stays a plan", "plan t-helo", "/ortest plan t-hello\n"},
		{"a plan with a wrong flag stays a plan", "plan --forse hello", "/ortest plan --force hello\n"},
		{"a goal that is to be cancelled", "cancel t-helo", "/ortest cancel t-hello\n"},
		{"a goal that is to be repeated", "retry t-helo", "/ortest retry t-hello\n"},
		{"what failed is to be repeated", "retry faild", "/ortest retry failed\n"},
		{"why of a goal", "why t-helo", "/ortest why t-hello\n"},
		{"a goal that the run has not", "why tv-hello", "/ortest why t-hello\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &shelf{run: endedRun(0)}
			b := guardedBot(t, s, &guarded{pull: PullRequest{Number: 1, Open: true, Head: strings.Repeat("b", 40)}})
			if strings.HasPrefix(tt.text, "cancel") {
				s.run.State = Running
			}
			_, err := b.handleComment(t.Context(), CommentEvent{Number: 1, OnPull: true, Action: "created", ID: 1, Body: Prefix + " " + tt.text, Sender: "ada", At: noon})
			if err != nil || len(s.answers) != 1 {
				t.Fatalf("%d answers, %v", len(s.answers), err)
			}
			if said := s.answers[0].Body; !strings.Contains(said, "\n"+tt.line) {
				t.Errorf("%s\nlacks %q", said, tt.line)
			}
		})
	}
}
