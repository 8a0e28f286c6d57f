package main

import (
	"bytes"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/internal/ec2test"
	"github.com/ortest/ortest/runnerfleet"
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
	do := func(args ...string) string {
		t.Helper()
		var out, errOut bytes.Buffer
		if code := run(t.Context(), args, strings.NewReader(""), &out, &errOut); code != exitGood {
			t.Fatalf("%q: exit %d: %s", args, code, &errOut)
		}
		return out.String()
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
	if out := do("fleet", "ls"); strings.Count(out, "past its deadline") != 2 || strings.Count(out, "running") != 3 {
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
