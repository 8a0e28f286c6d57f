package runner

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestJobAtItsTimeLimitIsCancelled(t *testing.T) {
	t.Chdir(t.TempDir())
	var log bytes.Buffer
	w := &work{client: newClient(Blob{}), env: os.Environ(), job: Assignment{Event: "workflow_dispatch", Minutes: 0}}
	if got := w.execute(t.Context(), &log); got != cancelled || !strings.Contains(log.String(), "maximum execution time of 0 minutes") {
		t.Errorf("ended as %s:\n%s", got, log.String())
	}
}

func TestLookup(t *testing.T) {
	env := []string{"A=1", "AB=2", "A=3", "C"}
	for key, want := range map[string]string{"A": "3", "AB": "2", "C": "", "D": ""} {
		if got := lookup(env, key); got != want {
			t.Errorf("lookup(%s) = %q, want %q", key, got, want)
		}
	}
	if got := without(env, "A"); len(got) != 2 || got[0] != "AB=2" {
		t.Errorf("without(A) = %v", got)
	}
}
