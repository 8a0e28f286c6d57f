package githubtest

import (
	"fmt"
	"path"
)

func (v view) check(c CheckRun) obj {
	r := v.st.repos.rows[c.Repo]
	at := fmt.Sprintf("%s/repos/%s/check-runs/%d", v.api, r.FullName(), c.ID)
	html := fmt.Sprintf("%s/%s/runs/%d", v.html, r.FullName(), c.ID)
	details := c.Details
	if details == "" {
		details = html
	}
	return obj{
		"id": c.ID, "head_sha": c.HeadSHA, "node_id": nodeID("CheckRun", c.ID), "external_id": c.External, "name": c.Name,
		"url": at, "html_url": html, "details_url": details, "status": c.Status, "conclusion": textOrNull(c.Conclusion),
		"started_at": orNull(c.StartedAt), "completed_at": orNull(c.CompletedAt), "app": v.app(),
		"check_suite": obj{"id": v.suite(c)}, "pull_requests": v.pullsOf(r, c.HeadSHA),
		"output": obj{
			"title": textOrNull(c.Title), "summary": textOrNull(c.Summary), "text": textOrNull(c.Text),
			"annotations_count": len(c.Annotations), "annotations_url": at + "/annotations",
		},
	}
}

// suite is the id of the suite that holds all of the App's check runs on a
// commit: that of the first of them.
func (v view) suite(c CheckRun) int64 {
	first, found := v.st.checks.find(func(o CheckRun) bool { return o.Repo == c.Repo && o.HeadSHA == c.HeadSHA })
	if !found {
		return c.ID
	}
	return first.ID
}

func (v view) checkSuite(c CheckRun) obj {
	r, id := v.st.repos.rows[c.Repo], v.suite(c)
	branch := any(nil)
	if p, found := v.st.pulls.find(func(p Pull) bool { return p.Repo == r.ID && p.HeadSHA == c.HeadSHA }); found {
		branch = p.Head
	}
	return obj{
		"id": id, "node_id": nodeID("CheckSuite", id), "head_branch": branch, "head_sha": c.HeadSHA, "status": c.Status,
		"conclusion": textOrNull(c.Conclusion), "url": fmt.Sprintf("%s/repos/%s/check-suites/%d", v.api, r.FullName(), id),
		"before": nil, "after": nil, "pull_requests": v.pullsOf(r, c.HeadSHA), "app": v.app(), "repository": v.repo(r),
		"created_at": orNull(c.StartedAt), "updated_at": orNull(c.StartedAt),
	}
}

func (s *Server) annotation(r Repository, sha string, a Annotation) obj {
	column := func(n int) any {
		if n == 0 {
			return nil
		}
		return n
	}
	return obj{
		"path": a.Path, "start_line": a.StartLine, "end_line": a.EndLine,
		"start_column": column(a.StartColumn), "end_column": column(a.EndColumn),
		"annotation_level": a.Level, "title": textOrNull(a.Title), "message": a.Message, "raw_details": textOrNull(a.RawDetails),
		"blob_href": s.cfg.URL + "/" + r.FullName() + "/blob/" + sha + "/" + escapePath(a.Path),
	}
}

func (v view) workflow(w workflow) obj {
	r := v.st.repos.rows[w.Repo]
	name := path.Base(w.Path)
	return obj{
		"id": w.ID, "node_id": nodeID("Workflow", w.ID), "name": w.Name, "path": w.Path, "state": "active",
		"created_at": w.CreatedAt, "updated_at": w.CreatedAt,
		"url":       fmt.Sprintf("%s/repos/%s/actions/workflows/%d", v.api, r.FullName(), w.ID),
		"html_url":  v.html + "/" + r.FullName() + "/blob/" + r.Branch + "/" + w.Path,
		"badge_url": v.html + "/" + r.FullName() + "/workflows/" + name + "/badge.svg",
	}
}

