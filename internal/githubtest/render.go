package githubtest

import (
	"encoding/base64"
	"fmt"
	"time"
)

// view renders rows as GitHub's objects. It gives each object every field that
// any of GitHub's descriptions of it asks for: they are one kind of thing,
// described once for each place they stand in.
type view struct {
	s    *Server
	st   *state
	api  string
	html string
}

// render returns a view of st, whose lock is held.
func (s *Server) render(st *state) view {
	return view{s: s, st: st, api: s.apiURL(), html: s.cfg.URL}
}

// apiURL is where the REST interface is, as on GitHub Enterprise Server.
func (s *Server) apiURL() string { return s.cfg.URL + "/api/v3" }

// nodeID is the id that GraphQL would know a thing by.
func nodeID(kind string, id int64) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%03d:%s%d", len(kind), kind, id))
}

// orNull is a time, or null when it has not come.
func orNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// textOrNull is a text, or null when it is empty.
func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (v view) user(u User) obj {
	at := v.api + "/users/" + u.Login
	return obj{
		"login": u.Login, "id": u.ID, "node_id": nodeID("User", u.ID), "type": u.Type, "site_admin": false,
		"avatar_url": v.html + "/avatars/" + u.Login, "gravatar_id": "", "user_view_type": "public",
		"url": at, "html_url": v.html + "/" + u.Login,
		"followers_url": at + "/followers", "following_url": at + "/following{/other_user}",
		"gists_url": at + "/gists{/gist_id}", "starred_url": at + "/starred{/owner}{/repo}",
		"subscriptions_url": at + "/subscriptions", "organizations_url": at + "/orgs", "repos_url": at + "/repos",
		"events_url": at + "/events{/privacy}", "received_events_url": at + "/received_events",
	}
}

// profile is an account as who is logged in sees it without a right to more.
func (v view) profile(u User) obj {
	o := v.user(u)
	for _, untold := range []string{"bio", "company", "email", "hireable", "location", "name"} {
		o[untold] = nil
	}
	for _, none := range []string{"followers", "following", "public_gists", "public_repos"} {
		o[none] = 0
	}
	o["blog"], o["created_at"], o["updated_at"] = "", u.CreatedAt, u.CreatedAt
	return o
}

// login renders the account of a login; rows only ever name known ones.
func (v view) login(login string) obj {
	u, _ := v.st.user(login)
	return v.user(u)
}

func (v view) organization(u User) obj {
	at := v.api + "/orgs/" + u.Login
	return obj{
		"login": u.Login, "id": u.ID, "node_id": nodeID("Organization", u.ID), "url": at,
		"repos_url": at + "/repos", "events_url": at + "/events", "hooks_url": at + "/hooks", "issues_url": at + "/issues",
		"members_url": at + "/members{/member}", "public_members_url": at + "/public_members{/member}",
		"avatar_url": v.html + "/avatars/" + u.Login, "description": nil,
	}
}

func (v view) app() obj {
	bot, _ := v.st.user(v.s.botLogin())
	return obj{
		"id": v.s.cfg.AppID, "slug": v.s.cfg.AppSlug, "node_id": nodeID("App", v.s.cfg.AppID), "client_id": fmt.Sprintf("Iv1.%016x", v.s.cfg.AppID),
		"owner": v.user(bot), "name": v.s.cfg.AppSlug, "description": "", "external_url": v.html,
		"html_url": v.html + "/apps/" + v.s.cfg.AppSlug, "created_at": bot.CreatedAt, "updated_at": bot.CreatedAt,
		"permissions": v.s.cfg.Permissions, "events": v.s.cfg.Events, "installations_count": len(v.st.installs.rows),
	}
}

func (v view) installation(i installation) obj {
	selection := "all"
	if i.Repos != nil {
		selection = "selected"
	}
	owner, _ := v.st.user(i.Account)
	return obj{
		"id": i.ID, "node_id": nodeID("Installation", i.ID), "account": v.user(owner), "repository_selection": selection,
		"access_tokens_url": fmt.Sprintf("%s/app/installations/%d/access_tokens", v.api, i.ID),
		"repositories_url":  v.api + "/installation/repositories",
		"html_url":          fmt.Sprintf("%s/organizations/%s/settings/installations/%d", v.html, i.Account, i.ID),
		"app_id":            v.s.cfg.AppID, "app_slug": v.s.cfg.AppSlug, "target_id": owner.ID, "target_type": owner.Type,
		"permissions": v.s.cfg.Permissions, "events": v.s.cfg.Events, "created_at": i.CreatedAt, "updated_at": i.CreatedAt,
		"single_file_name": nil, "has_multiple_single_files": false, "single_file_paths": []string{},
		"suspended_by": nil, "suspended_at": nil,
	}
}

