package githubtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The limits of a dispatch.
const (
	maxInputs     = 25
	maxInputChars = 65535
	workflowDir   = ".github/workflows"
	// sinceDetails is the version of the interface from which every dispatch
	// answers with the workflow run.
	sinceDetails = "2026-03-10"
)

// workflow is a workflow file that has been named in a request.
type workflow struct {
	ID        int64     `json:"id"`
	Repo      int64     `json:"repo"`
	Path      string    `json:"path"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// dispatchBody is the body of a dispatch.
type dispatchBody struct {
	Ref     string          `json:"ref"`
	Inputs  json.RawMessage `json:"inputs"`
	Details bool            `json:"return_run_details"`
}

// inputs returns the inputs as texts, as a workflow sees them.
func (b dispatchBody) inputs() (map[string]string, error) {
	if len(b.Inputs) == 0 || bytes.Equal(b.Inputs, []byte("null")) {
		return nil, nil
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b.Inputs, &raw); err != nil {
		return nil, refuse(http.StatusUnprocessableEntity, "Invalid request.\n\nFor 'properties/inputs', the value is not an object.")
	}
	if len(raw) > maxInputs {
		return nil, refuse(http.StatusUnprocessableEntity, "Invalid request.\n\nNo more than %d properties are allowed; %d were supplied.", maxInputs, len(raw))
	}
	out, size := make(map[string]string, len(raw)), 0
	for name, value := range raw {
		var text string
		switch err := json.Unmarshal(value, &text); {
		case err == nil && value[0] == '"':
		case value[0] == '{' || value[0] == '[' || value[0] == 'n':
			return nil, refuse(http.StatusUnprocessableEntity, "Invalid value for input '%s'", name)
		default:
			text = string(value)
		}
		out[name] = text
		size += utf8.RuneCountInString(name) + utf8.RuneCountInString(text)
	}
	if size > maxInputChars {
		return nil, refuse(http.StatusUnprocessableEntity, "inputs are too large.")
	}
	return out, nil
}

// dispatchWorkflow starts a workflow of a branch or tag. What is wrong with the
// workflow itself GitHub shows as a workflow run that fails at once; here it is
// a refusal that says what.
func (s *Server) dispatchWorkflow(r *request) (reply, error) {
	var b dispatchBody
	if err := r.decode(&b); err != nil {
		return reply{}, err
	}
	if b.Ref == "" {
		return reply{}, refuse(http.StatusUnprocessableEntity, "Invalid request.\n\n\"ref\" wasn't supplied.")
	}
	given, err := b.inputs()
	if err != nil {
		return reply{}, err
	}
	file, err := s.workflowPath(r)
	if err != nil {
		return reply{}, err
	}
	run, jobs, err := s.planRun(r, file, b.Ref, given)
	if err != nil {
		return reply{}, err
	}
	err = s.update(func(_ *state, x *tx) error {
		run, err = s.addRun(x, run, jobs)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	if !b.Details && r.Header.Get("X-GitHub-Api-Version") < sinceDetails {
		return reply{status: http.StatusNoContent}, nil
	}
	at := "/" + r.repo.FullName() + "/actions/runs/" + strconv.FormatInt(run.ID, 10)
	return ok(obj{"workflow_run_id": run.ID, "run_url": s.apiURL() + "/repos" + at, "html_url": s.cfg.URL + at}), nil
}

// workflowPath returns the path of the workflow that a request names by file
// name or id; only files of the default branch are workflows.
func (s *Server) workflowPath(r *request) (string, error) {
	name := r.PathValue("workflow")
	file := path.Join(workflowDir, path.Base(name))
	if id, err := strconv.ParseInt(name, 10, 64); err == nil {
		var flow workflow
		if err := s.view(func(st *state) error { flow, _ = st.flows.get(id); return nil }); err != nil {
			return "", err
		}
		if flow.Repo != r.repo.ID {
			return "", notFound()
		}
		file = flow.Path
	}
	if _, err := s.git.file(r.Context(), r.repo.FullName(), "refs/heads/"+r.repo.Branch, file); err != nil {
		return "", notFound()
	}
	return file, nil
}

// planRun reads the workflow at ref and makes the workflow run and its jobs,
// without storing them.
func (s *Server) planRun(r *request, file, ref string, given map[string]string) (WorkflowRun, []Job, error) {
	repo, ctx := r.repo.FullName(), r.Context()
	unprocessable := func(err error) error { return refuse(http.StatusUnprocessableEntity, "%s", err) }
	name := strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/")
	if !s.git.isBranchOrTag(ctx, repo, name) {
		return WorkflowRun{}, nil, refuse(http.StatusUnprocessableEntity, "No ref found for: %s", ref)
	}
	info, err := s.git.commitInfo(ctx, repo, name)
	if err != nil {
		return WorkflowRun{}, nil, err
	}
	text, err := s.git.file(ctx, repo, info.sha, file)
	if errors.Is(err, errNoObject) {
		return WorkflowRun{}, nil, refuse(http.StatusUnprocessableEntity, "No workflow %s at %s", file, ref)
	}
	if err != nil {
		return WorkflowRun{}, nil, err
	}
	f, err := parseWorkflow(text)
	if err != nil {
		return WorkflowRun{}, nil, unprocessable(err)
	}
	specs, can, err := f.dispatchInputs()
	if err != nil {
		return WorkflowRun{}, nil, unprocessable(err)
	}
	if !can {
		return WorkflowRun{}, nil, refuse(http.StatusUnprocessableEntity, "Workflow does not have 'workflow_dispatch' trigger")
	}
	inputs, err := fillInputs(specs, given)
	if err != nil {
		return WorkflowRun{}, nil, err
	}
	run := WorkflowRun{
		Repo: r.repo.ID, Path: file, Name: f.title(file), Actor: s.botLogin(), Event: "workflow_dispatch",
		Branch: name, HeadSHA: info.sha, Tree: info.tree, Message: info.message, CommittedAt: info.at,
		Committer: info.author, Text: string(text), Inputs: inputs, Status: "queued",
	}
	github := map[string]any{
		"event_name": run.Event, "repository": repo, "ref": "refs/heads/" + name, "ref_name": name,
		"sha": info.sha, "actor": run.Actor, "workflow": run.Name,
	}
	if run.Title, err = f.runName(inputs, github); err != nil {
		return WorkflowRun{}, nil, unprocessable(err)
	}
	jobs, err := f.expand(inputs, github)
	if err != nil {
		return WorkflowRun{}, nil, unprocessable(err)
	}
	return run, jobs, nil
}

// title is the name of a workflow: its path when it gives itself none.
func (f workflowFile) title(path string) string {
	if f.Name == "" {
		return path
	}
	return f.Name
}

// runName is what a workflow run is shown as.
func (f workflowFile) runName(inputs map[string]string, github map[string]any) (string, error) {
	if f.RunName == "" {
		return f.Name, nil
	}
	given := make(map[string]any, len(inputs))
	for name, value := range inputs {
		given[name] = value
	}
	return scope{"inputs": given, "github": github}.text(f.RunName)
}

// ensureFlow returns the workflow of a path, under an id of its own.
func (s *Server) ensureFlow(x *tx, repo int64, path, name string) workflow {
	flow, known := x.st.flows.find(func(w workflow) bool { return w.Repo == repo && w.Path == path })
	if known && flow.Name == name {
		return flow
	}
	if !known {
		flow = workflow{ID: x.st.newID(), Repo: repo, Path: path, CreatedAt: s.now()}
	}
	flow.Name = name
	x.st.flows.put(x, flow.ID, flow)
	return flow
}

func (s *Server) listWorkflows(r *request) (reply, error) {
	entries, err := s.git.list(r.Context(), r.repo.FullName(), "refs/heads/"+r.repo.Branch, workflowDir+"/")
	if err != nil {
		return reply{}, err
	}
	names := make(map[string]string)
	for _, e := range entries {
		text, err := s.git.file(r.Context(), r.repo.FullName(), "refs/heads/"+r.repo.Branch, e.path)
		if err != nil || path.Ext(e.path) != ".yml" && path.Ext(e.path) != ".yaml" {
			continue
		}
		f, err := parseWorkflow(text)
		if err != nil {
			f.Name = "" // GitHub lists a broken workflow under its path
		}
		names[e.path] = f.title(e.path)
	}
	var rep reply
	err = s.update(func(st *state, x *tx) error {
		var flows []workflow
		for _, e := range entries {
			if name, isFlow := names[e.path]; isFlow {
				flows = append(flows, s.ensureFlow(x, r.repo.ID, e.path, name))
			}
		}
		page, header := cut(s, r, flows)
		rep = reply{status: http.StatusOK, header: header, body: obj{
			"total_count": len(flows), "workflows": rendered(page, s.render(st).workflow),
		}}
		return nil
	})
	return rep, err
}
