package action

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/examples"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

// serve makes a repository of the files and returns the URL of its server and
// the commit.
func serve(t *testing.T, repo string, files map[string][]byte) (url, commit string) {
	t.Helper()
	root := t.TempDir()
	tree := filepath.Join(root, "tree")
	for name, content := range files {
		path := filepath.Join(tree, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if examples.Executable(content) {
			mode = 0o755
		}
		if err := os.WriteFile(path, content, mode); err != nil {
			t.Fatal(err)
		}
	}
	git := func(dir string, args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + root, "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org",
			"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org",
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git(tree, "init", "--quiet", "--initial-branch=main")
	git(tree, "add", "--all")
	git(tree, "commit", "--quiet", "--allow-empty", "--message=a project under test")
	bare := filepath.Join(root, filepath.FromSlash(repo)+".git")
	if err := os.MkdirAll(filepath.Dir(bare), 0o755); err != nil {
		t.Fatal(err)
	}
	git(root, "clone", "--quiet", "--bare", tree, bare)
	return "file://" + root, git(tree, "rev-parse", "HEAD")
}

func modeOf(name string) plan.Mode {
	m := plan.Mode{Name: name, Env: map[string]string{}}
	if strings.Contains(name, "v") {
		m.Valgrind = true
		m.Env["TEST_NGINX_USE_VALGRIND"] = "1"
	}
	if strings.Contains(name, "h") {
		m.Env["TEST_NGINX_USE_HUP"] = "1"
	}
	if strings.Contains(name, "l") {
		m.Env["TEST_NGINX_CHECK_LEAK"] = "1"
	}
	return m
}

func hello() plan.Project {
	return plan.Project{
		Name: "hello", Kind: "nginx-lua", Repo: "https://github.com/ortest-examples/hello",
		Packages: []string{"nginx-light", "libnginx-mod-http-lua", "valgrind", "gcc", "make", "perl"},
		Build:    [][]string{{"make"}},
		Test:     plan.Test{Glob: "t/*.t", Prove: []string{"-It/lib"}},
	}
}

// script is a project of test files that need no build.
func script() plan.Project {
	return plan.Project{Name: "script", Kind: "cli", Test: plan.Test{Glob: "t/**/*.t"}}
}

// config is one piece of a project in a mode, in folders of the test's own.
func config(t *testing.T, project plan.Project, mode string, files map[string][]byte) Config {
	t.Helper()
	repo := "ortest-examples/" + project.Name
	url, commit := serve(t, repo, files)
	dir := t.TempDir()
	return Config{
		Piece: Piece{
			ID: "1/p1/1", Goal: plan.Goal{Mode: mode, Project: project.Name}, Repo: repo, Commit: commit,
			Options: plan.Options{Arch: "linux x86_64"},
		},
		Project: project, Mode: modeOf(mode), ServerURL: url,
		Workspace: filepath.Join(dir, "workspace"), Spool: filepath.Join(dir, "spool"),
		Env: os.Environ(), Limits: Limits{Fetch: 3 * time.Second},
	}
}

// ran runs a piece and returns what it left for the agent.
func ran(t *testing.T, cfg Config) (Result, report.PieceEvidence) {
	t.Helper()
	result, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ev, err := ReadSpool(cfg.Spool)
	if err != nil {
		t.Fatal(err)
	}
	return result, ev
}

func one(name, text string) map[string][]byte { return map[string][]byte{name: []byte(text)} }

// logOf returns the log of a test file's entry.
func logOf(t *testing.T, ev report.PieceEvidence, path string) string {
	t.Helper()
	for i, e := range ev.Entries {
		if e.File != nil && e.File.Path == path {
			return string(ev.Logs[i])
		}
	}
	t.Fatalf("no entry of %s", path)
	return ""
}

func TestRunHandsOverManifestFilesAndEnd(t *testing.T) {
	cfg := config(t, script(), "t", map[string][]byte{
		"t/b.t":     []byte("print qq{1..1\\nok 1\\n};\n"),
		"t/a/a.t":   []byte("print qq{1..1\\nok 1\\n};\n__DATA__\n\n=== TEST 1: a title\n--- x\n"),
		"t/note.md": []byte("no test"),
	})
	var printed bytes.Buffer
	cfg.Log = &printed
	_, ev := ran(t, cfg)
	if len(ev.Entries) != 4 {
		t.Fatalf("%d entries, want a manifest, two files and an end", len(ev.Entries))
	}
	m := ev.Entries[0].Manifest
	if m == nil || m.Goal != "t-script" || m.Commit != cfg.Piece.Commit || len(m.Files) != 2 ||
		m.Files[0].Path != "t/a/a.t" || len(m.Files[0].Blocks) != 1 || m.Files[1].Path != "t/b.t" {
		t.Errorf("manifest %+v", m)
	}
	for i, path := range []string{"t/a/a.t", "t/b.t"} {
		if f := ev.Entries[i+1].File; f == nil || f.Path != path || f.Exit != 0 || f.Seconds <= 0 || f.CPUSeconds <= 0 {
			t.Errorf("entry %d: %+v", i+1, f)
		}
	}
	if end := ev.Entries[3].End; end == nil || *end != (report.End{}) {
		t.Errorf("end %+v", end)
	}
	head := string(ev.Logs[0])
	for _, want := range []string{"DATE 20", "\nARCH Linux ", "\nmaking t-script ...\n", "\ncommit " + cfg.Piece.Commit + "\n", "\nAuthor: Ada"} {
		if !strings.Contains("\n"+head, want) {
			t.Errorf("the header lacks %q:\n%s", want, head)
		}
	}
	if whole := string(bytes.Join(ev.Logs, nil)); whole != printed.String() {
		t.Errorf("printed is not what was handed over:\n%s\n---\n%s", printed.String(), whole)
	}
}

func TestRunStopsWithAReason(t *testing.T) {
	good := one("t/a.t", "print qq{1..1\\nok 1\\n};")
	for _, tt := range []struct {
		name   string
		change func(*Config)
		phase  string
		reason string
	}{
		{"a missing program is named with its package", func(c *Config) {
			c.Env = []string{"PATH=/nonexistent"}
			c.Project.Packages = []string{"ccache", "no-such-library"}
		}, PhasePrepare, "missing: "},
		{"a commit that is not there", func(c *Config) {
			c.Piece.Commit = strings.Repeat("0", 40)
		}, PhaseCheckout, "check out ortest-examples/script: git fetch exited with 128"},
		{"a build that fails", func(c *Config) {
			c.Project.Build = [][]string{{"sh", "-c", "echo broken.c:3: error; exit 2"}}
		}, PhaseBuild, "sh -c echo broken.c:3: error; exit 2 exited with 2"},
		{"a build that hangs", func(c *Config) {
			c.Project.Build = [][]string{{"sleep", "60"}}
			c.Limits.Build = 50 * time.Millisecond
		}, PhaseBuild, "sleep 60 took longer than 50ms"},
		{"a build command that does not exist", func(c *Config) {
			c.Project.Build = [][]string{{"no-such-command"}}
		}, PhaseBuild, "no-such-command cannot be started"},
		{"no test file", func(c *Config) {
			c.Project.Test.Glob = "tests/*.t"
		}, PhaseCheckout, "no test file matches tests/*.t"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t, script(), "t", good)
			tt.change(&cfg)
			_, ev := ran(t, cfg)
			last := ev.Entries[len(ev.Entries)-1]
			if ev.Entries[0].Manifest == nil || last.End == nil {
				t.Fatalf("entries %+v", ev.Entries)
			}
			if last.End.Phase != tt.phase || !strings.HasPrefix(last.End.Reason, tt.reason) {
				t.Errorf("end %+v, want %s: %s", *last.End, tt.phase, tt.reason)
			}
		})
	}
}