// repoLinks are the addresses below a repository's own.
var repoLinks = map[string]string{
	"archive_url": "/{archive_format}{/ref}", "assignees_url": "/assignees{/user}", "blobs_url": "/git/blobs{/sha}",
	"branches_url": "/branches{/branch}", "collaborators_url": "/collaborators{/collaborator}",
	"comments_url": "/comments{/number}", "commits_url": "/commits{/sha}", "compare_url": "/compare/{base}...{head}",
	"contents_url": "/contents/{+path}", "contributors_url": "/contributors", "deployments_url": "/deployments",
	"downloads_url": "/downloads", "events_url": "/events", "forks_url": "/forks", "git_commits_url": "/git/commits{/sha}",
	"git_refs_url": "/git/refs{/sha}", "git_tags_url": "/git/tags{/sha}", "hooks_url": "/hooks",
	"issue_comment_url": "/issues/comments{/number}", "issue_events_url": "/issues/events{/number}",
	"issues_url": "/issues{/number}", "keys_url": "/keys{/key_id}", "labels_url": "/labels{/name}",
	"languages_url": "/languages", "merges_url": "/merges", "milestones_url": "/milestones{/number}",
	"notifications_url": "/notifications{?since,all,participating}", "pulls_url": "/pulls{/number}",
	"releases_url": "/releases{/id}", "stargazers_url": "/stargazers", "statuses_url": "/statuses/{sha}",
	"subscribers_url": "/subscribers", "subscription_url": "/subscription", "tags_url": "/tags", "teams_url": "/teams",
	"trees_url": "/git/trees{/sha}", "url": "",
}

func (v view) repo(r Repository) obj {
	name, at := r.FullName(), v.api+"/repos/"+r.FullName()
	open := len(v.st.pulls.filter(func(p Pull) bool { return p.Repo == r.ID && p.Open() }))
	o := obj{
		"id": r.ID, "node_id": nodeID("Repository", r.ID), "name": r.Name, "full_name": name, "owner": v.login(r.Owner),
		"private": false, "visibility": "public", "html_url": v.html + "/" + name, "description": nil, "fork": false,
		"git_url": v.html + "/" + name + ".git", "ssh_url": "git@" + name + ".git", "clone_url": v.html + "/" + name + ".git",
		"svn_url": v.html + "/" + name, "mirror_url": nil, "homepage": nil, "language": nil, "license": nil,
		"forks": 0, "forks_count": 0, "stargazers_count": 0, "watchers": 0, "watchers_count": 0, "subscribers_count": 0,
		"network_count": 0, "size": 0, "open_issues": open, "open_issues_count": open, "default_branch": r.Branch,
		"has_issues": true, "has_projects": false, "has_wiki": false, "has_pages": false, "has_downloads": false,
		"has_discussions": false, "archived": false, "disabled": false, "is_template": false, "topics": []string{},
		"allow_forking": true, "web_commit_signoff_required": false,
		"created_at": r.CreatedAt, "updated_at": r.CreatedAt, "pushed_at": r.CreatedAt,
	}
	for key, below := range repoLinks {
		o[key] = at + below
	}
	return o
}

// association is what an account is to a repository.
func (v view) association(r Repository, login string) string {
	switch r.role(login) {
	case "admin":
		return "MEMBER"
	case "maintain", "write", "triage":
		return "COLLABORATOR"
	}
	return "NONE"
}

func (v view) commit(r Repository, c commitInfo) obj {
	at, html := v.api+"/repos/"+r.FullName(), v.html+"/"+r.FullName()
	who := obj{"name": c.author, "email": c.email, "date": c.at}
	parents := rendered(c.parents, func(sha string) obj {
		return obj{"sha": sha, "url": at + "/commits/" + sha, "html_url": html + "/commit/" + sha}
	})
	account := any(nil)
	if u, known := v.st.user(c.author); known {
		account = v.user(u)
	}
	return obj{
		"sha": c.sha, "node_id": nodeID("Commit", r.ID) + c.sha[:7], "url": at + "/commits/" + c.sha,
		"html_url": html + "/commit/" + c.sha, "comments_url": at + "/commits/" + c.sha + "/comments",
		"author": account, "committer": account, "parents": parents,
		"commit": obj{
			"url": at + "/git/commits/" + c.sha, "author": who, "committer": who, "message": c.message, "comment_count": 0,
			"tree":         obj{"sha": c.tree, "url": at + "/git/trees/" + c.tree},
			"verification": obj{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil},
		},
	}
}
