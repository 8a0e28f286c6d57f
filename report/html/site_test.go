package html

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/result"
)

var siteModes = []plan.Mode{{Name: "t", Title: "plain"}, {Name: "tv", Title: "valgrind"}, {Name: "tl", Title: "leak check"}}

// cellOf is a result of the example project.
func cellOf(t testing.TB, name, goal, nginx, tested string) result.Goal {
	t.Helper()
	r := *judgedLog(t, name)
	r.Goal, r.Repo, r.Commit = goal, "ortest-examples/hello", sha
	r.Versions = maps.Clone(r.Versions)
	if r.Versions == nil {
		r.Versions = make(map[string]string)
	}
	maps.Copy(r.Versions, map[string]string{"luajit": "2.1.17", "luajit_commit": "abc1234", "openssl": "3.0.22"})
	return result.Goal{
		Run: "bucket-1.log", Arch: "linux x86_64", Nginx: nginx, Tested: tested, CommitDate: "Sat Nov 21 10:00:00 2026 +0000",
		Log: result.Log{Name: "bucket-1.log", Offset: 100, Bytes: 2000}, Result: r,
	}
}

func exampleSite(t testing.TB) Site {
	t.Helper()
	goals := []result.Goal{
		cellOf(t, "fail-t", "t-hello", "1.22.1", "2026-11-21 12:00:00"),
		cellOf(t, "good-t", "t-hello", "1.22.1", "2026-11-20 12:00:00"),
		cellOf(t, "memory-tv", "tv-hello", "1.22.1", "2026-11-21 12:00:00"),
		cellOf(t, "leak-tl", "tl-hello", "1.22.1", "2026-11-21 12:00:00"),
		cellOf(t, "good-t", "t-hello", "1.29.2", "2026-11-21 12:00:00"),
	}
	build := cellOf(t, "good-t", "t-other", "", "2026-11-21 12:00:00")
	build.Result.Verdict, build.Result.Tests = report.Fail, 0
	build.Result.Findings = []report.Finding{
		{Kind: "build", Class: report.New, Name: "./configure: error: the HTTP rewrite module requires the PCRE library.", Print: "c1"},
		{Kind: "build", Class: report.New, Name: "src/a.c:15:1: error: no previous prototype", Print: "c2"},
		{Kind: "crash", Class: report.New, Name: "nginx[5]: segfault at 0 ip 00007f", Print: "c3"},
	}
	build.Result.Warnings = []report.Finding{{Kind: "warning", Name: "WARNING: TEST 1: sleeps"}}
	passed := cellOf(t, "good-t", "t-second", "1.22.1", "2026-11-21 12:00:00")
	passed.Result.Verdict, passed.Result.Findings, passed.Result.Tests, passed.Result.Seconds = report.Pass, nil, 34, 1
	return Site{
		Cells: result.Cells(append(goals, build, passed)), Modes: siteModes, Forge: "https://github.com", Since: "2026-11-20 23:00:00",
		Archive: "https://qa.example/archive/", Maintainer: "ada@example.com",
		Bundle: func(c result.Cell, print string) string {
			if c.Mode() == "t" {
				return "repro/" + c.Name + "/" + print + "/README.md"
			}
			return ""
		},
	}
}

