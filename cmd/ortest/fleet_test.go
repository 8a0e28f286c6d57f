package main

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/internal/ec2test"
	"github.com/ortest/ortest/internal/postgrestest"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/store"
)

func TestOverdue(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	m := func(age, left time.Duration) runnerfleet.Machine {
		return runnerfleet.Machine{Running: true, LaunchedAt: now.Add(-age), Deadline: now.Add(left)}
	}
	undated := func(age time.Duration) runnerfleet.Machine {
		return runnerfleet.Machine{Running: true, LaunchedAt: now.Add(-age)}
	}
	ended := m(100*time.Hour, -50*time.Hour)
	ended.Running = false
	for _, tt := range []struct {
		name  string
		in    runnerfleet.Machine
		older time.Duration
		swept bool
	}{
		{"before its deadline", m(time.Hour, time.Minute), 0, false},
		{"just past its deadline others may still end it", m(time.Hour, -10*time.Minute+1), 0, false},
		{"ten minutes past its deadline", m(time.Hour, -10*time.Minute), 0, true},
		{"without a deadline for less than a day", undated(24*time.Hour - 1), 0, false},
		{"without a deadline for a day", undated(24 * time.Hour), 0, true},
		{"younger than was asked for", m(6*time.Hour-1, time.Hour), 6 * time.Hour, false},
		{"as old as was asked for", m(6*time.Hour, time.Hour), 6 * time.Hour, true},
		{"ended already", ended, time.Minute, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if why := overdue(tt.in, now, tt.older); (why != "") != tt.swept {
				t.Errorf("got %q, want swept %v", why, tt.swept)
			}
		})
	}
}

func TestSweepEndsWhatIsPastItsDeadlineAndNothingElse(t *testing.T) {
	aws := &ec2test.Server{Linger: time.Hour}
	srv := httptest.NewServer(aws)
	defer srv.Close()
	t.Setenv("AWS_ENDPOINT_URL", srv.URL)
	t.Setenv("AWS_REGION", "us-west-2")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	tags := func(fleet string, left time.Duration) map[string]string {
		return map[string]string{
			"ortest:fleet": fleet, "ortest:instance": "r1-b1-a1", "ortest:deadline": time.Now().Add(left).UTC().Format(time.RFC3339),
		}
	}
	aws.Fill(2, tags("ortest", -time.Hour))
	aws.Fill(1, tags("ortest", time.Hour))
	aws.Fill(1, tags("other", -time.Hour))
	ask := func(want int, args ...string) string {
		t.Helper()
		var out, errOut bytes.Buffer
		if code := run(t.Context(), args, strings.NewReader(""), &out, &errOut); code != want {
			t.Fatalf("%q: exit %d, want %d: %s", args, code, want, &errOut)
		}
		return out.String()
	}
	do := func(args ...string) string {
		t.Helper()
		return ask(exitGood, args...)
	}
	states := func() (all []string) {
		for _, in := range aws.Instances() {
			all = append(all, in.State)
		}
		return all
	}

	if out := do("fleet", "sweep"); strings.Count(out, "would end") != 2 || slices.Contains(states(), "terminated") {
		t.Errorf("dry run: %s, states %q", out, states())
	}
	if out := ask(exitBad, "fleet", "ls"); strings.Count(out, "past its deadline") != 2 || strings.Count(out, "running") != 3 {
		t.Errorf("ls: %s", out)
	}
	do("fleet", "sweep", "--yes")
	if got := states(); !slices.Equal(got, []string{"terminated", "terminated", "running", "running"}) {
		t.Errorf("states %q", got)
	}
	if out := do("fleet", "sweep", "--yes"); out != "Nothing to end.\n" {
		t.Errorf("again: %s", out)
	}
}

