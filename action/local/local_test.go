package local

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ortest/ortest/action"
	"github.com/ortest/ortest/action/lane"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == lane.Word {
		os.Exit(lane.Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// project serves a project of test files and returns how its goal is opened.
func project(t *testing.T, files map[string]string, serial ...string) func(plan.Goal) (action.Config, error) {
	t.Helper()
	root := t.TempDir()
	bare := filepath.Join(root, "ortest-examples", "script.git")
	tree := filepath.Join(root, "tree")
	for name, text := range files {
		path := filepath.Join(tree, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "--quiet"}, {"add", "--all"}, {"commit", "--quiet", "--message=a project"}, {"clone", "--quiet", "--bare", tree, bare},
	} {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = tree
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + root, "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@b",
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, out)
		}
	}
	return func(g plan.Goal) (action.Config, error) {
		return action.Config{
			Piece:   action.Piece{ID: "1", Goal: g, Repo: "ortest-examples/script", Options: plan.Options{Arch: action.Arch()}},
			Project: plan.Project{Name: "script", Kind: "cli", Modes: []string{"t", "tr"}, Test: plan.Test{Glob: "t/*.t"}, Serial: serial},
			Mode:    plan.Mode{Name: g.Mode, CPUShare: 0.2}, ServerURL: "file://" + root,
			Workspace: filepath.Join(t.TempDir(), "work space"), Env: os.Environ(),
			Limits: action.Limits{File: 20 * time.Second},
		}, nil
	}
}

const good = "print qq{1..1\\nok 1\\n};\n"

// said is a progress that several may write to.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
	on   func(line string)
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(b)
	if s.on != nil {
		s.on(string(b))
	}
	return len(b), nil
}

// config runs t-script, two files at once.
func config(t *testing.T, open func(plan.Goal) (action.Config, error)) (Config, *said) {
	s := new(said)
	return Config{
		Goals: []plan.Goal{{Mode: "t", Project: "script"}}, Work: t.TempDir(), Jobs: 2, Cores: 2, Lanes: true, Open: open,
		Judge: func(ev report.Evidence) (report.GoalResult, error) {
			return report.Judge(ev, nil, report.JudgeOptions{}), nil
		},
		Estimate: func(_ plan.Goal, f report.TestFile) plan.File {
			return plan.File{Path: f.Path, Median: time.Second, P90: time.Second}
		},
		Progress: s,
	}, s
}

// ran lists the files of a goal's evidence.
func ran(g Goal) (files []string) {
	for _, e := range g.Evidence.Pieces[0].Entries {
		if e.File != nil {
			files = append(files, e.File.Path)
		}
	}
	return files
}

func TestAllGoalsShareOneQueue(t *testing.T) {
	cfg, _ := config(t, project(t, map[string]string{"t/a.t": good, "t/b.t": good, "t/c.t": "print qq{1..1\\nnot ok 1\\n};"}))
	cfg.Goals = []plan.Goal{{Mode: "t", Project: "script"}, {Mode: "tr", Project: "script"}}
	out, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Goals) != 2 || out.Jobs != 2 {
		t.Fatalf("%+v", out)
	}
	for _, g := range out.Goals {
		if got := ran(g); !slices.Equal(got, []string{"t/a.t", "t/b.t", "t/c.t"}) || g.Result.Verdict != report.Fail || g.Result.Tests != 3 {
			t.Errorf("%s: %v, %s, %d tests", g.Goal, got, g.Result.Verdict, g.Result.Tests)
		}
		if len(g.Beside) != 1 || g.Beside[0].File.Path != "t/c.t" || !strings.Contains(string(g.Beside[0].Log), "not ok 1") {
			t.Errorf("%s: beside others %+v", g.Goal, g.Beside)
		}
		logs := g.Evidence.Pieces[0].Logs
		if last := string(logs[len(logs)-1]); !strings.HasPrefix(last, "Files=3, Tests=3, ") || !strings.HasSuffix(last, "\nResult: FAIL\n") {
			t.Errorf("%s: the log ends with %q", g.Goal, last)
		}
	}
}

