package action

import (
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
