package contract

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// reply is what the handler behind the contract answers.
type reply struct {
	status int
	body   string
	header http.Header
}

// exchange sends a request through the contract to a handler that gives one
// reply, and returns what the client got and what was reported.
func exchange(t *testing.T, method, path, body string, rep reply) (*http.Response, []error) {
	t.Helper()
	var reported []error
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, err := io.ReadAll(r.Body); err != nil || string(got) != body {
			t.Errorf("the handler behind read %q, %v; want the body as sent", got, err)
		}
		if rep.body != "" {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
		}
		for name, values := range rep.header {
			w.Header()[name] = values
		}
		w.WriteHeader(rep.status)
		_, _ = io.WriteString(w, rep.body)
	})
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer x")
	w := httptest.NewRecorder()
	Handler(next, func(err error) { reported = append(reported, err) }).ServeHTTP(w, r)
	for _, err := range reported {
		if v := (*Violation)(nil); !errors.As(err, &v) {
			t.Errorf("reported %T, want a *Violation", err)
		}
	}
	return w.Result(), reported
}

const (
	checks   = "/repos/o/r/check-runs"
	comments = "/repos/o/r/issues/7/comments"
	dispatch = "/repos/o/r/actions/workflows/ortest.yml/dispatches"
	jit      = "/repos/o/r/actions/runners/generate-jitconfig"
)

// check returns the body of a good check run with one field changed.
func check(t *testing.T, value string, path ...string) string {
	t.Helper()
	const good = `{"name":"ortest / t-hello","head_sha":"ce587453ced02b1526dfb4cb910479d431683101","status":"completed",
		"conclusion":"failure","completed_at":"2026-11-21T01:02:03Z","output":{"title":"1 new failure","summary":"s","annotations":[
		{"path":"t/001.t","start_line":3,"end_line":3,"annotation_level":"failure","message":"m","title":"TEST 1","raw_details":"got 2"}]}}`
	return edit(t, good, value, path...)
}

func text(n int, c string) string { return `"` + strings.Repeat(c, n) + `"` }

