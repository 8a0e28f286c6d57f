package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/ortest/ortest/bot"
)

// lookBack is how old a dispatched workflow run can be that is still looked
// for: no run of ours lives as long.
const lookBack = 48 * time.Hour

// Dispatch starts a workflow file of the default branch, at that branch, and
// returns the workflow run's id. A GitHub that does not tell the id is asked
// for it by the input "nonce", which the workflow has in its name. After an
// error that is neither bot.ErrRefused nor bot.ErrGone the workflow may run:
// ask FindWorkflowRun before a repeat, and give GitHub time to list it.
func (f *Forge) Dispatch(ctx context.Context, repo bot.Repo, workflow string, inputs map[string]string) (int64, error) {
	id, err := f.dispatch(ctx, repo, workflow, inputs)
	return id, wrap(err, "dispatch %s of %s", workflow, repo)
}

func (f *Forge) dispatch(ctx context.Context, repo bot.Repo, workflow string, inputs map[string]string) (int64, error) {
	if !validName(workflow) {
		return 0, fmt.Errorf("%q is no file name: %w", workflow, bot.ErrRefused)
	}
	client, err := f.client(repo)
	if err != nil {
		return 0, err
	}
	about, _, err := client.Repositories.Get(ctx, repo.Owner, repo.Name)
	if err != nil {
		return 0, err
	}
	if about.GetDefaultBranch() == "" {
		return 0, errors.New("the repository has no default branch")
	}
	var started struct {
		ID int64 `json:"workflow_run_id"`
	}
	_, err = f.do(ctx, repo, call{
		method: http.MethodPost,
		path:   []string{"actions", "workflows", workflow, "dispatches"},
		body: map[string]any{
			"ref": about.GetDefaultBranch(), "inputs": inputs, "return_run_details": true,
		},
	}, &started)
	if err != nil {
		return 0, err
	}
	if started.ID != 0 {
		return started.ID, nil
	}
	return f.awaitWorkflowRun(ctx, repo, workflow, inputs["nonce"])
}

// Head returns the newest commit of a branch of OWNER/NAME, of the default one
// when it is "". A repository of the same owner is asked with a token of its own, another with
// repo's: a public one shows itself to any.
func (f *Forge) Head(ctx context.Context, repo bot.Repo, name, branch string) (string, error) {
	owner, name, _ := strings.Cut(name, "/")
	if !validName(owner) || !validName(name) {
		return "", fmt.Errorf("%.100q is no repository: %w", owner+"/"+name, bot.ErrRefused)
	}
	if strings.EqualFold(owner, repo.Owner) {
		repo.Name = name
	}
	client, err := f.client(repo)
	if err != nil {
		return "", err
	}
	if branch == "" {
		about, _, err := client.Repositories.Get(ctx, owner, name)
		if err != nil {
			return "", wrap(err, "read repository %s/%s", owner, name)
		}
		branch = about.GetDefaultBranch()
	}
	// go-github's own call makes an error without GitHub's code of a branch that is not there.
	req, err := client.NewRequest(http.MethodGet, "repos/"+owner+"/"+name+"/branches/"+url.PathEscape(branch), nil)
	if err != nil {
		return "", err
	}
	var head struct {
		Commit struct {
			SHA string `json:"sha"`
		} `json:"commit"`
	}
	if _, err := client.Do(ctx, req, &head); err != nil {
		return "", wrap(err, "read branch %s of %s/%s", branch, owner, name)
	}
	if !validSHA(head.Commit.SHA) {
		return "", fmt.Errorf("read branch %s of %s/%s: the answer has no commit", branch, owner, name)
	}
	return head.Commit.SHA, nil
}

// awaitWorkflowRun looks for a workflow run that GitHub is about to list.
func (f *Forge) awaitWorkflowRun(ctx context.Context, repo bot.Repo, workflow, nonce string) (int64, error) {
	for wait := time.Second; wait <= 16*time.Second; wait *= 2 {
		id, err := f.FindWorkflowRun(ctx, repo, workflow, nonce)
		if id != 0 || err != nil {
			return id, err
		}
		if err := sleep(ctx, wait); err != nil {
			return 0, err
		}
	}
	return 0, errors.New("GitHub accepted it but lists no workflow run of its name")
}

// FindWorkflowRun returns the id of the dispatched workflow run whose name
// contains the nonce, and 0 when there is none in the last two days. An empty
// nonce names none. GitHub may take seconds to list a new one.
func (f *Forge) FindWorkflowRun(ctx context.Context, repo bot.Repo, workflow, nonce string) (int64, error) {
	if nonce == "" {
		return 0, nil
	}
	var found int64
	oldest := time.Now().Add(-lookBack)
	_, err := pages(func(page int) ([]workflowRun, *gh.Response, error) {
		var answer struct {
			Runs []workflowRun `json:"workflow_runs"`
		}
		q := pageQuery(page)
		q.Set("event", "workflow_dispatch")
		resp, err := f.do(ctx, repo, call{method: http.MethodGet, path: []string{"actions", "runs"}, query: q}, &answer)
		if err != nil {
			return nil, nil, err
		}
		// The newest come first. Asking GitHub for those of some days would take
		// a search expression that its own description of the call forbids.
		for _, r := range answer.Runs {
			if r.is(workflow, nonce) {
				found = r.ID
			}
			if found != 0 || r.CreatedAt.Before(oldest) {
				return nil, &gh.Response{}, nil
			}
		}
		return nil, resp, nil
	})
	return found, wrap(err, "find workflow run of %s in %s", workflow, repo)
}