func TestTheRunAloneCounts(t *testing.T) {
	cfg, s := config(t, project(t, map[string]string{"t/a.t": good, "t/b.t": good}))
	var mu sync.Mutex
	judged := map[string]int{}
	weigh := cfg.Judge
	cfg.Judge = func(ev report.Evidence) (report.GoalResult, error) {
		g, err := weigh(ev)
		mu.Lock()
		defer mu.Unlock()
		if entries := ev.Pieces[0].Entries; len(entries) == 3 && entries[1].File.Path == "t/b.t" {
			if judged["t/b.t"]++; judged["t/b.t"] == 1 {
				g.Verdict = report.Fail
			}
		}
		return g, err
	}
	out, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	g := out.Goals[0]
	if g.Result.Verdict != report.Pass || judged["t/b.t"] != 2 || len(g.Beside) != 1 {
		t.Errorf("%s after %d runs, %d beside\n%s", g.Result.Verdict, judged["t/b.t"], len(g.Beside), s.text.String())
	}
	if why := g.Result.Why; why[len(why)-1] != "t/b.t is flaky: it failed beside other files and passed alone." {
		t.Errorf("why %q", why)
	}
	if w := g.Result.Warnings; len(w) != 1 || w[0].Class != report.Flaky {
		t.Errorf("warnings %+v", w)
	}
}

