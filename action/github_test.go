package action

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/ortest/ortest/action/lane"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

// job is a config as a step of a workflow job would pass it.
func job(t *testing.T, cfg Config, out *bytes.Buffer) (j Job, outputs, summary string) {
	t.Helper()
	piece, err := json.Marshal(cfg.Piece)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	outputs, summary = filepath.Join(dir, "output"), filepath.Join(dir, "summary")
	return Job{
		Environ: append(os.Environ(), "INPUT_PIECE="+string(piece), "GITHUB_WORKSPACE="+cfg.Workspace,
			"GITHUB_SERVER_URL="+cfg.ServerURL, "ORTEST_SPOOL="+cfg.Spool,
			"GITHUB_OUTPUT="+outputs, "GITHUB_STEP_SUMMARY="+summary),
		Stdout: out,
		Lookup: func(Piece) (plan.Project, plan.Mode, error) { return cfg.Project, cfg.Mode, nil },
		Limits: cfg.Limits,
	}, outputs, summary
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheRunnerIsDeafWhileAStrangerPrints(t *testing.T) {
	cfg := config(t, script(), "t", one("t/a.t", `print "1..1\nok 1\n::error::from the project\n::stop-commands::x\n::x::\n";`))
	var out bytes.Buffer
	j, _, _ := job(t, cfg, &out)
	if err := j.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?s)\A::stop-commands::([A-Z2-7]{26,})\n(.*)\n::([A-Z2-7]{26,})::\n`).FindStringSubmatch(out.String())
	if m == nil || m[1] != m[3] {
		t.Fatalf("no fence:\n%s", out.String())
	}
	if !strings.Contains(m[2], "::error::from the project\n") || strings.Contains(m[2], m[1]) {
		t.Errorf("inside of the fence:\n%s", m[2])
	}
}

func TestAJobUsesLanesWhereThereAreAny(t *testing.T) {
	ours, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, env, err string
		lanes          bool
	}{
		{"unless it is told otherwise", "", "", lane.Available(t.Context()) == nil},
		{"not where that is asked", "0", "", false},
		{"and says what it does not understand", "yes", `ORTEST_LANES="yes": want 0, 1`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t, script(), "t", one("t/a.t", `print "1..1\nok 1\n# ", readlink "/proc/self/ns/pid", "\n";`))
			var out bytes.Buffer
			j, _, _ := job(t, cfg, &out)
			j.Environ = append([]string{"ORTEST_LANES=" + tt.env}, j.Environ...)
			err := j.Run(t.Context())
			switch {
			case tt.err != "":
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("Run = %v, want %s", err, tt.err)
				}
			case err != nil || strings.Contains(out.String(), "# "+ours) == tt.lanes:
				t.Errorf("%v; lanes %v, our own processes are of %s:\n%s", err, tt.lanes, ours, out.String())
			}
		})
	}
}

func TestOutputsHoldCountsAndOneWord(t *testing.T) {
	cfg := config(t, script(), "t", map[string][]byte{
		"t/a.t": []byte("print qq{1..1\\nok 1\\n};\n__DATA__\n\n=== TEST 1: one\n=== TEST 2: two\n"),
		"t/b.t": []byte("print qq{1..1\\nnot ok 1\\n}; exit 1;"),
	})
	var out bytes.Buffer
	j, outputs, summary := job(t, cfg, &out)
	if err := j.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(\w+)<<(\w+)\n(.*)\n(\w+)\n`).FindAllStringSubmatch(read(t, outputs), -1) {
		if m[2] != m[4] {
			t.Errorf("delimiters %s and %s differ", m[2], m[4])
		}
		got[m[1]] = m[3]
	}
	for name, want := range map[string]string{
		"state": "done", "files": "2", "planned_files": "2", "planned_blocks": "2", "failed_files": "1",
	} {
		if got[name] != want {
			t.Errorf("output %s is %q, want %q", name, got[name], want)
		}
	}
	if s := read(t, summary); !strings.Contains(s, "| <code>t/b.t</code> | 0 |") || !strings.Contains(s, "exited with 1 |") {
		t.Errorf("summary:\n%s", s)
	}
	if !strings.Contains(out.String(), "::warning::t-script: prove of t/b.t exited with 1\n") {
		t.Errorf("no annotation:\n%s", out.String())
	}
}

func TestTheSummaryHasTheVerdictOfThePiece(t *testing.T) {
	cfg := config(t, script(), "t", map[string][]byte{
		"t/a.t": []byte("print qq{1..1\\nok 1\\n};"), "t/b.t": []byte("print qq{1..1\\nnot ok 1\\n}; exit 1;"),
	})
	for _, tt := range []struct {
		file, verdict, says string
	}{{"t/a.t", "pass", "pass"}, {"t/b.t", "fail", "t/b.t"}} {
		cfg.Piece.Files, cfg.Workspace, cfg.Spool = []string{tt.file}, t.TempDir(), t.TempDir()
		var out bytes.Buffer
		j, _, summary := job(t, cfg, &out)
		j.Judge = func(ev report.Evidence) (report.GoalResult, error) {
			return report.Judge(ev, nil, report.JudgeOptions{}), nil
		}
		if err := j.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := read(t, summary); !strings.Contains(s, " "+tt.verdict+": ") || !strings.Contains(s, tt.says) {
			t.Errorf("%s: %s", tt.file, s)
		}
	}
}

