package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// action runs a command of a workflow job in this process, as one of demoRepo, and
// returns its outputs, what it said, and its exit code.
func (w *without) action(name string, env map[string]string) (outputs map[string]string, said string, code int) {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "output")
	all := map[string]string{
		"GITHUB_API_URL": w.url + "/api/v3", "GITHUB_SERVER_URL": w.url, "GITHUB_REPOSITORY": demoRepo, "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "1",
		"GITHUB_SHA": strings.Repeat("1", 40), "GITHUB_OUTPUT": file, "GITHUB_ENV": "", "GITHUB_STEP_SUMMARY": "", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": "",
		"ORTEST_CLOUD": "local", "ORTEST_DATA": filepath.Join(w.dir, "machines"), "ORTEST_TOKEN": w.token(),
		"ORTEST_APP_ID": "", "ORTEST_APP_KEY": "", "ORTEST_RUNNER_TOKEN": "", "ORTEST_RUNNER_COMMAND": self(w.t) + " runner", "ORTEST_BIN": self(w.t), "ORTEST_IDLE": "3m",
	}
	maps.Copy(all, w.vars)
	maps.Copy(all, env)
	setAll(w.t, all)
	var out bytes.Buffer
	code = run(w.t.Context(), []string{"action", name}, nil, &out, &out)
	outputs = make(map[string]string)
	raw, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	lines := strings.Split(string(raw), "\n")
	for i := 0; i+2 < len(lines); i += 3 {
		name, _, _ := strings.Cut(lines[i], "<<")
		outputs[name] = lines[i+1]
	}
	return outputs, out.String(), code
}

// TestPlanOfAComment holds who starts what, and at which commit: the head that was
// there when the comment was written.
func TestPlanOfAComment(t *testing.T) {
	w := newWithout(t, "good")
	file := filepath.Join(t.TempDir(), "event.json")
	first, second := strings.Repeat("a", 40), strings.Repeat("b", 40)
	now := time.Now().UTC().Truncate(time.Second)
	talk, err := w.gh.Conversation(demoRepo, w.pull)
	if err != nil {
		t.Fatal(err)
	}
	head := talk.Pull.HeadSHA
	push := func(before, after string, at time.Duration) string {
		return fmt.Sprintf(`{"before":%q,"after":%q,"timestamp":%q}`, before, after, now.Add(at).Format(time.RFC3339))
	}
	const hour = time.Hour
	for _, tt := range []struct {
		name, who, text string
		ago             time.Duration
		pushes          string
		private         bool
		code            int
		says            string
	}{
		{"a maintainer", demoMaintainer, "/ortest t-hello", 2 * hour, "", false, 0, "stage 1: 1 jobs on 1 machines"},
		{"a stranger starts nothing", demoStranger, "/ortest t-hello", 2 * hour, "", false, 1, "mallory may not write"},
		{"who opened the pull request starts nothing either", demoAuthor, "/ortest t-hello", 2 * hour, "", false, 1, "may not write"},
		{"a private repository is not served, and it says so", demoMaintainer, "/ortest t-hello", 2 * hour, "", true, 2, "is private"},
		{"two commands", demoMaintainer, "/ortest t-hello\n/ortest th-hello", 2 * hour, "", false, 2, "2 commands"},
		{"a goal that there is not", demoMaintainer, "/ortest t-helo", 2 * hour, "", false, 2, "t-helo"},
		{"what only the bot does", demoMaintainer, "/ortest cancel", 2 * hour, "", false, 2, "needs the bot"},
		{"a push since, and GitHub does not say to where", demoMaintainer, "/ortest t-hello", -hour, "", false, 1, "does not say whether it was to this branch"},
		{"a push since, to another branch", demoMaintainer, "/ortest t-hello", -hour, "[" + push(first, head, -2*hour) + "]", false, 0, "stage 1"},
		{"a push since that the list has not yet", demoMaintainer, "/ortest t-hello", -hour, "[" + push(second, first, -2*hour) + "]", false, 1, "does not say whether"},
		{"a push since, of two that the list has one of", demoMaintainer, "/ortest t-hello", -hour, "[" + push(second, first, 0) + "," + push(first, second, -2*hour) + "]", false, 1, "does not say whether"},
		{"a list that has nothing yet", demoMaintainer, "/ortest t-hello", -hour, "[]", false, 1, "does not say whether"},
		{"a push since, to this one", demoMaintainer, "/ortest t-hello", -hour, "[" + push(first, head, -hour/2) + "," + push(second, first, -2*hour) + "]", false, 1, "moved after the comment, from " + first},
		{"two of them: the first one's commit was there", demoMaintainer, "/ortest t-hello", -hour, "[" + push(second, head, 0) + "," + push(first, second, -hour/2) + "," + push(second, first, -2*hour) + "]", false, 1, "from " + first},
		{"in the same second counts as later", demoMaintainer, "/ortest t-hello", -hour, "[" + push(first, head, -hour) + "," + push(second, first, -2*hour) + "]", false, 1, "moved after the comment"},
		{"a second before is before", demoMaintainer, "/ortest t-hello", -hour, "[" + push(first, head, -hour-time.Second) + "]", false, 0, "stage 1"},
		{"nothing that is old enough is known", demoMaintainer, "/ortest t-hello", -hour, "[" + push(first, head, -hour/2) + "]", false, 1, "does not say whether"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := *w
			w.t, w.at, w.private = t, now.Add(tt.ago), tt.private
			*w.pushes = tt.pushes
			if err := os.WriteFile(file, w.event(tt.who, tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, said, code := w.action("plan", map[string]string{"GITHUB_EVENT_NAME": "issue_comment", "GITHUB_EVENT_PATH": file})
			if code != tt.code || !strings.Contains(said, tt.says) {
				t.Errorf("ended with %d, want %d and %q:\n%s", code, tt.code, tt.says, said)
			}
			if (out["run"] != "") != (tt.code == 0) {
				t.Errorf("outputs are %v", out)
			}
		})
	}
}

// TestUpWithoutARight says what is missing, and starts nothing.
func TestUpWithoutARight(t *testing.T) {
	w := newWithout(t, "good")
	out, said, code := w.action("plan", map[string]string{"ORTEST_TARGETS": "t-hello"})
	if code != 0 {
		t.Fatal(said)
	}
	_, said, code = w.action("up", map[string]string{"ORTEST_PLAN": out["run"], "ORTEST_MACHINES": out["machines"]})
	if started, _ := w.left(); code != 2 || !strings.Contains(said, "nothing here may administrate runners") || started != 0 {
		t.Errorf("up ended with %d, %d machines started:\n%s", code, started, said)
	}
	if _, said, code := w.action("down", map[string]string{"ORTEST_PLAN": out["run"]}); code != 0 || !strings.Contains(said, "0 machines ended") {
		t.Errorf("down ended with %d:\n%s", code, said)
	}
}
