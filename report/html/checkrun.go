package html

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ortest/ortest/report"
)

// GitHub's bounds of a check run, some of them kept well below.
const (
	maxTitle       = 250
	maxMessage     = 8 << 10
	maxRaw         = 60_000
	maxAnnotations = 200
	shownFindings  = 30
	excerptLines   = 8
	excerptBytes   = 1500
	shownLong      = 500 // findings in full: more never fit into a check run

	annotationLines = 20
	annotationBytes = 4000
)

// CheckOutput is what a check run shows. Conclusion is empty while it has none.
type CheckOutput struct {
	Conclusion  string // success, failure, cancelled
	Title       string
	Summary     string // Markdown
	Text        string // Markdown
	Annotations []Annotation
}

// Annotation marks lines of a file of the commit. There is at most one a line.
type Annotation struct {
	Path    string
	Line    int // from 1
	EndLine int
	Level   string // warning, failure
	Title   string
	Message string // plain text
	Raw     string // plain text
}

// CheckRun is the check run of a goal that is judged.
func CheckRun(run RunView, g report.GoalResult) CheckOutput {
	g = run.news(g)
	word := string(g.Verdict)
	out := CheckOutput{Conclusion: conclusion(g.Verdict)}
	if run.Cancelled != "" && g.Verdict == report.Incomplete {
		out.Conclusion, word = "cancelled", "cancelled"
	}
	out.Title = clip(fmt.Sprintf("%s: %s — %d of %s, %d of %s", word, tally(g),
		g.Files, plural(g.Planned, "file"), g.Blocks, plural(g.Expected, "block")), maxTitle)
	out.Annotations = annotations(run, g)
	s := newSheet(run, budget)
	s.addf("%s **%s**: %s. %s\n\n", sign(word), word, tally(g), meaning(word))
	run.findings(s, []report.GoalResult{g}, shownFindings)
	s.add(facts(run, g))
	s.add(again(g))
	out.Summary = s.String()
	out.Text = details(run, g)
	return out
}

// VerdictCheck is the check run over all goals, the one to require.
func VerdictCheck(run RunView, results []report.GoalResult) CheckOutput {
	v := report.Overall(results)
	word := string(v)
	results = slices.Clone(results)
	for i := range results {
		results[i] = run.news(results[i])
	}
	out := CheckOutput{Conclusion: conclusion(v)}
	if run.Cancelled != "" && v != report.Fail {
		out.Conclusion, word = "cancelled", "cancelled"
	}
	withheld := run.Withheld && out.Conclusion == "success"
	if withheld {
		out.Conclusion = "failure"
	}
	good := 0
	for _, g := range results {
		if conclusion(g.Verdict) == "success" {
			good++
		}
	}
	out.Title = clip(fmt.Sprintf("%s: %s — %d of %s good", word, tally(results...), good, plural(len(results), "goal")), maxTitle)
	s := newSheet(run, budget)
	s.addf("%s **%s**: %s. %s\n\n", sign(word), word, tally(results...), meaning(word))
	if withheld {
		out.Title = clip("other goals are not good: "+out.Title, maxTitle)
		s.add("What was asked for is good, but not all that was tested at this commit, and whoever asked may not write here. A run of what is not good, or one that somebody asks for who may write, has the word.\n\n")
	}
	for _, t := range run.Trouble {
		s.addf("- %s\n", code(t, 500))
	}
	run.findings(s, results, shownFindings)
	s.add(resultTable(run, results))
	out.Summary = s.String()
	return out
}

// Progress is the check run of a goal that is not judged yet; of the verdict
// when goal is empty. It has no conclusion.
func Progress(run RunView, goal string) CheckOutput {
	if goal == "" {
		done := 0
		for _, g := range run.Goals {
			if g.Result != nil {
				done++
			}
		}
		s := newSheet(run, budget)
		s.add(goalTable(run))
		return CheckOutput{Title: fmt.Sprintf("%s: %d of %s judged", run.word(), done, plural(len(run.Goals), "goal")), Summary: s.String()}
	}
	i := slices.IndexFunc(run.Goals, func(g GoalView) bool { return g.Goal == goal })
	if i < 0 {
		return CheckOutput{Title: "queued", Summary: "Waiting for a machine.\n"}
	}
	g := run.Goals[i]
	s := fmt.Sprintf("%s **%s**: %s\n", sign(g.word()), g.word(), g.progress())
	if g.Note != "" {
		s += "\n" + code(g.Note, 500) + "\n"
	}
	return CheckOutput{Title: clip(g.word()+": "+g.progress(), maxTitle), Summary: s}
}

func (g GoalView) progress() string {
	switch {
	case g.Planned > 0:
		return fmt.Sprintf("%d of %s done", g.Done, plural(g.Planned, "test file"))
	case g.word() == "running":
		return "preparing and building"
	}
	return "waiting for a machine"
}

func conclusion(v report.Verdict) string {
	if v == report.Pass || v == report.Known {
		return "success"
	}
	return "failure"
}

