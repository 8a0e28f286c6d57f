package agent

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/fleettest"
	"github.com/ortest/ortest/runnerfleet/process"
)

// site is a fleet with one instance, r1-b1-a1, whose agent the test starts itself.
type site struct {
	t       *testing.T
	cloud   *fleettest.Cloud
	store   *fleettest.Store
	work    *fleettest.Work
	fleet   *runnerfleet.Fleet
	api     *runnerfleet.API
	setting sync.Mutex // of api
	http    *httptest.Server
	dir     string
	cmd     *exec.Cmd
	wrap    []string // command line that starts the agent
	more    []string // of its environment
	mu      sync.Mutex
	out     bytes.Buffer
	ended   chan error
}

// newSite wants pieces p0, p1, … run, whose runners do what the scripts say;
// DIR stands for the site's own directory.
func newSite(t *testing.T, change func(*runnerfleet.Assignment), scripts ...string) *site {
	return newSiteWith(t, 1, change, scripts)
}

// newLanes is a site whose instance has lanes.
func newLanes(t *testing.T, lanes int, scripts ...string) *site {
	return newSiteWith(t, lanes, nil, scripts)
}

func newSiteWith(t *testing.T, lanes int, change func(*runnerfleet.Assignment), scripts []string) *site {
	s := &site{
		t: t, cloud: &fleettest.Cloud{}, store: &fleettest.Store{}, dir: t.TempDir(), ended: make(chan error, 1),
	}
	s.work = &fleettest.Work{Make: func(piece string) runnerfleet.Assignment {
		n, err := strconv.Atoi(piece[1:])
		if err != nil {
			t.Errorf("piece %q", piece)
		}
		a := runnerfleet.Assignment{
			Piece: piece, Goal: "t-hello", Repository: "ortest-examples/hello", RunID: 7,
			JIT: strings.ReplaceAll(scripts[n], "DIR", s.dir), Deadline: time.Now().Add(time.Minute),
		}
		if change != nil {
			change(&a)
		}
		return a
	}}
	var pieces []string
	for i := range scripts {
		pieces = append(pieces, "p"+strconv.Itoa(i))
	}
	s.work.Add(runnerfleet.Bucket{ID: "r1/b1", Lanes: lanes}, pieces...)
	log := slog.New(slog.DiscardHandler)
	s.fleet = &runnerfleet.Fleet{
		Cloud: s.cloud, Store: s.store, Work: s.work, URL: "http://unused", Key: make([]byte, 32), Interval: time.Second, Log: log,
		Limits: runnerfleet.Limits{MaxInstances: 1, MaxAge: time.Hour, BootGrace: time.Minute, Silence: time.Minute},
	}
	if err := s.fleet.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.api = &runnerfleet.API{Store: s.store, Work: s.work, Wake: s.fleet.Wake, Log: log}
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.setting.Lock() // what was changed before the agent began is seen
		api := s.api
		s.setting.Unlock()
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { s.http.Close() })
	return s
}

// attested wants agents to prove which machine they run on.
func (s *site) attested() {
	s.setting.Lock()
	defer s.setting.Unlock()
	s.api.Attest, s.api.Key = registrar{time.Now()}, make([]byte, 32)
}

// start starts the agent.
func (s *site) start(deadline time.Time) {
	s.t.Helper()
	l, _ := s.cloud.Launched("r1-b1-a1")
	token := filepath.Join(s.dir, "token")
	if err := os.WriteFile(token, []byte(l.Token), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.run(runnerfleet.EnvInstance+"=r1-b1-a1", runnerfleet.EnvTokenFile+"="+token,
		runnerfleet.EnvDeadline+"="+deadline.Format(time.RFC3339Nano))
}

// run starts the agent with what its cloud says of it.
func (s *site) run(env ...string) {
	s.t.Helper()
	argv := append(s.wrap, os.Args[0], "agent")
	s.cmd = exec.Command(argv[0], argv[1:]...)
	s.cmd.Env = append(append(env, s.more...), "PATH="+os.Getenv("PATH"), "KEPT=yes",
		runnerfleet.EnvURL+"="+s.http.URL, runnerfleet.EnvDir+"="+filepath.Join(s.dir, "agent"))
	s.cmd.Stderr = s
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	s.t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		if s.t.Failed() {
			s.t.Logf("agent:\n%s", s.said())
		}
	})
}

