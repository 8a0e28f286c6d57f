package local

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/fleettest"
	"github.com/ortest/ortest/runnerfleet/process"
)

// open returns a cloud whose agents run a shell script. At the end of the test
// its machines are terminated.
func open(t *testing.T, script string) *Cloud {
	t.Helper()
	c := &Cloud{
		Dir: filepath.Join(t.TempDir(), "fleet"), Exe: []string{"/bin/sh", "-c", script},
		Env: []string{"PATH=" + os.Getenv("PATH")}, Log: slog.New(slog.DiscardHandler),
	}
	t.Cleanup(func() {
		entries, _ := os.ReadDir(c.Dir)
		for _, e := range entries {
			if err := c.Terminate(context.Background(), e.Name()); err != nil {
				t.Errorf("terminate %s: %v", e.Name(), err)
			}
			m, err := c.machine(e.Name())
			if err != nil {
				t.Fatal(err)
			}
			if err := m.kill(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	return c
}

// reopen is the same cloud for the next process of the server.
func reopen(c *Cloud) *Cloud { return &Cloud{Dir: c.Dir, Exe: c.Exe, Env: c.Env, Log: c.Log} }

var job = runnerfleet.Launch{
	Instance: "r1-b1-a1", Bucket: "r1/b1", URL: "http://fleet", Token: "one-time",
	Deadline: time.Date(2030, 1, 2, 15, 0, 0, 0, time.UTC),
}

func launch(t *testing.T, c *Cloud) {
	t.Helper()
	if id, err := c.Launch(t.Context(), job); err != nil || id != job.Instance {
		t.Fatalf("Launch = %q, %v", id, err)
	}
}

func list(t *testing.T, c *Cloud) []runnerfleet.Machine {
	t.Helper()
	ms, err := c.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

// running reports whether the job's machine is listed as running.
func running(t *testing.T, c *Cloud) bool {
	t.Helper()
	ms := list(t, c)
	return len(ms) == 1 && ms[0].Running
}

// agentOf returns the recorded agent of the job's machine.
func agentOf(t *testing.T, c *Cloud) process.Process {
	t.Helper()
	m, err := c.machine(job.Instance)
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.agent()
	if err != nil || p.PID == 0 {
		t.Fatalf("agent = %+v, %v", p, err)
	}
	return p
}

// noted returns the process whose number a script wrote into the agent's log as
// "NAME PID".
func noted(t *testing.T, c *Cloud, name string) process.Process {
	t.Helper()
	var p process.Process
	fleettest.Eventually(t, name+" is in the log", func() bool {
		b, _ := os.ReadFile(filepath.Join(c.Dir, job.Instance, "agent.log"))
		for line := range strings.Lines(string(b)) {
			if n, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
				pid, err := strconv.Atoi(n)
				if err != nil {
					t.Fatal(err)
				}
				if p, err = process.Read(pid); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				return true
			}
		}
		return false
	})
	return p
}

const (
	sleep = `echo agent $$; exec sleep 600`
	// family is an agent with a child, one in a session of its own, and one that
	// has nothing of the instance but the file it inherited.
	family = `sleep 600 & echo child $!
		env -u ORTEST_AGENT_DIR setsid sh -c 'echo session $$; exec sleep 600' &
		setsid env -i sh -c 'echo bare $$; exec sleep 600' &
		echo agent $$; exec sleep 600`
)

func TestContract(t *testing.T) {
	fleettest.CloudContract(t, func(t *testing.T) runnerfleet.Cloud { return open(t, sleep) })
}

func TestEverythingOfAMachineDies(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(t *testing.T, c *Cloud)
	}{
		{"when it is terminated", func(t *testing.T, c *Cloud) {
			if err := c.Terminate(t.Context(), job.Instance); err != nil {
				t.Fatal(err)
			}
		}},
		{"when its agent is killed, and the list is read", func(t *testing.T, c *Cloud) {
			kill(t, agentOf(t, c))
			if ms := list(t, c); len(ms) != 1 || ms[0].Running || ms[0].Instance != job.Instance {
				t.Errorf("listed %+v, want it once more, not running", ms)
			}
		}},
		{"when its agent is killed before anybody noted its number", func(t *testing.T, c *Cloud) {
			p := agentOf(t, c)
			remove(t, c, "process.json")
			kill(t, p)
			if ms := list(t, reopen(c)); len(ms) != 1 || ms[0].Running {
				t.Errorf("listed %+v, want it once more, not running", ms)
			}
		}},
		{"when its agent is killed, and it is terminated by the next server", func(t *testing.T, c *Cloud) {
			kill(t, agentOf(t, c))
			if err := reopen(c).Terminate(t.Context(), job.Instance); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, family)
			launch(t, c)
			var ps []process.Process
			for _, name := range []string{"child", "session", "bare", "agent"} {
				ps = append(ps, noted(t, c, name))
			}
			if !running(t, c) {
				t.Error("it is not listed as running before")
			}
			tt.end(t, c)
			for _, p := range ps {
				if p.Alive() {
					t.Errorf("%+v lives", p)
				}
			}
			if ms := list(t, c); len(ms) != 0 {
				t.Errorf("listed afterwards: %+v", ms)
			}
			left, err := os.ReadDir(filepath.Join(c.Dir, job.Instance))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range left {
				if e.Name() == "work" || e.Name() == "token" {
					t.Errorf("%s is left", e.Name())
				}
			}
		})
	}
}

func kill(t *testing.T, p process.Process) {
	t.Helper()
	if err := p.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	fleettest.Eventually(t, "agent is dead", func() bool { return !p.Alive() })
}

func remove(t *testing.T, c *Cloud, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(c.Dir, job.Instance, name)); err != nil {
		t.Fatal(err)
	}
}

func TestCrashOfTheServer(t *testing.T) {
	t.Run("a machine outlives the server, and the next one finds it", func(t *testing.T) {
		c := open(t, sleep)
		launch(t, c)
		p := noted(t, c, "agent")
		c = reopen(c)
		if !running(t, c) || !p.Alive() {
			t.Error("it does not run")
		}
		launch(t, c)
		if again := agentOf(t, c); again != p && again.PID != p.PID {
			t.Errorf("agent is %+v now, was %+v", again, p)
		}
	})
	for _, first := range []string{"List", "Launch"} {
		t.Run("an agent that was not noted is adopted by "+first, func(t *testing.T) {
			c := open(t, sleep)
			launch(t, c)
			p := noted(t, c, "agent")
			remove(t, c, "process.json")
			c = reopen(c)
			if first == "List" && !running(t, c) {
				t.Error("it is not listed as running")
			}
			launch(t, c)
			if again := agentOf(t, c); again.PID != p.PID || !p.Alive() {
				t.Errorf("agent is %+v, want %+v", again, p)
			}
		})
	}
	t.Run("a launch that never came to start anything is made good", func(t *testing.T) {
		c := open(t, sleep)
		launch(t, c)
		p := agentOf(t, c)
		kill(t, p)
		process.Reap(p.PID)
		remove(t, c, "process.json")
		if ms := list(t, c); len(ms) != 0 {
			t.Errorf("listed %+v, though nothing was started as far as anybody knows", ms)
		}
		launch(t, c)
		if !running(t, c) {
			t.Error("it does not run")
		}
	})
	t.Run("a machine of the boot before is gone", func(t *testing.T) {
		c := open(t, sleep)
		launch(t, c)
		p := agentOf(t, c)
		kill(t, p)
		self, err := process.Read(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(record{Process: self, Boot: "another"})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(c.Dir, job.Instance, "process.json"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if running(t, reopen(c)) {
			t.Error("the process that has its number now is taken for it")
		}
	})
}

func TestWhatIsLeftOfAMachineGoesAfterAMonth(t *testing.T) {
	c := open(t, "exit 0")
	launch(t, c)
	if err := c.Terminate(t.Context(), job.Instance); err != nil {
		t.Fatal(err)
	}
	gone := filepath.Join(c.Dir, job.Instance, "gone")
	for _, tt := range []struct {
		name string
		age  time.Duration
		left bool
	}{
		{"it is evidence for a month", evidenceFor - time.Minute, true},
		{"and no longer", evidenceFor, false},
	} {
		then := time.Now().Add(-tt.age)
		if err := os.Chtimes(gone, then, then); err != nil {
			t.Fatal(err)
		}
		if all := list(t, c); len(all) > 0 {
			t.Errorf("%s: listed as %+v", tt.name, all)
		}
		if _, err := os.Stat(filepath.Dir(gone)); (err == nil) != tt.left {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestNobodyElseIsHit(t *testing.T) {
	other := exec.Command("sleep", "600")
	other.Env = []string{runnerfleet.EnvInstance + "=" + job.Instance, envFleet + "=/another/fleet"}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	p, err := process.Read(other.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, sleep)
	launch(t, c)
	kill(t, agentOf(t, c))
	boot, err := bootID()
	if err != nil {
		t.Fatal(err)
	}
	// The agent's number has gone to the other process.
	b, err := json.Marshal(record{Process: process.Process{PID: p.PID, Start: p.Start - 1}, Boot: boot})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir, job.Instance, "process.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if ms := list(t, c); len(ms) != 1 || ms[0].Running {
		t.Errorf("listed %+v, want it not running", ms)
	}
	if !p.Alive() {
		t.Error("a process of another fleet was killed")
	}
}

func TestAgentGetsWhatItNeedsAndNothingElse(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "servers-own")
	c := open(t, `env; echo args "$0" "$@"; stat -c 'mode %a' "$ORTEST_AGENT_TOKEN_FILE"; cat "$ORTEST_AGENT_TOKEN_FILE"; echo; pwd; chmod 0 .; echo agent $$; exec sleep 600`)
	launch(t, c)
	noted(t, c, "agent")
	b, err := os.ReadFile(filepath.Join(c.Dir, job.Instance, "agent.log"))
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(c.Dir, job.Instance, "work")
	for _, want := range []string{
		"ORTEST_INSTANCE=r1-b1-a1\n", "ORTEST_AGENT_URL=http://fleet\n", "ORTEST_AGENT_DEADLINE=2030-01-02T15:00:00Z\n",
		"ORTEST_AGENT_DIR=" + work + "\n", "mode 600\n", "\none-time\n", "\n" + work + "\n",
	} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("no %q in\n%s", want, b)
		}
	}
	if bytes.Contains(b, []byte("servers-own")) || bytes.Count(b, []byte("one-time")) != 1 {
		t.Errorf("the server's environment, or the token outside of its file, in\n%s", b)
	}
	l, err := os.ReadFile(filepath.Join(c.Dir, job.Instance, "launch.json"))
	if err != nil || bytes.Contains(l, []byte("one-time")) {
		t.Errorf("launch.json = %s, %v; want no token", l, err)
	}
	// The agent's directory has lost its rights; that must not keep it.
	if err := c.Terminate(t.Context(), job.Instance); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(work); err == nil {
		t.Error("work is left")
	}
}

func TestBadLaunches(t *testing.T) {
	c := open(t, sleep)
	for _, id := range []string{"", "..", "a/b", "-a", "a.b"} {
		l := job
		l.Instance = id
		if _, err := c.Launch(t.Context(), l); err == nil {
			t.Errorf("instance %q is accepted", id)
		}
		if err := c.Terminate(t.Context(), id); err == nil {
			t.Errorf("terminating %q is accepted", id)
		}
	}
	good := c.Exe
	c.Exe = []string{"/nowhere/ortest"}
	if _, err := c.Launch(t.Context(), job); err == nil {
		t.Error("an agent that is not there was started")
	}
	c.Exe = good
	launch(t, c)
	if !running(t, c) {
		t.Error("the launch was not made good")
	}
}
