package agent

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/fleettest"
	"github.com/ortest/ortest/runnerfleet/process"
)

func TestLanesAreApart(t *testing.T) {
	t.Parallel()
	s := newLanes(t, 2, "entry:one leave:DIR/left0 wait:DIR/go0 entry:two", "environ leave:DIR/left1 wait:DIR/go1", "environ")
	s.start(soon())
	first, second := s.pid("left0"), s.pid("left1")
	if in := s.instance(); in.Taken != 3 {
		t.Errorf("instance %+v, want both lanes taken", in)
	}
	s.touch("go1") // the second lane ends its piece, and takes another
	fleettest.Eventually(t, "third piece is finished", func() bool { return s.work.Piece("p2").Finished })
	if second.Alive() || !first.Alive() || s.work.Piece("p0").Finished {
		t.Error("the end of one lane's piece is not that lane's alone")
	}
	s.touch("go0")
	s.end(0)
	if p := s.work.Piece("p0"); p.Log != "onetwo" || p.Reason != "" || len(p.Tries) != 1 {
		t.Errorf("first lane's piece %+v", p)
	}
	work := "ORTEST_WORK=" + filepath.Join(s.dir, "agent", fmt.Sprintf("lane-%d", 2-s.work.Piece("p0").Lane), "work") + "\n"
	for _, id := range []string{"p1", "p2"} {
		if log := s.work.Piece(id).Log; !strings.Contains(log, "ORTEST_LANES=1") || !strings.Contains(log, work) {
			t.Errorf("environment in the other lane, without %s:\n%s", work, log)
		}
	}
	if first.Alive() {
		t.Error("a process of the first lane lives")
	}
}

func TestALaneIsCancelledAlone(t *testing.T) {
	t.Parallel()
	s := newLanes(t, 2, "leave:DIR/left0 hang", "wait:DIR/go1 entry:x")
	s.start(soon())
	left := s.pid("left0")
	if err := s.work.Finished(t.Context(), s.instance(), "p0", 0, "cancelled"); err != nil {
		t.Fatal(err)
	}
	fleettest.Eventually(t, "the cancelled piece is dead", func() bool { return !left.Alive() })
	s.touch("go1")
	s.end(0)
	if p := s.work.Piece("p1"); p.Log != "x" || len(p.Tries) != 1 {
		t.Errorf("the other lane's piece %+v", p)
	}
}

func TestAKeeperIsKilled(t *testing.T) {
	t.Parallel()
	s := newLanes(t, 2, "leave:DIR/left0 wait:DIR/go0 killkeeper hang", "entry:one wait:DIR/go1 entry:two")
	s.start(soon())
	left := s.pid("left0")
	s.touch("go0")
	fleettest.Eventually(t, "the piece without its keeper is over", func() bool { return s.work.Piece("p0").Finished })
	if left.Alive() {
		t.Error("what the keeper held lives")
	}
	s.touch("go1")
	s.end(0)
	if p := s.work.Piece("p0"); p.Exit != -1 || p.Reason != "its keeper ended by signal: killed" {
		t.Errorf("piece %+v", p)
	}
	if p := s.work.Piece("p1"); p.Log != "onetwo" || p.Reason != "" {
		t.Errorf("the other lane's piece %+v", p)
	}
}

// A machine on which the agent dies by force is switched off by its boot script; its
// jobs do not go on even until then.
func TestNothingOutlivesTheAgent(t *testing.T) {
	t.Parallel()
	s := newLanes(t, 2, "leave:DIR/left0 hang", "leave:DIR/left1 hang")
	s.start(soon())
	left := []process.Process{s.pid("left0"), s.pid("left1")}
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, p := range left {
		fleettest.Eventually(t, "a job's process is dead", func() bool { return !p.Alive() })
	}
}

func TestRunnersExitCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, script string
		exit         int
		log, reason  string
		ended        string // why the instance ended
	}{
		{"done", "entry:x", 0, "x", "", "bucket finished"},
		{"a registration that is used up", "exit:1", 1, "", "GitHub refused the runner, or its registration is used up", "bucket finished"},
		{"trouble that passes", "trouble:2:DIR/once entry:x", 0, "x", "", "bucket finished"},
		{"an update of the runner that passes", "trouble:3:DIR/once entry:x", 0, "x", "", "bucket finished"},
		{"an update of the runner that stays", "exit:3", 3, "", "the runner updated itself, 3 times", "bucket finished"},
		{"an update of the runner", "trouble:4:DIR/once entry:x", 0, "x", "", "bucket finished"},
		{"a new configuration", "trouble:6:DIR/once entry:x", 0, "x", "", "bucket finished"},
		{"trouble that stays", "exit:2", 2, "", "the runner could not go on, 3 times", "bucket finished"},
		{"trouble after a job began is not repeated", "hook:ortest-examples/hello:7 trouble:2:DIR/once entry:x", 2, "0", "the runner could not go on", "bucket finished"},
		{"a session of somebody else's", "exit:5", 5, "", "another process has the runner's session", "bucket finished"},
		{"a runner that is too old", "exit:7", 0, "", "", "agent: machine is of no use: GitHub takes no runner of this version any more: the machine's image needs a newer one"},
		{"a code that says nothing", "exit:99", 99, "", "", "bucket finished"},
		{"a foreign job", "hook:evil/repo:8", 0, "1", "the runner was given a foreign job, and refused it: workflow run 8 of evil/repo", "bucket finished"},
		{"a machine on which nothing can be made", "ruin:DIR/agent/lane-1 exit:9", 0, "", "", "agent: machine is of no use: unlinkat"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newLanes(t, 1, tt.script, "entry:last")
			s.start(soon())
			select {
			case <-s.ended:
			case <-time.After(30 * time.Second):
				t.Fatal("agent does not end")
			}
			in := s.instance()
			if !strings.HasPrefix(in.Reason, tt.ended) || in.State != runnerfleet.Done || in.Owed != (tt.ended != "bucket finished") {
				t.Errorf("instance %+v, want its end because of %s", in, tt.ended)
			}
			p := s.work.Piece("p0")
			if p.Exit != tt.exit || p.Log != tt.log || p.Reason != tt.reason || p.Finished == strings.Contains(tt.ended, "of no use") {
				t.Errorf("piece %+v, want exit %d, log %q and reason %q", p, tt.exit, tt.log, tt.reason)
			}
		})
	}
}