// Write takes what the agent prints.
func (s *site) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(b)
}

func (s *site) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// end waits for the agent's end and checks what holds after every end.
func (s *site) end(code int) {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		s.t.Fatal("agent does not end")
	}
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("agent's exit code %d, want %d", got, code)
	}
	if left, err := os.ReadDir(filepath.Join(s.dir, "agent")); err != nil || len(left) != 0 {
		s.t.Errorf("agent left %v, %v", left, err)
	}
}

func (s *site) instance() runnerfleet.Instance {
	s.t.Helper()
	in, err := s.store.Instance(s.t.Context(), "r1-b1-a1")
	if err != nil {
		s.t.Fatal(err)
	}
	return in
}

// pid reads a process number that a runner's script has left.
func (s *site) pid(name string) process.Process {
	s.t.Helper()
	var p process.Process
	fleettest.Eventually(s.t, name+" is written", func() bool {
		b, err := os.ReadFile(filepath.Join(s.dir, name))
		n, aerr := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil || aerr != nil {
			return false
		}
		p, err = process.Read(n)
		if err != nil {
			s.t.Errorf("%s: process %d: %v", name, n, err)
		}
		return true
	})
	return p
}

func (s *site) touch(name string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func soon() time.Time { return time.Now().Add(time.Minute) }

func TestAgentServesItsBucket(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, "entry:one entry:two", "entry:three exit:9", "hook:ortest-examples/hello:7 hook:ortest-examples/hello:8 hook:other/hello:7 hook::")
	s.start(soon())
	s.end(0)
	if in := s.instance(); in.State != runnerfleet.Done || in.Reason != "bucket finished" || in.Owed {
		t.Errorf("instance %+v, want it done and not lost", in)
	}
	for _, want := range []struct {
		piece, log string
		exit       int
	}{{"p0", "onetwo", 0}, {"p1", "three", 9}, {"p2", "0111", 0}} {
		if p := s.work.Piece(want.piece); !p.Finished || p.Log != want.log || p.Exit != want.exit || p.Reason != "" {
			t.Errorf("piece %+v, want log %q and exit %d", p, want.log, want.exit)
		}
	}
}

func TestRunnerSeesNothingOfTheAgent(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, "environ", "environ")
	s.start(soon())
	s.end(0)
	token, _ := s.cloud.Launched("r1-b1-a1")
	first, second := s.work.Piece("p0").Log, s.work.Piece("p1").Log
	if strings.Contains(first, runnerfleet.EnvAgentPrefix) || strings.Contains(first, token.Token) {
		t.Errorf("environment holds the agent's:\n%s", first)
	}
	env := func(all, key string) string {
		for line := range strings.Lines(all) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
				return v
			}
		}
		t.Errorf("no %s in\n%s", key, all)
		return ""
	}
	agentDir := filepath.Join(s.dir, "agent")
	if env(first, "KEPT") != "yes" || env(first, "ORTEST_INSTANCE") != "r1-b1-a1" {
		t.Error("the instance's own environment is not handed on")
	}
	if env(first, "ORTEST_WORK") != filepath.Join(agentDir, "lane-1", "work") || env(first, "ORTEST_WORK") != env(second, "ORTEST_WORK") {
		t.Error("builds are not kept from one piece to the next")
	}
	for _, k := range []string{"HOME", "TMPDIR", "ORTEST_SPOOL", "ACTIONS_RUNNER_HOOK_JOB_STARTED"} {
		if a := env(first, k); !strings.HasPrefix(a, agentDir) || a == env(second, k) {
			t.Errorf("%s=%s is not the lane's own", k, a)
		}
	}
}