func TestRequestsAreRefusedAsGitHubDoes(t *testing.T) {
	annotation := func(value, field string) string {
		return check(t, value, "output", "annotations", "0", field)
	}
	cases := []struct {
		name, method, path, body string
		status                   int    // 0: goes through
		want                     string // part of the report
	}{
		{"a good check run", "POST", checks, check(t, `"x"`, "name"), 0, ""},
		{"an unfinished check run needs no conclusion", "POST", checks, `{"name":"n","head_sha":"s","status":"queued"}`, 0, ""},
		{"a body that is no JSON", "POST", checks, `{"name":`, 400, "/: is no JSON"},
		{"no body where one is required", "POST", checks, ``, 400, "/: is no JSON"},
		{"a body that is no object", "POST", checks, `[]`, 422, "/: value must be an object"},
		{"a missing field", "POST", checks, check(t, ``, "head_sha"), 422, "/head_sha: property"},
		{"a word that is not on the list", "POST", checks, check(t, `"done"`, "status"), 422, "/status: value is not one of the allowed values"},
		{"a time in another format", "POST", checks, check(t, `"yesterday"`, "completed_at"), 422, "/completed_at: string doesn't match the format"},
		{"a field that GitHub does not have", "POST", checks, check(t, `1`, "colour"), 422, "/colour: is not a permitted key"},
		{"such a field inside a list", "POST", checks, annotation(`1`, "line"), 422, "/output/annotations/0/line: is not a permitted key"},
		{"completed without a conclusion", "POST", checks, check(t, ``, "conclusion"), 422, "/conclusion: is required when status is completed"},
		{"updated to completed without a conclusion", "PATCH", checks + "/7", `{"status":"completed"}`, 422, "/conclusion: is required"},
		{"a conclusion while in progress", "POST", checks, check(t, `"in_progress"`, "status"), 422, "/status: must be completed"},
		{"a conclusion alone completes", "PATCH", checks + "/7", `{"conclusion":"success"}`, 0, ""},
		{"stale, which only GitHub sets", "POST", checks, check(t, `"stale"`, "conclusion"), 422, "/conclusion: only GitHub can set stale"},
		{"a blank name", "POST", checks, check(t, `" "`, "name"), 422, "/name: is blank"},
		{"a summary of 65535 characters", "POST", checks, check(t, text(65535, "s"), "output", "summary"), 0, ""},
		{"a summary of 65536 characters", "POST", checks, check(t, text(65536, "s"), "output", "summary"), 422, "/output/summary: maximum string length is 65535"},
		{"50 annotations", "POST", checks, annotations(t, 50), 0, ""},
		{"51 annotations", "POST", checks, annotations(t, 51), 422, "/output/annotations: maximum number of items is 50"},
		{"an annotation at line 1", "POST", checks, edit(t, annotation(`1`, "start_line"), `1`, "output", "annotations", "0", "end_line"), 0, ""},
		{"an annotation at line 0", "POST", checks, annotation(`0`, "start_line"), 422, "/output/annotations/0/end_line: lines must be"},
		{"an annotation that ends before it starts", "POST", checks, annotation(`2`, "end_line"), 422, "/output/annotations/0/end_line: lines must be"},
		{"columns on one line", "POST", checks, annotation(`4`, "start_column"), 0, ""},
		{"columns on several lines", "POST", checks, edit(t, annotation(`4`, "start_column"), `9`, "output", "annotations", "0", "end_line"), 422, "/start_column: columns are for"},
		{"a message of 64 KB", "POST", checks, annotation(text(65536, "m"), "message"), 0, ""},
		{"a message of more", "POST", checks, annotation(text(65537, "m"), "message"), 422, "/message: is longer than 64 KB"},
		{"raw details of more than 64 KB", "POST", checks, annotation(text(65537, "m"), "raw_details"), 422, "/raw_details: is longer than 64 KB"},
		{"a title of 255 characters", "POST", checks, annotation(text(255, "ä"), "title"), 0, ""},
		{"a title of 256 characters", "POST", checks, annotation(text(256, "a"), "title"), 422, "/title: is longer than 255 characters"},
		{"an absolute path", "POST", checks, annotation(`"/t/001.t"`, "path"), 422, "/path: is not relative"},

		{"a good comment", "POST", comments, `{"body":"/ortest hello"}`, 0, ""},
		{"a blank comment", "POST", comments, `{"body":" \n"}`, 422, "/body: can't be blank"},
		{"a comment of 65536 characters", "POST", comments, `{"body":` + text(65536, "ä") + `}`, 0, ""},
		{"a comment of 65537 characters", "PATCH", "/repos/o/r/issues/comments/7", `{"body":` + text(65537, "a") + `}`, 422, "/body: is too long"},
		{"an unknown reaction", "POST", "/repos/o/r/issues/comments/7/reactions", `{"content":"shrug"}`, 422, "/content: value is not one of the allowed values"},

		{"a good dispatch", "POST", dispatch, `{"ref":"main","inputs":{"pieces":"[]","n":1},"return_run_details":true}`, 0, ""},
		{"a dispatch without ref", "POST", dispatch, `{"inputs":{}}`, 422, "/ref: property"},
		{"25 inputs", "POST", dispatch, `{"ref":"main","inputs":{` + inputs(25) + `}}`, 0, ""},
		{"26 inputs", "POST", dispatch, `{"ref":"main","inputs":{` + inputs(26) + `}}`, 422, "/inputs: there must be at most 25 properties"},
		{"inputs of 65535 characters", "POST", dispatch, `{"ref":"main","inputs":{"a":` + text(65534, "x") + `}}`, 0, ""},
		{"inputs of 65536 characters", "POST", dispatch, `{"ref":"main","inputs":{"a":` + text(65535, "x") + `}}`, 422, "/inputs: are too large"},
		{"an input that is an object", "POST", dispatch, `{"ref":"main","inputs":{"a":{}}}`, 422, "/inputs/a: is an object"},

		{"a good runner", "POST", jit, `{"name":"n","runner_group_id":1,"labels":["l"]}`, 0, ""},
		{"a runner without label", "POST", jit, `{"name":"n","runner_group_id":1,"labels":[]}`, 422, "/labels: minimum number of items is 1"},
		{"a runner with an empty label", "POST", jit, `{"name":"n","runner_group_id":1,"labels":[""]}`, 422, "/labels/0: has not 1 to 256 characters"},

		{"a known parameter", "GET", comments + "?since=2026-11-21T00:00:00Z&per_page=100", ``, 0, ""},
		{"a parameter of another type", "GET", comments + "?per_page=many", ``, 422, "query per_page: "},
		{"a parameter in another format", "GET", comments + "?since=today", ``, 422, "query since: "},
		{"a parameter that is not on the list", "GET", "/repos/o/r/commits/abc/check-runs?filter=newest", ``, 422, "query filter: "},
		{"a parameter that GitHub does not have", "GET", comments + "?sort=asc", ``, 422, "query sort: is no parameter"},
		{"a number that is none", "GET", "/repos/o/r/issues/seven/comments", ``, 404, "path issue_number: "},
		{"a body where none is described", "DELETE", "/repos/o/r/issues/comments/7", `{"a":1}`, 422, "/: this operation takes no body"},
		{"an operation that is not kept", "GET", "/repos/o/r/milestones", ``, 404, "is not in the kept part"},
		{"an operation that is not kept, below the other root", "PUT", "/api/v3/repos/o/r", ``, 404, "is not in the kept part"},
		{"a path parameter with slashes", "GET", "/repos/o/r/contents/.github/workflows/ortest.yml", ``, 0, ""},
		{"a path parameter that is empty", "GET", "/repos/o/r/contents/", ``, 0, ""},
		{"a branch with slashes", "GET", "/repos/o/r/branches/fix/one", ``, 0, ""},
		{"below the other root", "GET", "/api/v3/repos/o/r/issues/7/comments", ``, 0, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			// What the handler behind answers is no fault of the request.
			got, reported := exchange(t, c.method, c.path, c.body, reply{status: http.StatusForbidden, body: `{"message":"seen","documentation_url":""}`})
			if c.status == 0 {
				if len(reported) > 0 || got.StatusCode != http.StatusForbidden {
					t.Errorf("got %d and the report %v; want the request to go through", got.StatusCode, reported)
				}
				return
			}
			if got.StatusCode != c.status {
				t.Errorf("status %d, want %d", got.StatusCode, c.status)
			}
			if len(reported) != 1 || !strings.Contains(reported[0].Error(), c.want) {
				t.Errorf("reported %v; want one that contains %q", reported, c.want)
			}
			if body := string(must(io.ReadAll(got.Body))); !strings.Contains(body, `"documentation_url"`) {
				t.Errorf("refused with %s; want GitHub's error object", body)
			}
		})
	}
}

