// Package action runs one piece inside a job: it prepares, checks out, builds,
// tests and collects.
//
// A piece runs in this order, one file of the package for each step:
//
//	prepare -> check out -> build -> test, one file at a time -> collect
//
// What happens is handed over as it happens: a manifest before the first test,
// an entry for each test file, an end. A piece that cannot be tested (no
// compiler, no such commit, a build that fails) is a result like any other: it
// is reported, and Run returns no error. Run fails only when it could not
// report.
//
// The project is a stranger's: its commands get an environment made from
// scratch, a process group that is killed with everything that left it, bounded
// time and bounded output. Only github.go knows that this runs in a workflow.
package action

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/action/lane"
	"github.com/ortest/ortest/action/source"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

// The phases of a piece before its end, as report.End names them.
const (
	PhasePrepare  = "prepare"
	PhaseCheckout = "checkout"
	PhaseBuild    = "build"
	PhaseTest     = "test"
)

// Limits bound what a project may use. A zero value means the default.
type Limits struct {
	File   time.Duration // of one test file; the project's own limit wins; default 10 minutes
	Build  time.Duration // of one build command; default 30 minutes
	Fetch  time.Duration // of the checkout, repeats included; default 5 minutes
	Output int64         // bytes of log that one test file or one build may print; default 16 MiB
	Disk   int64         // bytes that one test file may write to files, in a lane; default half of the memory
}

// Config is everything that one piece needs. Piece, Project, Mode, ServerURL
// and Workspace are required.
type Config struct {
	Piece     Piece
	Project   plan.Project
	Mode      plan.Mode
	ServerURL string            // repositories lie at ServerURL/OWNER/NAME.git
	Workspace string            // folder of this piece alone; sources are checked out below it
	Mirror    string            // absolute folder with OWNER/NAME.git and files/; then no network is asked
	Pins      map[string]string // commits by recipe.Source.Pin; those that are missing are asked for and added; nil pins nothing
	Unmet     Unmet             // why units are not true, from MakeUnits
	Spool     string            // where entries are left for the agent; "" only prints
	Work      string            // builds are kept here for later pieces; "" keeps none
	Temp      string            // temporary folders are made in it; "" is the system's folder
	Log       io.Writer         // everything printed, as it comes; nil prints nothing
	Env       []string          // what the project's environment may take from: os.Environ() of the job
	Limits    Limits
	Only      string       // pattern of the test files that are wanted; "" is all
	Began     time.Time    // of the run: what was built since then is not built again by force; zero is now
	Lanes     bool         // each test file runs in a lane of its own
	Logger    *slog.Logger // nil logs nothing
}

// Result is what Run reported.
type Result struct {
	Manifest report.Manifest
	Files    []report.FileResult
	End      report.End
	Evidence *report.PieceEvidence // with the logs; nil when these are too large to keep in memory
}

// Run runs one piece. Everything it starts has ended when it returns, also
// what left its process group: the process becomes a subreaper, and children
// that it did not have before are taken to be the project's. So the process
// should start nothing else meanwhile.
func Run(ctx context.Context, cfg Config) (Result, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return Result{}, err
	}
	r, err := newRun(cfg)
	if err != nil {
		return Result{}, err
	}
	err = r.run(ctx)
	r.result.Evidence = r.spool.kept
	return r.result, errors.Join(err, r.close())
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = io.Discard
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Began.IsZero() {
		c.Began = time.Now()
	}
	c.Limits.File = cmp.Or(c.Limits.File, 10*time.Minute)
	c.Limits.Build = cmp.Or(c.Limits.Build, 30*time.Minute)
	c.Limits.Fetch = cmp.Or(c.Limits.Fetch, 5*time.Minute)
	c.Limits.Output = cmp.Or(c.Limits.Output, 16<<20)
	if c.Project.Test.Timeout > 0 {
		c.Limits.File = time.Duration(c.Project.Test.Timeout) * time.Second
	}
	return c
}

func (c Config) validate() error {
	if err := c.Piece.Validate(); err != nil {
		return err
	}
	switch {
	case c.Piece.Goal.Project != c.Project.Name || c.Piece.Goal.Mode != c.Mode.Name:
		return fmt.Errorf("piece %s is of goal %s, not of %s-%s", c.Piece.ID, c.Piece.Goal, c.Mode.Name, c.Project.Name)
	case c.ServerURL == "":
		return errors.New("no server URL to check out from")
	case !filepath.IsAbs(c.Workspace):
		return fmt.Errorf("workspace %q is not absolute", c.Workspace)
	}
	return nil
}

