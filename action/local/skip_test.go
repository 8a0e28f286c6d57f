package local

import (
	"slices"
	"testing"

	"github.com/ortest/ortest/report"
)

// As suites do that cannot be tested in a mode, under HUP say.
func TestAFileThatSkipsItselfWhole(t *testing.T) {
	const skips = "print qq{1..0 # SKIP not in this mode\\n};\n"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  report.Verdict
	}{
		{"does not fail beside others", map[string]string{"t/a.t": good, "t/b.t": skips, "t/c.t": skips}, report.Pass},
		{"is not enough for a goal", map[string]string{"t/b.t": skips, "t/c.t": skips}, report.Incomplete},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, s := config(t, project(t, tt.files))
			out, err := Run(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			g := out.Goals[0]
			if g.Result.Verdict != tt.want || len(g.Beside) != 0 || len(ran(g)) != len(tt.files) {
				t.Errorf("%s, %d beside others, %v ran: %v\n%s", g.Result.Verdict, len(g.Beside), ran(g), g.Result.Findings, s.text.String())
			}
			if slices.ContainsFunc(g.Result.Findings, func(f report.Finding) bool { return f.File != "" }) {
				t.Errorf("a file is blamed: %v", g.Result.Findings)
			}
		})
	}
}
