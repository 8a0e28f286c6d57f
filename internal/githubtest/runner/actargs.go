package runner

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// actionRepo is the action that ORTEST_ACTION_DIR stands for.
const actionRepo = "ortest/ortest"

// actArgs lays out the job's directory (the workflow, its event, an empty
// workspace) and returns the command line for act.
func (w *work) actArgs(dir string) ([]string, error) {
	workflow, event := filepath.Join(dir, "workflow.yml"), filepath.Join(dir, "event.json")
	payload, err := json.Marshal(w.event())
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	for path, data := range map[string][]byte{workflow: []byte(w.job.Text), event: payload} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return nil, fmt.Errorf("prepare job: %w", err)
		}
	}
	for _, name := range []string{"work", "config", "cache"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return nil, fmt.Errorf("prepare job: %w", err)
		}
	}
	args := []string{
		w.job.Event, "--workflows", workflow, "--eventpath", event, "--job", w.job.Key, "--actor", w.job.Actor,
		"--action-cache-path", filepath.Join(dir, "cache"), "--no-cache-server", "--action-offline-mode", "--pull=false",
		"--container-daemon-socket", "-",
	}
	for _, label := range w.job.Labels {
		args = append(args, "--platform", label+"=-self-hosted")
	}
	for _, part := range w.job.Matrix {
		args = append(args, "--matrix", part)
	}
	for k, v := range w.github() {
		args = append(args, "--env", k+"="+v)
	}
	local, err := w.localActions()
	return append(args, local...), err
}

// event is what triggered the workflow, as the job sees it: github.event.
func (w *work) event() map[string]any {
	owner, name, _ := strings.Cut(w.job.Repo, "/")
	return map[string]any{
		"inputs": w.job.Inputs, "ref": w.job.Ref, "workflow": w.job.Path,
		"repository": map[string]any{"full_name": w.job.Repo, "name": name, "owner": map[string]any{"login": owner}},
		"sender":     map[string]any{"login": w.job.Actor},
	}
}

// github is what GitHub tells a job in its environment. act takes its github
// context from these, the commit from SHA_REF.
func (w *work) github() map[string]string {
	owner, _, _ := strings.Cut(w.job.Repo, "/")
	return map[string]string{
		"GITHUB_SERVER_URL": w.job.Server, "GITHUB_API_URL": w.job.API,
		"GITHUB_REPOSITORY": w.job.Repo, "GITHUB_REPOSITORY_OWNER": owner,
		"GITHUB_RUN_ID": strconv.FormatInt(w.job.Run, 10), "GITHUB_RUN_NUMBER": strconv.Itoa(w.job.Number), "GITHUB_RUN_ATTEMPT": "1",
		"GITHUB_REF": w.job.Ref, "GITHUB_SHA": w.job.SHA, "SHA_REF": w.job.SHA,
		"GITHUB_JOB": w.job.Key, "GITHUB_WORKFLOW": w.job.Workflow, "GITHUB_EVENT_NAME": w.job.Event, "GITHUB_ACTOR": w.job.Actor,
		"GITHUB_WORKFLOW_REF": w.job.Repo + "/" + w.job.Path + "@" + w.job.Ref, "GITHUB_WORKFLOW_SHA": w.job.SHA,
		"RUNNER_NAME": w.client.blob.Name, "RUNNER_ENVIRONMENT": "self-hosted", "RUNNER_TRACKING_ID": w.tracking,
	}
}

// localActions makes each use of the action resolve to the local directory,
// whatever ref the workflow names: there is no network to fetch it from.
func (w *work) localActions() ([]string, error) {
	dir := lookup(w.env, "ORTEST_ACTION_DIR")
	if dir == "" {
		return nil, nil
	}
	var file struct {
		Jobs map[string]struct {
			Steps []struct {
				Uses string `yaml:"uses"`
			} `yaml:"steps"`
		} `yaml:"jobs"`
	}
	if err := yaml.Unmarshal([]byte(w.job.Text), &file); err != nil {
		return nil, fmt.Errorf("parse workflow: %w", err)
	}
	var args []string
	for _, step := range file.Jobs[w.job.Key].Steps {
		if repo, _, found := strings.Cut(step.Uses, "@"); found && repo == actionRepo {
			args = append(args, "--local-repository", step.Uses+"="+dir)
		}
	}
	return args, nil
}
