package release

import (
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
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

func TestWhatARunLeavesInTheTable(t *testing.T) {
	c := bundling(t, "1.29.2: [1.29.2.1]\n")
	type verdicts = map[string]report.Verdict
	for _, tt := range []struct {
		name          string
		before, after bot.Run
		was, is       verdicts
		want          string // verdict and run of t-hello
		state         string
	}{
		{"the newest run has the last word", bot.Run{Head: "b"}, bot.Run{Head: "b"},
			verdicts{"t-hello": report.Fail}, verdicts{"t-hello": report.Pass}, "pass of 2", "good"},
		{"a failure counts although its run was cancelled later", bot.Run{Head: "b"}, bot.Run{Head: "b", Cancelled: "the kill switch"},
			verdicts{"t-hello": report.Pass}, verdicts{"t-hello": report.Fail}, "fail of 2", "bad"},
		{"what a cancelled run cut short leaves the result before it", bot.Run{Head: "b"}, bot.Run{Head: "b", Cancelled: "ada"},
			verdicts{"t-hello": report.Pass}, verdicts{"t-hello": report.Incomplete}, "pass of 1", "good"},
		{"nothing passes in a cancelled run", bot.Run{Head: "b"}, bot.Run{Head: "b", Cancelled: "ada"},
			verdicts{"t-hello": report.Fail}, verdicts{"t-hello": report.Pass}, "fail of 1", "bad"},
		{"a failure of an older commit is stale", bot.Run{Head: "a", Cancelled: "the push of b"}, bot.Run{Head: "b", Cancelled: "ada"},
			verdicts{"t-hello": report.Fail}, verdicts{"t-hello": report.Incomplete}, "fail of 1", "stale"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := new(shelf)
			r, _ := released(s, &c)
			over(s, tt.before, tt.was)
			over(s, tt.after, tt.is)
			rule := Rule{Branches: []string{"release-*"}, Targets: []string{"t-hello"}}
			got, err := r.table(t.Context(), repo, rule, Ref{Name: "release-1.x", Head: "b"})
			if err != nil || len(got.Rows) != 1 {
				t.Fatalf("table %+v, error %v", got, err)
			}
			if row := got.Rows[0]; row.Verdict+" of "+row.Run != tt.want || got.State != tt.state {
				t.Errorf("%s of %s, %s; want %s, %s", row.Verdict, row.Run, got.State, tt.want, tt.state)
			}
		})
	}
}

// TestAButtonGoesOnFromTheHeadsRun has a head where t-hello failed, so that tv-hello was
// held, and a run after it.
func TestAButtonGoesOnFromTheHeadsRun(t *testing.T) {
	c := bundling(t, "1.27.1: [1.27.1.1]\n1.29.2: [1.29.2.1]\n")
	pins := map[string]string{"openresty/test-nginx": "c"}
	ours, other := plan.Plan{}, plan.Plan{Options: plan.Options{Nginx: "1.27.1"}}
	for _, tt := range []struct {
		name   string
		first  bot.Run
		then   bot.Run
		button string
		of     string
		goal   string
	}{
		{"what is bad takes the commits of the newest run", bot.Run{Head: "b", Commits: pins, Plan: ours},
			bot.Run{Head: "b", Of: "1", Commits: pins, Plan: ours}, refreshStale, "2", "t-hello"},
		{"and so does a stage that was held", bot.Run{Head: "b", Commits: pins, Plan: ours},
			bot.Run{Head: "b", Of: "1", Commits: pins, Plan: ours}, startStage, "2", "tv-hello"},
		{"not those of a run that ended before it had fixed them", bot.Run{Head: "b", Commits: pins, Plan: ours},
			bot.Run{Head: "b", Plan: ours}, refreshStale, "1", "t-hello"},
		{"not those of a run on another core", bot.Run{Head: "b", Commits: pins, Plan: ours},
			bot.Run{Head: "b", Commits: pins, Plan: other}, refreshStale, "1", "t-hello"},
		{"none where no run of the head has fixed them", bot.Run{Head: "b", Plan: ours},
			bot.Run{Head: "b", Plan: ours}, refreshStale, "", "t-hello"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := new(shelf)
			r, _ := released(s, &c)
			over(s, tt.first, map[string]report.Verdict{"t-hello": report.Fail, "tv-hello": "held"})
			over(s, tt.then, map[string]report.Verdict{"t-hello": report.Fail})
			rule, ref := Rule{Branches: []string{"release-*"}, Targets: []string{"t-hello", "tv-hello"}}, Ref{Name: "release-1.x", Head: "b"}
			p := pressed{bot.ButtonEvent{Repo: repo, Head: "b", Action: tt.button, Sender: "ada"}, "guid", ref}
			if why, err := r.obey(t.Context(), p, rule); err != nil || why != "" {
				t.Fatalf("refused %q, error %v", why, err)
			}
			o := s.runs[0]
			_, goals, _ := strings.Cut(strings.Join(o.Words, " "), "--all-at-once ")
			if len(s.runs) != 3 || o.Of != tt.of || goals != tt.goal {
				t.Errorf("%d runs, the newest of %q with %q; want one more, of %q with %s", len(s.runs), o.Of, goals, tt.of, tt.goal)
			}
		})
	}
}

// TestAnOverride is pressed where t-hello failed, tv-hello was held and th-hello has no
// result. What it comes to is seen at a later commit.
func TestAnOverride(t *testing.T) {
	c := bundling(t, "1.29.2: [1.29.2.1]\n")
	type verdicts = map[string]report.Verdict
	for _, tt := range []struct {
		name  string
		after time.Duration
		then  verdicts
		state string
	}{
		{"what failed, or was held, is let pass at later commits", time.Hour - 1, verdicts{"t-hello": report.Fail, "tv-hello": "held", "th-hello": report.Pass}, "good"},
		{"exactly at its end it is not", time.Hour, verdicts{"t-hello": report.Fail, "tv-hello": report.Pass, "th-hello": report.Pass}, "bad"},
		{"what had no result when it was pressed may not fail", 0, verdicts{"t-hello": report.Pass, "tv-hello": report.Pass, "th-hello": report.Fail}, "bad"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := new(shelf)
			r, _ := released(s, &c)
			over(s, bot.Run{Head: "b"}, verdicts{"t-hello": report.Fail, "tv-hello": "held"})
			rule := Rule{Branches: []string{"release-*"}, Targets: []string{"t-hello", "tv-hello", "th-hello"}, Override: time.Hour}
			p := pressed{bot.ButtonEvent{Repo: repo, Head: "b", Action: overrideFails, Sender: "ada"}, "guid", Ref{Name: "release-1.x", Head: "b"}}
			if why, err := r.obey(t.Context(), p, rule); err != nil || why != "" {
				t.Fatalf("refused %q, error %v", why, err)
			}
			over(s, bot.Run{Head: "c"}, tt.then)
			r.Bot.Now = func() time.Time { return noon.Add(tt.after) }
			got, err := r.table(t.Context(), repo, rule, Ref{Name: "release-1.x", Head: "c"})
			if err != nil || got.State != tt.state {
				t.Errorf("%s with %+v, error %v; want %s", got.State, got.Rows, err, tt.state)
			}
		})
	}
}
