package runner

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// signal sends sig to a command's process group and to every process that
// carries the job's tracking id in its environment: act puts each step into a
// group of its own, so the group alone would leave the steps running. A process
// that is gone needs no signal.
func (w *work) signal(pid int, sig syscall.Signal) {
	_ = syscall.Kill(-pid, sig)
	// One that forks while it is looked for is found by the next look; one
	// that only was asked to stop is not asked twice.
	for range 10 {
		orphans := tracked(w.tracking)
		for _, orphan := range orphans {
			_ = syscall.Kill(orphan, sig)
		}
		if len(orphans) == 0 || sig != syscall.SIGKILL {
			return
		}
	}
}

// tracked returns the processes whose environment holds a tracking id. Those of
// other users cannot be read, and are none of ours.
func tracked(id string) []int {
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil // only a bad pattern fails
	}
	mark := []byte("RUNNER_TRACKING_ID=" + id)
	var pids []int
	for _, path := range environs {
		env, err := os.ReadFile(path)
		if err != nil || !hasEntry(env, mark) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// hasEntry reports whether mark is one of the NUL-ended entries of env.
func hasEntry(env, mark []byte) bool {
	for entry := range bytes.SplitSeq(env, []byte{0}) {
		if bytes.Equal(entry, mark) {
			return true
		}
	}
	return false
}