type workflowRun struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	Title     string    `json:"display_title"`
	Path      string    `json:"path"` // .github/workflows/FILE, perhaps with @REF
	CreatedAt time.Time `json:"created_at"`
}

func (r workflowRun) is(workflow, nonce string) bool {
	file, _, _ := strings.Cut(r.Path, "@")
	return strings.HasSuffix(file, "/"+workflow) && (strings.Contains(r.Title, nonce) || strings.Contains(r.Name, nonce))
}

// Jobs returns the jobs of a workflow run's latest attempt.
func (f *Forge) Jobs(ctx context.Context, repo bot.Repo, workflowRun int64) ([]bot.Job, error) {
	type answer struct {
		Jobs []workflowJob `json:"jobs"`
	}
	all, err := list(ctx, f, repo, call{path: []string{"actions", "runs", decimal(workflowRun), "jobs"}}, func(a *answer) []workflowJob { return a.Jobs })
	if err != nil {
		return nil, wrap(err, "list jobs of workflow run %d of %s", workflowRun, repo)
	}
	var jobs []bot.Job
	for _, j := range all {
		jobs = append(jobs, j.job())
	}
	return jobs, nil
}

// CancelWorkflowRun asks for a workflow run's end. One that has ended or is
// gone is no error.
func (f *Forge) CancelWorkflowRun(ctx context.Context, repo bot.Repo, workflowRun int64) error {
	client, err := f.client(repo)
	if err != nil {
		return err
	}
	_, err = client.Actions.CancelWorkflowRunByID(mayRepeat(ctx), repo.Owner, repo.Name, workflowRun)
	var accepted *gh.AcceptedError
	if errors.As(err, &accepted) || codeOf(err) == http.StatusConflict {
		return nil
	}
	if err = wrap(err, "cancel workflow run %d of %s", workflowRun, repo); errors.Is(err, bot.ErrGone) {
		return nil
	}
	return err
}

// MintRunner registers a single-use runner that has the label and no other,
// and returns its id and JIT configuration. One of that name is removed first;
// if it is running a job, that is an error.
func (f *Forge) MintRunner(ctx context.Context, repo bot.Repo, name, label string) (int64, string, error) {
	id, jit, err := f.mint(ctx, repo, name, label)
	if codeOf(err) == http.StatusConflict {
		if err := f.removeNamed(ctx, repo, name); err != nil {
			return 0, "", wrap(err, "remove runner %s of %s", name, repo)
		}
		id, jit, err = f.mint(ctx, repo, name, label)
	}
	return id, jit, wrap(err, "mint runner %s of %s", name, repo)
}

func (f *Forge) mint(ctx context.Context, repo bot.Repo, name, label string) (int64, string, error) {
	client, err := f.client(repo)
	if err != nil {
		return 0, "", err
	}
	made, _, err := client.Actions.GenerateRepoJITConfig(ctx, repo.Owner, repo.Name, &gh.GenerateJITConfigRequest{
		Name: name, RunnerGroupID: f.cfg.RunnerGroup, Labels: []string{label},
	})
	if err != nil {
		return 0, "", err
	}
	if made.GetRunner().GetID() == 0 || made.GetEncodedJITConfig() == "" {
		return 0, "", errors.New("the answer has no runner or no configuration")
	}
	return made.GetRunner().GetID(), made.GetEncodedJITConfig(), nil
}

func (f *Forge) removeNamed(ctx context.Context, repo bot.Repo, name string) error {
	type runner struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	type answer struct {
		Runners []runner `json:"runners"`
	}
	all, err := list(ctx, f, repo, call{path: []string{"actions", "runners"}, query: url.Values{"name": {name}}}, func(a *answer) []runner { return a.Runners })
	if err != nil {
		return err
	}
	for _, r := range all {
		// Servers that do not know the parameter list every runner.
		if !strings.EqualFold(r.Name, name) {
			continue
		}
		if err := f.RemoveRunner(ctx, repo, r.ID); err != nil {
			return err
		}
	}
	return nil
}

// RemoveRunner takes a runner's registration away; no error when it has none.
func (f *Forge) RemoveRunner(ctx context.Context, repo bot.Repo, id int64) error {
	client, err := f.client(repo)
	if err != nil {
		return err
	}
	_, err = client.Actions.RemoveRunner(ctx, repo.Owner, repo.Name, id)
	if err = wrap(err, "remove runner %d of %s", id, repo); errors.Is(err, bot.ErrGone) {
		return nil
	}
	return err
}
