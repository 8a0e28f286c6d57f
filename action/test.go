package action

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/action/crash"
	"github.com/ortest/ortest/action/lane"
	"github.com/ortest/ortest/report"
)

// reserve is what a piece leaves of its job's time, so that what it knows
// is handed over before the job is cut.
const reserve = 30 * time.Second

// whole returns the command that runs a suite as a whole in this mode, or nil.
func (r *run) whole() []string { return r.cfg.Project.Test.Command[r.cfg.Mode.Name] }

// test runs each file of the manifest by itself and hands its result over at
// once: a bail-out, a hang or a lost machine costs one file.
func (r *run) test(ctx context.Context) error {
	files := r.result.Manifest.Files
	for i, f := range files {
		limit := r.cfg.Limits.File
		if !r.ends.IsZero() {
			limit = min(limit, time.Until(r.ends))
		}
		if limit <= 0 {
			return &stopped{PhaseTest, fmt.Sprintf("the job's time is up: %d of %d test files did not run", len(files)-i, len(files))}
		}
		r.cfg.Logger.Info("test file starts", "file", f.Path, "number", i+1, "of", len(files))
		var end tail
		result, err := r.testFile(ctx, f.Path, limit, io.MultiWriter(r.spool, &end))
		if err != nil {
			return err
		}
		r.total.Add(result, end.b)
		r.result.Files = append(r.result.Files, result)
		if err := r.spool.put(report.Entry{File: &result}); err != nil {
			return err
		}
	}
	return nil
}

// prove is the command of one test file. Verbose, since a block that passed is
// known by its lines only; merged, since a diagnosis belongs beside its test; and
// with the formatter for terminals, since the other one holds everything back until
// the file has ended, which a file that hangs never does.
func (r *run) prove(path string) []string {
	if argv := r.whole(); argv != nil {
		return r.argv(argv, r.env)
	}
	argv := append([]string{"prove", "--norc", "--nocolor", "--verbose", "--merge", "--formatter", "TAP::Formatter::Console"}, r.argv(r.cfg.Project.Test.Prove, r.env)...)
	return append(argv, path)
}

// testFile runs one file by itself, in a lane where that is wanted. What it
// prints goes to log.
func (r *run) testFile(ctx context.Context, path string, limit time.Duration, log io.Writer) (report.FileResult, error) {
	c := command{argv: r.prove(path), dir: r.src, env: r.env, limit: limit, output: r.cfg.Limits.Output, file: path, cores: !r.cfg.Mode.Valgrind}
	var got outcome
	var err error
	kernel := openKernelLog()
	if r.cfg.Lanes {
		kernel.within(0) // nothing is the file's before its lane is there
	}
	c.begun = kernel.within
	masked := &masker{w: log, secrets: secretsOf(r.cfg.Env)}
	run := r.onMachine
	if r.cfg.Lanes {
		run = r.inLane
	}
	if r.memcheck.dir != "" {
		got, err = r.memcheck.test(ctx, run, c, masked)
	} else {
		got, err = run(ctx, c, masked)
	}
	crashes := kernel.crashes()
	if err = errors.Join(err, masked.flush()); err != nil {
		return report.FileResult{}, fmt.Errorf("test %s: %w", path, err)
	}
	if got.tooMuch || got.unread {
		// Also one that ended a moment before it could be killed: with its log
		// cut, nothing says how it ended; nor what valgrind found beside what was
		// read. No expectation may name this end.
		got.exit, got.signal = -1, "SIGKILL"
	}
	why := r.ending(got)
	switch {
	case got.timedOut:
		note(log, "\n%s was killed: it %s; %s", path, got.why(limit.Round(time.Second)), why)
	case got.tooMuch:
		note(log, "\n%s was killed: %s; the log is cut here", path, why)
	case why != "":
		note(log, "%s: %s", path, why)
	}
	for _, line := range crashes {
		fmt.Fprintf(log, "Segmentation Fault: %s\n", line) // as the old driver wrote it
	}
	return report.FileResult{
		Path: path, Exit: got.exit, Signal: got.signal, TimedOut: got.timedOut, Why: why,
		Seconds: got.wall.Round(time.Millisecond).Seconds(), CPUSeconds: got.cpu.Round(time.Millisecond).Seconds(),
	}, nil
}

