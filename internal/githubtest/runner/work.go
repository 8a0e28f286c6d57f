package runner

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	beatEvery = 2 * time.Second
	grace     = 5 * time.Second  // between asking a job to stop and killing it
	farewell  = 10 * time.Second // for reporting when the runner itself is told to stop
)

// How a job can end.
const (
	success   = "success"
	failure   = "failure"
	cancelled = "cancelled"
)

// errTooLong ends a job at its time limit, which GitHub calls cancelling it.
var errTooLong = errors.New("time limit")

// work is one job being run.
type work struct {
	client *client
	job    Assignment
	env    []string
	stdout io.Writer

	tracking string // in the environment of every process of the job
}

// run runs the job, reports its end, and returns how it ended.
func (w *work) run(ctx context.Context) string {
	w.tracking = "github_" + rand.Text()
	log := &joblog{client: w.client, job: w.job.Job, echo: w.stdout}
	jobCtx, stop := context.WithCancel(ctx)
	defer stop()

	// Reporting outlives the job, but not for long the runner itself.
	reportCtx, endReport := context.WithCancel(context.WithoutCancel(ctx))
	defer endReport()
	var side sync.WaitGroup
	forget := context.AfterFunc(ctx, func() { time.AfterFunc(grace+farewell, endReport) })
	defer forget()
	done := make(chan struct{})
	side.Go(func() { log.run(reportCtx, done) })
	side.Go(func() { w.beat(jobCtx, stop) })

	conclusion := w.execute(jobCtx, log)
	stop()
	close(done)
	side.Wait()
	if err := w.client.complete(reportCtx, w.job.Job, conclusion); err != nil {
		(&console{w: w.stdout}).say("report the end of job %s: %v", w.job.Name, err)
	}
	return conclusion
}

// beat reports life until ctx ends, and stops the job when the server says so
// or has given it up.
func (w *work) beat(ctx context.Context, stop func()) {
	for {
		b, err := w.client.beat(ctx, w.job.Job)
		if b.Cancel || errors.Is(err, errGone) {
			stop()
			return
		}
		if !wait(ctx, beatEvery) {
			return
		}
	}
}

// execute runs the job in a directory of its own and removes that.
func (w *work) execute(ctx context.Context, log io.Writer) string {
	out := &console{w: log}
	here, err := os.Getwd()
	if err != nil {
		out.say("##[error]find the working directory: %v", err)
		return failure
	}
	dir, err := os.MkdirTemp(here, "job-")
	if err != nil {
		out.say("##[error]create the job's directory: %v", err)
		return failure
	}
	defer removeAll(dir, out)
	// act does not keep the job's time limit.
	limit := time.Duration(w.job.Minutes) * time.Minute
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
	defer cancel()
	err = w.steps(ctx, dir, log)
	switch {
	case errors.Is(context.Cause(ctx), errTooLong):
		out.say("##[error]The job has exceeded the maximum execution time of %d minutes.", w.job.Minutes)
		return cancelled
	case ctx.Err() != nil:
		out.say("##[error]The operation was canceled.")
		return cancelled
	case err != nil:
		out.say("##[error]%v", err)
		return failure
	}
	return success
}

// removeAll removes a directory in which a job may have left others that are
// not writable.
func removeAll(dir string, out *console) {
	if os.RemoveAll(dir) == nil {
		return
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			return errors.Join(err, os.Chmod(path, 0o700))
		}
		return nil
	})
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		out.say("##[warning]remove %s: %v", dir, err)
	}
}

// steps runs the hook and then the workflow with act.
func (w *work) steps(ctx context.Context, dir string, log io.Writer) error {
	if err := w.hook(ctx, dir, log); err != nil {
		return err
	}
	act, err := findAct(lookup(w.env, "PATH"))
	if err != nil {
		return err
	}
	args, err := w.actArgs(dir)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, act, args...)
	cmd.Dir = filepath.Join(dir, "work")
	// Steps see the environment of act itself, as with actions/runner. Its own
	// settings must not come from the machine, and Docker is never asked.
	cmd.Env = append(w.environment(), "XDG_CONFIG_HOME="+filepath.Join(dir, "config"), "DOCKER_HOST=")
	if lookup(w.env, "HOME") == "" {
		cmd.Env = append(cmd.Env, "HOME="+dir) // act refuses to start without one
	}
	if err := w.wait(cmd, log); err != nil {
		return fmt.Errorf("job failed: %w", err)
	}
	return nil
}

// wait runs a command of the job to its end and leaves nothing of it behind.
// On cancellation all its processes are asked to stop, and killed after grace.
func (w *work) wait(cmd *exec.Cmd, log io.Writer) error {
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { w.signal(cmd.Process.Pid, syscall.SIGTERM); return nil }
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		return err
	}
	err := cmd.Wait()
	w.signal(cmd.Process.Pid, syscall.SIGKILL)
	return err
}

// hook runs the job-started hook, which may refuse the job.
func (w *work) hook(ctx context.Context, dir string, log io.Writer) error {
	script := lookup(w.env, "ACTIONS_RUNNER_HOOK_JOB_STARTED")
	if script == "" {
		return nil
	}
	if filepath.Ext(script) != ".sh" {
		return fmt.Errorf("ACTIONS_RUNNER_HOOK_JOB_STARTED: %s does not end in .sh", script)
	}
	cmd := exec.CommandContext(ctx, "bash", "-e", script)
	cmd.Dir, cmd.Env = dir, w.environment()
	if err := w.wait(cmd, log); err != nil {
		return fmt.Errorf("job-started hook: %w", err)
	}
	return nil
}

// environment is the runner's own with what GitHub adds.
func (w *work) environment() []string {
	env := without(w.env, "ACTIONS_RUNNER_INPUT_JITCONFIG")
	for k, v := range w.github() {
		env = append(env, k+"="+v)
	}
	return env
}

// findAct looks beside the running executable and then in PATH.
func findAct(path string) (string, error) {
	dirs := filepath.SplitList(path)
	if self, err := os.Executable(); err == nil {
		dirs = append([]string{filepath.Dir(self)}, dirs...)
	}
	for _, dir := range dirs {
		act := filepath.Join(dir, "act")
		if info, err := os.Stat(act); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return filepath.Abs(act)
		}
	}
	return "", errors.New("act is neither beside this executable nor in PATH (" + strings.Join(dirs, ", ") + ")")
}
