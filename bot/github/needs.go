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

// events are those that the bot uses.
var events = []string{
	"check_run", "check_suite", "issue_comment", "pull_request", "pull_request_review", "pull_request_review_comment", "push", "workflow_job", "workflow_run",
}

// Needs returns the permissions by name, and the events, that the App is to have:
// these and no more.
func Needs() (permissions map[string]string, subscriptions []string) {
	return maps.Clone(needed), slices.Clone(events)
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
