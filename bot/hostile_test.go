package bot

import (
	"regexp"
	"strings"
	"testing"
)

// hostile are texts of every kind that ever broke a bot of this sort.
var hostile = []string{
	"<script>alert(1)</script>", "<img/src=x onerror=alert(1)>", "</details><h1>x", "<!-- ortest:runs -->",
	"@everyone", "@ortest-examples/maintainers", "fixes #1", "closes ortest-examples/hello#1", "resolves GH-1",
	"[x](javascript:alert(1))", "![x](https://evil.example/x.png)", "https://evil.example/fixes/1", "www.evil.example",
	"\x1b[31mred\x1b[0m", "\u202egpj.exe", "a\u200bb", "\x00", "\xff\xfe", "```\n/ortest hello\n```", "``` `` ` ~~~",
	"$(reboot)", "`reboot`", "; reboot", "${{ secrets.X }}", "::set-output name=x::y", "%0A::error::x", "../../etc/passwd", "--", "-", "''", "\"", "\\",
	"' OR 1=1 --", strings.Repeat("(", 500), "(a+)+$", "t-hello;t-hello", "😀", strings.Repeat("é", 300), "{{.}}", "%s%n%d",
}

// alive is what GitHub makes of a text outside of code: a mention, a reference,
// an address, markup.
var alive = regexp.MustCompile(`(?i)(^|[^\w` + "`" + `])@[a-z]|[^\w&]#\d|GH-\d|://evil|\bwww\.evil|<(script|img|h1|/details)|\]\(|\x1b|\x{202e}|\x00`)

// TestHostileTextsStartNothingAndComeBackHarmless puts each text at every place
// of a command that takes one.
func TestHostileTextsStartNothingAndComeBackHarmless(t *testing.T) {
	s := &shelf{run: endedRun(0)}
	b := guardedBot(t, s, &guarded{pull: PullRequest{Number: 1, Open: true, Head: strings.Repeat("b", 40)}})
	// Some are good commands: what the sender may write starts, but not now. A
	// start would end the test, since the shelf takes no run.
	b.Settings = func() Settings { return Settings{Maintenance: "<b>@everyone fixes #1"} }
	n := int64(0)
	for _, evil := range hostile {
		for _, form := range []string{
			"X", "plan X", "plan -e X qq-zz", "-a X hello", "-v X hello", "-o X hello", "-b X hello", "-i X hello", "-t X hello", "--X",
			"cancel X", "retry X", "why X", "approve X", "status X", "-e X -- X",
		} {
			n++
			text := Prefix + " " + strings.ReplaceAll(form, "X", evil)
			before := len(s.answers)
			_, err := b.handleComment(t.Context(), CommentEvent{Number: 1, OnPull: true, Action: "created", ID: n, Body: text, Sender: "ada", At: noon})
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			for _, a := range s.answers[before:] {
				if bad := alive.FindString(outsideCode(a.Body)); bad != "" {
					t.Errorf("%q comes back with %q alive:\n%s", text, bad, a.Body)
				}
				if again := FindCommands(a.Body); len(again) > 0 {
					t.Errorf("the answer to %q is a command itself: %q", text, again)
				}
			}
		}
	}
	if len(s.answers) < int(n)/2 {
		t.Errorf("%d answers to %d texts", len(s.answers), n)
	}
}

var (
	fenced = regexp.MustCompile("(?s)(```+)[a-z]*\n.*?\n(```+)")
	span   = regexp.MustCompile("`[^`\n]*`")
)

// outsideCode is an answer without what Markdown shows as it is.
func outsideCode(said string) string {
	return span.ReplaceAllString(fenced.ReplaceAllString(said, " "), " ")
}