func TestAPieceThatStoppedIsNoFailureOfTheStep(t *testing.T) {
	cfg := config(t, script(), "t", one("t/a.t", "1"))
	cfg.Project.Build = [][]string{{"false"}}
	var out bytes.Buffer
	j, outputs, _ := job(t, cfg, &out)
	if err := j.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(read(t, outputs), "\nbuild\n") || !strings.Contains(out.String(), "::error::t-script stopped in build: false exited with 1\n") {
		t.Errorf("outputs %s\nprinted %s", read(t, outputs), out.String())
	}
}

func TestAJobThatCannotReportFails(t *testing.T) {
	unknown := errors.New("catalog has no such goal")
	for _, tt := range []struct {
		name   string
		change func(*Job)
	}{
		{"no piece", func(j *Job) { j.Environ = append([]string{"INPUT_PIECE="}, j.Environ...) }},
		{"a piece of an unknown goal", func(j *Job) {
			j.Lookup = func(Piece) (plan.Project, plan.Mode, error) { return plan.Project{}, plan.Mode{}, unknown }
		}},
		{"a spool that cannot be made", func(j *Job) {
			j.Environ = append([]string{"ORTEST_SPOOL=/dev/null/spool"}, j.Environ...)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t, script(), "t", one("t/a.t", "1"))
			var out bytes.Buffer
			j, _, _ := job(t, cfg, &out)
			tt.change(&j)
			if err := j.Run(t.Context()); err == nil {
				t.Error("Run returned no error")
			}
		})
	}
}

func TestTheSummaryOfAHostileNameIsText(t *testing.T) {
	s := summary(Result{
		Manifest: report.Manifest{Goal: "t-x", Files: []report.TestFile{{Path: "t/`|<b>@me[x](y).t"}}},
		Files:    []report.FileResult{{Path: "t/`|<b>@me[x](y).t"}},
		End:      report.End{Phase: PhaseTest, Reason: "a | b <img>"},
	})
	for _, bad := range []string{"`|", "<b>", "@me", "[x]", "<img>"} {
		if strings.Contains(s, bad) {
			t.Errorf("the summary has %q:\n%s", bad, s)
		}
	}
}

func TestActionFile(t *testing.T) {
	var file struct {
		Outputs map[string]struct{ Value string }
		Runs    struct {
			Using string
			Steps []struct {
				ID, Shell, Run string
				Env            map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join("..", "action.yml"))), &file); err != nil {
		t.Fatal(err)
	}
	if file.Runs.Using != "composite" || len(file.Runs.Steps) != 1 {
		t.Fatalf("runs %+v", file.Runs)
	}
	step := file.Runs.Steps[0]
	t.Run("the outputs are those that a job writes", func(t *testing.T) {
		written := regexp.MustCompile(`(?m)^(\w+)<<`).FindAllStringSubmatch(outputs(Result{}), -1)
		for _, m := range written {
			if got, want := file.Outputs[m[1]].Value, "${{ steps."+step.ID+".outputs."+m[1]+" }}"; got != want {
				t.Errorf("output %s is %q, want %q", m[1], got, want)
			}
		}
		planned := regexp.MustCompile(`^(run|attempt|(pieces|machines)(-[23])?)$`) // of the command plan
		for name := range file.Outputs {
			if !planned.MatchString(name) && !slices.ContainsFunc(written, func(m []string) bool { return m[1] == name }) {
				t.Errorf("output %s is declared, and nobody writes it", name)
			}
		}
	})
	t.Run("the piece comes by the environment, never in the script", func(t *testing.T) {
		if step.Env["INPUT_PIECE"] != "${{ inputs.piece }}" || strings.Contains(step.Run, "${{") || step.Shell == "" {
			t.Errorf("step %+v", step)
		}
	})
}

// TestPiecesOfARunForceOneBuild: what a clean rebuild made is made since this time.
func TestPiecesOfARunForceOneBuild(t *testing.T) {
	work := t.TempDir()
	first := began(work, "7/p1/1")
	if again := began(work, "7/p2/1"); !again.Equal(first) {
		t.Errorf("another piece of the run began at %s, the first at %s", again, first)
	}
	if next := began(work, "8/p1/1"); next.Before(first) {
		t.Errorf("the next run began at %s, before %s", next, first)
	}
	if alone := began("", "7/p1/1"); time.Since(alone) > time.Minute {
		t.Errorf("without a folder for builds a piece began at %s", alone)
	}
}