// meaning explains a verdict in a sentence.
func meaning(word string) string {
	switch word {
	case string(report.Pass):
		return "Everything that was planned ran and passed."
	case string(report.Known):
		return "Everything that was planned ran; only expected failures were seen."
	case string(report.Fail):
		return "Something failed that no expectation covers."
	case string(report.Incomplete):
		return "Not everything that was planned ran, so this is no pass."
	case "cancelled":
		return "The run was cancelled before everything ran."
	}
	return ""
}

// annotations marks what is news, the worst first, in files of the pull
// request's own repository: GitHub shows no others.
func annotations(run RunView, g report.GoalResult) []Annotation {
	if !run.ofOwnRepo(g) {
		return nil
	}
	var all []Annotation
	at := make(map[string]int)
	for _, f := range g.Findings {
		level := levelOf(f.Class)
		if level == "" || f.File == "" || strings.HasPrefix(f.File, "/") || strings.Contains(f.File, "..") {
			continue
		}
		line := max(f.Line, 1)
		key := fmt.Sprintf("%s:%d", f.File, line)
		if i, ok := at[key]; ok {
			more := "\n\nalso: " + plain(f.Name, 300)
			all[i].Message = clip(all[i].Message+more, maxMessage)
			all[i].Raw = clip(strings.Trim(all[i].Raw+"\n\n"+neutral(clean(f.Detail)), "\n"), maxRaw)
			continue
		}
		if len(all) == maxAnnotations {
			break
		}
		at[key] = len(all)
		a := Annotation{
			Path: f.File, Line: line, EndLine: max(f.EndLine, line), Level: level,
			Title:   clip(plain(g.Goal, 100)+": "+plain(orElse(f.BlockName(), f.Name), 200), maxTitle),
			Message: clip(message(f), maxMessage),
		}
		if whole := strings.Trim(clean(f.Detail), "\n"); excerpt(whole, annotationLines, annotationBytes) != whole {
			a.Raw = clip(neutral(whole), maxRaw)
		}
		all = append(all, a)
	}
	return all
}

// message says what a finding is: its name, unless its details begin with that,
// the first of the details, and why it counts.
func message(f report.Finding) string {
	var parts []string
	name, detail := plain(f.Name, 1000), neutral(excerpt(f.Detail, annotationLines, annotationBytes))
	if first, _, _ := strings.Cut(detail, "\n"); strings.TrimSpace(first) != name {
		parts = append(parts, name)
	}
	if detail != "" {
		parts = append(parts, detail)
	}
	return strings.Join(append(parts, plain(string(f.Class)+": "+f.Why, 500)), "\n")
}

func levelOf(c report.Class) string {
	switch c {
	case report.New, report.Flaky, report.NotRun:
		return "failure"
	case report.UnexpectedPass:
		return "warning"
	}
	return ""
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// facts is the table of what the goal ran on.
func facts(run RunView, g report.GoalResult) string {
	var s strings.Builder
	fmt.Fprintf(&s, "| | %s |\n|---|---|\n", cell(g.Goal, 100))
	row := func(k, v string) {
		if v != "" {
			fmt.Fprintf(&s, "| %s | %s |\n", k, v)
		}
	}
	row("Test files", fmt.Sprintf("%d of %d", g.Files, g.Planned))
	row("Blocks", fmt.Sprintf("%d of %d", g.Blocks, g.Expected))
	row("Assertions", fmt.Sprint(g.Tests))
	row("Seconds", fmt.Sprintf("%.0f", g.Seconds))
	row("Project", cell(g.Repo, 200))
	row("Commit", cell(g.Commit, 64))
	keys := make([]string, 0, len(g.Versions))
	for k := range g.Versions {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		row(cell(k, 64), cell(g.Versions[k], 200))
	}
	if run.URL != "" {
		row("Report", "[page of the run]("+run.URL+")")
	}
	return s.String() + "\n"
}

func unsafe(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./", r))
}

// details is every finding in full that the summary only begins, as far as
// there is room.
func details(run RunView, g report.GoalResult) string {
	s := newSheet(run, budget)
	s.details(run, g)
	return s.String()
}

func (s *sheet) details(run RunView, g report.GoalResult) {
	var long []report.Finding
	for _, f := range g.Findings {
		if len(long) == shownLong {
			break
		}
		whole := strings.Trim(clean(f.Detail), "\n")
		folded := levelOf(f.Class) == "" && f.Class != report.Infrastructure
		if whole != "" && (folded || excerpt(whole, excerptLines, excerptBytes) != whole) {
			long = append(long, f)
		}
	}
	s.list("#### In full\n\n", len(long), len(long), func(i int) string {
		return headOf(run, g, long[i]) + "\n\n" + fence(long[i].Detail, 400, maxMessage) + "\n"
	})
	warning := func(i int) string { return fmt.Sprintf("- %s\n", code(g.Warnings[i].Name, 500)) }
	if s.list("<details><summary>Warnings, which decide nothing</summary>\n\n", len(g.Warnings), 50, warning) {
		s.end("</details>\n")
	}
}

// again is how to see a goal that is not good again: by a comment, and here.
func again(g report.GoalResult) string {
	if conclusion(g.Verdict) == "success" {
		return ""
	}
	var s strings.Builder
	s.WriteString("Again here:\n\n")
	for _, c := range commands(g) {
		fmt.Fprintf(&s, "- %s\n", code(c.Value, 300))
	}
	return s.String()
}
