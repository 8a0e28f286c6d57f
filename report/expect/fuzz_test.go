package expect

import (
	"strings"
	"testing"

	"github.com/ortest/ortest/report"
)

// FuzzImport: what is carried can be read, and each old entry is carried or has
// a note that says why not.
func FuzzImport(f *testing.F) {
	f.Add([]byte(`[{"project":"x","mode":"v","file":"a.t","name":"TEST 3: a - b - response_body","details":{"regex":"(?s)\\A\\s*'msg count: \\d"}}]`))
	f.Add([]byte(`[{"project":"x","file":"b.t","name":"TEST 4: twice"},{"project":"x","mode":"(","name":"nginx: [emerg]","details":"bind()"},{"project":"y","name":"z"}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := Import(text, importing())
		if err != nil {
			if !strings.HasPrefix(err.Error(), "read old white list: ") {
				t.Fatalf("what was carried: %v", err)
			}
			return
		}
		dropped, carried := 0, 0
		for _, n := range got.Notes {
			if n.Dropped {
				dropped++
			}
		}
		for project, entries := range got.Entries {
			exps, err := report.ReadExpectations(project, Write(nil, entries))
			if err != nil || len(exps) != len(entries) {
				t.Errorf("%d of %d entries of %q read back: %v", len(exps), len(entries), project, err)
			}
			carried += len(entries)
		}
		if got.Carried != carried || carried+dropped < got.Total {
			t.Errorf("%d entries: %d are said to be carried, %d are, %d dropped", got.Total, got.Carried, carried, dropped)
		}
	})
}

// FuzzLint: any file has problems or none, and each has a place.
func FuzzLint(f *testing.F) {
	f.Add([]byte("- id: x-1\n  test: t/a.t\n  block: sanity\n  outcome: fails\n  reason: The upstream parser loses the last byte.\n  issue: https://example.org/1\n  owner: ada\n  since: 2026-11-01\n  expires: 2026-12-01\n"))
	f.Add([]byte("- id: [\n"))
	in := importing()
	files, _ := in.Source("x")
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, p := range Lint("x.yaml", text, Linting{Now: in.Since, Modes: in.Modes("x"), Files: files, Runs: []Run{{}}}) {
			if !strings.HasPrefix(p.Place, "x.yaml") || p.Cause == "" || p.Text == "" {
				t.Errorf("a problem without its place or cause: %+v", p)
			}
		}
	})
}
