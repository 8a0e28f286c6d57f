package githubtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// note is what a webhook tells beside the thing that it is about.
type note struct {
	action, sender string // sender is a login
	more           obj    // fields of the payload
}

// emit records a webhook in the transaction of what it tells; Run sends it.
func (s *Server) emit(x *tx, e event, payload obj) error {
	inst, ok := x.st.installs.find(func(i installation) bool { return i.covers(x.st.repos.rows[e.Repo]) })
	if !ok || !s.subscribed(e.Name) {
		return nil
	}
	v := s.render(x.st)
	if e.Action != "" { // a push has none
		payload["action"] = e.Action
	}
	payload["repository"] = v.repo(x.st.repos.rows[e.Repo])
	payload["installation"] = obj{"id": inst.ID, "node_id": nodeID("Installation", inst.ID)}
	if owner, _ := x.st.user(inst.Account); owner.Type == "Organization" {
		payload["organization"] = v.organization(owner)
	}
	raw, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encode %s webhook: %w", e.Name, err)
	}
	e.ID, e.GUID, e.Installation, e.Payload, e.At = x.st.newID(), newGUID(), inst.ID, raw, s.now()
	x.st.events.put(x, e.ID, e)
	d := Delivery{ID: x.st.newID(), Event: e.ID, GUID: e.GUID, Name: e.Name, Action: e.Action}
	x.st.sent.put(x, d.ID, d)
	return nil
}

func (s *Server) emitComment(x *tx, c Comment, n note) error {
	p, _ := x.st.pulls.get(c.Pull)
	v := s.render(x.st)
	payload := obj{"issue": v.issue(p), "comment": v.comment(c), "sender": v.login(n.sender)}
	maps.Copy(payload, n.more)
	return s.emit(x, event{Name: "issue_comment", Action: n.action, Repo: c.Repo}, payload)
}

func (s *Server) emitPull(x *tx, p Pull, n note) error {
	v := s.render(x.st)
	payload := obj{"number": p.Number, "pull_request": v.pull(p), "sender": v.login(n.sender)}
	maps.Copy(payload, n.more)
	return s.emit(x, event{Name: "pull_request", Action: n.action, Repo: p.Repo}, payload)
}

func (s *Server) emitCheck(x *tx, c CheckRun, n note) error {
	v := s.render(x.st)
	check := v.check(c)
	check["check_suite"] = v.checkSuite(c)
	payload := obj{"check_run": check, "sender": v.login(n.sender)}
	maps.Copy(payload, n.more)
	return s.emit(x, event{Name: "check_run", Action: n.action, Repo: c.Repo}, payload)
}

func (s *Server) emitSuite(x *tx, c CheckRun, n note) error {
	v := s.render(x.st)
	suite := v.checkSuite(c)
	suite["latest_check_runs_count"], suite["check_runs_url"] = 1, suite["url"].(string)+"/check-runs"
	suite["head_commit"] = obj{
		"id": c.HeadSHA, "tree_id": c.HeadSHA, "message": "", "timestamp": c.StartedAt,
		"author": obj{"name": n.sender, "email": email(n.sender)}, "committer": obj{"name": n.sender, "email": email(n.sender)},
	}
	delete(suite, "repository")
	payload := obj{"check_suite": suite, "sender": v.login(n.sender)}
	return s.emit(x, event{Name: "check_suite", Action: n.action, Repo: c.Repo}, payload)
}

func (s *Server) emitRun(x *tx, run WorkflowRun, action string) error {
	v := s.render(x.st)
	flow, _ := x.st.flows.get(run.Workflow)
	payload := obj{"workflow_run": v.run(run), "workflow": v.workflow(flow), "sender": v.login(run.Actor)}
	return s.emit(x, event{Name: "workflow_run", Action: action, Repo: run.Repo}, payload)
}

func (s *Server) emitJob(x *tx, j Job, action string) error {
	v := s.render(x.st)
	run, _ := x.st.runs.get(j.Run)
	payload := obj{"workflow_job": v.job(j), "sender": v.login(run.Actor)}
	return s.emit(x, event{Name: "workflow_job", Action: action, Repo: j.Repo}, payload)
}

// push is a branch that moved. Of several commits only the last is told.
type push struct {
	branch, by string
	before     string // "" when the branch is new
	head       commitInfo
}

func (s *Server) emitPush(x *tx, repo Repository, p push) error {
	v := s.render(x.st)
	page, zero := v.html+"/"+repo.FullName(), strings.Repeat("0", 40)
	who := obj{"name": p.head.author, "email": p.head.email, "username": p.head.author}
	commit := obj{
		"id": p.head.sha, "tree_id": p.head.tree, "distinct": true, "message": p.head.message, "timestamp": p.head.at,
		"url": page + "/commit/" + p.head.sha, "author": who, "committer": who, "added": []string{}, "removed": []string{}, "modified": []string{},
	}
	payload := obj{
		"ref": "refs/heads/" + p.branch, "before": cmp.Or(p.before, zero), "after": p.head.sha, "base_ref": nil,
		"created": p.before == "", "deleted": false, "forced": false, "compare": page + "/compare/" + p.head.sha,
		"commits": []obj{commit}, "head_commit": commit, "pusher": obj{"name": p.by, "email": email(p.by)}, "sender": v.login(p.by),
	}
	return s.emit(x, event{Name: "push", Repo: repo.ID}, payload)
}
