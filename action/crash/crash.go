// Package crash tells where processes died that left a core: it has gdb print
// the stack, in the form that the reader of logs knows, and removes the core.
//
// Where the kernel puts cores is one setting for the whole machine, which is
// read here and never changed. What it hands to a program, or collects in one
// folder for everybody, is not ours to take.
package crash

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxCore  = 512 << 20 // bytes of a core; of a larger one gdb reads what is there
	maxCores = 3         // that are read of one test file
	maxText  = 64 << 10  // bytes of one stack
	maxTime  = 60 * time.Second
)

// Pattern is where the kernel puts a core: below the folder in which the
// process ran. Other is why cores are not found, "" when they are.
func Pattern() (pattern, other string) {
	b, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil {
		return "", "the kernel does not say where cores are put"
	}
	return usable(strings.TrimSpace(string(b)))
}

func usable(pattern string) (string, string) {
	switch {
	case pattern == "":
		return "", "the kernel keeps none"
	case pattern[0] == '|':
		return "", "the kernel gives them to " + filepath.Base(strings.Fields(pattern[1:] + " program")[0])
	case filepath.IsAbs(pattern):
		return "", "the kernel puts them into " + filepath.Dir(pattern)
	}
	return pattern, ""
}

// Keep has the kernel write the cores of what this process starts, or none.
func Keep(cores bool) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return fmt.Errorf("allow cores: %w", err)
	}
	limit.Cur = 0
	if cores {
		limit.Cur = min(limit.Max, maxCore)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return fmt.Errorf("allow cores: %w", err)
	}
	return nil
}

// Find lists the cores that were left in a folder since a moment, and in those
// below it where servers of tests work.
func Find(dir string, since time.Time) []string {
	pattern, _ := Pattern()
	if pattern == "" {
		return nil
	}
	name, _, _ := strings.Cut(filepath.Base(pattern), "%")
	var found []string
	for _, top := range places(dir) {
		top = filepath.Join(top, filepath.Dir(pattern))
		list, err := os.ReadDir(top)
		if err != nil {
			continue
		}
		for _, e := range list {
			path := filepath.Join(top, e.Name())
			// The clock of files ticks seldom.
			if fi, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), name) && fi.Mode().IsRegular() &&
				!fi.ModTime().Before(since.Add(-100*time.Millisecond)) && isCore(path) {
				found = append(found, path)
			}
		}
	}
	return found
}

// places are the folder and those below it.
func places(dir string) []string {
	out := []string{dir, filepath.Join(dir, "t")}
	list, err := os.ReadDir(out[1])
	if err != nil {
		return out
	}
	for _, e := range list {
		if e.IsDir() && strings.HasPrefix(e.Name(), "servroot") {
			out = append(out, filepath.Join(out[1], e.Name()))
		}
	}
	return out
}

func isCore(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return f.Type == elf.ET_CORE
}

// Report writes the stack of each core to w and removes it. Who was told to quit
// leaves one too: suites end servers of their own so, and that is no crash.
// A program whose path is relative is looked for in dir.
func Report(ctx context.Context, cores []string, dir, gdb string, w io.Writer) error {
	var errs []error
	quit := func(core string) bool {
		if signalOf(core) != unix.SIGQUIT {
			return false
		}
		errs = append(errs, os.Remove(core))
		return true
	}
	cores = slices.DeleteFunc(slices.Clone(cores), quit)
	for i, core := range cores {
		switch {
		case i >= maxCores:
		case gdb == "":
			_, err := fmt.Fprintf(w, "ortest: %s left a core, and there is no gdb to read it\n", program(core, dir))
			errs = append(errs, err)
		default:
			errs = append(errs, stack(ctx, core, dir, gdb, w))
		}
		errs = append(errs, os.Remove(core))
	}
	if n := len(cores) - maxCores; n > 0 {
		_, err := fmt.Fprintf(w, "ortest: %d more cores were not read\n", n)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// stack has gdb print the stack of one core. Nothing that lies beside a binary
// or in the folder is run.
func stack(ctx context.Context, core, dir, gdb string, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	args := []string{"-nx", "-batch", "-iex", "set auto-load off", "-iex", "set debuginfod enabled off", "-iex", "set style enabled off", "-ex", "bt 60"}
	if exe := program(core, dir); filepath.IsAbs(exe) {
		args = append(args, exe)
	}
	out := &limited{left: maxText}
	cmd := exec.CommandContext(ctx, gdb, append(args, "-c", core)...)
	cmd.Dir, cmd.Env = "/", []string{"LANG=C.UTF-8", "HOME=/"}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, out, time.Second
	err := cmd.Run()
	text := "\n" + strings.TrimRight(once(out.text.String()), "\n") + "\n\n"
	switch {
	case ctx.Err() != nil:
		text += "ortest: gdb was stopped: it took too long\n"
	case err != nil:
		text += fmt.Sprintf("ortest: gdb: %v\n", err)
	}
	_, err = io.WriteString(w, text)
	return err
}

// once takes out the first frame where gdb shows it with its source before the stack.
func once(text string) string {
	const top = "\n#0 "
	first := strings.Index(text, top)
	if first < 0 {
		return text
	}
	second := strings.Index(text[first+1:], top)
	if second < 0 || strings.Contains(text[first:first+1+second], "\n#1 ") {
		return text
	}
	return text[:first] + text[first+1+second:]
}

// limited keeps so many bytes and drops the rest.
type limited struct {
	text strings.Builder
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.text.Write(p[:n])
	l.left -= n
	return len(p), nil
}
