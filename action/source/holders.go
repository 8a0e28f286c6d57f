package source

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Holders names the processes that have a file open, other than this one, as
// "process 123 (of user)"; "another process" where that cannot be seen.
func Holders(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	// That there are none is as good as an error here.
	open, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	var names []string
	for _, fd := range open {
		if to, err := os.Readlink(fd); err != nil || to != path {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(fd, "/")[2])
		if err != nil || pid == os.Getpid() {
			continue
		}
		if name := processName(pid); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "another process"
	}
	return strings.Join(names, " and ")
}

func processName(pid int) string {
	name := fmt.Sprintf("process %d", pid)
	info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	if err != nil {
		return name
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return name
	}
	of := strconv.Itoa(int(st.Uid))
	if u, err := user.LookupId(of); err == nil {
		of = u.Username
	}
	return fmt.Sprintf("%s (of %s)", name, of)
}
