package github

import (
	"encoding/json"
	"maps"
	"slices"

	gh "github.com/google/go-github/v60/github"
)

// needed is what the App must be granted, and why: the manifest asks for it, the
// doctor looks for it, and tokens have no more.
var needed = map[string]string{
	"actions":        "write", // dispatch, jobs, cancel
	"administration": "write", // runners of a repository
	"checks":         "write",
	"contents":       "read", // the newest commit of a branch
	"metadata":       "read",
	"pull_requests":  "write", // comments and reactions
}

// What tokens for other things than runs may do: what it takes and no more. The
// App need not be granted it where nobody asks for these things.
var (
	toPropose = map[string]string{"contents": "write", "metadata": "read", "pull_requests": "write"}
	toAsk     = map[string]string{"members": "read", "metadata": "read"}
)

// events are those that the bot uses.
var events = []string{
	"check_run", "check_suite", "issue_comment", "pull_request", "pull_request_review", "pull_request_review_comment", "push", "workflow_job", "workflow_run",
}

// Needs returns the permissions by name, and the events, that the App is to have:
// these and no more. To propose expectations it needs more, and to ask who is in a team.
func Needs(propose, teams bool) (permissions map[string]string, subscriptions []string) {
	permissions = maps.Clone(needed)
	if propose {
		maps.Copy(permissions, toPropose)
	}
	if teams {
		maps.Copy(permissions, toAsk)
	}
	return permissions, slices.Clone(events)
}

// lacking names what of a table is not granted, as NAME:LEVEL in order.
func lacking(want, have map[string]string) []string {
	var lacks []string
	for name, level := range want {
		if have[name] != level && have[name] != "write" {
			lacks = append(lacks, name+":"+level)
		}
	}
	slices.Sort(lacks)
	return lacks
}

// permissions are what a token of ours may do.
func permissions() *gh.InstallationPermissions { return granting(needed) }

// granting is a table of permissions as GitHub's client wants it.
func granting(table map[string]string) *gh.InstallationPermissions {
	var p gh.InstallationPermissions
	raw, err := json.Marshal(table)
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		panic("github: the permissions are no JSON: " + err.Error()) // strings only
	}
	return &p
}
