package action

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/report"
)

// Suite is a goal that was prepared, checked out, counted and built. Its files
// can be tested in any order; several at once only in lanes.
type Suite struct{ r *run }

// Open makes a goal ready. That it cannot be tested is no error: Stopped says
// why. What is printed goes to the configuration's Log; the Spool is not used.
func Open(ctx context.Context, cfg Config) (*Suite, error) {
	cfg = cfg.withDefaults()
	cfg.Spool = ""
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	r, err := newRun(cfg)
	if err != nil {
		return nil, err
	}
	r.header()
	err = r.upToBuild(ctx)
	var stop *stopped
	switch {
	case errors.As(err, &stop):
		r.note("%s", stop)
		r.result.End = stop.end()
	case err != nil:
		return nil, errors.Join(err, r.close())
	}
	if err := r.spool.masked.flush(); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return &Suite{r}, nil
}

// Manifest says what is to be tested. The caller does not change it.
func (s *Suite) Manifest() report.Manifest { return s.r.result.Manifest }

// Stopped is zero when the goal can be tested.
func (s *Suite) Stopped() report.End { return s.r.result.End }

// Unmatched lists the test files that there are, when the configuration's Only
// matches none of them and the goal is stopped for that.
func (s *Suite) Unmatched() []string { return s.r.unmatched }

// Limit is how long a file may take of which nothing is known, or what the
// project itself allows.
func (s *Suite) Limit() time.Duration { return s.r.cfg.Limits.File }

// leastDisk is what a file may write however many run beside it: a core and more.
const leastDisk = 1 << 30

// Share says how many files run at once. Each may write its part of half the
// machine's memory, in which lanes keep what is written.
func (s *Suite) Share(files int) {
	var info unix.Sysinfo_t
	if s.r.cfg.Limits.Disk == 0 && files > 1 && unix.Sysinfo(&info) == nil {
		half := int64(info.Totalram) * int64(info.Unit) / 2
		s.r.cfg.Limits.Disk = min(half, max(leastDisk, half/int64(files)))
	}
}

// Test runs one file of the manifest for no longer than limit; what it prints
// goes to log.
func (s *Suite) Test(ctx context.Context, path string, limit time.Duration, log io.Writer) (report.FileResult, error) {
	return s.r.testFile(ctx, path, limit, log)
}

// Closing is what is said when all files have ended, to be the end of the log:
// what the goal has and nothing needs. "" when there is no such thing.
func (s *Suite) Closing() string { return s.r.memcheck.unused(s.Manifest()) }

// Close removes what only this run needs; kept builds stay.
func (s *Suite) Close() error { return s.r.close() }