func TestAgentOutlastsTheServer(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, "entry:one wait:DIR/go entry:two", "entry:three")
	s.start(soon())
	fleettest.Eventually(t, "first entry is there", func() bool { return s.work.Piece("p0").Log == "one" })
	addr := s.http.Listener.Addr().String()
	s.http.CloseClientConnections()
	s.http.Close()
	s.touch("go") // the piece goes on, and ends, without a server
	lane := filepath.Join(s.dir, "agent", "lane-1", "piece-1", "spool", "000001.json")
	fleettest.Eventually(t, "second entry is in the spool", func() bool {
		_, err := os.Stat(lane)
		return err == nil
	})
	var l net.Listener
	fleettest.Eventually(t, "address is free", func() (ok bool) {
		var err error
		l, err = net.Listen("tcp", addr)
		return err == nil
	})
	s.http = &httptest.Server{Listener: l, Config: &http.Server{Handler: s.api}}
	s.http.Start()
	s.end(0)
	if p0, p1 := s.work.Piece("p0"), s.work.Piece("p1"); p0.Log != "onetwo" || p1.Log != "three" || len(p0.Tries) != 1 {
		t.Errorf("pieces %+v, %+v", p0, p1)
	}
}

func TestNothingOutlivesItsPiece(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, "leave:DIR/left wait:DIR/go entry:x", "wait:DIR/end")
	s.start(soon())
	left := s.pid("left")
	if !left.Alive() {
		t.Error("what the job left behind does not live during the piece")
	}
	s.touch("go")
	fleettest.Eventually(t, "first piece is finished", func() bool { return s.work.Piece("p0").Finished })
	if left.Alive() {
		t.Error("what the job left behind lives after the piece")
	}
	s.touch("end")
	s.end(0)
}

func TestPieceDeadline(t *testing.T) {
	t.Parallel()
	deadline := func(a *runnerfleet.Assignment) {
		if a.Piece == "p0" {
			a.Deadline = time.Now().Add(3 * time.Second) // its processes have begun by then
		}
	}
	s := newSite(t, deadline, "entry:one leave:DIR/left hang", "entry:two")
	s.start(soon())
	left := s.pid("left")
	s.end(0)
	if p := s.work.Piece("p0"); !p.Finished || p.Exit != -1 || p.Reason != "piece is past its deadline" || p.Log != "one" {
		t.Errorf("piece %+v, want it killed with its log kept", p)
	}
	if p := s.work.Piece("p1"); p.Log != "two" {
		t.Errorf("next piece %+v", p)
	}
	if left.Alive() {
		t.Error("a process of the killed piece lives")
	}
}

// Without a server nobody says that a job will not come. One that came may take its time.
func TestIdleRunner(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, script string
		exit         int
		reason       string
	}{
		{"no job comes", "leave:DIR/left hang", 1, "agent: no job came for the runner: its workflow run is over"},
		{"a job came and takes longer", "hook:ortest-examples/hello:7 wait:DIR/go", 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil, tt.script)
			s.more = []string{"TEST_IDLE=300ms"}
			s.start(soon())
			if tt.exit == 0 {
				fleettest.Eventually(t, "job begins", func() bool { return s.work.Piece("p0").Log == "0" })
				<-time.After(500 * time.Millisecond) // longer than it might wait for a job
				s.touch("go")
			}
			s.end(tt.exit)
			if in := s.instance(); tt.reason != "" && in.Reason != tt.reason {
				t.Errorf("instance left for %q, want %q", in.Reason, tt.reason)
			}
			if p := s.work.Piece("p0"); p.Finished != (tt.exit == 0) {
				t.Errorf("piece %+v", p)
			}
		})
	}
}

func TestAgentDeadline(t *testing.T) {
	t.Parallel()
	for _, away := range []bool{false, true} {
		t.Run("server away "+strconv.FormatBool(away), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil, "leave:DIR/left hang")
			s.start(time.Now().Add(2 * time.Second))
			left := s.pid("left")
			if away {
				s.http.CloseClientConnections()
				s.http.Close()
			}
			s.end(1)
			if left.Alive() {
				t.Error("a process of the job lives")
			}
			in := s.instance()
			if away && in.State != runnerfleet.Busy {
				t.Errorf("instance %+v, want it as it was", in)
			}
			if !away && (in.Reason != "agent: instance is past its deadline" || !in.Owed || s.work.Piece("p0").Finished) {
				t.Errorf("instance %+v, want its piece owed and not finished", in)
			}
		})
	}
}

