package page

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/internal/githubtest"
)

func TestPathsLeadToTheirPlace(t *testing.T) {
	cases := []struct {
		name, path string
		status     int
		location   string
	}{
		{"the root leads to the pull request", "/", 303, pullPath},
		{"a check run's page is a place on it", "/" + repo + "/runs/12", 303, pullPath + "#check-12"},
		{"a workflow run's page is a place on it", "/" + repo + "/actions/runs/13", 303, pullPath + "#run-13"},
		{"a run of another repository is not ours", "/other/hello/runs/12", 418, ""},
		{"a run that is no number is not ours", "/" + repo + "/runs/latest", 418, ""},
		{"the pull request", pullPath, 200, ""},
		{"a pull request that does not exist", "/" + repo + "/pull/2", 404, ""},
		{"a pull request that is no number", "/" + repo + "/pull/one", 404, ""},
		{"a job's log", "/" + repo + "/actions/runs/13/job/7", 200, ""},
		{"a log that does not exist", "/" + repo + "/actions/runs/13/job/8", 404, ""},
		{"the style", "/_page/page.css", 200, ""},
		{"the script", "/_page/page.js", 200, ""},
		{"a template is no asset", "/_page/pull.html", 404, ""},
		{"a path out of the assets", "/_page/..%2fpage.go", 404, ""},
		{"the REST interface", "/repos/" + repo + "/pulls/1", 418, ""},
		{"the REST interface below its other root", "/api/v3/repos/" + repo + "/actions/runs/1", 418, ""},
		{"a repository", "/" + repo + ".git/info/refs", 418, ""},
		{"another private interface", "/_runner/poll", 418, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, cfg := demo()
			got, _ := ask(t, cfg, get(c.path))
			if got.StatusCode != c.status || got.Header.Get("Location") != c.location {
				t.Errorf("got %d %q, want %d %q", got.StatusCode, got.Header.Get("Location"), c.status, c.location)
			}
		})
	}
}

func TestALogIsNeverMarkup(t *testing.T) {
	_, cfg := demo()
	got, _ := ask(t, cfg, get("/"+repo+"/actions/runs/13/job/7"))
	if kind := got.Header.Get("Content-Type"); kind != "text/plain; charset=utf-8" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("a log is sent as %q, %q", kind, got.Header.Get("X-Content-Type-Options"))
	}
}

func TestCommenting(t *testing.T) {
	long := strings.Repeat("x", maxForm)
	cases := []struct {
		name   string
		form   url.Values
		site   string // Sec-Fetch-Site
		refuse error
		status int
		said   string // of the page, or of the stored comment when it leads there
	}{
		{"as the maintainer", url.Values{"as": {"ada"}, "body": {"/ortest hello"}}, "same-origin", nil, 303, "ada: /ortest hello"},
		{"as the stranger", url.Values{"as": {"mallory"}, "body": {"/ortest hello"}}, "same-origin", nil, 303, "mallory: /ortest hello"},
		{"with the lines of a form", url.Values{"as": {"ada"}, "body": {"a\r\nb"}}, "same-origin", nil, 303, "ada: a\nb"},
		{"with an old browser, which says nothing of sites", url.Values{"as": {"ada"}, "body": {"a"}}, "", nil, 303, "ada: a"},
		{"from another site", url.Values{"as": {"ada"}, "body": {"a"}}, "cross-site", nil, 403, ""},
		{"from another port of the same machine", url.Values{"as": {"ada"}, "body": {"a"}}, "same-site", nil, 403, ""},
		{"as somebody else", url.Values{"as": {"ortest[bot]"}, "body": {"a"}}, "same-origin", nil, 403, "nobody here is called"},
		{"as nobody", url.Values{"body": {"a"}}, "same-origin", nil, 403, "nobody here is called"},
		{"with nothing to say", url.Values{"as": {"mallory"}, "body": {" \n"}}, "same-origin", nil, 422, "A comment cannot be blank."},
		{"when it is refused", url.Values{"as": {"mallory"}, "body": {"my <text>"}}, "same-origin", errors.New("too long"), 422, "GitHub refused the comment: too long"},
		{"with more than any comment", url.Values{"as": {"ada"}, "body": {long}}, "same-origin", nil, 400, "cannot be read"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g, cfg := demo()
			g.refuse = c.refuse
			r := post(pullPath+"/comments", c.form)
			r.Header.Set("Sec-Fetch-Site", c.site)
			got, page := ask(t, cfg, r)
			if got.StatusCode != c.status {
				t.Fatalf("status %d, want %d", got.StatusCode, c.status)
			}
			if c.status != http.StatusSeeOther {
				if !strings.Contains(page, c.said) || len(g.c.Comments) > 0 {
					t.Errorf("the page does not say %q, or the comment was written", c.said)
				}
				return
			}
			if len(g.c.Comments) != 1 || g.c.Comments[0].Author+": "+g.c.Comments[0].Body != c.said {
				t.Errorf("wrote %+v, want %q", g.c.Comments, c.said)
			}
			if want := pullPath + "#issuecomment-1"; got.Header.Get("Location") != want {
				t.Errorf("leads to %q, want %q", got.Header.Get("Location"), want)
			}
		})
	}
}

