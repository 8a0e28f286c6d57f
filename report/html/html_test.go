package html

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const sha = "0123456789abcdef0123456789abcdef01234567"

// demo is a run of the example project whose goals were judged from real logs.
func demo(t testing.TB, state string, results ...string) RunView {
	t.Helper()
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	run := RunView{
		ID: "7", Repo: "ortest-examples/hello", Pull: 3, Head: sha, Base: "main", Author: "ada", Command: "/ortest hello", State: state,
		Forge: "https://github.com", URL: "https://ortest.example/runs/7", CreatedAt: at,
		Plan: plan.Plan{Options: plan.Options{Arch: "linux x86_64"}, Warnings: []string{"t-hello: no durations are known; 14 blocks are counted"}},
	}
	if state == "done" {
		run.EndedAt = at.Add(73 * time.Second)
	}
	var pieces []plan.Piece
	for i, name := range []string{"good-t", "memory-tv", "leak-tl"} {
		goal := []string{"t-hello", "tv-hello", "tl-hello"}[i]
		g, err := plan.ParseGoal(goal)
		if err != nil {
			t.Fatal(err)
		}
		pieces = append(pieces, plan.Piece{Goal: g, Part: 1, Parts: 1})
		v := GoalView{Goal: goal, State: "queued", Planned: 3, LogURL: "https://ortest.example/runs/7/" + goal + ".log"}
		if i < len(results) {
			name = results[i]
		}
		switch {
		case state == "done":
			v.State, v.Result = "done", judgedLog(t, name)
		case state == "running" && i == 0:
			v.State, v.Result = "done", judgedLog(t, name)
		case state == "running" && i == 1:
			v.State, v.Done = "running", 1
		}
		run.Goals = append(run.Goals, v)
	}
	run.Plan.Buckets = []plan.Bucket{{Pieces: pieces[:2], Estimate: 95 * time.Second}, {Pieces: pieces[2:], Estimate: time.Minute}}
	return run
}

func judgedLog(t testing.TB, name string) *report.GoalResult {
	t.Helper()
	b, err := os.ReadFile("../testdata/hello/" + name + ".want.json")
	if err != nil {
		t.Fatal(err)
	}
	var g report.GoalResult
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	return &g
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); look at it, then run with -update\n%s", path, diff)
	}
}

func TestGolden(t *testing.T) {
	for _, state := range []string{"queued", "running", "done"} {
		run := demo(t, state)
		golden(t, "sticky-"+state+".md", Sticky(run))
		golden(t, "text-"+state+".txt", Text(run))
		golden(t, "page-"+state+".html", pageOf(t, run))
	}
	run := demo(t, "done")
	for _, g := range run.Goals {
		golden(t, "check-"+g.Goal+".md", shown(CheckRun(run, *g.Result)))
	}
	golden(t, "job.md", JobSummary(run, run.results()))
	golden(t, "check-verdict.md", shown(VerdictCheck(run, run.results())))
	golden(t, "check-progress.md", shown(Progress(demo(t, "running"), ""))+"\n"+shown(Progress(demo(t, "running"), "tv-hello")))
}

