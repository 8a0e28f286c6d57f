package runnerfleet_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/fleettest"
)

var limits = runnerfleet.Limits{
	MaxInstances: 4, MaxAge: time.Hour, BootGrace: 5 * time.Minute, Silence: time.Minute, Settle: 10 * time.Second,
}

// world is what survives the fleet's process: the cloud, the store, the bot's
// part, and the agents on the machines.
type world struct {
	faults fleettest.Faults
	cloud  *fleettest.Cloud
	store  *fleettest.Store
	work   *fleettest.Work
	key    []byte
	ahead  atomic.Int64 // of the clock of the day

	fleet  *runnerfleet.Fleet
	api    *runnerfleet.API
	agents map[string]*agent
}

// agent is the simplest one there can be; it makes one call a turn.
type agent struct {
	client   *runnerfleet.Client
	enrolled bool
	piece    string
	entered  bool
	off      bool
}

func newWorld() *world {
	w := &world{key: bytes.Repeat([]byte("k"), 32), agents: make(map[string]*agent)}
	w.cloud = &fleettest.Cloud{Faults: &w.faults, Linger: 10 * time.Second}
	w.store = &fleettest.Store{Faults: &w.faults}
	w.work = &fleettest.Work{Faults: &w.faults}
	w.start()
	return w
}

// start begins the fleet's process anew.
func (w *world) start() {
	log := slog.New(slog.DiscardHandler)
	w.fleet = &runnerfleet.Fleet{
		Cloud: w.cloud, Store: w.store, Work: w.work, Limits: limits,
		URL: "http://fleet", Key: w.key, Interval: 10 * time.Second, Log: log,
	}
	w.api = &runnerfleet.API{Store: w.store, Work: w.work, Wake: w.fleet.Wake, Log: log}
	now := func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
	w.fleet.Now, w.api.Now = now, now
}

// RoundTrip lets a client call whichever process lives now, without a network.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	return rec.Result(), nil
}

func (w *world) client(instance string) *runnerfleet.Client {
	return runnerfleet.NewClient("http://fleet", instance, &http.Client{Transport: w})
}

func (w *world) once(t *testing.T) {
	t.Helper()
	if err := w.fleet.Once(t.Context()); err != nil {
		t.Fatalf("Once: %v", err)
	}
}

// turn lets the agent of each running machine do one thing.
func (w *world) turn(ctx context.Context) {
	for _, id := range w.cloud.Running() {
		a := w.agents[id]
		if a == nil {
			a = &agent{client: w.client(id)}
			w.agents[id] = a
		}
		if err := w.act(ctx, id, a); runnerfleet.Permanent(err) {
			a.off = true
		}
	}
}

func (w *world) act(ctx context.Context, id string, a *agent) (err error) {
	if a.off {
		return nil
	}
	l, _ := w.cloud.Launched(id)
	switch {
	case !a.enrolled:
		if _, err = a.client.Enrol(ctx, l.Token); err == nil {
			a.enrolled = true
		}
		return err
	case a.piece == "":
		var job runnerfleet.Assignment
		job, _, err = a.client.Next(ctx)
		if err == nil {
			a.piece, a.entered = job.Piece, false
		}
		return err
	case !a.entered:
		err = a.client.Entry(ctx, a.piece, json.RawMessage(`{"seq":0}`), []byte("ok\n"))
		a.entered = err == nil
	default:
		if err = a.client.Finished(ctx, a.piece, 0, ""); err == nil {
			a.piece = ""
		}
	}
	if errors.Is(err, runnerfleet.ErrStale) {
		a.piece = ""
	}
	if herr := a.client.Heartbeat(ctx); herr != nil {
		return herr
	}
	return err
}

func (w *world) instance(t *testing.T, id string) runnerfleet.Instance {
	t.Helper()
	in, err := w.store.Instance(t.Context(), id)
	if err != nil {
		t.Fatalf("instance %s: %v", id, err)
	}
	return in
}

func pass(d time.Duration) { <-time.After(d) }

// live makes passes for a while, as Run does.
func (w *world) live(t *testing.T, d time.Duration) {
	t.Helper()
	for range d / w.fleet.Interval {
		pass(w.fleet.Interval)
		w.once(t)
	}
}