// run is one piece while it runs.
type run struct {
	cfg        Config
	spool      *spool
	procs      *procs
	tmp        string // TMPDIR of everything the project runs
	sources    *source.Store
	project    *source.Repo
	beside     []*checkedOut
	vars       map[string]string // what tools and nginx set
	gcc        string            // the compiler's own name and version
	archive    source.Archive    // of the nginx core
	src        string            // the project's checkout
	env        []string
	buildEnv   []string          // environment of the build: without what only tests get
	key        string            // of the build, in Work
	kept       string            // key of the build that was found there, "" when it is to be made
	ends       time.Time         // when to stop; zero when there is no such time
	stop       []func()          // ends the services that run outside of lanes
	serviceEnv map[string]string // how the tests find the services
	setup      [][]string        // makes the units of the network true in a lane
	services   []lane.Service    // that run beside each test file, in its lane
	memcheck   memcheck          // where the suite's servers run under valgrind
	total      Total
	unmatched  []string // the test files, when none of them was asked for
	result     Result
}

func newRun(cfg Config) (*run, error) {
	cfg, err := cfg.aliases()
	if err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, src: filepath.Join(cfg.Workspace, cmp.Or(cfg.Project.Dir, cfg.Piece.name())), vars: map[string]string{}, serviceEnv: map[string]string{}}
	if r.procs, err = newProcs(); err != nil {
		return nil, err
	}
	if r.spool, err = openSpool(cfg.Spool, cfg.Log, secretsOf(cfg.Env)); err != nil {
		return nil, err
	}
	if r.tmp, err = os.MkdirTemp(cfg.Temp, "ortest-"); err != nil {
		return nil, fmt.Errorf("make temporary folder: %w", err)
	}
	// Who owns a mirror does not matter: nothing of it is run by git.
	if err := os.WriteFile(filepath.Join(r.tmp, "gitconfig"), []byte("[safe]\n\tdirectory = *\n"), 0o600); err != nil {
		return nil, fmt.Errorf("write configuration of git: %w", err)
	}
	if cfg.Piece.Timeout > 0 {
		r.ends = time.Now().Add(time.Duration(cfg.Piece.Timeout)*time.Minute - reserve)
	}
	r.result.Manifest = report.Manifest{
		Goal: cfg.Piece.Goal.String(), Repo: cfg.Piece.Repo, Commit: cfg.Piece.Commit,
		Arch: Arch(), Versions: map[string]string{},
	}
	return r, nil
}

func (r *run) close() error {
	for _, stop := range r.stop {
		stop()
	}
	if err := r.store().Close(); err != nil {
		r.cfg.Logger.Warn("old builds stay", "err", err)
	}
	// Test suites make folders that their owner may not enter.
	if err := os.RemoveAll(r.tmp); err != nil {
		r.cfg.Logger.Warn("temporary folder stays", "err", err)
	}
	return r.spool.close()
}

// stopped is why a piece ends before all of its tests ran. It is reported and
// is no failure of ours.
type stopped struct {
	phase  string
	reason string
}

// maxReason is far below what an entry may say; the log has the whole.
const maxReason = 2000

// end is the same for a report: in one line, however many a command printed.
func (s *stopped) end() report.End {
	line := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, s.reason)
	if len(line) > maxReason {
		line = line[:maxReason] + " …"
	}
	return report.End{Phase: s.phase, Reason: strings.ToValidUTF8(line, "?")}
}

func (s *stopped) Error() string { return s.phase + ": " + s.reason }

func (r *run) run(ctx context.Context) error {
	r.header()
	err := r.upToBuild(ctx)
	var stop *stopped
	if err != nil && !errors.As(err, &stop) {
		return err
	}
	if stop != nil {
		r.note("%s", stop)
	}
	if err := r.spool.put(report.Entry{Manifest: &r.result.Manifest}); err != nil {
		return err
	}
	if stop == nil {
		err = r.test(ctx)
		if err != nil && !errors.As(err, &stop) {
			return err
		}
	}
	if stop != nil {
		r.result.End = stop.end()
	}
	fmt.Fprint(r.spool, r.memcheck.unused(r.result.Manifest)+r.total.String())
	return r.spool.put(report.Entry{End: &r.result.End})
}

func (r *run) upToBuild(ctx context.Context) error {
	for _, step := range []func(context.Context) error{r.prepare, r.checkout, r.census, r.buildAll, r.memchecked, r.cored} {
		err := step(ctx)
		var stop *stopped
		if errors.As(err, &stop) {
			// It may quote what a build printed.
			stop.reason = hide(stop.reason, secretsOf(r.cfg.Env))
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("run piece %s: %w", r.cfg.Piece.ID, err)
		}
	}
	return nil
}

// note writes a line of ours into the log.
func (r *run) note(format string, args ...any) { note(r.spool, format, args...) }

const i386 = "linux i386"

// Arch is this machine's name in the catalog. A 32-bit system on a 64-bit machine
// says so itself: this program is 64-bit there too.
func Arch() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil && runtime.GOARCH == "amd64" && unix.ByteSliceToString(u.Machine[:]) == "i686" {
		return i386
	}
	machine, ok := map[string]string{"amd64": "x86_64", "386": "i386", "arm64": "aarch64"}[runtime.GOARCH]
	if !ok {
		machine = runtime.GOARCH
	}
	return "linux " + machine
}