// written is a site's files by their names.
func written(t testing.TB, s Site) map[string]string {
	t.Helper()
	files := make(map[string]string)
	var mu sync.Mutex
	err := s.Write(func(name string, b []byte) error {
		mu.Lock()
		defer mu.Unlock()
		files[name] = string(b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestAllThatTheOldReportShowed has a row for each thing that the templates of
// the old report (index.tt, detailed.tt) put on a page.
func TestAllThatTheOldReportShowed(t *testing.T) {
	files := written(t, exampleSite(t))
	const index, red, build, leak, clean = "index.html", "g/x86_64-1.22.1-t-hello.html", "g/x86_64-none-t-other.html", "g/x86_64-1.22.1-tl-hello.html", "g/x86_64-1.29.2-t-hello.html"
	for _, tt := range []struct{ name, page, want string }{
		{"index: the arches, with links to their tables", index, `<a href="#a1">linux x86_64</a>`},
		{"index: the nginx versions, with links to their tables", index, `<a href="#a1-1">nginx 1.29.2</a>`},
		{"index: what is tested without nginx", index, "without nginx"},
		{"index: a column a mode", index, "<th scope=col>t<th scope=col>tv<th scope=col>tl"},
		{"index: what the modes are", index, "<dt><code>tv</code><dd>valgrind"},
		{"index: a row a project", index, `<th scope=row>hello <small>`},
		{"index: the project's readme, linked", index, `<a href="https://github.com/ortest-examples/hello#readme">`},
		{"index: PASS with its number of tests and seconds", index, "<td class=p><a href=g/x86_64-1.22.1-t-second.html>✓ pass</a> <b>new</b> 34 1s"},
		{"index: FAIL with its number of failures", index, "<td class=f><a href=g/x86_64-1.22.1-t-hello.html>✗ fail</a>"},
		{"index: almost passed, with the number of expected failures", index, "<td class=k><a href=g/x86_64-1.29.2-t-hello.html>~ known</a> <b>new</b> 1 "},
		{"index: a goal without a result", index, "<td>–"},
		{"index: the commit", index, sha[:8]},
		{"index: when it was tested", index, "tested 2026-11-21 12:00:00 UTC"},
		{"index: what is new", index, "<b>new</b>"},
		{"index: the archive", index, `<a href="https://qa.example/archive/">`},
		{"index: the maintainer", index, "ada@example.com"},
		{"page: what made it", index, "ortest</a>."},
		{"detail: project, arch and mode in the title", red, "<title>fail: t-hello, linux x86_64, nginx 1.22.1</title>"},
		{"detail: the commit, linked", red, `<dt>Commit<dd><a href="https://github.com/ortest-examples/hello/commit/` + sha},
		{"detail: the commit's date", red, "<dt>Committed<dd>Sat Nov 21 10:00:00 2026 &#43;0000"},
		{"detail: when it was tested", red, "<dt>Tested<dd>2026-11-21 12:00:00 UTC"},
		{"detail: the number of unexpected failures", red, `<dt>Unexpected failures<dd><a href="#unexpected">1</a>`},
		{"detail: the number of expected failures", red, `<dt>Expected failures<dd><a href="#expected">`},
		{"detail: the files, linked", red, `/tree/` + sha + `/t">`},
		{"detail: the tests", red, "<dt>Tests<dd>"},
		{"detail: the elapsed time", red, "<dt>Elapsed<dd>"},
		{"detail: LuaJIT and its commit, linked", red, `<dt>LuaJIT commit<dd><a href="https://github.com/openresty/luajit2/commit/abc1234">`},
		{"detail: OpenSSL", red, "<dt>OpenSSL<dd>3.0.22"},
		{"detail: the configure error", build, "requires the PCRE library"},
		{"detail: the compilation errors", build, "no previous prototype"},
		{"detail: the segmentation faults", build, "segfault at 0"},
		{"detail: an unexpected failure's file, linked to its line", red, "/blob/" + sha + "/t/001-greet.t#L"},
		{"detail: its name", red, "<strong>TEST "},
		{"detail: its details", red, "<pre tabindex=0"},
		{"detail: expected failures apart", red, "<h2 id=expected>Expected failures</h2>"},
		{"detail: no failures are said to be none", clean, "None."},
		{"detail: the leak's chart", leak, `<svg role="img"`},
		{"detail: warnings", build, "WARNING: TEST 1: sleeps"},
		{"detail: the way back to the index", red, "<a href=../index.html>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(files[tt.page], tt.want) {
				t.Errorf("%s does not show %q:\n%.6000s", tt.page, tt.want, files[tt.page])
			}
		})
	}
}

func TestTheSiteHasTheSameBytesForTheSameResults(t *testing.T) {
	a, s := written(t, exampleSite(t)), exampleSite(t)
	var goals []result.Goal
	for _, c := range s.Cells {
		goals = append(append(goals, c.Earlier...), c.Goal)
	}
	slices.Reverse(goals)
	s.Cells = result.Cells(goals)
	if diff := cmp.Diff(a, written(t, s)); diff != "" {
		t.Errorf("other bytes:\n%s", diff)
	}
}

var (
	reHref = regexp.MustCompile(`href="?([^" >]+)`)
	reID   = regexp.MustCompile(` id="?([^" >]+)`)
)

func TestEveryLinkOfTheSiteLeadsSomewhere(t *testing.T) {
	site := exampleSite(t)
	files := written(t, site)
	other := map[string]bool{"results.jsonl": true, "junit.xml": true, "memory.sarif": true}
	for _, c := range site.Cells {
		other[DataName(c)] = true
		for _, f := range c.Result.Findings {
			other[site.Bundle(c, f.Fingerprint())] = true
		}
	}
	ids := make(map[string]bool)
	for name, text := range files {
		for _, m := range reID.FindAllStringSubmatch(text, -1) {
			if ids[name+"#"+m[1]] {
				t.Errorf("%s has two elements %s", name, m[1])
			}
			ids[name+"#"+m[1]] = true
		}
	}
	for name, text := range files {
		for _, m := range reHref.FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(m[1], "https://") {
				continue
			}
			file, id, has := strings.Cut(m[1], "#")
			at := path.Join(path.Dir(name), file)
			if file == "" {
				at = name
			}
			if _, ok := files[at]; !ok && !other[at] {
				t.Errorf("%s links %s, which is not there", name, m[1])
			}
			if has && !ids[at+"#"+id] {
				t.Errorf("%s links %s, which %s does not have", name, m[1], at)
			}
		}
	}
}

func TestTheSiteHoldsItsPolicy(t *testing.T) {
	for name, text := range written(t, exampleSite(t)) {
		style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(text)
		policy := regexp.MustCompile(`Content-Security-Policy content="([^"]*)"`).FindStringSubmatch(text)
		if style == nil || policy == nil || !strings.Contains(unescape(policy[1]), hashOf(style[1])) {
			t.Errorf("%s: the policy does not allow the style sheet", name)
			continue
		}
		scripts := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllStringSubmatch(text, -1)
		switch {
		case name != "index.html" && (len(scripts) > 0 || strings.Contains(policy[1], "script-src")):
			t.Errorf("%s has a script", name)
		case name == "index.html" && (len(scripts) != 1 || !strings.Contains(unescape(policy[1]), hashOf(scripts[0][1]))):
			t.Errorf("%s: the policy does not allow the script", name)
		}
		for _, bad := range []string{" style=", " onclick", "javascript:", "http://", " src="} {
			if strings.Contains(text, bad) {
				t.Errorf("%s has %q", name, bad)
			}
		}
	}
}

func unescape(s string) string {
	return strings.NewReplacer("&#39;", "'", "&#43;", "+", "&amp;", "&").Replace(s)
}

// withText puts a text into everything foreign that a site shows.
func withText(s string) Site {
	one := report.Sample{KiB: 1}
	r := report.GoalResult{
		Goal: "t-" + s, Repo: s + "/x", Verdict: report.Fail, Why: []string{s}, Commit: s + sha, Versions: map[string]string{"a": s, "luajit_commit": s},
		Warnings: []report.Finding{{Kind: "warning", File: s + "x", Name: s}}, Leaks: map[string][]report.Sample{"b" + s: {one, {KiB: 2}}},
	}
	for i, c := range order() {
		r.Findings = append(r.Findings, report.Finding{
			Kind: s + "x", Class: c, File: "x" + s, Block: "x" + s, Number: 1, Line: 3, Name: "x" + s, Detail: "x" + s, Why: "x" + s, Rule: s,
			Print: fmt.Sprint(i, s), Offset: 7, Samples: []report.Sample{one, one},
		})
	}
	g := result.Goal{Run: "x" + s, Arch: "x" + s, Nginx: "x" + s, Tested: "x" + s, CommitDate: "x" + s, Log: result.Log{Name: "x" + s}, Result: r}
	return Site{
		Cells: result.Cells([]result.Goal{g}), Modes: siteModes, Forge: "https://github.com", Trouble: []string{"x" + s}, Maintainer: "x" + s,
		Bundle: func(c result.Cell, _ string) string { return "repro/" + c.Name },
	}
}

var (
	reTag   = regexp.MustCompile(`<[^>]*>`)
	reValue = regexp.MustCompile(`="[^"]*"|=[^ >]*`)
	reInner = regexp.MustCompile(`(?s)<(style|script)>.*?</(style|script)>`)
)

// skeleton is what of a page is markup: its tags with their attributes' names.
func skeleton(page string) string {
	var s strings.Builder
	for _, tag := range reTag.FindAllString(reInner.ReplaceAllString(page, ""), -1) {
		s.WriteString(reValue.ReplaceAllString(tag, "") + "\n")
	}
	return s.String()
}

// noMarkup checks that a site with a text has the markup of one without.
func noMarkup(t *testing.T, text string) {
	t.Helper()
	plainText := written(t, withText("y"))
	for name, page := range written(t, withText(text)) {
		other := "index.html"
		if name != other {
			other = "g/xy-xy-t-y.html"
		}
		if diff := cmp.Diff(skeleton(plainText[other]), skeleton(page)); diff != "" {
			t.Errorf("%q made markup on %s:\n%s", text, name, diff)
		}
		if i := strings.IndexFunc(page, func(r rune) bool { return r != '\n' && r != '\t' && (r < 0x20 || r == 0x7f || hidden(r)) }); i >= 0 {
			t.Errorf("%q shows a hidden character on %s: %q", text, name, page[max(i-60, 0):min(i+20, len(page))])
		}
		if path.Clean(name) != name || strings.HasPrefix(name, "..") {
			t.Errorf("%q names a file %q", text, name)
		}
	}
}

func TestHostileTextMakesNoMarkup(t *testing.T) {
	for _, s := range []string{hostile, `"><script>alert(1)</script>`, `' onmouseover=x `, "</style></script>", "javascript:alert(1)", "../../x", "\x00\xff", "{{.Goal}}", "\u202e"} {
		noMarkup(t, s)
	}
}

func FuzzSite(f *testing.F) {
	for _, s := range []string{hostile, `"><script>`, "--><!--", "' x=y", "\u2066a\u2069"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) < 4096 {
			noMarkup(t, "y"+s) // an empty text leaves out what it belongs to
		}
	})
}