func TestLaunchWritesItsIntentFirst(t *testing.T) {
	w := newWorld()
	w.work.Add(runnerfleet.Bucket{ID: "r1/b1", Arch: "linux x86_64", Type: "c5.large"}, "p1")
	var before runnerfleet.Instance
	w.faults.Set(func(c fleettest.Call) error {
		if c == (fleettest.Call{Name: "cloud.Launch"}) {
			before = w.instance(t, "r1-b1-a1")
		}
		return nil
	})
	w.once(t)
	l, ok := w.cloud.Launched("r1-b1-a1")
	if !ok {
		t.Fatal("nothing was launched")
	}
	if sum := sha256.Sum256([]byte(l.Token)); before.State != runnerfleet.Intended || !bytes.Equal(before.Enrol, sum[:]) {
		t.Errorf("at the launch the store had %+v, want an intent with the token's hash", before)
	}
	if l.Arch != "linux x86_64" || l.Type != "c5.large" || l.URL != "http://fleet" || l.Bucket != "r1/b1" {
		t.Errorf("launched %+v", l)
	}
	if in := w.instance(t, "r1-b1-a1"); in.State != runnerfleet.Booting || in.CloudID == "" {
		t.Errorf("afterwards %+v, want it booting with its cloud id", in)
	}
}

func TestLaunchIsRepeatedWithTheSameBytes(t *testing.T) {
	w := newWorld()
	w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
	lost := errors.New("answer lost")
	w.faults.Set(func(c fleettest.Call) error {
		if c == (fleettest.Call{Name: "cloud.Launch", After: true}) {
			return lost
		}
		return nil
	})
	if err := w.fleet.Once(t.Context()); !errors.Is(err, lost) {
		t.Fatalf("Once = %v, want the lost answer", err)
	}
	w.faults.Set(nil)
	w.start()
	w.fleet.URL = "http://elsewhere" // the fake cloud refuses a repeat with other parameters
	w.once(t)
	if got := w.cloud.Running(); !slices.Equal(got, []string{"r1-b1-a1"}) {
		t.Errorf("running %v, want one machine", got)
	}
	if in := w.instance(t, "r1-b1-a1"); in.State != runnerfleet.Booting {
		t.Errorf("state %s, want booting", in.State)
	}
}

func TestAnotherKeyGivesUpWhatWasIntended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
		w.faults.Set(func(c fleettest.Call) error {
			if c.Name == "cloud.Launch" {
				return errors.New("no answer")
			}
			return nil
		})
		if err := w.fleet.Once(t.Context()); err == nil {
			t.Fatal("Once = nil, want the launch's error")
		}
		w.faults.Set(nil)
		w.key = bytes.Repeat([]byte("x"), 32)
		w.start()
		w.once(t)
		pass(10 * time.Second)
		w.once(t)
		w.once(t)
		if got := w.cloud.Running(); !slices.Equal(got, []string{"r1-b1-a2"}) {
			t.Errorf("running %v, want the second attempt only", got)
		}
	})
}

func TestDeadlineIsTheBucketsWithinMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		now := time.Now()
		w.work.Add(runnerfleet.Bucket{ID: "none"}, "p1")
		w.work.Add(runnerfleet.Bucket{ID: "soon", Deadline: now.Add(time.Minute)}, "p2")
		w.work.Add(runnerfleet.Bucket{ID: "late", Deadline: now.Add(2 * time.Hour)}, "p3")
		w.once(t)
		for id, want := range map[string]time.Duration{"none": time.Hour, "soon": time.Minute, "late": time.Hour} {
			if got := w.instance(t, id+"-a1").Deadline.Sub(now); got != want {
				t.Errorf("%s: deadline in %v, want %v", id, got, want)
			}
		}
	})
}

func TestServedBucketLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1", "p2")
		w.once(t)
		for range 10 {
			w.turn(t.Context())
		}
		if n, err := w.fleet.Left(t.Context(), "r1/"); n != 1 || err != nil {
			t.Errorf("Left = %d, %v before the cloud confirmed; want 1", n, err)
		}
		w.once(t)
		w.once(t)
		if n, err := w.fleet.Left(t.Context(), ""); n != 0 || err != nil {
			t.Errorf("Left = %d, %v; want 0", n, err)
		}
		in := w.instance(t, "r1-b1-a1")
		if in.State != runnerfleet.Gone || in.Reason != "bucket finished" || w.work.Lose(in.ID) != 0 {
			t.Errorf("%+v, told lost %d times; want gone, finished, never lost", in, w.work.Lose(in.ID))
		}
		for _, p := range []string{"p1", "p2"} {
			if got := w.work.Piece(p); !got.Finished || got.Log != "ok\n" || len(got.Tries) != 1 {
				t.Errorf("piece %+v, want it finished once with its log", got)
			}
		}
	})
}