func TestARefusedCommentStaysInTheBox(t *testing.T) {
	g, cfg := demo()
	g.refuse = errors.New("no")
	_, page := ask(t, cfg, post(pullPath+"/comments", url.Values{"as": {"mallory"}, "body": {"my </textarea> text"}}))
	wants(t, page, `my &lt;/textarea&gt; text</textarea>`, `value="mallory" data-role="stranger" checked`)
}

func TestAnExampleFillsTheBoxWithoutScript(t *testing.T) {
	_, cfg := demo()
	cfg.Examples = []Example{{Text: "/ortest hello", Note: "tests it"}}
	_, page := ask(t, cfg, get(pullPath+"?fill=%2Fortest+hello"))
	wants(t, page, `>/ortest hello</textarea>`, `name="fill" value="/ortest hello"`, `value="ada" data-role="maintainer" checked`)
}

func TestSwitchingTheVariant(t *testing.T) {
	cases := []struct {
		name, variant, site string
		fail                error
		status              int
		pushed              string
	}{
		{"to one there is", "fail", "same-origin", nil, 303, "fail"},
		{"to one there is not", "worse", "same-origin", nil, 400, ""},
		{"from another site", "fail", "cross-site", nil, 403, ""},
		{"that cannot be pushed", "fail", "same-origin", errors.New("git is away"), 500, "fail"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, cfg := demo()
			pushed := ""
			cfg.Variants = []Variant{{Name: "good"}, {Name: "fail", Note: "A block fails."}}
			cfg.Switch = func(_ context.Context, name string) error { pushed = name; return c.fail }
			r := post("/_page/variant", url.Values{"variant": {c.variant}})
			r.Header.Set("Sec-Fetch-Site", c.site)
			if got, _ := ask(t, cfg, r); got.StatusCode != c.status || pushed != c.pushed {
				t.Errorf("status %d and %q pushed, want %d and %q", got.StatusCode, pushed, c.status, c.pushed)
			}
		})
	}
}

func TestThePageShowsWhatThereIs(t *testing.T) {
	g, cfg := demo()
	g.c.Comments = []githubtest.Comment{{
		ID: 5, Author: "ortest[bot]", App: true, Body: "**hello**", CreatedAt: start, UpdatedAt: start.Add(time.Minute),
		Reactions: []githubtest.Reaction{{Login: "ada", Content: "eyes"}, {Login: "carl", Content: "rocket"}, {Login: "carl", Content: "eyes"}},
	}}
	g.c.Checks = []githubtest.CheckRun{
		{ID: 8, Name: "ortest / verdict", Status: "in_progress", StartedAt: start},
		{
			ID: 9, Name: "ortest / tv-hello", Status: "completed", Conclusion: "failure", Title: "1 leak", Summary: "| a |\n|---|\n| b |", Details: "http://127.0.0.1/run",
			StartedAt: start, CompletedAt: start.Add(75 * time.Second),
			Annotations: []githubtest.Annotation{{Path: "t/1.t", StartLine: 3, EndLine: 4, Level: "failure", Title: "TEST 1", Message: "lost", RawDetails: "stack"}},
		},
	}
	g.a.Runs = []githubtest.RunJobs{{
		WorkflowRun: githubtest.WorkflowRun{ID: 20, Name: "ortest", Title: "run 1", Number: 2, Event: "workflow_dispatch", Actor: "ortest[bot]", Status: "in_progress"},
		Jobs:        []githubtest.Job{{ID: 21, Name: "tv-hello", Status: "completed", Conclusion: "cancelled", RunnerName: "lane-1"}},
	}}
	m := &machinesOf{rows: []Machine{{ID: "i-1", State: "busy", Bucket: "1/b1", Detail: "tv-hello"}}}
	cfg.Machines = m.list
	cfg.Variants = []Variant{{Name: "good"}, {Name: "memory", Note: "An invalid read."}}
	cfg.Current = func() string { return "memory" }
	_, page := ask(t, cfg, get(pullPath))
	wants(t, page,
		`<title>Greet politely · Pull request #1 · ortest-examples/hello</title>`,
		`data-head="ce587453ced02b1526dfb4cb910479d431683101"`,
		`id="issuecomment-5" data-comment="5" data-author="ortest[bot]"`, `<span class="badge">bot</span>`, `<strong>hello</strong>`, `edited <time`,
		`data-reaction="eyes" title="ada, carl reacted with eyes"`, `data-reaction="rocket"`,
		`id="check-8" data-check="ortest / verdict" data-state="in_progress"`, `started <time`,
		`id="check-9" data-check="ortest / tv-hello" data-state="failure"`, `1 min 15 s`, `<td>b</td>`, `href="http://127.0.0.1/run"`,
		`data-tally="in_progress"`, `1 in progress, 1 failure`,
		`data-level="failure" data-path="t/1.t" data-line="3"`, `t/1.t:3–4`, `>lost</pre>`, `>stack</pre>`,
		`data-run="20" data-state="in_progress" open`, `data-job="21" data-state="cancelled"`, `href="/ortest-examples/hello/actions/runs/20/job/21"`, `on lane-1`,
		`data-machines="1"`, `data-machine="i-1" data-state="busy"`, `bucket 1/b1 · not launched · tv-hello`,
		`data-variant="memory" aria-pressed="true"`, `data-variant="good" aria-pressed="false"`,
	)
}

