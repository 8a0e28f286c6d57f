package release

import (
	"testing"

	"github.com/ortest/ortest/plan/catalog"
)

// TestANewerCoreIsTestedBeforeItIsGood has a rule that names no core, and a catalog that
// changes while the bot works: each step goes on from the one before.
func TestANewerCoreIsTestedBeforeItIsGood(t *testing.T) {
	older, newer := bundling(t, "1.29.2: [1.29.2.1]\n"), bundling(t, "1.29.2: [1.29.2.1]\n1.31.0: [1.31.0.1]\n")
	s, c := new(shelf), older
	r, w := released(s, &c)
	rule, ref := Rule{Branches: []string{"release-*"}, Targets: []string{"t-hello"}}, Ref{Name: "release-1.x", Head: "b"}
	for _, tt := range []struct {
		name    string
		catalog *catalog.Catalog
		passed  bool // what was begun
		runs    int
		row     string
		state   string
	}{
		{"a push is tested on the newest core", older, false, 1, "1.29.2 ", "running"},
		{"what passed there is good", older, true, 1, "1.29.2 pass", "good"},
		{"with a newer core it counts no more, and that one is tested", newer, false, 2, "1.31.0 ", "running"},
		{"which is begun once", newer, false, 2, "1.31.0 ", "running"},
		{"and good when it has passed there", newer, true, 2, "1.31.0 pass", "good"},
		{"a catalog that was rolled back has what passed with it", older, false, 2, "1.29.2 pass", "good"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if c = tt.catalog; tt.passed {
				s.passed()
			}
			if err := r.look(t.Context(), repo, rule, ref); err != nil {
				t.Fatal(err)
			}
			got, err := r.table(t.Context(), repo, rule, ref)
			if err != nil || len(got.Rows) != 1 {
				t.Fatalf("table %+v, error %v", got, err)
			}
			row := got.Rows[0]
			if row.Nginx+" "+row.Verdict != tt.row || got.State != tt.state || len(s.runs) != tt.runs {
				t.Errorf("%s %s, %s after %d runs; want %s, %s after %d", row.Nginx, row.Verdict, got.State, len(s.runs), tt.row, tt.state, tt.runs)
			}
			if good := w.check.Conclusion == "success"; good != (tt.state == "good") {
				t.Errorf("%s is shown as %q: %s", tt.state, w.check.Conclusion, w.check.Title)
			}
		})
	}
}