func TestAPieceStopsBeforeItsJobIsCut(t *testing.T) {
	cfg := config(t, script(), "t", map[string][]byte{
		"t/a.t": []byte("print qq{1..1\\nok 1\\n}; sleep 60;"), "t/b.t": []byte("1"),
	}).withDefaults()
	r, err := newRun(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.ends = time.Now().Add(1500 * time.Millisecond)
	if err := errors.Join(r.run(t.Context()), r.close()); err != nil {
		t.Fatal(err)
	}
	if len(r.result.Files) != 1 || !r.result.Files[0].TimedOut {
		t.Errorf("files %+v", r.result.Files)
	}
	if want := (report.End{Phase: PhaseTest, Reason: "the job's time is up: 1 of 2 test files did not run"}); r.result.End != want {
		t.Errorf("end %+v, want %+v", r.result.End, want)
	}
}

func TestABrokenBuildIsInTheLogAndTheCensusIsKept(t *testing.T) {
	cfg := config(t, script(), "t", one("t/a.t", "1"))
	cfg.Project.Build = [][]string{{"sh", "-c", "echo broken.c:3: error; exit 2"}}
	_, ev := ran(t, cfg)
	if !strings.Contains(string(ev.Logs[0]), "\nbroken.c:3: error\n") {
		t.Errorf("log:\n%s", ev.Logs[0])
	}
	if files := ev.Entries[0].Manifest.Files; len(files) != 1 {
		t.Errorf("the census is lost: %+v", files)
	}
}

func TestTheDefaultBranchIsTakenWithoutACommit(t *testing.T) {
	cfg := config(t, script(), "t", one("t/a.t", "print qq{1..1\\nok 1\\n};"))
	want := cfg.Piece.Commit
	cfg.Piece.Commit = ""
	result, _ := ran(t, cfg)
	if result.Manifest.Commit != want {
		t.Errorf("commit %s, want %s", result.Manifest.Commit, want)
	}
}

func TestOnlyTheFilesOfThePieceRunInItsOrder(t *testing.T) {
	cfg := config(t, script(), "t", map[string][]byte{
		"t/a.t": []byte("print qq{1..1\\nok 1\\n};"), "t/b.t": []byte("print qq{1..1\\nok 1\\n};"),
	})
	cfg.Piece.Files = []string{"t/b.t", "t/gone.t"}
	result, _ := ran(t, cfg)
	if len(result.Files) != 2 || result.Files[0].Path != "t/b.t" || result.Files[0].Exit != 0 ||
		result.Files[1].Path != "t/gone.t" || result.Files[1].Exit == 0 {
		t.Errorf("files %+v", result.Files)
	}
}

func TestASpoolOfAnotherPieceIsRefused(t *testing.T) {
	cfg := config(t, script(), "t", one("t/a.t", "1"))
	ran(t, cfg)
	if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "another piece") {
		t.Errorf("Run = %v", err)
	}
}

func TestACancelledPieceHasNoEnd(t *testing.T) {
	cfg := config(t, script(), "t", one("t/a.t", "$| = 1; print qq{ready\\n}; sleep 60;"))
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Log = writerFunc(func(b []byte) {
		if bytes.Contains(b, []byte("ready")) {
			cancel()
		}
	})
	if _, err := Run(ctx, cfg); err == nil {
		t.Error("Run returned no error")
	}
	ev, err := ReadSpool(cfg.Spool)
	if err != nil {
		t.Fatal(err)
	}
	if last := ev.Entries[len(ev.Entries)-1]; last.Manifest == nil {
		t.Errorf("last entry %+v", last)
	}
}

// writerFunc is a writer that looks on.
type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) { f(b); return len(b), nil }
