package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// runCommits is the name of the file with the commits of a run, of the project and of
// all that it was built with.
const runCommits = "commits.json"

var reFullCommit = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// pins are the commits at which the goals of one run take their repositories, by
// recipe.Source.Pin. What is missing is found out by the goal that needs it first.
type pins map[string]string

// readPins reads the commits of an earlier run; without a file there are none.
func readPins(file string) (pins, error) {
	p := pins{}
	if file == "" {
		return p, nil
	}
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		return nil, usage(fmt.Errorf("--commits: %w; give the %s that --results left", err, runCommits))
	}
	for name, commit := range p {
		if !reFullCommit.MatchString(commit) {
			return nil, usage(fmt.Errorf("--commits %s: %s is at %q, which is no full commit", file, shortened(name), shortened(commit)))
		}
	}
	return p, nil
}

// write leaves the commits in a folder.
func (p pins) write(dir string) error {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, runCommits), append(b, '\n'), 0o644)
}