func TestTheFactsOfOthersAreText(t *testing.T) {
	const evil = `"><script>alert(1)</script><b onclick='x'>`
	g, cfg := demo()
	g.c.Pull.Title, g.c.Pull.Head, g.c.Pull.Body = evil, evil, evil
	g.c.Comments = []githubtest.Comment{{ID: 5, Author: "mallory", Body: evil}}
	g.c.Checks = []githubtest.CheckRun{{
		ID: 8, Name: evil, Status: "completed", Conclusion: "success", Title: evil, Summary: evil, Text: evil, Details: "javascript:alert(1)",
		Annotations: []githubtest.Annotation{{Path: evil, StartLine: 1, EndLine: 1, Level: "notice", Title: evil, Message: evil, RawDetails: evil}},
	}}
	g.a.Runs = []githubtest.RunJobs{{
		WorkflowRun: githubtest.WorkflowRun{ID: 20, Title: evil, Name: evil, Status: "queued"}, Jobs: []githubtest.Job{{ID: 21, Name: evil, RunnerName: evil}},
	}}
	m := &machinesOf{rows: []Machine{{ID: evil, State: evil, Bucket: evil, Detail: evil}}}
	cfg.Machines = m.list
	got, page := ask(t, cfg, get(pullPath+"?fill="+url.QueryEscape(evil)))
	if n := strings.Count(page, "<script"); n != 1 {
		t.Errorf("the page has %d scripts, want its own one", n)
	}
	unquoted := regexp.MustCompile(`="[^"]*"`).ReplaceAllString(page, "=")
	if found := regexp.MustCompile(`<[^>]* (on\w+|style)=`).FindString(unquoted); found != "" {
		t.Errorf("the page has %q, which its policy forbids", found)
	}
	if strings.Contains(page, `href="javascript:`) {
		t.Error("a link runs a script")
	}
	csp := got.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("the policy is %q", csp)
	}
}

func TestSumSaysTheWorstFirst(t *testing.T) {
	done := func(conclusion string) check {
		return check{CheckRun: githubtest.CheckRun{Status: "completed"}, State: conclusion}
	}
	running := check{CheckRun: githubtest.CheckRun{Status: "in_progress"}, State: "in_progress"}
	cases := []struct {
		name   string
		checks []check
		state  string
		counts string
	}{
		{"no check", nil, "none", ""},
		{"all good", []check{done("success"), done("success")}, "success", "2 success"},
		{"one failed", []check{done("success"), done("failure")}, "failure", "1 success, 1 failure"},
		{"one was cancelled, which is no success", []check{done("cancelled")}, "failure", "1 cancelled"},
		{"one is not done", []check{done("success"), running}, "in_progress", "1 success, 1 in progress"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := sum(c.checks); got.State != c.state || got.Counts != c.counts {
				t.Errorf("got %q, %q; want %q, %q", got.State, got.Counts, c.state, c.counts)
			}
		})
	}
}

func TestTook(t *testing.T) {
	cases := []struct {
		name string
		d    time.Duration
		want string
	}{
		{"no time at all", 0, "0 s"},
		{"just under a minute", 59 * time.Second, "59 s"},
		{"a minute", time.Minute, "1 min 0 s"},
		{"what ended before it started", -time.Second, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := took(start, start.Add(c.d)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := took(time.Time{}, start); got != "" {
		t.Errorf("what never started took %q", got)
	}
}

// TestEveryStateHasItsIcon: an icon that is missing is an empty place, which
// nobody sees in a test of the words.
func TestEveryStateHasItsIcon(t *testing.T) {
	raw, err := os.ReadFile("assets/pull.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{
		"none", "queued", "in_progress", "success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required", "eyes", "confused",
	} {
		if !strings.Contains(string(raw), `<symbol id="i-`+state+`"`) {
			t.Errorf("no icon for %s", state)
		}
	}
}

func wants(t *testing.T, page string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not have %q", part)
		}
	}
}