func TestWhatDiffers(t *testing.T) {
	k := fleetKnown{
		runs: map[string]bool{"1": true}, missing: map[string]bool{"r1-b2-a1": true},
		runners: map[string][]fleetRunner{
			"": {{Repo: "o/r", Name: "ortest-9-p1-1-abcdefgh", Status: "offline"}}, "1-b3-a1": {{Status: "busy"}},
		},
	}
	for _, tt := range []struct {
		name string
		in   runnerfleet.Instance
		want string
	}{
		{"an instance of a run that lives", runnerfleet.Instance{ID: "1-b1-a1", Bucket: "1/b1"}, ""},
		{"one of a run that does not", runnerfleet.Instance{ID: "2-b1-a1", Bucket: "2/b1"}, "instance without run"},
		{"a canary is of no run", runnerfleet.Instance{ID: "image-x-a1", Bucket: "image/x"}, ""},
		{"its runner should be registered", runnerfleet.Instance{ID: "r1-b2-a1", Bucket: "1/b2"}, "its runner is not on GitHub"},
		{"GitHub says busy", runnerfleet.Instance{ID: "1-b3-a1", Bucket: "1/b3", State: runnerfleet.Idle}, "idle for the bot, busy for GitHub"},
		{"and so does the bot", runnerfleet.Instance{ID: "1-b3-a1", Bucket: "1/b3", State: runnerfleet.Busy}, ""},
	} {
		if got := k.differs(tt.in); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if rows := k.rows(); len(rows) != 1 || rows[0].Differs != "runner without instance" {
		t.Errorf("rows %+v", rows)
	}
	for in, want := range map[runnerfleet.State]string{runnerfleet.Intended: "", runnerfleet.Busy: "not in the cloud"} {
		if got := absent(runnerfleet.Instance{State: in}); got != want {
			t.Errorf("absent while %s: %q, want %q", in, got, want)
		}
	}
}

// TestFleetLsAsksGitHub holds the three views side by side, of a bot that serves.
func TestFleetLsAsksGitHub(t *testing.T) {
	p := newPlace(t, func(c *systemConfig) { machines(c, scripted(t)) })
	all, err := p.sys.forge.Repositories(t.Context())
	if err != nil || len(all) == 0 {
		t.Fatalf("%v, %v", all, err)
	}
	repo := all[0]
	if _, _, err := p.sys.forge.MintRunner(t.Context(), repo, "ortest-9-p1-1-abcdefgh", "x"); err != nil {
		t.Fatal(err)
	}
	var k fleetKnown
	live := bot.Run{Repo: repo, Pieces: []bot.Piece{{State: bot.Assigned, Runner: 1 << 40, Instance: "9-b1-a1"}}}
	if err := k.ask(t.Context(), p.sys.forge, []bot.Run{live, live}); err != nil {
		t.Fatal(err)
	}
	if rows := k.rows(); len(rows) != 1 || rows[0].Runners[0].Name != "ortest-9-p1-1-abcdefgh" || rows[0].Runners[0].Status != "offline" || !k.missing["9-b1-a1"] {
		t.Errorf("rows %+v, missing %v", rows, k.missing)
	}
}

// TestFleetLsReadsPostgreSQL takes the database's URL as --data, and from the configuration.
func TestFleetLsReadsPostgreSQL(t *testing.T) {
	t.Parallel()
	c, err := postgrestest.Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, c.Close()) })
	at := c.URL(nil)
	st, err := store.Open(t.Context(), store.Config{Database: at, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	must(t, st.AddInstance(t.Context(), runnerfleet.Instance{ID: "1-b1-a1", Bucket: "1/b1", State: runnerfleet.Busy}))
	must(t, st.Close())
	for _, f := range []fleetFlags{{data: at}, {data: t.TempDir(), database: at}} {
		cmd := &cobra.Command{}
		cmd.SetContext(t.Context())
		k, err := (&app{}).fleetKnow(cmd, &f)
		if err != nil || k.instances["1-b1-a1"].State != runnerfleet.Busy {
			t.Errorf("known are %v, %v", k.instances, err)
		}
	}
}
