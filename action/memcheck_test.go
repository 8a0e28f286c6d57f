package action

import (
	"fmt"
	"os"
	"strings"
	"testing"

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

// In a lane: real valgrind, real nginx.
func TestValgrindsFindingsAreOfTheirBlocks(t *testing.T) {
	files := project(t, "hello", "memory")
	files["valgrind.suppress"] = append(files["valgrind.suppress"], "{\n   nginx keeps its environment until it ends\n   Memcheck:Free\n   fun:nowhere\n}\n"...)
	cfg := config(t, hello(), "tv", files)
	cfg.Project.Test.Glob, cfg.Lanes = "t/002-native.t", true
	_, ev := ran(t, cfg)
	g := report.Judge(report.Evidence{Goal: "tv-hello", Pieces: []report.PieceEvidence{ev}}, nil, report.JudgeOptions{})
	log := logOf(t, ev, "t/002-native.t")
	if len(g.Findings) == 0 {
		t.Fatalf("no finding:\n%s", log)
	}
	for _, f := range g.Findings {
		if f.Kind != "memcheck" || f.Number != 1 {
			t.Errorf("%s of block %d: %s", f.Kind, f.Number, f.Name)
		}
	}
	if !strings.Contains(log, "\nt/002-native.t TEST 1: words are counted\n==") || !strings.Contains(log, ": greet_words (greet.c:22)\n") || !strings.Contains(log, "\nResult: PASS\n") || strings.Contains(log, "<error>") {
		t.Errorf("the log has not valgrind's text in its place:\n%s", log)
	}
	end := string(ev.Logs[len(ev.Logs)-1])
	if want := "ortest: warning: 1 of 2 suppressions of valgrind.suppress matched nothing: lines 12\n"; end != want {
		t.Errorf("the log ends with %q, want %q", end, want)
	}
}

// Who reads valgrind's text itself gets it.
func TestTheSuiteOfALibraryReadsValgrindsText(t *testing.T) {
	const reads = `system("valgrind -q sh -c 'echo VALGRIND_OPTS=\$VALGRIND_OPTS'") == 0 or die; print "1..1\nok 1\n"`
	cfg := config(t, plan.Project{Name: "library", Kind: "c-library", Test: plan.Test{Glob: "t/*.t"}}, "tv", one("t/a.t", reads))
	_, ev := ran(t, cfg)
	if log := logOf(t, ev, "t/a.t"); !strings.Contains(log, "\nVALGRIND_OPTS=\n") {
		t.Errorf("options of ours:\n%s", log)
	}
}

func TestSuppressionsGetNamesOfTheirOwn(t *testing.T) {
	const text = "# {\n{\n   a\n   Memcheck:Leak\n}\n{\n# why\n\ta\n   Memcheck:Leak\n}\n{\n   b\n}"
	all, named := nameApart([]byte(text))
	if want := "# {\n{\n   a\n   Memcheck:Leak\n}\n{\n# why\n   a (line 8)\n   Memcheck:Leak\n}\n{\n   b\n}"; string(named) != want {
		t.Errorf("got %q", named)
	}
	if len(all) != 3 || all[1] != (suppression{"a (line 8)", 8}) || all[2] != (suppression{"b", 12}) {
		t.Errorf("%+v", all)
	}
}

// What valgrind writes is bounded in a lane, and what is not read makes no file good.
func TestValgrindsFolderCannotFillTheMachine(t *testing.T) {
	const script = `my $dir = $ENV{ORTEST_VALGRIND}; mkdir "$dir/deep"; open my $f, ">", "$dir/%s"; my $n = 0;
		for (1 .. %d) { my $got = syswrite $f, "x" x 1048576 or last; $n += $got }
		print "1..2\nok 1\n%s 2\n# wrote $n\n";`
	known, err := report.ReadExpectations("known.yaml", []byte(`[{id: known, test: t/a.t, outcome: fails, strict: false, class: design, `+
		`reason: its second assertion fails, owner: ada, since: 2026-11-01, expires: never}]`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, file string
		mib        int
		second     string
		wrote      string
		verdict    report.Verdict
	}{
		{"a little that is no XML", "deep/a", 1, "ok", "# wrote 1048576\n", report.Pass},
		{"beside a failure that is expected", "deep/a", 1, "not ok", "# wrote 1048576\n", report.Known},
		{"as much as there is room", "deep/a", 200, "ok", "# wrote 6", report.Incomplete}, // valgrind's own is there too
		{"more of a process than is read", "1.xml", 5, "ok", "# wrote 5242880\n", report.Incomplete},
		{"an expected failure excuses nothing of what was not read", "1.xml", 5, "not ok", "# wrote 5242880\n", report.Incomplete},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := plan.Project{Name: "script", Kind: "lua-library", Test: plan.Test{Glob: "t/*.t"}}
			cfg := config(t, p, "tv", one("t/a.t", fmt.Sprintf(script, tt.file, tt.mib, tt.second)))
			cfg.Lanes = true
			_, ev := ran(t, cfg)
			g := report.Judge(report.Evidence{Goal: "tv-script", Pieces: []report.PieceEvidence{ev}}, known, report.JudgeOptions{})
			unread := tt.verdict == report.Incomplete
			if log := logOf(t, ev, "t/a.t"); !strings.Contains(log, tt.wrote) || g.Verdict != tt.verdict || unread != strings.Contains(strings.Join(g.Why, "\n"), "valgrind wrote more than is read") {
				t.Errorf("%s, want %s\n%+v\n%.1500s", g.Verdict, tt.verdict, g.Findings, log)
			}
		})
	}
}
