package days

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/internal/ec2test"
)

// firstBoot returns a machine as it was launched.
func firstBoot(t *testing.T) ec2test.Instance {
	a := prepared(t)
	var in ec2test.Instance
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t, 1, quiet, a)
		d.fill(1, 1, 1)
		d.drive(time.Hour)
		in = d.aws.Instances()[0]
	})
	return in
}

// Each of the guards that keep a machine from staying is enough alone. Here the first
// two: the reaper and the sweep never come. The third has TestTheReaperAlone, the
// fourth stands in cmd/ortest.
func TestAMachineEndsByItself(t *testing.T) {
	in := firstBoot(t)
	if in.AtShutdown != "terminate" {
		t.Fatalf("a machine that powers itself off does this: %s", in.AtShutdown)
	}
	for _, tt := range []struct {
		name  string
		agent string // what the agent does; "" where there is none to be had
		right bool   // it has the digest that is expected
		asked string // of shutdown, with the timer's word cut
	}{
		{"the agent ends", "exit 0", true, "-P now"},
		{"the agent fails", "exit 1", true, "-P now"},
		{"the agent dies of a panic", "kill -ABRT $$", true, "-P now"},
		{"the agent is killed", "kill -KILL $$", true, "-P now"},
		{"the agent is another one", "exit 0", false, "-P now"},
		{"the bot cannot be reached", "", true, "-P now"},
		{"the agent hangs: the timer alone is left", "kill -KILL $PPID", true, ""}, // the script goes no further
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			said := filepath.Join(dir, "asked")
			fakes := map[string]string{
				"shutdown":  `echo "$*" >>` + said,
				"curl":      "test -s " + said + " || echo 'no timer yet' >>" + said + "; test -n '" + tt.agent + "' && printf '#!/bin/sh\\n%s\\n' '" + tt.agent + "' >ortest",
				"sha256sum": fmt.Sprintf("exit %d", map[bool]int{true: 0, false: 1}[tt.right]),
				"sleep":     "exit 0",
				"iptables":  "exit 1",
			}
			for name, does := range fakes {
				if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+does+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			script := strings.ReplaceAll(in.UserData, "/var/lib/ortest", filepath.Join(dir, "lib"))
			cmd := exec.Command("sh", "-c", script)
			cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
			out, _ := cmd.CombinedOutput() // how it ends is nobody's business
			asked, err := os.ReadFile(said)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			timer, rest, _ := strings.Cut(string(asked), "\n")
			minutes := 0
			if _, err := fmt.Sscanf(timer, "-P +%d", &minutes); err != nil || minutes < 1 || minutes > 180 {
				t.Errorf("first of all shutdown was asked %q, %v\n%s", timer, err, out)
			}
			if got := strings.TrimSpace(rest); got != tt.asked {
				t.Errorf("then %q, want %q\n%s", got, tt.asked, out)
			}
		})
	}
}

// Machines that do nothing, and never power off: the reaper ends each, and the run
// says why.
func TestTheReaperAlone(t *testing.T) {
	a := prepared(t)
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t, 1, quiet, a)
		d.aws.Booted = func(in ec2test.Instance) {
			d.aws.Print(in.ID, "kernel panic\nAuthorization: Bearer abcdefghijklmnop\n")
		}
		d.fill(2, 1, 1)
		took := d.drive(9 * time.Hour)
		for _, in := range d.aws.Instances() {
			if in.State != "terminated" || in.EndedAt.Sub(in.LaunchedAt) > 15*time.Minute {
				t.Errorf("machine %+v", in)
			}
		}
		if n := len(d.aws.Instances()); n != bot.MaxAttempts || took > 2*time.Hour {
			t.Errorf("%d machines, %s", n, took)
		}
		said := ""
		for _, c := range d.hub.checks {
			said += c.Summary + c.Text
		}
		if !strings.Contains(said, "never enrolled") || !strings.Contains(said, "kernel panic") || strings.Contains(said, "abcdefghijklmnop") {
			t.Errorf("the check runs say:\n%s", said)
		}
	})
}