func (v view) run(w WorkflowRun) obj {
	r := v.st.repos.rows[w.Repo]
	repo := v.repo(r)
	at := fmt.Sprintf("%s/repos/%s/actions/runs/%d", v.api, r.FullName(), w.ID)
	suites := fmt.Sprintf("%s/repos/%s/check-suites/%d", v.api, r.FullName(), w.ID)
	who := obj{"name": w.Committer, "email": email(w.Committer)}
	return obj{
		"id": w.ID, "node_id": nodeID("WorkflowRun", w.ID), "name": w.Name, "display_title": w.Title, "path": w.Path,
		"head_branch": w.Branch, "head_sha": w.HeadSHA, "run_number": w.Number, "run_attempt": 1 + w.Again, "event": w.Event,
		"status": w.Status, "conclusion": textOrNull(w.Conclusion), "workflow_id": w.Workflow,
		"check_suite_id": w.ID, "check_suite_node_id": nodeID("CheckSuite", w.ID), "check_suite_url": suites,
		"url": at, "html_url": fmt.Sprintf("%s/%s/actions/runs/%d", v.html, r.FullName(), w.ID), "pull_requests": []obj{},
		"created_at": w.CreatedAt, "updated_at": w.UpdatedAt, "run_started_at": w.CreatedAt,
		"actor": v.login(w.Actor), "triggering_actor": v.login(w.Actor),
		"jobs_url": at + "/jobs", "logs_url": at + "/logs", "artifacts_url": at + "/artifacts", "cancel_url": at + "/cancel",
		"rerun_url": at + "/rerun", "previous_attempt_url": nil, "referenced_workflows": []obj{},
		"workflow_url": fmt.Sprintf("%s/repos/%s/actions/workflows/%d", v.api, r.FullName(), w.Workflow),
		"head_commit": obj{
			"id": w.HeadSHA, "tree_id": w.Tree, "message": w.Message, "timestamp": w.CommittedAt, "author": who, "committer": who,
		},
		"repository": repo, "head_repository": repo, "head_repository_id": r.ID,
	}
}

func (v view) job(j Job) obj {
	r, w := v.st.repos.rows[j.Repo], v.st.runs.rows[j.Run]
	repo := v.api + "/repos/" + r.FullName()
	started := j.StartedAt
	if started.IsZero() {
		started = j.CreatedAt // GitHub shows this of a queued job
	}
	o := obj{
		"id": j.ID, "run_id": j.Run, "node_id": nodeID("Job", j.ID), "run_attempt": 1 + w.Again, "name": j.Name, "labels": j.Labels,
		"url": fmt.Sprintf("%s/actions/jobs/%d", repo, j.ID), "run_url": fmt.Sprintf("%s/actions/runs/%d", repo, j.Run),
		"html_url":      fmt.Sprintf("%s/%s/actions/runs/%d/job/%d", v.html, r.FullName(), j.Run, j.ID),
		"check_run_url": fmt.Sprintf("%s/check-runs/%d", repo, j.ID), "head_sha": w.HeadSHA, "head_branch": w.Branch,
		"workflow_name": w.Name, "status": j.Status, "conclusion": textOrNull(j.Conclusion), "steps": []obj{},
		"created_at": j.CreatedAt, "started_at": started, "completed_at": orNull(j.CompletedAt),
		"runner_id": nil, "runner_name": nil, "runner_group_id": nil, "runner_group_name": nil,
	}
	if j.Runner != 0 {
		o["runner_id"], o["runner_name"], o["runner_group_id"], o["runner_group_name"] = j.Runner, j.RunnerName, 1, "Default"
	}
	return o
}

func (v view) runner(r Runner) obj {
	status := "offline"
	if v.s.online(r.ID) {
		status = "online"
	}
	labels := []obj{}
	for i, name := range r.Labels {
		labels = append(labels, obj{"id": i + 1, "name": name, "type": "custom"})
	}
	return obj{
		"id": r.ID, "name": r.Name, "os": "linux", "status": status, "busy": r.Job != 0, "labels": labels,
		"runner_group_id": 1, "ephemeral": true,
	}
}

func (v view) delivery(d Delivery) obj {
	e := v.st.events.rows[d.Event]
	return obj{
		"id": d.ID, "guid": d.GUID, "delivered_at": d.Attempted, "redelivery": d.Redelivery, "duration": d.Duration.Seconds(),
		"status": d.Status, "status_code": d.Code, "event": d.Name, "action": textOrNull(d.Action),
		"installation_id": e.Installation, "repository_id": e.Repo, "throttled_at": nil,
	}
}