func TestLostInstanceIsReplaced(t *testing.T) {
	for _, tt := range []struct {
		name   string
		lose   func(t *testing.T, w *world)
		reason string
	}{
		{"its machine vanished", func(_ *testing.T, w *world) {
			w.cloud.Kill("m-1")
		}, "machine vanished"},
		{"its agent fell silent", func(t *testing.T, w *world) {
			w.agents["r1-b1-a1"].off = true
			w.live(t, limits.Silence)
		}, "no heartbeat"},
		{"its agent said goodbye", func(t *testing.T, w *world) {
			w.agents["r1-b1-a1"].off = true
			if err := w.agents["r1-b1-a1"].client.Bye(t.Context(), "spot\ninterruption"); err != nil {
				t.Error(err)
			}
		}, "agent: spot interruption"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
				w.once(t)
				for range 3 {
					w.turn(t.Context()) // it has p1 and has entered
				}
				tt.lose(t, w)
				for range 8 {
					w.once(t)
					w.turn(t.Context())
				}
				if n := w.work.Lose("r1-b1-a1"); n != 1 {
					t.Errorf("told lost %d times, want once", n)
				}
				if in := w.instance(t, "r1-b1-a1"); in.Reason != tt.reason || in.State != runnerfleet.Gone {
					t.Errorf("first instance %s, %q; want gone, %q", in.State, in.Reason, tt.reason)
				}
				if p := w.work.Piece("p1"); !p.Finished || !slices.Equal(p.Tries, []string{"r1-b1-a1", "r1-b1-a2"}) {
					t.Errorf("piece %+v, want it finished by the second attempt", p)
				}
				if got := w.cloud.Running(); len(got) != 0 {
					t.Errorf("still running %v", got)
				}
			})
		})
	}
}

func TestOrphanIsTerminated(t *testing.T) {
	w := newWorld()
	w.cloud.Stray("r0-b1-a1")
	w.once(t)
	if got := w.cloud.Running(); len(got) != 0 {
		t.Errorf("still running %v", got)
	}
}

func TestNothingIsDecidedOnHalfAView(t *testing.T) {
	for _, call := range []string{"cloud.List", "store.Instances", "work.Buckets"} {
		t.Run(call, func(t *testing.T) {
			w := newWorld()
			w.cloud.Stray("r0-b1-a1")
			w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
			broken := errors.New("broken")
			w.faults.Set(func(c fleettest.Call) error {
				if c.Name == call {
					return broken
				}
				return nil
			})
			if err := w.fleet.Once(t.Context()); !errors.Is(err, broken) {
				t.Errorf("Once = %v, want what is broken", err)
			}
			if got := w.cloud.Running(); !slices.Equal(got, []string{"r0-b1-a1"}) {
				t.Errorf("running %v, want everything as it was", got)
			}
		})
	}
}

func TestBusyInstanceIsNotEndedOnAStaleReading(t *testing.T) {
	w := newWorld()
	w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
	w.once(t)
	w.turn(t.Context()) // enrolled, idle
	// Between the pass's reading and its step the agent takes the piece, and
	// the run is cancelled: the reading says idle and not wanted.
	w.faults.Set(func(c fleettest.Call) error {
		if c == (fleettest.Call{Name: "work.Buckets"}) {
			w.faults.Set(nil)
			w.turn(t.Context())
			w.work.Cancel()
		}
		return nil
	})
	w.once(t)
	if in := w.instance(t, "r1-b1-a1"); in.State != runnerfleet.Busy {
		t.Errorf("state %s (%s), want busy", in.State, in.Reason)
	}
}

func TestOneBadStepDoesNotStopTheOthers(t *testing.T) {
	w := newWorld()
	w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
	w.work.Add(runnerfleet.Bucket{ID: "not an id"}, "p2")
	w.cloud.Stray("r0-b1-a1")
	w.faults.Set(func(c fleettest.Call) error {
		if c.Name == "cloud.Terminate" {
			return errors.New("throttled")
		}
		return nil
	})
	err := w.fleet.Once(t.Context())
	if err == nil || !strings.Contains(err.Error(), "throttled") || !strings.Contains(err.Error(), "not an id") {
		t.Errorf("Once = %v, want both troubles", err)
	}
	if got := w.cloud.Running(); !slices.Equal(got, []string{"r0-b1-a1", "r1-b1-a1"}) {
		t.Errorf("running %v, want the launch to have been made", got)
	}
}

