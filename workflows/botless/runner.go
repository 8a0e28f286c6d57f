package botless

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// output sets an output of the step: what it holds cannot end it.
func output(name, value string) error {
	delimiter := rand.Text()
	return appendTo(os.Getenv("GITHUB_OUTPUT"), fmt.Sprintf("%s<<%s\n%s\n%s\n", name, delimiter, value, delimiter))
}

// setEnv sets a variable of the steps that follow.
func setEnv(name, value string) error {
	delimiter := rand.Text()
	return appendTo(os.Getenv("GITHUB_ENV"), fmt.Sprintf("%s<<%s\n%s\n%s\n", name, delimiter, value, delimiter))
}

// appendTo adds to a file that the runner reads afterwards; outside of a job there is none.
func appendTo(path, text string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("tell the runner: %w", err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
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
