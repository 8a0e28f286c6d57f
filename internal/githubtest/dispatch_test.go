package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const dispatchPath = repoPath + "/actions/workflows/ortest.yml/dispatches"

// pieces is a matrix of n pieces with labels of their own.
func pieces(n int) string {
	list := make([]obj, n)
	for i := range list {
		list[i] = obj{"id": fmt.Sprintf("1/p%d/1", i), "label": fmt.Sprintf("ortest-%d", i), "goal": fmt.Sprintf("t-%d", i)}
	}
	raw, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// dispatch starts n jobs and returns the workflow run.
func (f *fixture) dispatch(n int) int64 {
	f.t.Helper()
	body := obj{"ref": "main", "return_run_details": true, "inputs": obj{"pieces": pieces(n), "nonce": "abc"}}
	res := f.call("POST", dispatchPath, body).want(http.StatusOK)
	return int64(res.body["workflow_run_id"].(float64))
}

func (f *fixture) jobs(run int64) []obj {
	f.t.Helper()
	res := f.call("GET", runPath(run)+"/jobs", nil).want(http.StatusOK)
	var out []obj
	for _, j := range res.body["jobs"].([]any) {
		out = append(out, j.(obj))
	}
	return out
}

func runPath(id int64) string { return repoPath + "/actions/runs/" + strconv.FormatInt(id, 10) }

func TestDispatchRefusals(t *testing.T) {
	f := newFixture(t)
	for name, text := range map[string]string{
		"push.yml":  "on: push\njobs: {a: {runs-on: x, steps: [{run: 'true'}]}}\n",
		"list.yml":  "on: [push, workflow_dispatch]\njobs: {a: {runs-on: x, steps: [{run: 'true'}]}}\n",
		"word.yml":  "on: workflow_dispatch\njobs: {a: {runs-on: [self-hosted, x], steps: [{run: 'true'}]}}\n",
		"none.yml":  "on: {workflow_dispatch: }\njobs: {a: {runs-on: x, steps: [{run: 'true'}]}}\n",
		"needs.yml": "on: {workflow_dispatch: }\njobs: {a: {runs-on: x, needs: b, steps: [{run: 'true'}]}}\n",
		"func.yml":  "on: {workflow_dispatch: }\njobs: {a: {runs-on: \"${{ format('x') }}\", steps: [{run: 'true'}]}}\n",
		"torn.yml":  "on: [\n",
	} {
		_, err := f.s.Push(t.Context(), Commit{Repo: repoName, Branch: "main", Message: "add", Author: "alice",
			Files: map[string]File{".github/workflows/" + name: {Data: []byte(text)}}})
		f.must(err)
	}
	many := func(n int) obj {
		o := obj{}
		for i := range n {
			o[fmt.Sprintf("x%d", i)] = "1"
		}
		return o
	}
	const gone, refused, done = http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusNoContent
	good := obj{"pieces": pieces(1), "nonce": "n"}
	long := func(size int) obj { // names and values count
		return obj{"pieces": pieces(1), "nonce": strings.Repeat("x", size-len("pieces")-len(pieces(1))-len("nonce"))}
	}
	for _, tt := range []struct {
		name, file string
		body       obj
		want       int
		says       string
	}{
		{"all inputs given", "ortest.yml", obj{"ref": "main", "inputs": good}, done, ""},
		{"a full ref", "ortest.yml", obj{"ref": "refs/heads/main", "inputs": good}, done, ""},
		{"a choice on the list", "ortest.yml", obj{"ref": "main", "inputs": obj{"pieces": pieces(1), "nonce": 12, "arch": "arm64"}}, done, ""},
		{"a choice that is not", "ortest.yml", obj{"ref": "main", "inputs": obj{"pieces": pieces(1), "nonce": "n", "arch": "sparc"}}, refused, "allowed values"},
		{"no ref", "ortest.yml", obj{"inputs": good}, refused, "ref"},
		{"an unknown ref", "ortest.yml", obj{"ref": "gone", "inputs": good}, refused, "No ref found"},
		{"a commit is no ref", "ortest.yml", obj{"ref": f.base, "inputs": good}, refused, "No ref found"},
		{"an unknown workflow", "gone.yml", obj{"ref": "main", "inputs": good}, gone, ""},
		{"an unknown input", "ortest.yml", obj{"ref": "main", "inputs": obj{"pieces": pieces(1), "nonce": "n", "sha": "x"}}, refused, `Unexpected inputs provided: ["sha"]`},
		{"a required input missing", "ortest.yml", obj{"ref": "main", "inputs": obj{"nonce": "n"}}, refused, "Required input 'pieces'"},
		{"a list as input", "ortest.yml", obj{"ref": "main", "inputs": obj{"pieces": []int{1}, "nonce": "n"}}, refused, "Invalid value"},
		{"25 inputs are counted before they are known", "ortest.yml", obj{"ref": "main", "inputs": many(25)}, refused, "Unexpected"},
		{"26 inputs", "ortest.yml", obj{"ref": "main", "inputs": many(26)}, refused, "No more than 25"},
		{"65535 characters", "ortest.yml", obj{"ref": "main", "inputs": long(65535)}, done, ""},
		{"65536 characters", "ortest.yml", obj{"ref": "main", "inputs": long(65536)}, refused, "too large"},
		{"256 legs", "ortest.yml", obj{"ref": "main", "inputs": obj{"pieces": pieces(256), "nonce": "n"}}, done, ""},
		{"257 legs", "ortest.yml", obj{"ref": "main", "inputs": obj{"pieces": pieces(257), "nonce": "n"}}, refused, "257 legs"},
		{"no legs", "ortest.yml", obj{"ref": "main", "inputs": obj{"pieces": "[]", "nonce": "n"}}, refused, "any values"},
		{"a matrix that is no JSON", "ortest.yml", obj{"ref": "main", "inputs": obj{"pieces": "[", "nonce": "n"}}, refused, "fromJSON"},
		{"a workflow for pushes", "push.yml", obj{"ref": "main"}, refused, "workflow_dispatch"},
		{"a list of events", "list.yml", obj{"ref": "main"}, done, ""},
		{"one event as a word", "word.yml", obj{"ref": "main"}, done, ""},
		{"an event without inputs", "none.yml", obj{"ref": "main"}, done, ""},
		{"an input where there is none", "none.yml", obj{"ref": "main", "inputs": obj{"a": "b"}}, refused, "Unexpected"},
		{"jobs that need others", "needs.yml", obj{"ref": "main"}, refused, "needs"},
		{"an expression beyond us", "func.yml", obj{"ref": "main"}, refused, "evaluates"},
		{"a broken file", "torn.yml", obj{"ref": "main"}, refused, "parse workflow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := *f
			f.t = t
			res := f.call("POST", repoPath+"/actions/workflows/"+tt.file+"/dispatches", tt.body).want(tt.want)
			if msg, _ := res.body["message"].(string); !strings.Contains(msg, tt.says) {
				t.Errorf("says %q, want %q", msg, tt.says)
			}
		})
	}
}