func FuzzMarkdown(f *testing.F) {
	f.Add(hostile, 3)
	f.Add(strings.Repeat("`", 4000)+"\n- x\n", 100)
	f.Add("|\n|---|\n", 70)
	f.Fuzz(func(t *testing.T, s string, n int) {
		if len(s) > 8192 {
			return
		}
		g := withText(s).Cells[0].Result
		for range n % 300 {
			g.Findings = append(g.Findings, g.Findings[0])
		}
		run := RunView{ID: "1", Repo: "o/r", State: "done", Forge: "https://github.com", URL: "https://x.example/runs/1", Trouble: []string{s}, Command: s, Author: s,
			Goals: []GoalView{{Goal: "t-hello", State: "done", Result: &g, Note: s}}}
		check, verdict := CheckRun(run, g), VerdictCheck(run, run.results())
		for name, md := range map[string]string{"summary": check.Summary, "text": check.Text, "verdict": verdict.Summary, "sticky": Sticky(run)} {
			if len(md) > 65_535 {
				t.Errorf("%s has %d bytes", name, len(md))
			}
			if strings.Count(md, "<details") != strings.Count(md, "</details>") && !strings.Contains(s, "details") {
				t.Errorf("%s leaves a section open", name)
			}
		}
		if job := JobSummary(run, run.results()); len(job) > 1<<20 {
			t.Errorf("the job's summary has %d bytes", len(job))
		}
		if len(check.Title) > 255 || len(check.Annotations) > maxAnnotations {
			t.Errorf("title of %d bytes, %d annotations", len(check.Title), len(check.Annotations))
		}
	})
}

