package action

import (
	"strings"
	"testing"

	"github.com/ortest/ortest/report"
)

func TestBuildLog(t *testing.T) {
	const first = "/w/goals/t-a/a-module/src/a.c:12:5: error: no such thing\n"
	for _, tt := range []struct{ name, says, log, first string }{
		{"an error of the project is named from its root", first, "src/a.c:12:5: error: no such thing\n", "src/a.c:12:5: error: no such thing"},
		{"the first is the cause", first + "/w/goals/t-a/a-module/src/b.c:1: error: because of that\n", "src/a.c:12:5: error: no such thing\nsrc/b.c:1: error: because of that\n", "src/a.c:12:5: error: no such thing"},
		{"one of another module keeps its name", "/w/builds/src/b-module-1/b.c:3:1: fatal error: x.h: none\n", "/w/builds/src/b-module-1/b.c:3:1: fatal error: x.h: none\n", "/w/builds/src/b-module-1/b.c:3:1: fatal error: x.h: none"},
		{"commands stay as they are", "gcc -c /w/goals/t-a/a-module/src/a.c\n", "gcc -c /w/goals/t-a/a-module/src/a.c\n", ""},
		{"configure says it too", "./configure: error: no library\n", "./configure: error: no library\n", "./configure: error: no library"},
		{"a line without an end", strings.TrimSpace(first), "src/a.c:12:5: error: no such thing", "src/a.c:12:5: error: no such thing"},
		{"a line that is too long is not searched", strings.Repeat("x", maxLine) + "\nend", strings.Repeat("x", maxLine) + "\nend", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, step := range []int{1, 7, len(tt.says)} {
				var out strings.Builder
				l := &buildLog{w: &out, project: "/w/goals/t-a/a-module/"}
				for rest := tt.says; rest != ""; rest = rest[min(step, len(rest)):] {
					if _, err := l.Write([]byte(rest[:min(step, len(rest))])); err != nil {
						t.Fatal(err)
					}
				}
				if err := l.end(); err != nil || out.String() != tt.log || l.first != tt.first {
					t.Errorf("by %d bytes: %v, first %q, log %.200q", step, err, l.first, out.String())
				}
			}
		})
	}
}

// As nginx is built: in a folder elsewhere, with the project's files by their whole paths.
func TestAnErrorOfTheCompilerIsAFindingOfItsFile(t *testing.T) {
	cfg := config(t, script(), "t", map[string][]byte{"src/a.c": []byte("int a(void)\n{ return b; }\n"), "t/a.t": []byte("print qq{1..1\\nok 1\\n};\n")})
	cfg.Project.Build = [][]string{{"sh", "-c", "cd / && cc -c -o /dev/null $ORTEST_PROJECT/src/a.c"}}
	result, ev := ran(t, cfg)
	if result.End.Phase != PhaseBuild || !strings.Contains(result.End.Reason, ": src/a.c:2:") {
		t.Errorf("ended with %+v", result.End)
	}
	g := report.Judge(report.Evidence{Goal: "t-script", Pieces: []report.PieceEvidence{ev}}, nil, report.JudgeOptions{})
	for _, f := range g.Findings {
		if f.File == "src/a.c" && f.Line == 2 && strings.HasPrefix(f.Name, "error: ") {
			return
		}
	}
	t.Errorf("%s, no finding of src/a.c:2: %+v", g.Verdict, g.Findings)
}

func TestAnotherNginxThanWasAskedForIsNotTested(t *testing.T) {
	cfg := config(t, hello(), "t", project(t, "hello", "good"))
	cfg.Piece.Options.Nginx, cfg.Project.Build = "1.2.3", nil
	result, _ := ran(t, cfg)
	if !strings.Contains(result.End.Reason, "-v 1.2.3 is asked for, and t-hello runs on nginx 1.") {
		t.Errorf("ended with %+v", result.End)
	}
}
