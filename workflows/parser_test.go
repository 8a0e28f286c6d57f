//go:build parser

package workflows

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestGitHubsParserFindsNothing has @actions/workflow-parser read every file that we
// write, and one with a fault. make parser fetches it.
func TestGitHubsParserFindsNothing(t *testing.T) {
	script, err := filepath.Abs("../bin/parser/parse.mjs")
	if err == nil {
		_, err = os.Stat(script)
	}
	if err != nil {
		t.Fatalf("%v; make parser fetches it", err)
	}
	parse := func(text []byte) (string, error) {
		file := filepath.Join(t.TempDir(), "workflow.yml")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "node", script, file).CombinedOutput()
		return string(out), err
	}
	for name, text := range all(t) {
		if out, err := parse(text); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if out, err := parse(bytes.Replace(text, []byte("runs-on:"), []byte("runs-onn:"), 1)); err == nil {
			t.Errorf("%s: a fault was not found\n%s", name, out)
		}
	}
}