// TestCrashAnywhere kills the fleet's process at each moment of two runs, one of
// which loses a machine, and goes on with a new one.
func TestCrashAnywhere(t *testing.T) {
	dead := errors.New("process is dead")
	for _, kill := range []bool{false, true} {
		for n, more := 0, true; more; n++ {
			t.Run(fmt.Sprintf("machine killed %v, crash at moment %d", kill, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld()
					w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1", "p2")
					w.work.Add(runnerfleet.Bucket{ID: "r1/b2"}, "p3")
					hook, crashed := fleettest.CrashAt(n, dead)
					w.faults.Set(hook)
					w.serve(t, kill, crashed)
					more = crashed()
				})
			})
		}
	}
}

// serve drives the world to its end and checks what must hold there.
func (w *world) serve(t *testing.T, kill bool, crashed func() bool) {
	ctx := t.Context()
	up := true
	for round := 0; ; round++ {
		if up && crashed() {
			up = false
			w.faults.Set(nil)
			w.start()
		}
		_ = w.fleet.Once(ctx)
		w.turn(ctx)
		if kill && round == 3 {
			w.cloud.Kill("m-1")
		}
		if ids := w.cloud.Running(); len(slices.Compact(slices.Sorted(slices.Values(ids)))) != len(ids) {
			t.Fatalf("an instance runs twice: %v", ids)
		}
		n, err := w.fleet.Left(ctx, "")
		want, werr := w.work.Buckets(ctx)
		if err == nil && werr == nil && n == 0 && len(want) == 0 && len(w.cloud.Running()) == 0 {
			break
		}
		if round > 200 {
			t.Fatalf("no end: %d left, want %v, running %v", n, want, w.cloud.Running())
		}
		pass(time.Second)
	}
	for _, p := range []string{"p1", "p2", "p3"} {
		if got := w.work.Piece(p); !got.Finished || got.Log != "ok\n" || len(got.Tries) > 2 {
			t.Errorf("piece %+v, want it finished with one log in at most two tries", got)
		}
	}
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		w.faults.Set(func(c fleettest.Call) error {
			if c.Name == "cloud.List" {
				return errors.New("the first pass fails")
			}
			return nil
		})
		go func() { done <- w.fleet.Run(ctx) }()
		synctest.Wait()
		w.faults.Set(nil)
		w.work.Add(runnerfleet.Bucket{ID: "b1"}, "p1")
		pass(w.fleet.Interval - 1)
		synctest.Wait()
		if got := w.cloud.Running(); len(got) != 0 {
			t.Errorf("running %v before the interval is over", got)
		}
		pass(1)
		synctest.Wait()
		if got := w.cloud.Running(); !slices.Equal(got, []string{"b1-a1"}) {
			t.Errorf("running %v after the interval, want b1-a1", got)
		}
		w.work.Add(runnerfleet.Bucket{ID: "b2"}, "p2")
		w.fleet.Wake()
		synctest.Wait()
		if got := w.cloud.Running(); !slices.Equal(got, []string{"b1-a1", "b2-a1"}) {
			t.Errorf("running %v at once after Wake, want b2-a1 as well", got)
		}
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run = %v at its end, want nil", err)
		}
		if got := w.cloud.Running(); len(got) != 2 {
			t.Errorf("running %v, want the machines to outlive the fleet", got)
		}
	})
}

func TestFleetValidate(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(*runnerfleet.Fleet)
	}{
		{"no cloud", func(f *runnerfleet.Fleet) { f.Cloud = nil }},
		{"no address", func(f *runnerfleet.Fleet) { f.URL = "" }},
		{"a key of 31 bytes", func(f *runnerfleet.Fleet) { f.Key = make([]byte, 31) }},
		{"no interval", func(f *runnerfleet.Fleet) { f.Interval = 0 }},
		{"no room", func(f *runnerfleet.Fleet) { f.Limits.MaxInstances = 0 }},
		{"no patience", func(f *runnerfleet.Fleet) { f.Limits.Silence = 0 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newWorld().fleet
			if err := f.Validate(); err != nil {
				t.Fatalf("unspoilt: %v", err)
			}
			tt.spoil(f)
			if f.Validate() == nil || f.Run(t.Context()) == nil {
				t.Error("accepted")
			}
		})
	}
}
