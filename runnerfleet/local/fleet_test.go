package local

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/agent"
	"github.com/ortest/ortest/runnerfleet/fleettest"
	"github.com/ortest/ortest/runnerfleet/process"
)

// TestMain lets the test binary be the agent, and the runner that the agent starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "agent":
			c, err := agent.FromEnv(os.Environ())
			c.Runner, c.Keeper = []string{os.Args[0], "runner"}, []string{os.Args[0], "keep"}
			c.Log, c.Output = slog.New(slog.NewTextHandler(os.Stderr, nil)), os.Stderr
			if err != nil || agent.Run(context.Background(), c) != nil {
				os.Exit(1)
			}
			os.Exit(0)
		case "keep":
			os.Exit(agent.Keep(os.Args[2:]))
		case "runner":
			os.Exit(fleettest.Runner(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

// server is the process that can be killed: fleet, API and cloud, on a store
// and a bot that survive it.
type server struct {
	t     *testing.T
	dir   string
	addr  string
	store fleettest.Store
	work  fleettest.Work

	fleet *runnerfleet.Fleet
	http  *httptest.Server
	stop  func()
}

func (s *server) start() {
	s.t.Helper()
	log := slog.New(slog.DiscardHandler)
	s.fleet = &runnerfleet.Fleet{
		Cloud: &Cloud{
			Dir: filepath.Join(s.dir, "fleet"), Exe: []string{os.Args[0], "agent"},
			Env: []string{"PATH=" + os.Getenv("PATH")}, Log: log,
		},
		Store: &s.store, Work: &s.work, Key: make([]byte, 32), Interval: 50 * time.Millisecond, Log: log,
		Limits: runnerfleet.Limits{MaxInstances: 2, MaxAge: 10 * time.Minute, BootGrace: time.Minute, Silence: time.Minute},
	}
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.fleet.URL = "http://" + s.addr
	api := &runnerfleet.API{Store: &s.store, Work: &s.work, Wake: s.fleet.Wake, Log: log}
	s.http = &httptest.Server{Listener: l, Config: &http.Server{Handler: api}}
	s.http.Start()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.fleet.Run(ctx) }()
	s.stop = func() {
		s.http.CloseClientConnections()
		s.http.Close()
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("Run: %v", err)
		}
	}
}

func (s *server) state(id string) runnerfleet.State {
	in, err := s.store.Instance(context.Background(), id)
	if err != nil {
		return ""
	}
	return in.State
}

// processes returns those that still bear the fleet's mark.
func (s *server) processes() (left []process.Process) {
	all, err := process.All()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range all {
		if p.Environ(envFleet+"="+filepath.Join(s.dir, "fleet")) && p.Alive() {
			left = append(left, p)
		}
	}
	return left
}

func TestFleetOfProcesses(t *testing.T) {
	s := &server{t: t, dir: t.TempDir(), addr: "127.0.0.1:0"}
	scripts := map[string]string{
		"p1": "entry:one wait:DIR/restarted entry:two",
		"p2": "entry:three exit:1",
		"p3": "leave:DIR/left wait:DIR/killed entry:four",
	}
	s.work.Make = func(piece string) runnerfleet.Assignment {
		return runnerfleet.Assignment{
			Piece: piece, Goal: "t-hello", Repository: "ortest-examples/hello", RunID: 7,
			JIT: strings.ReplaceAll(scripts[piece], "DIR", s.dir), Deadline: time.Now().Add(time.Minute),
		}
	}
	s.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1", "p2")
	s.work.Add(runnerfleet.Bucket{ID: "r1/b2"}, "p3")
	s.start()
	defer func() {
		s.stop()
		for _, id := range []string{"r1-b1-a1", "r1-b2-a1", "r1-b2-a2"} {
			if err := s.fleet.Cloud.Terminate(context.Background(), id); err != nil {
				t.Error(err)
			}
		}
	}()
	fleettest.Eventually(t, "both instances are at work", func() bool {
		_, err := os.Stat(filepath.Join(s.dir, "left"))
		return err == nil && s.work.Piece("p1").Log == "one"
	})

	// The second instance's agent dies while no server is there to see it.
	s.stop()
	p, err := (&machine{id: "r1-b2-a1", dir: filepath.Join(s.dir, "fleet", "r1-b2-a1")}).agent()
	if err != nil {
		t.Fatal(err)
	}
	kill(t, p)
	for _, name := range []string{"restarted", "killed"} {
		if err := os.WriteFile(filepath.Join(s.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	fleettest.Eventually(t, "no machine is left", func() bool {
		n, err := s.fleet.Left(t.Context(), "r1/")
		want, werr := s.work.Buckets(t.Context())
		return err == nil && werr == nil && n == 0 && len(want) == 0
	})

	if got := s.work.Piece("p1"); got.Log != "onetwo" || len(got.Tries) != 1 {
		t.Errorf("piece on the instance that outlived the server: %+v", got)
	}
	if got := s.work.Piece("p2"); got.Log != "three" || got.Exit != 1 {
		t.Errorf("piece after the restart: %+v", got)
	}
	if got := s.work.Piece("p3"); got.Log != "four" || len(got.Tries) != 2 || s.work.Lose("r1-b2-a1") != 1 {
		t.Errorf("piece of the killed instance: %+v, told lost %d times", got, s.work.Lose("r1-b2-a1"))
	}
	for _, id := range []string{"r1-b1-a1", "r1-b2-a1", "r1-b2-a2"} {
		if got := s.state(id); got != runnerfleet.Gone {
			t.Errorf("%s is %q, want gone", id, got)
		}
	}
	if left := s.processes(); len(left) != 0 {
		t.Errorf("processes left: %+v", left)
	}
}
