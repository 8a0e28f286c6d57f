package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ortest/ortest/runnerfleet"
)

// place is where one piece runs: a fresh directory and what the job may see of the
// instance.
type place struct {
	dir   string
	env   []string
	argv  []string
	spool *spool
}

var repository = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`)

// errAssignment means that the hook could not be made: it might admit a foreign job.
var errAssignment = errors.New("assignment names no repository, no workflow run or no runner")

// newPlace makes the place for a piece.
func (l *lane) newPlace(job runnerfleet.Assignment) (*place, error) {
	if !repository.MatchString(job.Repository) || job.RunID <= 0 || job.JIT == "" {
		return nil, errAssignment
	}
	l.pieces++
	p := &place{dir: filepath.Join(l.dir, "piece-"+strconv.Itoa(l.pieces))}
	if err := p.make(l, job); err != nil {
		return nil, fmt.Errorf("make place: %w", err)
	}
	var err error
	if p.spool, err = openSpool(p.path("spool")); err != nil {
		return nil, err
	}
	p.argv = slices.Clone(l.Runner)
	if l.Home != "" {
		p.argv[0] = filepath.Join(p.path("runner"), l.Runner[0])
	}
	p.env = append(scrub(l.Env),
		// Not --jitconfig: every lane could read the others' command lines.
		"ACTIONS_RUNNER_INPUT_JITCONFIG="+job.JIT,
		"HOME="+p.path("home"), "TMPDIR="+p.path("tmp"),
		"ORTEST_SPOOL="+p.path("spool"), "ORTEST_WORK="+filepath.Join(l.dir, "work"),
		"ACTIONS_RUNNER_HOOK_JOB_STARTED="+p.path("job-started.sh"),
		"ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE=1", // else that is a 1 like others
	)
	if l.Root != "" {
		p.env = append(p.env, "ORTEST_ROOT="+l.Root, "ORTEST_ROOT_SHARE="+l.dir)
	}
	if len(job.Catalog) > 0 {
		p.env = append(p.env, "ORTEST_CATALOG_FILE="+p.path("catalog"))
	}
	if l.lanes > 1 {
		p.env = append(p.env, "ORTEST_LANES=1") // the suites are to share the machine
	}
	return p, nil
}

func (p *place) make(l *lane, job runnerfleet.Assignment) error {
	if err := errors.Join(removeAll(p.dir), l.makeDirs()); err != nil {
		return err
	}
	if err := os.Mkdir(p.dir, 0o711); err != nil {
		return err
	}
	for _, name := range []string{"home", "tmp", "run", "spool", "hook"} {
		if err := os.Mkdir(p.path(name), 0o700); err != nil {
			return err
		}
		if err := l.account.give(p.path(name)); err != nil {
			return err
		}
	}
	if l.Home != "" {
		if err := copyRunner(l.Home, p.path("runner"), l.account); err != nil {
			return err
		}
	}
	if len(job.Catalog) > 0 {
		if err := os.WriteFile(p.path("catalog"), job.Catalog, 0o444); err != nil {
			return err
		}
	}
	return os.WriteFile(p.path("job-started.sh"), guard(job, p.path("hook")), 0o555)
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

// close removes the place; what a job took the rights from, too.
func (p *place) close() error { return errors.Join(p.spool.Close(), removeAll(p.dir)) }

// guard is the job-started hook: the runner calls it with the job's own
// environment and runs no step when it fails. What it found it leaves in a
// folder. The values of the assignment were checked to hold nothing that a shell
// reads.
func guard(job runnerfleet.Assignment, dir string) []byte {
	return fmt.Appendf(nil, `#!/bin/sh
if [ "$GITHUB_REPOSITORY" = '%[1]s' ] && [ "$GITHUB_RUN_ID" = '%[2]d' ]; then
	: >'%[3]s/began'
	exit 0
fi
printf '%%s' "workflow run $GITHUB_RUN_ID of $GITHUB_REPOSITORY" >'%[3]s/refused'
echo "ortest: this runner is for workflow run %[2]d of %[1]s, not for this job" >&2
exit 1
`, job.Repository, job.RunID, strings.ReplaceAll(dir, `'`, `'\''`))
}

// began reports whether the hook let a job in. A job may lie about it, to its own harm.
func (p *place) began() bool {
	_, err := os.Lstat(filepath.Join(p.path("hook"), "began"))
	return err == nil
}

// refused says which job the hook refused, or "". A runner has one job.
func (p *place) refused() string {
	if p.began() {
		return ""
	}
	dir, err := os.OpenRoot(p.path("hook"))
	if err != nil {
		return ""
	}
	defer dir.Close()
	if fi, err := dir.Lstat("refused"); err != nil || !fi.Mode().IsRegular() {
		return ""
	}
	f, err := dir.Open("refused")
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 200))
	if err != nil || len(b) == 0 {
		return ""
	}
	return "the runner was given a foreign job, and refused it: " + string(b)
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