func TestAMachineAtRiskTakesNoFurtherPiece(t *testing.T) {
	t.Parallel()
	s := newLanes(t, 2, "entry:one wait:DIR/go entry:two", "entry:x", "entry:never")
	s.work.Serial = func(piece string) bool { return piece == "p2" }
	m := new(imds)
	srv := httptest.NewServer(m)
	defer srv.Close()
	s.attested()
	s.run(runnerfleet.EnvMetadata + "=" + srv.URL)
	fleettest.Eventually(t, "first entry is there", func() bool { return s.work.Piece("p0").Log == "one" })
	m.atRisk.Store(true)
	fleettest.Eventually(t, "the agent has heard of it", func() bool { return strings.Contains(s.said(), "machine is to be left") })
	s.touch("go")
	s.end(1)
	if p := s.work.Piece("p0"); p.Log != "onetwo" || !p.Finished {
		t.Errorf("piece %+v, want it run to its end", p)
	}
	if in := s.instance(); !strings.HasPrefix(in.Reason, "agent: rebalance recommendation") || !in.Owed || s.work.Piece("p2").Holder != "" {
		t.Errorf("instance %+v, want the rest owed", in)
	}
}

// TestLanesWithAccounts has what only root can have: accounts, and a runner that is
// installed. Its accounts are made in a copy of /etc.
func TestLanesWithAccounts(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"useradd", "unshare"} {
		if _, err := exec.LookPath(tool); err != nil || os.Getuid() != 0 {
			t.Logf("NOT TESTED: accounts of lanes need root and %s (%v)", tool, err)
			return
		}
	}
	s := newLanes(t, 2, "whoami write:DIR/agent/lane-1/piece-1/job-started.sh write:DIR/home/bin/Runner.Listener write:../runner/.runner wait:DIR/go", "whoami write:DIR/agent/lane-1/work/x write:DIR/agent/lane-2/work/x")
	for _, d := range []string{s.dir, filepath.Dir(s.dir), filepath.Dir(filepath.Dir(s.dir))} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	home := filepath.Join(s.dir, "home")
	if err := os.MkdirAll(filepath.Join(home, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	// A link, since it is asked for its arguments by the name of the binary.
	script := "#!/bin/sh\nexec " + filepath.Join(s.dir, "test") + " runner \"$@\"\n"
	if err := os.WriteFile(filepath.Join(home, "bin", "Runner.Listener"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, "test"), self, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.wrap = []string{"unshare", "-m", "sh", "-ec", `cp -a /etc "$ETC" && mount --bind "$ETC" /etc && exec "$0" "$@"`}
	s.more = []string{"ETC=" + filepath.Join(s.dir, "etc"), "TEST_USERS=ortest-test-lane-", "TEST_HOME=" + home}
	s.start(soon())
	fleettest.Eventually(t, "second lane is done", func() bool { return s.work.Piece("p1").Finished })
	s.touch("go")
	s.end(0)
	one, two := s.work.Piece("p0").Log, s.work.Piece("p1").Log
	first, second := strings.TrimSuffix(one, "falsefalsetrue"), strings.TrimSuffix(two, "falsetrue")
	if first == one || second == two || first == second || strings.HasPrefix(first, "0:") || strings.HasPrefix(second, "0:") {
		t.Errorf("the lanes said %q and %q, want two accounts that write into what is theirs alone", one, two)
	}
}

// Where jobs test in another system than the machine's, they are told where it is and which
// folder shows in it.
func TestJobsAreToldTheirRoot(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := newSite(t, nil, "environ")
	s.more = []string{"TEST_ROOT=" + root}
	s.start(soon())
	s.end(0)
	lane := filepath.Join(s.dir, "agent", "lane-1")
	if log := s.work.Piece("p0").Log; !strings.Contains(log, "ORTEST_ROOT="+root+"\n") || !strings.Contains(log, "ORTEST_ROOT_SHARE="+lane) {
		t.Errorf("environment without %s and %s:\n%s", root, lane, log)
	}
	if fi, err := os.Stat(root + lane); err != nil || !fi.IsDir() {
		t.Errorf("the lane's folder has no place in the root: %v", err)
	}
}

// What a runner registers with is not for the other lanes, who may all read command lines.
func TestNoCommandLineShowsAnotherLanesRegistration(t *testing.T) {
	t.Parallel()
	s := newLanes(t, 2, "entry:first-of-two wait:DIR/go0", "wait:DIR/go1 argv")
	s.start(soon())
	fleettest.Eventually(t, "the first lane's runner works", func() bool { return s.work.Piece("p0").Log != "" })
	s.touch("go1")
	fleettest.Eventually(t, "the second piece is finished", func() bool { return s.work.Piece("p1").Finished })
	s.touch("go0")
	s.end(0)
	log := s.work.Piece("p1").Log
	if !strings.Contains(log, " runner ") || strings.Contains(log, "first-of-two") || strings.Contains(log, "/go1 argv") {
		t.Errorf("the command lines are\n%s", log)
	}
}