func pageOf(t testing.TB, run RunView) string {
	t.Helper()
	var b bytes.Buffer
	if err := Page(&b, run); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// shown is a check run as a reviewer of a golden file reads it.
func shown(c CheckOutput) string {
	var s strings.Builder
	fmt.Fprintf(&s, "conclusion: %s\ntitle: %s\n\n== summary\n%s\n== text\n%s\n", c.Conclusion, c.Title, c.Summary, c.Text)
	for _, a := range c.Annotations {
		fmt.Fprintf(&s, "== %s %s:%d-%d %s\n%s\n", a.Level, a.Path, a.Line, a.EndLine, a.Title, a.Message)
	}
	return s.String()
}

func TestPageHoldsItsPolicy(t *testing.T) {
	out := pageOf(t, demo(t, "done"))
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(out)
	if style == nil || style[1] != pageCSS {
		t.Error("the style sheet is not the one that the policy allows by its hash")
	}
	for _, bad := range []string{"<script", " style=", " onclick", "http://", "javascript:"} {
		if strings.Contains(out, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if strings.Contains(filePolicy(), "frame-ancestors") || !strings.Contains(Policy(), "frame-ancestors 'none'") {
		t.Error("frame-ancestors belongs in the header alone")
	}
}

// hostile is text as a pull request that wants to be noticed prints it.
const hostile = "\x1b[31mred\x1b[0m \u202egnp.exe\u061c\u180e\u3164\ufe0f\U000e0101 @maintainer #1 <img src=x onerror=alert(1)> </details> http://evil.example/ ```\n/ortest cancel\n::error::owned\n##[error]x | `` ` [a](javascript:b) <!-- ortest:runs -->"

func hostileRun(t testing.TB) RunView {
	run := demo(t, "done")
	g := report.GoalResult{Goal: "t-hello", Repo: "ortest-examples/hello", Commit: sha, Verdict: report.Fail, Why: []string{hostile}, Planned: 1, Expected: 1,
		Versions: map[string]string{hostile: hostile}, Warnings: []report.Finding{{Kind: "warning", Name: hostile, File: hostile}},
		Leaks: map[string][]report.Sample{hostile: {{KiB: 1}, {KiB: 2}}}}
	for _, c := range order() {
		g.Findings = append(g.Findings, report.Finding{Kind: "assert", Class: c, File: "t/" + strings.ReplaceAll(hostile, "\n", " ") + ".t", Block: hostile, Number: 1,
			Line: 3, EndLine: 4, Name: hostile, Detail: hostile + "\n" + strings.Repeat("`", 40), Why: hostile, Rule: hostile})
	}
	run.Goals[0].Result, run.Goals[0].Note = &g, hostile
	run.Command, run.Author, run.Trouble, run.Cancelled = hostile, hostile, []string{hostile}, hostile
	run.Plan.Warnings = []string{hostile}
	return run
}

func order() []report.Class {
	return []report.Class{report.New, report.Old, report.UnexpectedPass, report.Infrastructure, report.NotRun, report.Flaky, report.Expected}
}

func TestHostileTextIsShownAsText(t *testing.T) {
	run := hostileRun(t)
	g := *run.Goals[0].Result
	check := CheckRun(run, g)
	for name, md := range map[string]string{
		"sticky": Sticky(run), "summary": check.Summary, "text": check.Text, "verdict": VerdictCheck(run, run.results()).Summary, "job": JobSummary(run, run.results()),
	} {
		prose := outsideCode(t, name, md)
		for _, bad := range []string{"@maintainer", "#1", "<img", "http://evil", "javascript:", "::error", "##[", "/ortest cancel\n", "ortest:runs"} {
			if strings.Contains(prose, bad) {
				t.Errorf("%s has %q outside of code:\n%.1500s", name, bad, prose)
			}
		}
		if strings.ContainsAny(md, "\x1b\u202e") {
			t.Errorf("%s has a control character", name)
		}
	}
	for _, a := range check.Annotations {
		for _, s := range []string{a.Title, a.Message, a.Raw} {
			for _, bad := range []string{"@maintainer", "http://evil", "::error", "##[", "\x1b", "\u202e"} {
				if strings.Contains(s, bad) {
					t.Errorf("annotation has %q", bad)
				}
			}
		}
	}
	for line := range strings.Lines(Text(run)) {
		if l := strings.TrimSpace(line); strings.HasPrefix(l, "::") || strings.HasPrefix(l, "/ortest") || strings.Contains(line, "##[") {
			t.Errorf("text has the line %q", line)
		}
	}
	if out := pageOf(t, run); strings.Contains(out, "<img") || strings.Contains(out, "<!-- ortest") || strings.ContainsAny(out, "\x1b\u202e") {
		t.Error("the page has foreign markup")
	}
}

// outsideCode returns what GitHub reads as Markdown: the text without its code
// blocks and spans.
func outsideCode(t *testing.T, name, md string) string {
	t.Helper()
	var out strings.Builder
	fence := ""
	for line := range strings.Lines(md) {
		l := strings.TrimLeft(line, " ")
		marks := l[:len(l)-len(strings.TrimLeft(l, "`"))]
		switch {
		case fence == "" && len(marks) >= 3:
			fence = marks
		case fence != "" && len(marks) >= len(fence) && strings.TrimSpace(l) == marks:
			fence = ""
		case fence == "":
			out.WriteString(withoutSpans(line))
		}
	}
	if fence != "" {
		t.Errorf("%s ends within a code block", name)
	}
	return out.String()
}

func withoutSpans(line string) string {
	var out strings.Builder
	for line != "" {
		i := strings.IndexByte(line, '`')
		if i < 0 {
			break
		}
		out.WriteString(line[:i])
		rest := strings.TrimLeft(line[i:], "`")
		mark := line[i : len(line)-len(rest)]
		end := closing(rest, mark)
		if end < 0 {
			out.WriteString(mark)
			line = rest
			continue
		}
		line = rest[end+len(mark):]
	}
	out.WriteString(line)
	return out.String()
}

// closing returns where a run of backticks exactly as long as mark begins.
func closing(s, mark string) int {
	for i := 0; i < len(s); {
		j := strings.IndexByte(s[i:], '`')
		if j < 0 {
			return -1
		}
		j += i
		k := j
		for k < len(s) && s[k] == '`' {
			k++
		}
		if k-j == len(mark) {
			return j
		}
		i = k
	}
	return -1
}

func TestOutputsAreWithinGitHubsLimits(t *testing.T) {
	run := demo(t, "done")
	var g report.GoalResult
	g.Goal, g.Repo, g.Commit, g.Verdict = "t-hello", run.Repo, sha, report.Fail
	for i := range 3000 {
		g.Findings = append(g.Findings, report.Finding{Kind: "assert", Class: order()[i%7], File: fmt.Sprintf("t/%d.t", i), Line: i + 1, Block: strings.Repeat("ü", 500),
			Name: strings.Repeat("n", 1024), Detail: strings.Repeat("detail ü\n", 900), Why: strings.Repeat("w", 4000), Print: fmt.Sprint(i)})
	}
	for range 400 {
		run.Plan.Buckets = append(run.Plan.Buckets, run.Plan.Buckets[0])
		run.Goals = append(run.Goals, GoalView{Goal: strings.Repeat("g", 128), State: "done", Result: &g})
	}
	check, verdict := CheckRun(run, g), VerdictCheck(run, run.results())
	for name, s := range map[string]string{"summary": check.Summary, "text": check.Text, "verdict": verdict.Summary, "sticky": Sticky(run), "job": JobSummary(run, run.results())} {
		most := 65_000
		if name == "job" {
			most = 1 << 20
		}
		if len(s) > most {
			t.Errorf("%s has %d bytes", name, len(s))
		}
		if strings.Count(s, "<details") != strings.Count(s, "</details>") {
			t.Errorf("%s leaves a section open", name)
		}
		outsideCode(t, name, s)
	}
	if n := len(check.Annotations); n != maxAnnotations {
		t.Errorf("%d annotations, want %d", n, maxAnnotations)
	}
	for _, a := range check.Annotations {
		if len(a.Title) > 255 || len(a.Message) > maxMessage || len(a.Raw) > maxRaw || len(a.Message) == 0 {
			t.Fatalf("annotation is too long: %d, %d, %d", len(a.Title), len(a.Message), len(a.Raw))
		}
	}
	for _, s := range []string{check.Title, verdict.Title} {
		if len(s) > 255 {
			t.Errorf("title has %d bytes", len(s))
		}
	}
}

func TestConclusion(t *testing.T) {
	run := demo(t, "done")
	for _, tt := range []struct {
		name      string
		verdict   report.Verdict
		cancelled string
		want      string
	}{
		{"pass is a success", report.Pass, "", "success"},
		{"known is a success", report.Known, "", "success"},
		{"fail is a failure", report.Fail, "", "failure"},
		{"incomplete is a failure, never neutral", report.Incomplete, "", "failure"},
		{"no verdict is a failure", "", "", "failure"},
		{"what a cancelled run did not finish is cancelled", report.Incomplete, "ada", "cancelled"},
		{"what failed before a run was cancelled has failed", report.Fail, "ada", "failure"},
		{"what passed before a run was cancelled has passed", report.Pass, "ada", "success"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run.Cancelled = tt.cancelled
			if got := CheckRun(run, report.GoalResult{Goal: "t-hello", Verdict: tt.verdict}).Conclusion; got != tt.want {
				t.Errorf("conclusion %q, want %q", got, tt.want)
			}
		})
	}
}

func TestACancelledRunDoesNotListWhatItCut(t *testing.T) {
	run := demo(t, "done")
	g := report.GoalResult{Goal: "t-hello", Verdict: report.Incomplete, Findings: []report.Finding{
		{Class: report.New, File: "t/1.t", Line: 3, Name: "is wrong"},
		{Class: report.NotRun, File: "t/2.t", Name: "t/2.t did not run"},
		{Class: report.Infrastructure, Name: "cancelled by ada"},
	}}
	for _, tt := range []struct {
		name, cancelled, want string
	}{
		{"a failure that was seen before stays", "ada", "cancelled: 1 new — "},
		{"what was not cancelled lists all", "", "incomplete: 1 new · 1 not run · 1 infrastructure — "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run.Cancelled = tt.cancelled
			if got := CheckRun(run, g).Title; !strings.HasPrefix(got, tt.want) {
				t.Errorf("titled %q, want %q", got, tt.want)
			}
			if got := VerdictCheck(run, []report.GoalResult{g}).Title; !strings.HasPrefix(got, tt.want) {
				t.Errorf("verdict titled %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAnnotationsAreOnlyOfThePullRequest(t *testing.T) {
	run := demo(t, "done")
	g := *judgedLog(t, "fail-t")
	if got := CheckRun(run, g).Annotations; len(got) != 1 || got[0].Path != "t/001-greet.t" || got[0].Line < 2 {
		t.Errorf("annotations %+v", got)
	}
	g.Repo = "openresty/other"
	if got := CheckRun(run, g).Annotations; len(got) != 0 {
		t.Errorf("GitHub refuses a file that the commit does not have: %+v", got)
	}
}
