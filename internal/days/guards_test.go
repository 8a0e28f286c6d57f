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
		fence int    // how the command ends that closes the metadata service to jobs
		asked string // of shutdown, with the timer's word cut
		runs  bool   // the agent was started
	}{
		{"the agent ends", "exit 0", true, 0, "-P now", true},
		{"the agent fails", "exit 1", true, 0, "-P now", true},
		{"the agent dies of a panic", "kill -ABRT $$", true, 0, "-P now", true},
		{"the agent is killed", "kill -KILL $$", true, 0, "-P now", true},
		{"the agent is another one", "exit 0", false, 0, "-P now", false},
		{"the bot cannot be reached", "", true, 0, "-P now", false},
		{"jobs could read what the machine proves itself by", "exit 0", true, 1, "-P now", false},
		{"the agent hangs: the timer alone is left", "kill -KILL $PPID", true, 0, "", true}, // the script goes no further
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			said, started := filepath.Join(dir, "asked"), filepath.Join(dir, "started")
			fakes := map[string]string{
				"shutdown":  `echo "$*" >>` + said,
				"curl":      "test -s " + said + " || echo 'no timer yet' >>" + said + "; test -n '" + tt.agent + "' && printf '#!/bin/sh\\n%s\\n%s\\n' 'echo \"$ORTEST_BIN $*\" >" + started + "' '" + tt.agent + "' >ortest",
				"sha256sum": fmt.Sprintf("exit %d", map[bool]int{true: 0, false: 1}[tt.right]),
				"sleep":     "exit 0",
				"iptables":  fmt.Sprintf("exit %d", tt.fence),
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
			// The job finds this program by it, and is no other user than the lanes' own.
			want := filepath.Join(dir, "lib/ortest") + " agent --runner-dir /opt/actions-runner --runner bin/Runner.Listener run --users ortest-lane-\n"
			if got, err := os.ReadFile(started); (err == nil) != tt.runs || tt.runs && string(got) != want {
				t.Errorf("the agent was started as %q, %v, want %q", got, err, want)
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

// What AWS will not launch is said on the check runs within minutes, with what to do.
func TestALaunchThatIsRejected(t *testing.T) {
	a := prepared(t)
	for action, says := range map[string]string{
		"CreateFleet":          "UnauthorizedOperation",
		"CreateLaunchTemplate": "give the bot bot-policy.json; ortest doctor names the permission that lacks",
	} {
		t.Run(action, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDay(t, 1, quiet, a)
				d.aws.Forbid = []string{action}
				d.fill(2, 1, 1)
				took := d.drive(9 * time.Hour)
				said := ""
				for _, c := range d.hub.checks {
					said += c.Summary + c.Text
				}
				if took > 3*time.Minute || !strings.Contains(said, says) {
					t.Errorf("after %s the check runs say:\n%s", took, said)
				}
			})
		})
	}
}

// A job that a runner of somebody else's took: the attempt ends while that runs, is said,
// and another one is made.
func TestAJobThatAStrangersRunnerTook(t *testing.T) {
	a := prepared(t)
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t, 1, quiet, a)
		d.fill(2, 1, 1)
		d.hub.thief = "stranger"
		d.drive(9 * time.Hour)
		d.check()
		p := d.shelf.run.Pieces[0]
		want := `attempt 1: its workflow job went to runner "stranger", and not to the planned ortest-1-p1-1-`
		if p.Attempt != 2 || len(p.Trouble) != 1 || !strings.HasPrefix(p.Trouble[0], want) || d.begun["1/p1/1"] != 0 {
			t.Errorf("attempt %d, trouble %q, begun %v, want %s", p.Attempt, p.Trouble, d.begun, want)
		}
		if !strings.Contains(d.hub.body, "stranger") {
			t.Errorf("the comment says nothing of it:\n%s", d.hub.body)
		}
	})
}
