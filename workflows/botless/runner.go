package botless

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ortest/ortest/action"
)

// output sets an output of the step.
func output(name, value string) error { return hand("GITHUB_OUTPUT", name, value) }

// setEnv sets a variable of the steps that follow.
func setEnv(name, value string) error { return hand("GITHUB_ENV", name, value) }

// hand hands a value to the runner: what it holds cannot end it.
func hand(file, name, value string) error {
	delimiter := rand.Text()
	return action.AppendTo(os.Getenv(file), fmt.Sprintf("%s<<%s\n%s\n%s\n", name, delimiter, value, delimiter))
}

// jobFolder is a directory of the job: the variable's, else one below the runner's own
// that later steps know by it.
func jobFolder(variable, name string) (string, error) {
	if dir := os.Getenv(variable); dir != "" {
		return dir, os.MkdirAll(dir, 0o700)
	}
	dir := filepath.Join(cmp.Or(os.Getenv("RUNNER_TEMP"), os.TempDir()), name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return dir, setEnv(variable, dir)
}

func encode(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSpace(b.String()), err
}