func annotations(t *testing.T, n int) string {
	t.Helper()
	const one = `{"path":"t/001.t","start_line":3,"end_line":3,"annotation_level":"notice","message":"m"}`
	return check(t, "["+strings.Repeat(one+",", n-1)+one+"]", "output", "annotations")
}

func inputs(n int) string {
	var list []string
	for i := range n {
		list = append(list, `"`+string(rune('a'+i))+`":"x"`)
	}
	return strings.Join(list, ",")
}

func TestAnswersAreHeldToTheDescription(t *testing.T) {
	all := githubsExamples(t)
	comment := string(all["POST /repos/{owner}/{repo}/issues/{issue_number}/comments"].Answers["201"][0])
	problem := `{"message":"Not Found","documentation_url":"https://docs.github.com/rest"}`
	cases := []struct {
		name, method, path string
		rep                reply
		want               string // part of the report; "" is none
	}{
		{"a good answer", "GET", "/repos/o/r/issues/comments/7", reply{status: 200, body: comment}, ""},
		{"a missing field", "GET", "/repos/o/r/issues/comments/7", reply{status: 200, body: edit(t, comment, ``, "user")}, `/user: property "user" is missing`},
		{"a field that GitHub has added since", "GET", "/repos/o/r/issues/comments/7", reply{status: 200, body: edit(t, comment, `1`, "new_field")}, ""},
		{"a value of another type", "GET", "/repos/o/r/issues/comments/7", reply{status: 200, body: edit(t, comment, `"7"`, "id")}, "/id: value must be an integer"},
		{"a list where an object belongs", "GET", "/repos/o/r/issues/comments/7", reply{status: 200, body: `[]`}, "/: value must be an object"},
		{"a body that is no JSON", "GET", "/repos/o/r/issues/comments/7", reply{status: 200, body: `{`}, "/: unexpected EOF"},
		{"a body that is not said to be JSON", "GET", "/repos/o/r/issues/comments/7", reply{status: 200, body: comment, header: http.Header{"Content-Type": {"text/html"}}}, "header Content-Type: is text/html where JSON is described"},
		{"a good status that is not described", "GET", "/repos/o/r/issues/comments/7", reply{status: 206, body: comment}, "status: is not described"},
		{"an error that is described", "GET", "/repos/o/r/issues/comments/7", reply{status: 404, body: problem}, ""},
		{"an error that may come anywhere", "GET", "/repos/o/r/issues/comments/7", reply{status: 401, body: problem}, ""},
		{"an error without its object", "GET", "/repos/o/r/issues/comments/7", reply{status: 401, body: `"no"`}, "/: an error without a JSON object"},
		{"an error without message", "GET", "/repos/o/r/issues/comments/7", reply{status: 401, body: `{"documentation_url":""}`}, "/message: is missing"},
		{"an error without documentation", "GET", "/repos/o/r/issues/comments/7", reply{status: 401, body: `{"message":"m"}`}, "/documentation_url: is missing"},
		{"an error that GitHub does not give", "GET", "/repos/o/r/issues/comments/7", reply{status: 418, body: problem}, "status: is not described"},
		{"a stand-in that broke", "GET", "/repos/o/r/issues/comments/7", reply{status: 500, body: problem}, "status: the stand-in broke"},
		{"deleted", "DELETE", "/repos/o/r/issues/comments/7", reply{status: 204}, ""},
		{"deleted, with a body", "DELETE", "/repos/o/r/issues/comments/7", reply{status: 204, body: `{}`}, "204 comes with a body"},
		{"a redirect to a log", "GET", "/repos/o/r/actions/jobs/7/logs", reply{status: 302, header: http.Header{"Location": {"/x"}}}, ""},
		{"a redirect to nowhere", "GET", "/repos/o/r/actions/jobs/7/logs", reply{status: 302}, "header Location: is missing"},
		{"a described header", "GET", comments, reply{status: 200, body: `[]`, header: http.Header{"Link": {`<x>; rel="next", <y>; rel="last"`}}}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, reported := exchange(t, c.method, c.path, "", c.rep)
			if got.StatusCode != c.rep.status {
				t.Errorf("status %d, want %d: an answer is sent as it is", got.StatusCode, c.rep.status)
			}
			if c.want == "" {
				if len(reported) > 0 {
					t.Errorf("reported %v, want none", reported)
				}
				return
			}
			if len(reported) != 1 || !strings.Contains(reported[0].Error(), c.want) {
				t.Errorf("reported %v; want one that contains %q", reported, c.want)
			}
		})
	}
}

