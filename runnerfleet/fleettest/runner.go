package fleettest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Runner stands for a runner and its job; a test binary calls it when it was started
// as one. As actions/runner it takes ACTIONS_RUNNER_INPUT_JITCONFIG out of its environment,
// and what that says it does, word by word:
//
//	entry:TEXT     leave the next entry, with TEXT as its log
//	environ        leave an entry with the environment as its log
//	argv           leave an entry with the command lines of all processes as its log
//	hook:REPO:RUN  call the job-started hook as a job of that repository and workflow
//	               run would, and leave an entry with its exit code as log
//	leave:PIDFILE  leave a process behind that has a session of its own, no
//	               environment and no parent, with its number in PIDFILE
//	wait:FILE      wait until FILE exists
//	hang           ignore requests to stop
//	link:FILE      leave an entry that is a symbolic link to FILE
//	exit:N         exit with N
//	trouble:N:FILE exit with N, but not if FILE exists; FILE does from then on
//	killkeeper     kill the process that started the runner, and go on
//	ruin:DIR       put a file in the place of a directory
//	whoami         leave an entry with the numbers of user and group as its log
//	write:FILE     leave an entry that says whether FILE can be written
//
// It returns the exit code, 0 at the end of the words.
func Runner(args []string) int {
	const given = "ACTIONS_RUNNER_INPUT_JITCONFIG"
	blob := os.Getenv(given)
	if err := os.Unsetenv(given); err != nil || len(args) > 0 || blob == "" {
		fmt.Fprintf(os.Stderr, "want %s and no arguments, not %q, %v\n", given, args, err)
		return 100
	}
	var r runner
	for word := range strings.FieldsSeq(blob) {
		verb, rest, _ := strings.Cut(word, ":")
		code, err := r.do(verb, rest)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", word, err)
			return 101
		}
		if verb == "exit" || verb == "trouble" && code != 0 {
			return code
		}
	}
	return 0
}

type runner struct{ seq int }

func (r *runner) do(verb, rest string) (code int, err error) {
	switch verb {
	case "entry":
		return 0, r.entry(rest)
	case "environ":
		return 0, r.entry(strings.Join(os.Environ(), "\n"))
	case "argv":
		return 0, r.argv()
	case "hook":
		return 0, r.hook(rest)
	case "leave":
		return 0, leave(rest)
	case "wait":
		return 0, await(rest)
	case "hang":
		signal.Ignore(syscall.SIGTERM)
		return 0, await("/nowhere/at/all")
	case "link":
		err = os.Symlink(rest, r.path(".json"))
		r.seq++
		return 0, err
	case "trouble":
		return trouble(rest)
	case "killkeeper":
		return 0, syscall.Kill(os.Getppid(), syscall.SIGKILL)
	case "ruin":
		return 0, errors.Join(os.RemoveAll(rest), os.WriteFile(rest, nil, 0o600))
	case "whoami":
		return 0, r.entry(fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()))
	case "write":
		f, err := os.OpenFile(rest, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err == nil {
			err = f.Close()
		}
		return 0, r.entry(fmt.Sprint(err == nil))
	case "exit":
		_, err = fmt.Sscan(rest, &code)
		return code, err
	}
	return 0, fmt.Errorf("unknown word")
}

func trouble(rest string) (code int, err error) {
	n, file, _ := strings.Cut(rest, ":")
	if _, err := os.Stat(file); err == nil {
		return 0, nil
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return 0, err
	}
	_, err = fmt.Sscan(n, &code)
	return code, err
}

func (r *runner) path(suffix string) string {
	return filepath.Join(os.Getenv("ORTEST_SPOOL"), fmt.Sprintf("%06d%s", r.seq, suffix))
}

// entry follows the spool's protocol: the log first, then the entry by a rename.
func (r *runner) entry(log string) error {
	if err := os.WriteFile(r.path(".log"), []byte(log), 0o600); err != nil {
		return err
	}
	meta := fmt.Sprintf(`{"seq":%d}`, r.seq)
	if err := os.WriteFile(r.path(".part"), []byte(meta), 0o600); err != nil {
		return err
	}
	err := os.Rename(r.path(".part"), r.path(".json"))
	r.seq++
	return err
}

// argv reads what everybody may read.
func (r *runner) argv() error {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	var all strings.Builder
	for _, f := range files {
		line, _ := os.ReadFile(f) // it may have ended
		all.WriteString(strings.ReplaceAll(string(line), "\x00", " ") + "\n")
	}
	return r.entry(all.String())
}

func (r *runner) hook(job string) error {
	repo, run, _ := strings.Cut(job, ":")
	cmd := exec.Command(os.Getenv("ACTIONS_RUNNER_HOOK_JOB_STARTED"))
	cmd.Env = append(os.Environ(), "GITHUB_REPOSITORY="+repo, "GITHUB_RUN_ID="+run)
	_ = cmd.Run()
	return r.entry(fmt.Sprint(cmd.ProcessState.ExitCode()))
}

// leave starts a process through a shell that ends before it does.
func leave(pidFile string) error {
	const script = `setsid /bin/sh -c 'echo $$ > "$0.new" && mv "$0.new" "$0" && exec sleep 600' "$0" &`
	cmd := exec.Command("/bin/sh", "-c", script, pidFile)
	cmd.Env = []string{} // not nil: none
	return cmd.Run()
}

func await(file string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := os.Stat(file); err == nil {
			return nil
		}
	}
	return nil
}

// Idle waits until the process is asked to stop or killed: a machine that does nothing.
func Idle() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
}