func TestDispatchExpandsTheMatrix(t *testing.T) {
	f := newFixture(t)
	id := f.dispatch(3)
	run := f.call("GET", runPath(id), nil).want(http.StatusOK).body
	if run["display_title"] != "ortest abc" || run["status"] != "queued" || run["head_sha"] != f.base {
		t.Errorf("workflow run: %v, %v, %v", run["display_title"], run["status"], run["head_sha"])
	}
	for i, j := range f.jobs(id) {
		labels := j["labels"].([]any)
		if j["name"] != fmt.Sprintf("t-%d", i) || len(labels) != 1 || labels[0] != fmt.Sprintf("ortest-%d", i) || j["status"] != "queued" {
			t.Errorf("job %d: %v %v %v", i, j["name"], labels, j["status"])
		}
	}
	a, err := f.s.Activity(repoName)
	f.must(err)
	last := a.Runs[0].Jobs[2].Inputs
	if want := `[{"goal":"t-2","id":"1/p2/1","label":"ortest-2"}]`; last["pieces"] != want || last["nonce"] != "abc" || last["arch"] != "x64" {
		t.Errorf("inputs of the last leg: %v, want pieces %s", last, want)
	}
	list := f.call("GET", repoPath+"/actions/runs?event=workflow_dispatch&branch=main", nil).want(http.StatusOK).body
	if list["total_count"] != 1.0 {
		t.Errorf("%v workflow runs listed, want 1", list["total_count"])
	}
	if n := f.call("GET", repoPath+"/actions/runs?event=push", nil).body["total_count"]; n != 0.0 {
		t.Errorf("%v workflow runs of pushes listed, want 0", n)
	}
	flows := f.call("GET", repoPath+"/actions/workflows", nil).want(http.StatusOK).body["workflows"].([]any)
	byID := fmt.Sprintf("%s/actions/workflows/%.0f/dispatches", repoPath, flows[0].(obj)["id"])
	f.call("POST", byID, obj{"ref": "main", "inputs": obj{"pieces": pieces(1), "nonce": "n"}}).want(http.StatusNoContent)
}

func TestExpand(t *testing.T) {
	for _, tt := range []struct {
		name, jobs string
		want       []string // NAME: LABELS; MATRIX
	}{
		{"no matrix", `{a: {runs-on: x}}`, []string{"a: x; "}},
		{"several labels", `{a: {runs-on: [self-hosted, "${{ inputs.l }}"]}}`, []string{"a: self-hosted,L; "}},
		{"labels from JSON", `{a: {runs-on: "${{ fromJSON(inputs.labels) }}"}}`, []string{"a: p,q; "}},
		{"jobs in the order of the file", `{z: {runs-on: x}, a: {runs-on: x}}`, []string{"z: x; ", "a: x; "}},
		{"values in the file", `{a: {runs-on: "${{ matrix.os }}", strategy: {matrix: {os: [u, v]}}}}`, []string{"a (u): u; os:u", "a (v): v; os:v"}},
		{"two keys make a product", `{a: {name: "${{ matrix.m }}-${{ matrix.n }}", runs-on: x, strategy: {matrix: {n: [1, 2], m: [a, b]}}}}`,
			[]string{"a-1: x; m:a,n:1", "a-2: x; m:a,n:2", "b-1: x; m:b,n:1", "b-2: x; m:b,n:2"}},
		{"a leg without a name is called by its values", `{a: {runs-on: x, strategy: {matrix: {p: "${{ fromJSON(inputs.ps) }}"}}}}`, []string{"a (1, z): x; "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, err := parseWorkflow([]byte("on: workflow_dispatch\njobs: " + tt.jobs + "\n"))
			if err != nil {
				t.Fatal(err)
			}
			jobs, err := w.expand(map[string]string{"l": "L", "labels": `["p","q"]`, "ps": `[{"b":"z","a":1}]`}, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, j := range jobs {
				got = append(got, j.Name+": "+strings.Join(j.Labels, ",")+"; "+strings.Join(j.Matrix, ","))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
