package ec2_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ortest/ortest/internal/ec2test"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
	"github.com/ortest/ortest/runnerfleet/fleettest"
)

// direct lets a client call a handler without a network: what waits in it waits in
// the test's own time.
type direct struct{ h http.Handler }

func (d direct) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	rec := httptest.NewRecorder()
	defer func() {
		if recover() != nil {
			resp, err = nil, errors.New("connection cut")
		}
	}()
	d.h.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// whole is a fleet with all that is around it, in time of its own.
type whole struct {
	t      *testing.T
	config ec2.Config
	aws    *ec2test.Server
	work   *fleettest.Work
	store  *fleettest.Store
	fleet  *runnerfleet.Fleet
	api    atomic.Pointer[runnerfleet.API]
	key    *rsa.PrivateKey // AWS's
	faults fleettest.Faults
	random *mrand.Rand
	mu     sync.Mutex
	agents sync.WaitGroup
	took   map[string]time.Duration // of each piece
	plan   [][]string               // pieces by bucket
	dead   atomic.Bool
}

// The faults of a bad day, as the issue of the fleet names them.
const (
	interrupted = 0.05 // of the machines
	refused     = 0.10 // of the offers
)

func newWhole(t *testing.T, seed uint64, key *rsa.PrivateKey, cert []byte) *whole {
	w := &whole{
		t: t, key: key, took: make(map[string]time.Duration), random: mrand.New(mrand.NewPCG(seed, 0)), aws: account(),
	}
	w.work, w.store = &fleettest.Work{Faults: &w.faults}, &fleettest.Store{Faults: &w.faults}
	w.aws.Throttle, w.aws.Lag, w.aws.Linger = true, 3*time.Second, 10*time.Minute
	w.aws.Quotas = map[string]float64{"L-1216C47A": 512, "L-34B43A08": 512}
	w.aws.Refuse = func(_, _, _ string) string {
		if w.chance(refused) {
			return "InsufficientInstanceCapacity"
		}
		return ""
	}
	w.aws.Booted = func(in ec2test.Instance) { w.agents.Go(func() { w.agent(in.ID) }) }
	cfg := configure()
	cfg.Certificates, cfg.HTTP = cert, &http.Client{Transport: direct{w.aws}}
	w.config = cfg
	w.start()
	return w
}

// start begins the bot's process: what is not in the store is forgotten.
func (w *whole) start() {
	cloud, err := ec2.Open(w.t.Context(), w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	w.fleet = &runnerfleet.Fleet{
		Cloud: cloud, Store: w.store, Work: w.work, URL: "https://bot.example", Key: make([]byte, 32), Interval: 10 * time.Second, Log: log,
		Limits: runnerfleet.Limits{
			MaxInstances: 200, MaxAge: 2 * time.Hour, BootGrace: 10 * time.Minute, Silence: 2 * time.Minute, Settle: 30 * time.Second,
		},
	}
	w.api.Store(&runnerfleet.API{Store: w.store, Work: w.work, Attest: cloud, Key: w.fleet.Key, Wake: w.fleet.Wake, Log: log})
}

// RoundTrip takes an agent's call to the process that lives now.
func (w *whole) RoundTrip(r *http.Request) (*http.Response, error) {
	return direct{w.api.Load()}.RoundTrip(r)
}

func (w *whole) chance(p float64) bool { return w.draw() < p }

func (w *whole) draw() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.Float64()
}

// fill wants goals in buckets that a plan would make, and returns the plan's end.
func (w *whole) fill(goals, buckets int) time.Duration {
	pieces, load := make([][]string, buckets), make([]time.Duration, buckets)
	for i := range goals {
		id, took := fmt.Sprintf("p%d", i), time.Duration(float64(time.Minute)*(1+8*w.draw()))
		w.took[id] = took
		b := slices.Index(load, slices.Min(load))
		pieces[b], load[b] = append(pieces[b], id), load[b]+took
	}
	for i := range buckets {
		w.work.Add(runnerfleet.Bucket{ID: fmt.Sprintf("r1/b%d", i), Arch: x64}, pieces[i]...)
	}
	w.plan = pieces
	return slices.Max(load) + bootTime
}

const bootTime = 40 * time.Second

// agent is what runs on a machine from its launch until it powers off or is taken.
func (w *whole) agent(id string) {
	ctx := w.t.Context()
	life := 24 * time.Hour
	if w.chance(interrupted) {
		life = time.Duration(w.draw() * float64(time.Hour))
	}
	ctx, cancel := context.WithTimeout(ctx, life)
	defer cancel()
	defer w.aws.Kill(id)
	if !wait(ctx, bootTime) {
		return
	}
	c := runnerfleet.NewClient("https://bot.example", "", &http.Client{Transport: w})
	document, err := json.Marshal(map[string]string{"instanceId": id, "pendingTime": time.Now().Add(-bootTime).Format(time.RFC3339)})
	if err != nil {
		w.t.Error(err)
	}
	sum := sha256.Sum256(document)
	signature, err := rsa.SignPKCS1v15(rand.Reader, w.key, crypto.SHA256, sum[:])
	if err != nil {
		w.t.Error(err)
	}
	err = retry(ctx, func() error {
		_, err := c.EnrolByIdentity(ctx, document, signature)
		return err
	})
	for err == nil {
		err = w.piece(ctx, c)
	}
}

