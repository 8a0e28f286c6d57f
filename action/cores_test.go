package action

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ortest/ortest/action/crash"
	"github.com/ortest/ortest/report"
)

// A program that dies, real cores and real gdb, in a lane and without one.
func TestTheStackOfACoreIsInTheLog(t *testing.T) {
	if _, other := crash.Pattern(); other != "" {
		t.Logf("this machine keeps no cores: %s", other)
		return
	}
	const dies = "static int at(int *p) { return *p; }\nint main(void) { return at(0); }\n"
	files := map[string][]byte{
		"dies.c":  []byte(dies),
		"t/a.t":   []byte("system('./dies'); print qq{1..1\\nok 1 - dies\\n};\n"),
		"t/b.t":   []byte("print qq{1..1\\nok 1 - lives\\n};\nunless (my $pid = fork) { sleep 60 } else { kill QUIT => $pid; wait }\n"),
		"t/core":  []byte("no core"),
		"core.me": []byte("\x7fELF"),
	}
	for _, lanes := range []bool{true, false} {
		t.Run(fmt.Sprintf("lanes %v", lanes), func(t *testing.T) {
			cfg := config(t, script(), "t", files)
			cfg.Project.Build = [][]string{{"cc", "-g", "-O0", "-o", "dies", "dies.c"}}
			cfg.Lanes = lanes
			_, ev := ran(t, cfg)
			log := logOf(t, ev, "t/a.t")
			for _, want := range []string{"\nProgram terminated with signal SIGSEGV, Segmentation fault.\n#0 ", " in at (p=0x0) at dies.c:1\n", " in main () at dies.c:2\n"} {
				if !strings.Contains(log, want) {
					t.Errorf("the log lacks %q:\n%s", want, log)
				}
			}
			if other := logOf(t, ev, "t/b.t"); strings.Contains(other, "Program terminated") {
				t.Errorf("the core stayed for the next file:\n%s", other)
			}
			g := report.Judge(report.Evidence{Goal: "t-script", Pieces: []report.PieceEvidence{ev}}, nil, report.JudgeOptions{})
			if g.Verdict != report.Fail || len(g.Findings) == 0 || g.Findings[0].Kind != "crash" || g.Findings[0].File != "t/a.t" ||
				!strings.Contains(g.Findings[0].Detail, "in main () at dies.c:2") {
				t.Errorf("%s, %+v", g.Verdict, g.Findings)
			}
			if left, _ := filepath.Glob(filepath.Join(cfg.Workspace, "*", "core*")); len(left) != 1 {
				t.Errorf("left: %q", left)
			}
			if _, err := os.Stat(filepath.Join(cfg.Workspace, "script", "t", "core")); err != nil {
				t.Errorf("what is no core is gone: %v", err)
			}
		})
	}
}
