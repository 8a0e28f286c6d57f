package githubtest

import (
	"fmt"
	"strconv"
)

func (v view) pull(p Pull) obj {
	r := v.st.repos.rows[p.Repo]
	number := strconv.Itoa(p.Number)
	at, issue := v.api+"/repos/"+r.FullName()+"/pulls/"+number, v.api+"/repos/"+r.FullName()+"/issues/"+number
	html := v.html + "/" + r.FullName() + "/pull/" + number
	statuses := v.api + "/repos/" + r.FullName() + "/statuses/" + p.HeadSHA
	links := obj{}
	for key, url := range map[string]string{
		"self": at, "html": html, "issue": issue, "comments": issue + "/comments", "commits": at + "/commits",
		"review_comments": at + "/comments", "statuses": statuses,
		"review_comment": v.api + "/repos/" + r.FullName() + "/pulls/comments{/number}",
	} {
		links[key] = obj{"href": url}
	}
	return obj{
		"id": p.ID, "node_id": nodeID("PullRequest", p.ID), "number": p.Number, "url": at, "html_url": html,
		"diff_url": html + ".diff", "patch_url": html + ".patch", "issue_url": issue, "commits_url": at + "/commits",
		"review_comments_url": at + "/comments", "comments_url": issue + "/comments", "statuses_url": statuses,
		"review_comment_url": v.api + "/repos/" + r.FullName() + "/pulls/comments{/number}",
		"state":              p.state(), "locked": false, "active_lock_reason": nil, "draft": false,
		"title": p.Title, "body": textOrNull(p.Body), "user": v.login(p.Author), "labels": []obj{}, "milestone": nil,
		"created_at": p.CreatedAt, "updated_at": p.UpdatedAt, "closed_at": orNull(p.ClosedAt), "merged_at": nil,
		"merge_commit_sha": nil, "assignee": nil, "assignees": []obj{}, "requested_reviewers": []obj{}, "requested_teams": []obj{},
		"head": v.side(r, p.Head, p.HeadSHA), "base": v.side(r, p.Base, p.BaseSHA), "_links": links,
		"author_association": v.association(r, p.Author), "auto_merge": nil, "merged": false, "mergeable": true,
		"rebaseable": true, "mergeable_state": "clean", "merged_by": nil, "comments": v.comments(p), "review_comments": 0,
		"maintainer_can_modify": false, "commits": p.Commits, "additions": p.Added, "deletions": p.Deleted, "changed_files": p.Files,
	}
}

func (p Pull) state() string {
	if p.Open() {
		return "open"
	}
	return "closed"
}

// comments counts those on a pull request.
func (v view) comments(p Pull) int {
	return len(v.st.comments.filter(func(c Comment) bool { return c.Pull == p.ID }))
}

// side is the head or the base of a pull request.
func (v view) side(r Repository, branch, sha string) obj {
	return obj{"label": r.Owner + ":" + branch, "ref": branch, "sha": sha, "user": v.login(r.Owner), "repo": v.repo(r)}
}

// issue is a pull request as the webhook of a comment shows it.
func (v view) issue(p Pull) obj {
	r := v.st.repos.rows[p.Repo]
	repo := v.api + "/repos/" + r.FullName()
	at := repo + "/issues/" + strconv.Itoa(p.Number)
	pull := repo + "/pulls/" + strconv.Itoa(p.Number)
	html := v.html + "/" + r.FullName() + "/pull/" + strconv.Itoa(p.Number)
	return obj{
		"id": p.ID, "node_id": nodeID("PullRequest", p.ID), "number": p.Number, "url": at, "repository_url": repo,
		"html_url": html, "labels_url": at + "/labels{/name}", "comments_url": at + "/comments", "events_url": at + "/events",
		"title": p.Title, "body": textOrNull(p.Body), "user": v.login(p.Author), "state": p.state(), "locked": false,
		"active_lock_reason": nil, "labels": []obj{}, "assignee": nil, "assignees": []obj{}, "milestone": nil,
		"comments": v.comments(p), "created_at": p.CreatedAt, "updated_at": p.UpdatedAt, "closed_at": orNull(p.ClosedAt),
		"author_association": v.association(r, p.Author), "draft": false, "performed_via_github_app": nil,
		"timeline_url": at + "/timeline", "state_reason": nil, "reactions": v.rollup(at, nil),
		"pull_request": obj{"url": pull, "html_url": html, "diff_url": html + ".diff", "patch_url": html + ".patch", "merged_at": nil},
	}
}

func (v view) comment(c Comment) obj {
	r, p := v.st.repos.rows[c.Repo], v.st.pulls.rows[c.Pull]
	repo := v.api + "/repos/" + r.FullName()
	at := fmt.Sprintf("%s/issues/comments/%d", repo, c.ID)
	via := any(nil)
	if c.App {
		via = v.app()
	}
	return obj{
		"id": c.ID, "node_id": nodeID("IssueComment", c.ID), "url": at,
		"html_url":  fmt.Sprintf("%s/%s/pull/%d#issuecomment-%d", v.html, r.FullName(), p.Number, c.ID),
		"issue_url": fmt.Sprintf("%s/issues/%d", repo, p.Number), "body": c.Body, "user": v.login(c.Author),
		"created_at": c.CreatedAt, "updated_at": c.UpdatedAt, "author_association": v.association(r, c.Author),
		"performed_via_github_app": via, "reactions": v.rollup(at, c.Reactions),
	}
}

func (v view) rollup(at string, reactions []Reaction) obj {
	o := obj{"url": at + "/reactions", "total_count": len(reactions)}
	counts := Comment{Reactions: reactions}.Counts()
	for _, content := range reactionContents {
		o[content] = counts[content]
	}
	return o
}

func (v view) reaction(re Reaction) obj {
	return obj{"id": re.ID, "node_id": nodeID("Reaction", re.ID), "user": v.login(re.Login), "content": re.Content, "created_at": re.At}
}

// pullsOf are the open pull requests whose head a commit is, in short.
func (v view) pullsOf(r Repository, sha string) []obj {
	return rendered(v.st.pulls.filter(func(p Pull) bool { return p.Repo == r.ID && p.HeadSHA == sha && p.Open() }), func(p Pull) obj {
		repo := obj{"id": r.ID, "url": v.api + "/repos/" + r.FullName(), "name": r.Name}
		return obj{
			"id": p.ID, "number": p.Number, "url": fmt.Sprintf("%s/repos/%s/pulls/%d", v.api, r.FullName(), p.Number),
			"head": obj{"ref": p.Head, "sha": p.HeadSHA, "repo": repo},
			"base": obj{"ref": p.Base, "sha": p.BaseSHA, "repo": repo},
		}
	})
}
