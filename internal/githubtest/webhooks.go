package githubtest

import (
	"encoding/json"
	"fmt"
	"maps"
)

// emit records a webhook in the transaction of what it tells; Run sends it.
func (s *Server) emit(st *state, x *tx, e event, payload obj) error {
	inst, ok := st.installs.find(func(i installation) bool { return i.covers(st.repos.rows[e.Repo]) })
	if !ok || !s.subscribed(e.Name) {
		return nil
	}
	v := s.render(st)
	payload["action"] = e.Action
	payload["repository"] = v.repo(st.repos.rows[e.Repo])
	payload["installation"] = obj{"id": inst.ID, "node_id": nodeID("Installation", inst.ID)}
	if owner, _ := st.user(inst.Account); owner.Type == "Organization" {
		payload["organization"] = v.organization(owner)
	}
	raw, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encode %s webhook: %w", e.Name, err)
	}
	e.ID, e.GUID, e.Installation, e.Payload, e.At = st.newID(), newGUID(), inst.ID, raw, s.now()
	st.events.put(x, e.ID, e)
	d := Delivery{ID: st.newID(), Event: e.ID, GUID: e.GUID, Name: e.Name, Action: e.Action}
	st.sent.put(x, d.ID, d)
	return nil
}

func (s *Server) emitComment(st *state, x *tx, c Comment, action, sender string, more obj) error {
	p, _ := st.pulls.get(c.Pull)
	v := s.render(st)
	payload := obj{"issue": v.issue(p), "comment": v.comment(c), "sender": v.login(sender)}
	maps.Copy(payload, more)
	return s.emit(st, x, event{Name: "issue_comment", Action: action, Repo: c.Repo}, payload)
}

func (s *Server) emitPull(st *state, x *tx, p Pull, action, sender string, more obj) error {
	v := s.render(st)
	payload := obj{"number": p.Number, "pull_request": v.pull(p), "sender": v.login(sender)}
	maps.Copy(payload, more)
	return s.emit(st, x, event{Name: "pull_request", Action: action, Repo: p.Repo}, payload)
}

func (s *Server) emitCheck(st *state, x *tx, c CheckRun, action, sender string, more obj) error {
	v := s.render(st)
	check := v.check(c)
	check["check_suite"] = v.checkSuite(c)
	payload := obj{"check_run": check, "sender": v.login(sender)}
	maps.Copy(payload, more)
	return s.emit(st, x, event{Name: "check_run", Action: action, Repo: c.Repo}, payload)
}

func (s *Server) emitRun(st *state, x *tx, run WorkflowRun, action string) error {
	v := s.render(st)
	flow, _ := st.flows.get(run.Workflow)
	payload := obj{"workflow_run": v.run(run), "workflow": v.workflow(flow), "sender": v.login(run.Actor)}
	return s.emit(st, x, event{Name: "workflow_run", Action: action, Repo: run.Repo}, payload)
}

func (s *Server) emitJob(st *state, x *tx, j Job, action string) error {
	v := s.render(st)
	run, _ := st.runs.get(j.Run)
	payload := obj{"workflow_job": v.job(j), "sender": v.login(run.Actor)}
	return s.emit(st, x, event{Name: "workflow_job", Action: action, Repo: j.Repo}, payload)
}
