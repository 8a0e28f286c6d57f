package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ortest/ortest/runnerfleet"
)

// lane is the place where one piece runs: a fresh directory and what the job may
// see of the instance.
type lane struct {
	dir   string
	env   []string
	argv  []string
	spool *spool
}

var repository = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`)

// newLane makes the place for a piece. What it needs for the guard it checks:
// an assignment that could admit a foreign job is refused.
func (a *agent) newLane(job runnerfleet.Assignment) (*lane, error) {
	if !repository.MatchString(job.Repository) || job.RunID <= 0 || job.JIT == "" {
		return nil, errors.New("assignment names no repository, no workflow run or no runner")
	}
	a.pieces++
	l := &lane{dir: filepath.Join(a.Dir, fmt.Sprintf("lane-%d", a.pieces))}
	if err := removeAll(l.dir); err != nil {
		return nil, fmt.Errorf("make lane: %w", err)
	}
	work := filepath.Join(a.Dir, "work")
	for _, d := range []string{l.path("home"), l.path("tmp"), l.path("run"), l.path("spool"), work} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("make lane: %w", err)
		}
	}
	if err := os.WriteFile(l.path("job-started.sh"), guard(job), 0o500); err != nil {
		return nil, fmt.Errorf("make lane: %w", err)
	}
	var err error
	if l.spool, err = openSpool(l.path("spool")); err != nil {
		return nil, err
	}
	l.argv = append(append([]string{}, a.Runner...), "--jitconfig", job.JIT)
	l.env = append(scrub(a.Env),
		"HOME="+l.path("home"), "TMPDIR="+l.path("tmp"),
		"ORTEST_SPOOL="+l.path("spool"), "ORTEST_WORK="+work,
		"ACTIONS_RUNNER_HOOK_JOB_STARTED="+l.path("job-started.sh"),
	)
	return l, nil
}

func (l *lane) path(name string) string { return filepath.Join(l.dir, name) }

// guard is the job-started hook: the runner calls it with the job's own
// environment and runs no step when it fails. Both values were checked to hold
// nothing that a shell reads.
func guard(job runnerfleet.Assignment) []byte {
	return fmt.Appendf(nil, `#!/bin/sh
if [ "$GITHUB_REPOSITORY" = '%[1]s' ] && [ "$GITHUB_RUN_ID" = '%[2]d' ]; then
	exit 0
fi
echo "ortest: this runner is for workflow run %[2]d of %[1]s, not for this job" >&2
exit 1
`, job.Repository, job.RunID)
}

// scrub leaves out what is for the agent alone.
func scrub(env []string) []string {
	var kept []string
	for _, kv := range env {
		if !strings.HasPrefix(kv, runnerfleet.EnvAgentPrefix) {
			kept = append(kept, kv)
		}
	}
	return kept
}

// removeAll removes a tree in which a job may have taken away its own rights.
func removeAll(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o700) // before WalkDir reads it
		}
		return nil
	})
	return os.RemoveAll(dir)
}
