package release

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
)

func TestRuleValidate(t *testing.T) {
	for _, tt := range []struct {
		name string
		rule Rule
		bad  string
	}{
		{"a pattern of branches is enough", Rule{Branches: []string{"release-*"}}, ""},
		{"neither branches nor tags", Rule{}, "at least one"},
		{"a pattern that is none", Rule{Tags: []string{"v["}}, "no pattern"},
		{"a repository without owner", Rule{Tags: []string{"v*"}, Repository: "x"}, "OWNER/NAME"},
		{"once a minute is the most often", Rule{Tags: []string{"v*"}, Every: time.Minute}, ""},
		{"more often is refused", Rule{Tags: []string{"v*"}, Every: time.Minute - 1}, "every"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.rule.Validate()
			if (err == nil) != (tt.bad == "") || err != nil && !strings.Contains(err.Error(), tt.bad) {
				t.Errorf("Validate() = %v, want an error about %q", err, tt.bad)
			}
		})
	}
}

func TestCovers(t *testing.T) {
	rule := Rule{Repository: "O/r", Branches: []string{"release-*"}, Tags: []string{"v[0-9]*"}}
	for _, tt := range []struct {
		name, repo string
		ref        Ref
		want       bool
	}{
		{"a branch of the pattern", "o/R", Ref{Name: "release-1.x"}, true},
		{"a tag of a branch's pattern", "o/r", Ref{Name: "release-1.x", Tag: true}, false},
		{"a tag", "o/r", Ref{Name: "v1", Tag: true}, true},
		{"another branch", "o/r", Ref{Name: "main"}, false},
		{"a star is no slash", "o/r", Ref{Name: "release-1/x"}, false},
		{"another repository", "o/s", Ref{Name: "release-1.x"}, false},
	} {
		if got := rule.covers(tt.repo, tt.ref); got != tt.want {
			t.Errorf("%s: covers = %v", tt.name, got)
		}
	}
}

func TestStages(t *testing.T) {
	var goals []plan.Goal
	for _, g := range []string{"th-a", "tv-a", "t-b", "to-b", "t-a"} {
		one, err := plan.ParseGoal(g)
		if err != nil {
			t.Fatal(err)
		}
		goals = append(goals, one)
	}
	var got []string
	for _, s := range stages(goals) {
		var names []string
		for _, g := range s {
			names = append(names, g.String())
		}
		got = append(got, strings.Join(names, " "))
	}
	if want := []string{"t-b t-a", "tv-a to-b", "th-a"}; !slices.Equal(got, want) {
		t.Errorf("stages %q, want %q", got, want)
	}
	if n := len(stages(goals[:1])); n != 1 {
		t.Errorf("one mode has %d stages", n)
	}
}

func TestDue(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	ref, at := Ref{Name: "release-1.x", Head: "b"}, cell{"linux x86_64", "1.31.0"}
	run := func(head string, state bot.RunState, ago time.Duration) tested {
		return tested{bot.Run{Head: head, State: state, CreatedAt: now.Add(-ago), Plan: plan.Plan{Options: plan.Options{Arch: "linux x86_64"}}}, "1.31.0"}
	}
	older := run("b", bot.Closed, time.Hour)
	older.core = "1.29.2"
	for _, tt := range []struct {
		name  string
		every time.Duration
		runs  []tested
		seen  time.Time
		want  string
	}{
		{"a commit that nobody tested", 0, nil, time.Time{}, "push of b"},
		{"one that was there at the first look", 0, nil, now.Add(-time.Hour), ""},
		{"that one again by the schedule", time.Hour, nil, now.Add(-time.Hour), "the schedule"},
		{"an older commit was tested", 0, []tested{run("a", bot.Closed, time.Hour)}, time.Time{}, "push of b"},
		{"it is being tested", time.Hour, []tested{run("b", bot.Running, 5*time.Hour)}, time.Time{}, ""},
		{"it was tested, and there is no schedule", 0, []tested{run("b", bot.Closed, 500*time.Hour)}, time.Time{}, ""},
		{"just before the schedule", time.Hour, []tested{run("b", bot.Closed, time.Hour-1)}, time.Time{}, ""},
		{"exactly on it", time.Hour, []tested{run("b", bot.Closed, time.Hour)}, time.Time{}, "the schedule"},
		{"it was tested on the core that was the newest then", 0, []tested{older}, time.Time{}, "push of b"},
		{"the newest run counts", time.Hour, []tested{run("b", bot.Closed, time.Minute), run("b", bot.Closed, 9*time.Hour)}, time.Time{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := due(Rule{Every: tt.every}, ref, at, history{now, tt.seen, tt.runs})
			if !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("due = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTickRunsTheModesThatAreNamed(t *testing.T) {
	c, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	known, fresh := "", ""
	for _, core := range c.Cores() {
		if len(c.Releases(core)) > 1 {
			known = core
		} else if fresh == "" {
			fresh = core
		}
	}
	rule := Rule{Branches: []string{"*"}, Targets: []string{"t-hello", "th-hello"}, Tick: []string{"t"}}
	for core, want := range map[string]int{known: 1, fresh: 2} {
		if core == "" {
			continue
		}
		_, goals, err := rule.request(c, "o/r", cell{"linux x86_64", core})
		if err != nil || len(goals) != want {
			t.Errorf("core %s with releases %v: %d goals, want %d (%v)", core, c.Releases(core), len(goals), want, err)
		}
	}
}

func TestSettle(t *testing.T) {
	row := func(verdict string, stale bool, by string) Row { return Row{Verdict: verdict, Stale: stale, By: by} }
	for _, tt := range []struct {
		name string
		rows []Row
		live bool
		want string
	}{
		{"all pass, known counts", []Row{row("pass", false, ""), row("known", false, "")}, false, "good"},
		{"one fails", []Row{row("pass", false, ""), row("fail", false, "")}, false, "bad"},
		{"one that fails is overridden", []Row{row("fail", false, "ada")}, false, "good"},
		{"an override does not refresh", []Row{row("fail", true, "ada")}, false, "stale"},
		{"a pass of an older commit", []Row{row("pass", false, ""), row("pass", true, "")}, false, "stale"},
		{"one that never ran", []Row{row("", false, "")}, false, "stale"},
		{"a stage was held", []Row{row("pass", false, ""), row("held", false, "")}, false, "bad"},
		{"bad is worse than stale", []Row{row("fail", false, ""), row("pass", true, "")}, false, "bad"},
		{"nothing is required", nil, false, "bad"},
		{"something runs", []Row{row("fail", false, "")}, true, "running"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table := Table{Head: "b", Rows: tt.rows}
			if tt.live {
				table.runs = []tested{{Run: bot.Run{Head: "b", State: bot.Running}}}
			}
			if table.settle(); table.State != tt.want {
				t.Errorf("state %s, want %s", table.State, tt.want)
			}
		})
	}
}