// retry makes a call again until it has an answer that says something.
func retry(ctx context.Context, call func() error) error {
	for {
		err := call()
		if err == nil || runnerfleet.Permanent(err) || errors.Is(err, runnerfleet.ErrWait) || errors.Is(err, runnerfleet.ErrStale) {
			return err
		}
		if !wait(ctx, 5*time.Second) {
			return ctx.Err()
		}
	}
}

// piece runs one piece, and returns an error when the machine is to power off.
func (w *whole) piece(ctx context.Context, c *runnerfleet.Client) error {
	var job runnerfleet.Assignment
	err := retry(ctx, func() (err error) {
		job, _, err = c.Next(ctx)
		return err
	})
	if errors.Is(err, runnerfleet.ErrWait) {
		wait(ctx, time.Second)
		return ctx.Err()
	}
	for left := w.took[job.Piece]; err == nil && left > 0; left -= time.Minute {
		if !wait(ctx, min(left, time.Minute)) {
			return ctx.Err()
		}
		err = retry(ctx, func() error { return c.Heartbeat(ctx) })
	}
	if err == nil {
		err = retry(ctx, func() error { return c.Entry(ctx, job.Piece, json.RawMessage(`{"seq":0}`), []byte("ok\n")) })
	}
	if err == nil {
		err = retry(ctx, func() error { return c.Finished(ctx, job.Piece, 0, "") })
	}
	if errors.Is(err, runnerfleet.ErrStale) {
		return nil
	}
	return err
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// A run of 326 goals on a bad day, through the real SDK: every piece is done once,
// nothing is left, and the end is not far from the plan's.
func TestRunOnABadDay(t *testing.T) {
	key, cert := authority(t)
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			credentials(t)
			synctest.Test(t, func(t *testing.T) {
				w := newWhole(t, seed, key, cert)
				planned, began := w.fill(326, 30), time.Now()
				end := w.drive(t, 4*time.Hour).Sub(began)
				w.check(t)
				done, machines := newWhole(t, seed, key, cert).static(t)
				t.Logf("326 goals on 30 machines planned for %s: all done after %s on %d machines; one type, one try and no repeat: %d done on %d machines",
					planned.Round(time.Second), end.Round(time.Second), len(w.aws.Instances()), done, machines)
				if limit := planned * 5 / 4; end > limit {
					t.Errorf("took %s, want at most %s", end, limit)
				}
			})
		})
	}
}

// Days on which nothing is to be relied on: answers of store, bot and AWS get lost, and
// the bot dies at any moment and comes back. ORTEST_SEEDS asks for more of them. The
// days with the bot itself are in internal/days.
func TestDaysOfFaults(t *testing.T) {
	key, cert := authority(t)
	seeds := uint64(30)
	if testing.Short() {
		seeds = 10
	}
	if n := os.Getenv("ORTEST_SEEDS"); n != "" {
		var err error
		if seeds, err = strconv.ParseUint(n, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	credentials(t)
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			w := newWhole(t, seed, key, cert)
			w.fill(12, 3)
			w.harm()
			w.drive(t, 12*time.Hour)
			w.check(t)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}

const lost = 0.02 // of all answers, before they took effect or after

// harm lets answers be lost, and the bot's process die now and then.
func (w *whole) harm() {
	fault := func() error {
		if w.chance(lost) {
			return errors.New("answer lost")
		}
		return nil
	}
	w.faults.Set(func(fleettest.Call) error {
		if w.chance(lost / 4) {
			w.dead.Store(true)
		}
		if w.dead.Load() {
			return errors.New("the bot is dead")
		}
		return fault()
	})
	w.aws.Change(func() { w.aws.Fault = func(string, bool) error { return fault() } })
}

// drive makes passes until nothing is wanted and nothing runs, and returns when.
func (w *whole) drive(t *testing.T, most time.Duration) time.Time {
	t.Helper()
	for deadline := time.Now().Add(most); time.Now().Before(deadline); <-time.After(w.fleet.Interval) {
		_ = w.fleet.Once(t.Context()) // what failed is tried again
		if w.dead.Swap(false) {
			w.start()
			continue
		}
		left, err := w.fleet.Left(t.Context(), "")
		want, werr := w.work.Buckets(t.Context())
		if err != nil || werr != nil {
			continue
		}
		if left == 0 && len(want) == 0 {
			w.agents.Wait()
			return time.Now()
		}
	}
	t.Fatal("no end")
	return time.Time{}
}

// check is what holds at the end of every day.
func (w *whole) check(t *testing.T) {
	t.Helper()
	for id := range w.took {
		if p := w.work.Piece(id); !p.Finished || p.Log != "ok\n" {
			t.Errorf("piece %+v, want it finished with one log", p)
		}
	}
	launched := make(map[string]int)
	for _, in := range w.aws.Instances() {
		if in.State != "terminated" {
			t.Errorf("machine %s of %s is left", in.ID, in.Tags["ortest:instance"])
		}
		launched[in.Tags["ortest:instance"]]++
	}
	for instance, n := range launched {
		if n > 1 {
			t.Errorf("instance %s had %d machines", instance, n)
		}
	}
}
