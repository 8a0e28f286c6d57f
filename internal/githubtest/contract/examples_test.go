package contract

import (
	_ "embed"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

//go:embed testdata/examples.json
var examplesJSON []byte

// examples are GitHub's own, by METHOD PATH.
type examples map[string]struct {
	Requests []json.RawMessage
	Answers  map[string][]json.RawMessage
}

func githubsExamples(t *testing.T) examples {
	t.Helper()
	var all examples
	if err := json.Unmarshal(examplesJSON, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// outdated are the operations whose examples are older than their schemas, and
// what they lack: that it is reported shows that the answer was looked at.
var outdated = map[string]string{
	"GET /repos/{owner}/{repo}/pulls":                               `/0/requested_teams/0/type: property "type" is missing`,
	"POST /repos/{owner}/{repo}/pulls":                              `/requested_teams/0/type: property "type" is missing`,
	"GET /repos/{owner}/{repo}":                                     `/language: property "language" is missing; /source/language: property "language" is missing`,
	"GET /repos/{owner}/{repo}/actions/jobs/{job_id}":               `/created_at: property "created_at" is missing`,
	"GET /repos/{owner}/{repo}/actions/runs/{run_id}/jobs":          `/jobs/0/created_at: property "created_at" is missing`,
	"GET /repos/{owner}/{repo}/activity":                            `/0/activity_type: property "activity_type" is missing; /0/actor: property "actor" is missing; /0/timestamp: property "timestamp" is missing`,
	"GET /repos/{owner}/{repo}/branches":                            `/0/protection/required_status_checks/checks: property "checks" is missing`,
	"GET /repos/{owner}/{repo}/collaborators/{username}/permission": `/user/role_name: property "role_name" is missing`,
	"GET /repos/{owner}/{repo}/commits/{ref}":                       `/files/0/contents_url: property "contents_url" is missing; /files/0/sha: property "sha" is missing`,
	"GET /user": `/: input does not contain the discriminator property "user_view_type"`,
	"GET /repos/{owner}/{repo}/pulls/{pull_number}": `/requested_teams/0/type: property "type" is missing`,
}

func TestGitHubsOwnExamplesPass(t *testing.T) {
	all := githubsExamples(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		method, template, _ := strings.Cut(name, " ")
		path := placeholder.ReplaceAllStringFunc(template, func(p string) string {
			if strings.HasSuffix(p, "_id}") || strings.HasSuffix(p, "_number}") {
				return "7"
			}
			return "x"
		})
		status, answers := http.StatusNoContent, []json.RawMessage{nil}
		for code, bodies := range all[name].Answers {
			status, answers = must(strconv.Atoi(code)), bodies
		}
		requests := all[name].Requests
		if requests == nil {
			requests = []json.RawMessage{nil}
		}
		t.Run(name, func(t *testing.T) {
			reported := false
			for _, request := range requests {
				for _, answer := range answers {
					_, faults := exchange(t, method, path, string(request), reply{status: status, body: string(answer)})
					reported = reported || len(faults) > 0
					for _, f := range faults {
						if v := (*Violation)(nil); !errors.As(f, &v) || !v.Answer || join(v.Faults) != outdated[name] {
							t.Error(f)
						}
					}
				}
			}
			if outdated[name] != "" && !reported {
				t.Error("the example is up to date again")
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