func TestStopRequest(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, "entry:one leave:DIR/left hang")
	s.start(soon())
	left := s.pid("left")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.end(0)
	if p := s.work.Piece("p0"); p.Log != "one" || p.Finished {
		t.Errorf("piece %+v, want what there was handed over, and the piece not finished", p)
	}
	if in := s.instance(); in.Reason != "agent: agent was told to stop" || !in.Owed {
		t.Errorf("instance %+v, want its piece owed", in)
	}
	if left.Alive() {
		t.Error("a process of the job lives")
	}
}

func TestFleetEndsTheInstance(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, "leave:DIR/left hang")
	s.start(soon())
	left := s.pid("left")
	l, _ := s.cloud.Launched("r1-b1-a1")
	thief := runnerfleet.NewClient(s.http.URL, "r1-b1-a1", http.DefaultClient)
	if _, err := thief.Enrol(t.Context(), l.Token); err == nil {
		t.Error("a second agent was let in")
	}
	s.end(0) // its next heartbeat told it
	if left.Alive() {
		t.Error("a process of the job lives")
	}
}

func TestPieceTakenAway(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, "entry:one wait:DIR/go entry:two hang", "entry:three")
	s.start(soon())
	fleettest.Eventually(t, "first entry is there", func() bool { return s.work.Piece("p0").Log == "one" })
	if err := s.work.Finished(t.Context(), s.instance(), "p0", 0, "cancelled"); err != nil {
		t.Fatal(err)
	}
	s.touch("go")
	s.end(0)
	if p := s.work.Piece("p0"); p.Log != "one" || p.Reason != "cancelled" {
		t.Errorf("piece %+v, want it as it was when it was taken away", p)
	}
	if p := s.work.Piece("p1"); p.Log != "three" {
		t.Errorf("next piece %+v", p)
	}
}

func TestAQuietPieceIsTakenAwayByTheNextHeartbeat(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, "entry:one hang", "entry:two")
	s.start(soon())
	fleettest.Eventually(t, "first entry is there", func() bool { return s.work.Piece("p0").Log == "one" })
	if err := s.work.Finished(t.Context(), s.instance(), "p0", 0, "cancelled"); err != nil {
		t.Fatal(err)
	}
	s.end(0) // the piece would have hung until its deadline
	if p := s.work.Piece("p1"); p.Log != "two" {
		t.Errorf("next piece %+v", p)
	}
}

func TestUnusableEntriesAndAssignments(t *testing.T) {
	t.Parallel()
	foreign := func(a *runnerfleet.Assignment) {
		switch a.Piece {
		case "p1":
			a.Repository = "x/y' ; touch '/tmp/z"
		case "p2":
			a.RunID = 0
		}
	}
	s := newSite(t, foreign, "link:/etc/hostname", "entry:x", "entry:x", "entry:four")
	s.start(soon())
	s.end(0)
	if p := s.work.Piece("p0"); p.Log != "" || p.Reason != "entry 0: not a regular file" {
		t.Errorf("piece with a link %+v, want the reason and nothing of the file", p)
	}
	for _, id := range []string{"p1", "p2"} {
		if p := s.work.Piece(id); p.Exit != -1 || p.Log != "" || !strings.Contains(p.Reason, "names no repository") {
			t.Errorf("piece that no guard could be made for: %+v, want it refused", p)
		}
	}
	if p := s.work.Piece("p3"); p.Log != "four" {
		t.Errorf("last piece %+v", p)
	}
}

func TestRefusedAgentGivesUp(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, "entry:x")
	l, _ := s.cloud.Launched("r1-b1-a1")
	thief := runnerfleet.NewClient(s.http.URL, "r1-b1-a1", http.DefaultClient)
	if _, err := thief.Enrol(t.Context(), l.Token); err != nil {
		t.Fatal(err)
	}
	s.start(soon())
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		t.Fatal("agent does not end")
	}
	if s.cmd.ProcessState.ExitCode() != 1 || len(s.work.Piece("p0").Tries) != 0 {
		t.Errorf("exit %d, piece %+v; want a failure, and no piece", s.cmd.ProcessState.ExitCode(), s.work.Piece("p0"))
	}
}