// fullSite is 326 goals on three arches with three nginx cores: some fail, some
// are known, each has a history.
func fullSite(tb testing.TB) Site {
	tb.Helper()
	var goals []result.Goal
	projects, err := filepath.Glob("../../plan/catalog/projects/*.yaml")
	if err != nil || len(projects) < 39 {
		tb.Fatalf("%d projects (%v)", len(projects), err)
	}
	logs := []string{"good-t", "good-t", "good-t", "good-t", "good-t", "good-t", "fail-t", "good-t", "leak-tl", "good-t"}
	for p, file := range projects[:39] {
		project := strings.TrimSuffix(filepath.Base(file), ".yaml")
		for m, mode := range []string{"t", "tr", "tw", "tv", "trv", "twv", "th", "thv", "tl", "to"} {
			if p > 6 && m > 7 { // 7 projects of ten modes and 32 of eight
				continue
			}
			r := *judgedLog(tb, logs[(p*3+m)%len(logs)])
			r.Goal, r.Repo, r.Commit = mode+"-"+project, "openresty/"+project, sha
			for _, arch := range []string{"linux x86_64", "linux i386", "linux aarch64"} {
				for _, core := range []string{"1.29.2", "1.27.1", "1.25.3"} {
					goals = append(goals, result.Goal{Run: "bucket-7.log.gz", Arch: arch, Nginx: core, Tested: "2026-11-21 12:00:00", Result: r})
				}
			}
		}
	}
	return Site{Cells: result.Cells(goals), Modes: siteModes, Forge: "https://github.com"}
}

func TestTheIndexOfAFullReportIsSmall(t *testing.T) {
	site := fullSite(t)
	if n := len(site.Cells); n < 326*9 {
		t.Fatalf("%d cells, want at least %d", n, 326*9)
	}
	b, err := render("index", site.index(newChrome()))
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 300_000 {
		t.Errorf("the index has %d bytes, want at most 300,000", len(b))
	}
	t.Logf("%d cells, %d bytes", len(site.Cells), len(b))
}

func BenchmarkSite(b *testing.B) {
	site := fullSite(b)
	for b.Loop() {
		size := 0
		var mu sync.Mutex
		err := site.Write(func(_ string, page []byte) error {
			mu.Lock()
			size += len(page)
			mu.Unlock()
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range site.Cells {
			if _, err := json.Marshal(c.Goal); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(size)/1e6, "MB")
	}
}