// ending says what is to be known of a file's end beside how prove ended.
func (r *run) ending(o outcome) string {
	var all []string
	if o.tooMuch {
		all = append(all, fmt.Sprintf("it printed more than %d bytes", r.cfg.Limits.Output))
	}
	if o.lost {
		all = append(all, "its lane was killed from outside, as the kernel does when memory is short")
	}
	if o.unread {
		all = append(all, "valgrind wrote more than is read of it, so it counts as killed")
	}
	if o.full {
		all = append(all, "it wrote as much as it may: no space was left")
	}
	switch {
	case o.timedOut:
		all = append(all, "still running: "+counted(o.left))
	case len(o.left) > 0:
		all = append(all, "it left processes running, which were killed: "+counted(o.left))
	}
	return strings.Join(all, "; ")
}

// counted lists names, each once.
func counted(names []string) string {
	const most = 8
	times := map[string]int{}
	for _, n := range names {
		times[n]++
	}
	list := slices.Sorted(maps.Keys(times))
	for i, n := range list {
		if times[n] > 1 {
			list[i] = fmt.Sprintf("%s (%d)", n, times[n])
		}
	}
	if len(list) > most {
		list = append(list[:most], fmt.Sprintf("%d more", len(list)-most))
	}
	return strings.Join(list, ", ")
}

// cored says when what crashes will have no stack in the log.
func (r *run) cored(context.Context) error {
	if _, other := crash.Pattern(); other != "" && !r.cfg.Mode.Valgrind {
		r.note("of what crashes there will be no stack: no core is found here, since %s", other)
	}
	return nil
}

// onMachine runs a command where everything else runs.
func (r *run) onMachine(ctx context.Context, c command, log io.Writer) (outcome, error) {
	if err := crash.Keep(c.cores); err != nil {
		return outcome{}, err
	}
	begun := time.Now()
	got, err := r.procs.run(ctx, c, log)
	if err != nil || !c.cores {
		return got, err
	}
	return got, crash.Report(ctx, crash.Find(c.dir, begun), c.dir, lookPath("gdb", c.env), log)
}

// inLane runs a command in a lane of its own.
func (r *run) inLane(ctx context.Context, c command, log io.Writer) (outcome, error) {
	argv := slices.Clone(c.argv)
	if argv[0] = lookPath(c.argv[0], c.env); argv[0] == "" {
		return outcome{}, fmt.Errorf("start %s: %w", c.argv[0], exec.ErrNotFound)
	}
	l := lane.Lane{Keep: []string{r.cfg.Workspace}, Dirs: []string{r.tmp}, Share: c.share, Shared: c.shared, Begun: c.begun, Quota: r.cfg.Limits.Disk, Setup: r.setup, Services: r.services}
	if r.cfg.Work != "" {
		if err := os.MkdirAll(r.cfg.Work, 0o755); err != nil {
			return outcome{}, err
		}
		l.Keep = append(l.Keep, r.cfg.Work)
	}
	o, err := l.Run(ctx, lane.Command{Argv: argv, Dir: c.dir, Env: c.env, Limit: c.limit, Output: c.output, Cores: c.cores, Gdb: lookPath("gdb", c.env)}, log)
	return outcome{
		exit: o.Exit, signal: o.Signal, timedOut: o.TimedOut, tooMuch: o.TooMuch, full: o.Full, lost: o.Lost, wall: o.Wall, cpu: o.CPU, left: o.Left,
	}, err
}

// note writes a line of ours into a log. It begins with a line feed where the
// line before may not have ended.
func note(log io.Writer, format string, args ...any) {
	if rest, ok := strings.CutPrefix(format, "\n"); ok {
		fmt.Fprintln(log)
		format = rest
	}
	fmt.Fprintf(log, "ortest: "+format+"\n", args...)
}