func TestWhatCompanyIsNotToBlameFor(t *testing.T) {
	const covered = "known"
	for _, tt := range []struct {
		name     string
		findings []report.Finding
		want     bool
	}{
		{"an assertion that failed may be the others' fault", []report.Finding{{Kind: "assert", Class: report.New}}, false},
		{"so may a time limit", []report.Finding{{Kind: "timeout", Class: report.New}}, false},
		{"and a death by a signal", []report.Finding{{Kind: "signal", Class: report.NotRun}}, false},
		{"a crash is the file's own", []report.Finding{{Kind: "crash", Class: report.New}}, true},
		{"one of which nobody knows whose it is may be the others'", []report.Finding{{Kind: "crash", Class: report.New, Name: "a segfault" + action.Unowned}}, false},
		{"beside other failures too", []report.Finding{{Kind: "assert", Class: report.New}, {Kind: "crash", Class: report.New}}, true},
		{"also one that the base branch has", []report.Finding{{Kind: "crash", Class: report.Old}}, true},
		{"what valgrind finds is", []report.Finding{{Kind: "memcheck", Class: report.New}}, true},
		{"what the address sanitizer finds is", []report.Finding{{Kind: "asan", Class: report.New}}, true},
		{"what the leak sanitizer finds is", []report.Finding{{Kind: "lsan", Class: report.New}}, true},
		{"undefined behaviour is", []report.Finding{{Kind: "ubsan", Class: report.New}}, true},
		{"a leak is", []report.Finding{{Kind: "rss_leak", Class: report.New}}, true},
		{"a leak check that says nothing is not", []report.Finding{{Kind: "rss_leak", Class: report.NotRun}}, false},
		{"a crash that is expected is not", []report.Finding{{Kind: "assert", Class: report.New}, {Kind: "crash", Class: report.Expected, Rule: covered}}, false},
		{"a flaky one within its rate is not", []report.Finding{{Kind: "assert", Class: report.New}, {Kind: "crash", Class: report.Flaky, Rule: covered}}, false},
		{"a flaky one that no entry covers is", []report.Finding{{Kind: "crash", Class: report.Flaky}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := itsOwn(report.GoalResult{Findings: tt.findings}); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// TestACrashBesideOthersCounts: no run alone is made, whatever it would show.
func TestACrashBesideOthersCounts(t *testing.T) {
	cfg, s := config(t, project(t, map[string]string{"t/a.t": good, "t/b.t": good + "kill SEGV => $$; sleep 9;\n"}))
	out, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	g := out.Goals[0]
	if g.Result.Verdict != report.Fail || len(g.Beside) > 0 || !slices.Equal(ran(g), []string{"t/a.t", "t/b.t"}) {
		t.Errorf("%s, %v ran, %d beside\n%s", g.Result.Verdict, ran(g), len(g.Beside), s.text.String())
	}
	if text := s.text.String(); strings.Contains(text, "run alone") || strings.Count(text, "t/b.t: fail") != 1 {
		t.Errorf("it ran again:\n%s", text)
	}
}

func TestAFileWithoutCompanyRunsOnce(t *testing.T) {
	cfg, s := config(t, project(t, map[string]string{"t/a.t": "print qq{1..1\\nnot ok 1\\n};\n"}))
	cfg.Jobs = 4
	out, err := Run(t.Context(), cfg)
	if err != nil || len(out.Goals[0].Beside) > 0 || out.Goals[0].Result.Verdict != report.Fail {
		t.Errorf("%v, %+v\n%s", err, out.Goals, s.text.String())
	}
}

func TestOnlyTheUnfinishedFilesRunAgain(t *testing.T) {
	for _, tt := range []struct {
		name    string
		fresh   bool
		resumed int
	}{{"the rest runs", false, 2}, {"a fresh run runs all", true, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			open := project(t, map[string]string{"t/a.t": good, "t/b.t": good, "t/c.t": good, "t/d.t": good})
			cfg, s := config(t, open)
			cfg.Jobs = 1
			ctx, cancel := context.WithCancel(t.Context())
			s.on = func(line string) {
				if strings.Contains(line, "[3/4]") { // said before it is on record
					cancel()
				}
			}
			if _, err := Run(ctx, cfg); !errors.Is(err, context.Canceled) {
				t.Fatalf("Run = %v", err)
			}
			cfg.Fresh, s.on = tt.fresh, nil
			s.text.Reset()
			out, err := Run(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			g := out.Goals[0]
			again := strings.Count(s.text.String(), ": pass")
			if g.Resumed < tt.resumed || tt.fresh && g.Resumed != 0 || again != 4-g.Resumed || g.Result.Verdict != report.Pass {
				t.Errorf("%d were kept, %d ran again, %s\n%s", g.Resumed, again, g.Result.Verdict, s.text.String())
			}
			s.text.Reset()
			if out, err = Run(t.Context(), cfg); err != nil || out.Goals[0].Resumed != 0 {
				t.Errorf("a run that was finished is not a new one: %v\n%s", err, s.text.String())
			}
		})
	}
}

func TestTwoRunsOfAGoalAreRefused(t *testing.T) {
	open := project(t, map[string]string{"t/a.t": good})
	cfg, s := config(t, open)
	var second error
	s.on = func(line string) {
		if strings.Contains(line, "at once") {
			other := cfg
			other.Progress = nil
			_, second = Run(t.Context(), other)
		}
	}
	if _, err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if second == nil || !strings.Contains(second.Error(), "another ortest run tests it") {
		t.Errorf("the second: %v", second)
	}
}

func TestASerialFileRunsAlone(t *testing.T) {
	open := project(t, map[string]string{"t/a.t": good, "t/b.t": good}, "t/a.t")
	cfg, s := config(t, open)
	if _, err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if text := s.text.String(); strings.Index(text, "t/a.t: pass") < strings.Index(text, "t/b.t: pass") {
		t.Errorf("the serial file did not wait:\n%s", text)
	}
}

func TestAGoalThatCannotBeBuiltIsToldAndTheOthersRun(t *testing.T) {
	open := project(t, map[string]string{"t/a.t": good})
	cfg, _ := config(t, func(g plan.Goal) (action.Config, error) {
		c, err := open(g)
		if g.Mode == "tr" {
			c.Project.Build = [][]string{{"false"}}
		}
		return c, err
	})
	cfg.Goals = []plan.Goal{{Mode: "tr", Project: "script"}, {Mode: "t", Project: "script"}}
	out, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := out.Goals[0].Result, out.Goals[1].Result; a.Verdict != report.Incomplete || b.Verdict != report.Pass {
		t.Errorf("%s %v, %s %v", a.Verdict, a.Why, b.Verdict, b.Why)
	}
}

func TestGoalsShareABuildThatIsForced(t *testing.T) {
	open, work, count := project(t, map[string]string{"t/a.t": good}), t.TempDir(), filepath.Join(t.TempDir(), "builds")
	cfg, _ := config(t, func(g plan.Goal) (action.Config, error) {
		c, err := open(g)
		c.Work, c.Piece.Options.Force = work, true
		c.Project.Build = [][]string{{"sh", "-c", "echo built >>'" + count + "'"}}
		return c, err
	})
	cfg.Goals = []plan.Goal{{Mode: "tr", Project: "script"}, {Mode: "t", Project: "script"}}
	for run := 1; run <= 2; run++ {
		if out, err := Run(t.Context(), cfg); err != nil || out.Goals[1].Result.Verdict != report.Pass {
			t.Fatalf("%v, %+v", err, out)
		}
		if b, err := os.ReadFile(count); err != nil || strings.Count(string(b), "built") != run {
			t.Errorf("after run %d: built %q, %v, want once a run", run, b, err)
		}
	}
}

func TestFilesThatNoGoalHasAreWrongUsage(t *testing.T) {
	open := project(t, map[string]string{"t/a.t": good, "t/shared.t": good})
	for _, tt := range []struct {
		name, only, says string
	}{
		{"a name that is nearly one", "t/sharde.t", `"--files t/sharde.t" matches none of 2 test files; did you mean t/shared.t?`},
		{"a pattern like none", "x*", `"--files x*" matches none of 2 test files; name some, such as t/a.t or t/shared.t`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, _ := config(t, func(g plan.Goal) (action.Config, error) {
				c, err := open(g)
				c.Only = tt.only
				return c, err
			})
			_, err := Run(t.Context(), cfg)
			var words *plan.UsageError
			if !errors.As(err, &words) || err.Error() != tt.says {
				t.Errorf("%v, want %s", err, tt.says)
			}
		})
	}
	cfg, _ := config(t, func(g plan.Goal) (action.Config, error) {
		c, err := open(g)
		if c.Only = "a.t"; g.Mode == "tr" {
			c.Only = "b.t"
		}
		return c, err
	})
	cfg.Goals = []plan.Goal{{Mode: "t", Project: "script"}, {Mode: "tr", Project: "script"}}
	out, err := Run(t.Context(), cfg)
	if err != nil || out.Goals[0].Result.Verdict != report.Pass || out.Goals[1].Result.Verdict != report.Incomplete {
		t.Errorf("a goal that has them, and one that has not: %v, %+v", err, out)
	}
}

func TestAFileThatSkipsItselfIsNotRunAgain(t *testing.T) {
	cfg, s := config(t, project(t, map[string]string{"t/a.t": "print qq{1..0 # SKIP not here\\n};", "t/b.t": good}))
	out, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if g := out.Goals[0]; len(g.Beside) != 0 || g.Result.Verdict != report.Pass {
		t.Errorf("%s, %d beside\n%s", g.Result.Verdict, len(g.Beside), s.text.String())
	}
}

func TestJobs(t *testing.T) {
	one := func(share float64, seconds int) *file {
		return &file{share: share, takes: plan.File{Median: time.Duration(seconds) * time.Second}}
	}
	many := func(f *file, n int) []*file { return slices.Repeat([]*file{f}, n) }
	for _, tt := range []struct {
		name  string
		cfg   Config
		files []*file
		want  int
	}{
		{"what was asked for", Config{Jobs: 5, Cores: 2, Lanes: true}, many(one(1, 1), 9), 5},
		{"no lanes, no company", Config{Cores: 2}, many(one(0.1, 1), 9), 1},
		{"files that only compute share the cores", Config{Cores: 4, Lanes: true}, many(one(1, 1), 9), 3},
		{"files that mostly wait fill them", Config{Cores: 2, Lanes: true}, many(one(0.17, 1), 99), 10},
		{"exactly as many as the cores bear", Config{Cores: 2, Lanes: true}, many(one(0.85, 1), 9), 2},
		{"a crowd has its limit", Config{Cores: 2, Lanes: true}, many(one(0.01, 1), 99), 16},
		{"no more than there are files", Config{Cores: 2, Lanes: true}, many(one(0.1, 1), 3), 3},
		{"the long ones decide", Config{Cores: 2, Lanes: true}, append(many(one(0.1, 1), 9), many(one(0.9, 100), 9)...), 1},
		{"nothing to run", Config{Cores: 2, Lanes: true}, nil, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (&runner{cfg: tt.cfg}).jobs(tt.files); got != tt.want {
				t.Errorf("%d jobs, want %d", got, tt.want)
			}
		})
	}
}

func TestTheOrder(t *testing.T) {
	files := func() []*file {
		var all []*file
		for i, path := range []string{"short", "long", "middle", "middle too"} {
			all = append(all, &file{test: report.TestFile{Path: path}, takes: plan.File{Median: []time.Duration{1, 9, 5, 5}[i]}})
		}
		return all
	}
	paths := func(all []*file) (names []string) {
		for _, f := range all {
			names = append(names, f.test.Path)
		}
		return names
	}
	order := func(shuffle uint64, jobs int) []string {
		all := files()
		(&runner{cfg: Config{Shuffle: shuffle}}).order(all, jobs)
		return paths(all)
	}
	if got := order(0, 1); !slices.Equal(got, paths(files())) {
		t.Errorf("one at a time: %q", got)
	}
	if got := order(0, 2); !slices.Equal(got, []string{"long", "middle", "middle too", "short"}) {
		t.Errorf("two at once: %q", got)
	}
	if a, b := order(7, 1), order(7, 2); !slices.Equal(a, b) || slices.Equal(a, order(8, 1)) && slices.Equal(a, order(9, 1)) {
		t.Errorf("shuffled: %q and %q", a, b)
	}
}