func TestWhatIsNotRESTIsPassedBy(t *testing.T) {
	for _, path := range []string{"/", "/_runner/poll", "/o/r.git/info/refs", "/o/r/pull/7", "/appendix", "/pages.css"} {
		got, reported := exchange(t, "POST", path, "anything", reply{status: http.StatusTeapot})
		if len(reported) > 0 || got.StatusCode != http.StatusTeapot {
			t.Errorf("%s: got %d and the report %v; want it untouched", path, got.StatusCode, reported)
		}
	}
}

func TestCredentialsComeBeforeTheBody(t *testing.T) {
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"message":"Requires authentication","documentation_url":"https://docs.github.com/rest"}`)
	})
	w := httptest.NewRecorder()
	Handler(next, func(err error) { t.Error(err) }).ServeHTTP(w, httptest.NewRequest(http.MethodPost, checks, strings.NewReader("{")))
	if w.Code != http.StatusUnauthorized {
		t.Errorf("status %d, want 401", w.Code)
	}
}

// TestWhoWentAwayGetsNoAnswer: what a server says to somebody whose request ended in
// between is held to nothing.
func TestWhoWentAwayGetsNoAnswer(t *testing.T) {
	for name, gone := range map[string]bool{"who waits": false, "who went away": true} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			faults := 0
			h := Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if gone {
					cancel()
				}
				w.WriteHeader(http.StatusInternalServerError)
			}), func(error) { faults++ })
			r := httptest.NewRequestWithContext(ctx, "GET", "/repos/o/n/branches", nil)
			r.Header.Set("Authorization", "Bearer x")
			if h.ServeHTTP(httptest.NewRecorder(), r); (faults == 0) != gone {
				t.Errorf("%d faults", faults)
			}
		})
	}
}
