package runner

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// The exit codes of actions/runner's run.sh that this runner has. A job's own
// failure is no failure of the runner, and neither is a registration that was
// removed.
const (
	exitDone  = 0
	exitWrong = 1
)

// Run takes one job and runs it in a fresh directory below the current one,
// which it removes again. args is "[run] --jitconfig BLOB"; the configuration
// may come as ACTIONS_RUNNER_INPUT_JITCONFIG in env instead. env, KEY=VALUE, is
// what the job's steps see. When ctx ends a running job is cancelled. The
// returned value is the exit code.
//
// Of env it reads ACTIONS_RUNNER_HOOK_JOB_STARTED, a script that must succeed
// before the job may start, ORTEST_ACTION_DIR, the directory that stands for
// the action ortest/ortest at any ref, and PATH, where it looks for act unless
// act lies beside the running executable.
func Run(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	blob, err := parseArgs(args, env, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	out := &console{w: stdout}
	if err != nil {
		(&console{w: stderr}).say("%v", err)
		return exitWrong
	}
	c := newClient(blob)
	out.say("Listening for Jobs as %s", blob.Name)
	a, err := c.acquire(ctx)
	switch {
	case ctx.Err() != nil:
		out.say("Exiting: told to stop before a job came")
		return exitDone
	case errors.Is(err, errGone):
		out.say("Runner listener exit with terminated error, stop the service, no retry needed.")
		return exitDone
	case err != nil:
		out.say("acquire job: %v", err)
		return exitWrong
	}
	out.say("Running job: %s", a.Name)
	conclusion := (&work{client: c, job: a, env: env, stdout: stdout}).run(ctx)
	out.say("Job %s completed with result: %s", a.Name, conclusion)
	return exitDone
}

// parseArgs reads the command line of actions/runner.
func parseArgs(args, env []string, stderr io.Writer) (Blob, error) {
	if len(args) > 0 && args[0] == "run" {
		args = args[1:]
	}
	fs := flag.NewFlagSet("runner", flag.ContinueOnError)
	fs.SetOutput(stderr)
	encoded := fs.String("jitconfig", lookup(env, "ACTIONS_RUNNER_INPUT_JITCONFIG"), "the JIT `configuration` of a runner")
	if err := fs.Parse(args); err != nil {
		return Blob{}, err
	}
	if *encoded == "" || fs.NArg() > 0 {
		return Blob{}, errors.New("usage: runner --jitconfig CONFIGURATION")
	}
	return ParseBlob(*encoded)
}

// lookup returns the last value of a variable in a list of KEY=VALUE, as
// execve's readers do.
func lookup(env []string, key string) string {
	var value string
	for _, kv := range env {
		if k, v, found := strings.Cut(kv, "="); found && k == key {
			value = v
		}
	}
	return value
}

// without returns env less some variables.
func without(env []string, keys ...string) []string {
	var out []string
	for _, kv := range env {
		keep := true
		for _, key := range keys {
			keep = keep && !strings.HasPrefix(kv, key+"=")
		}
		if keep {
			out = append(out, kv)
		}
	}
	return out
}

// console says what the runner does, a line at a time. Nobody may be reading.
type console struct{ w io.Writer }

func (c *console) say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.w, format+"\n", args...)
}
