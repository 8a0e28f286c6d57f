package days

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/internal/ec2test"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
	"github.com/ortest/ortest/runnerfleet/fleettest"
)

const x64 = "linux x86_64"

var repo = bot.Repo{Installation: 1, Owner: "openresty", Name: "echo-nginx-module"}

// mood is how bad a day is.
type mood struct {
	lost        float64 // answers, before they took effect or after
	dies        float64 // the bot, at each write
	deaf        float64 // webhooks that are lost; as many come twice
	interrupted float64 // machines
	refused     float64 // offers
	throttled   bool
}

var (
	bad   = mood{lost: 0.02, dies: 0.005, deaf: 0.3, interrupted: 0.15, refused: 0.10, throttled: true}
	quiet = mood{}
)

// day is a run with all that is around it.
type day struct {
	t      *testing.T
	mood   mood
	config ec2.Config
	aws    *ec2test.Server
	hub    *hub
	shelf  *shelf // nil: store and rows are another's
	fleets *fleettest.Store
	store  bot.Store
	rows   runnerfleet.Store
	forge  bot.Forge
	now    func() time.Time // the clock of the day, as the bot sees it
	set    bot.Settings
	files  func(piece string) []string // of an attempt
	says   func(job runnerfleet.Assignment, file string) (result report.FileResult, log string)
	unit   time.Duration // a file takes one to five of it
	faults fleettest.Faults
	key    *rsa.PrivateKey
	cat    *catalog.Catalog

	bot   atomic.Pointer[bot.Bot]
	fleet *runnerfleet.Fleet
	api   atomic.Pointer[runnerfleet.API]
	dead  atomic.Bool

	mu     sync.Mutex
	random *mrand.Rand
	agents sync.WaitGroup
	lives  time.Duration // of all machines
	starts int           // of the bot
	begun  map[string]int
	off    map[string]context.CancelFunc // the power of each machine
}

// surroundings are all but the bot and what it stores.
func surroundings(t *testing.T, seed uint64, m mood, a *authority) *day {
	d := &day{
		t: t, mood: m, key: a.key, cat: a.cat, random: mrand.New(mrand.NewPCG(seed, 1)), begun: make(map[string]int),
		off: make(map[string]context.CancelFunc), now: time.Now, says: passes, unit: time.Minute,
		aws: &ec2test.Server{
			Images:   []ec2test.Image{{ID: "ami-1", Name: "ortest-x64-2026-01-01", Owner: "self", Created: "2026-01-01T00:00:00.000Z", Root: "/dev/xvda"}},
			Quotas:   map[string]float64{"L-1216C47A": 64, "L-34B43A08": 64},
			Lag:      3 * time.Second,
			Linger:   10 * time.Minute,
			Throttle: m.throttled,
		},
		hub: &hub{runners: make(map[int64]*jitRunner), points: make(map[string]int)},
	}
	d.hub.fault = func() error { return d.fault(false) }
	d.aws.Fault = func(string, bool) error { return d.lose() }
	d.aws.Refuse = func(_, _, _ string) string {
		if d.chance(m.refused) {
			return "InsufficientInstanceCapacity"
		}
		return ""
	}
	d.aws.Booted = d.boot
	d.aws.Ended = func(in ec2test.Instance) { d.cut(in.ID) }
	d.config = ec2.Config{
		Fleet: "days", Subnets: []string{"subnet-a", "subnet-b"}, Groups: []string{"sg-1"}, Owners: []string{"self"},
		Arches:   map[string]ec2.Arch{x64: {Image: "ortest-x64-*", Types: []string{"c5.large", "c6i.large"}, Spot: true, Digest: strings.Repeat("0", 64)}},
		AgentURL: "https://bot.example", MaxAge: 3 * time.Hour, Notes: new(words), Certificates: a.cert,
		HTTP: &http.Client{Transport: direct{d.aws}}, Log: slog.New(slog.DiscardHandler),
	}
	return d
}

// newDay has one run, and a store in memory.
func newDay(t *testing.T, seed uint64, m mood, a *authority) *day {
	d := surroundings(t, seed, m, a)
	d.shelf = &shelf{fault: d.fault, entries: make(map[string]bot.StoredEntry), results: make(map[string]json.RawMessage), deliveries: make(map[string]bot.Delivery)}
	d.fleets = &fleettest.Store{Faults: &d.faults}
	d.faults.Set(func(c fleettest.Call) error {
		return d.fault(c.Name != "store.Instances" && c.Name != "store.Instance")
	})
	d.store, d.rows, d.forge, d.files, d.hub.hook = d.shelf, d.fleets, d.hub, d.shelf.files, d.webhook
	d.start()
	return d
}

// start begins the bot's process: what is not stored is forgotten.
func (d *day) start() {
	d.starts++
	cloud, err := ec2.Open(d.t.Context(), d.config)
	if err != nil {
		d.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	b := &bot.Bot{
		Store: d.store, Forge: d.forge, Decode: decode, Instances: d.rows, Catalog: func() *catalog.Catalog { return d.cat },
		Settings: func() bot.Settings { return d.set },
		URL:      "https://bot.example", Server: "https://github.com", Log: log, Now: d.now, Hold: 5 * time.Minute, Poll: 15 * time.Second,
	}
	d.fleet = &runnerfleet.Fleet{
		Cloud: cloud, Store: d.rows, Work: b, URL: "https://bot.example", Key: make([]byte, 32), Interval: 15 * time.Second, Log: log, Now: d.now,
		Limits: runnerfleet.Limits{
			MaxInstances: 20, MaxAge: 3 * time.Hour, BootGrace: 10 * time.Minute, Silence: 2 * time.Minute, Settle: 30 * time.Second,
		},
	}
	b.Wake = d.fleet.Wake
	d.bot.Store(b)
	d.api.Store(&runnerfleet.API{Store: d.rows, Work: b, Attest: cloud, Key: d.fleet.Key, Wake: d.fleet.Wake, Log: log, Now: d.now})
}

func (d *day) draw() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.random.Float64()
}

func (d *day) chance(p float64) bool { return p > 0 && d.draw() < p }

func (d *day) lose() error {
	if d.chance(d.mood.lost) {
		return errors.New("answer lost")
	}
	return nil
}

// fault is asked by everything that the bot does. A dead bot does nothing.
func (d *day) fault(write bool) error {
	if write && d.chance(d.mood.dies) {
		d.dead.Store(true)
	}
	if d.dead.Load() {
		return errors.New("the bot is dead")
	}
	return d.lose()
}

// times is how often a webhook comes.
func (d *day) times() int {
	switch p := d.draw(); {
	case p < d.mood.deaf:
		return 0
	case p < 2*d.mood.deaf:
		return 2
	}
	return 1
}

// webhook brings a payload to the bot, or not, or twice.
func (d *day) webhook(_ string, payload []byte) {
	for range d.times() {
		if guid, err := d.shelf.deliver(payload, time.Now()); err == nil {
			_ = d.bot.Load().HandleDelivery(context.WithoutCancel(d.t.Context()), guid)
		}
	}
}

// fill stores a run of one goal in pieces of two files each.
func (d *day) fill(pieces, buckets, lanes int) {
	goal, err := plan.ParseGoal("t-ngx_echo")
	if err != nil {
		d.t.Fatal(err)
	}
	now := time.Now()
	r := bot.Run{
		ID: "1", Repo: repo, Pull: 7, Head: strings.Repeat("a", 40), Base: "master", Author: "agentzh", Text: "/ortest t-ngx_echo",
		State: bot.Accepted, Acked: true, Commits: map[string]string{}, Lost: make([]int, buckets), CreatedAt: now, Deadline: now.Add(8 * time.Hour),
		Plan: plan.Plan{Options: plan.Options{Arch: x64}, Buckets: make([]plan.Bucket, buckets)},
	}
	for i := range pieces {
		bucket := i * buckets / pieces
		p := plan.Piece{
			Goal: goal, Part: i + 1, Parts: pieces, Files: []string{fmt.Sprintf("t/%03d-a.t", i), fmt.Sprintf("t/%03d-b.t", i)},
			Estimate: 6 * time.Minute, Build: time.Minute, Serial: i%5 == 4,
		}
		r.Plan.Buckets[bucket].Lanes = lanes
		r.Plan.Buckets[bucket].Pieces = append(r.Plan.Buckets[bucket].Pieces, p)
		nonce := sha256.Sum256([]byte(p.Files[0]))
		r.Pieces = append(r.Pieces, bot.Piece{Piece: p, ID: fmt.Sprintf("p%d", i+1), Bucket: bucket, State: bot.Waiting, Attempt: 1, Nonce: fmt.Sprintf("%x", nonce[:16])})
	}
	d.shelf.run = r
}

// drive makes passes until the run is closed and no machine is left, and returns how
// long that took.
func (d *day) drive(most time.Duration) time.Duration {
	d.t.Helper()
	for began := time.Now(); time.Since(began) < most; <-time.After(d.fleet.Interval) {
		_ = d.fleet.Once(d.t.Context()) // what failed is tried again
		_ = d.bot.Load().Drive(d.t.Context(), "1")
		if d.dead.Swap(false) {
			d.start()
			continue
		}
		synctest.Wait() // for what webhooks bring
		left, err := d.fleet.Left(d.t.Context(), "")
		if err == nil && left == 0 && d.shelf.run.State == bot.Closed {
			d.agents.Wait()
			synctest.Wait()
			return time.Since(began)
		}
	}
	d.t.Fatalf("no end: run %+v", d.shelf.run)
	return 0
}

// check is what holds at the end of every day.
func (d *day) check() {
	r, h := d.shelf.run, d.hub
	goal := r.Pieces[0].Goal.String() // all pieces are of it
	evidence, err := d.bot.Load().Evidence(d.t.Context(), r, goal)
	for err != nil { // an answer is lost as ever
		d.dead.Store(false)
		evidence, err = d.bot.Load().Evidence(d.t.Context(), r, goal)
	}
	d.checkFiles(evidence)
	for _, p := range r.Pieces {
		if p.State != bot.Finished || p.Attempt > bot.MaxAttempts {
			d.t.Errorf("piece %+v", p)
		}
	}
	launched := make(map[string]int)
	for _, in := range d.aws.Instances() {
		if in.State != "terminated" {
			d.t.Errorf("machine %s of %s is left", in.ID, in.Tags["ortest:instance"])
		}
		launched[in.Tags["ortest:instance"]]++
	}
	for instance, n := range launched {
		if n > 1 {
			d.t.Errorf("instance %s had %d machines", instance, n)
		}
	}
	nonces := make(map[string]int)
	for _, w := range h.runs {
		if nonces[w.nonce]++; nonces[w.nonce] > 1 {
			d.t.Errorf("dispatch %s was sent twice", w.nonce)
		}
	}
	for attempt, n := range d.begun {
		if n > 1 {
			d.t.Errorf("attempt %s was begun %d times", attempt, n)
		}
	}
	// One that died in its job goes with that, which GitHub gives up by itself.
	<-time.After(lostAfter)
	h.mu.Lock()
	h.sweep()
	h.mu.Unlock()
	for _, r := range h.runners {
		d.t.Errorf("runner %s is left", r.name)
	}
	if len(h.foreign) > 0 {
		d.t.Errorf("jobs with two runners: %q", h.foreign)
	}
	for _, c := range h.checks {
		if c.Status != "completed" {
			d.t.Errorf("check run %s is %s", c.Name, c.Status)
		}
	}
}

// checkFiles wants one final result for each file, unless its piece was given up,
// which then is said.
func (d *day) checkFiles(ev report.Evidence) {
	for i, p := range ev.Pieces {
		seen, ended := make(map[string]int), 0
		for _, e := range p.Entries {
			if e.File != nil {
				seen[e.File.Path]++
			}
			if e.End != nil {
				ended++
			}
		}
		piece := d.shelf.run.Pieces[i]
		if piece.Reason != "" && len(ev.Trouble) > 0 {
			continue
		}
		for _, suffix := range []string{"a", "b"} {
			if n := seen[fmt.Sprintf("t/%03d-%s.t", i, suffix)]; n != 1 || ended != 1 {
				d.t.Errorf("piece %+v has %v, %d ends", piece, seen, ended)
			}
		}
	}
}

// spent is what GitHub's points went to, but for the conversation.
func (d *day) spent() (points, machines, attempts, dispatches int) {
	for what, n := range d.hub.points {
		if what != "talk" {
			points += n
		}
	}
	for _, p := range d.shelf.run.Pieces {
		attempts += p.Attempt
	}
	return points, len(d.aws.Instances()), attempts, len(d.hub.runs)
}

// authority is what all days share: AWS's key, and the catalog.
type authority struct {
	key  *rsa.PrivateKey
	cert []byte
	cat  *catalog.Catalog

	examples *catalog.Catalog // its goals are short
}

// TestMain leaves nothing of AWS's settings here to chance, and has temporary files where
// a flush costs nothing, if there is such a place.
func TestMain(m *testing.M) {
	const ram = "/dev/shm"
	tmp := os.TempDir()
	if info, err := os.Stat(ram); err == nil && info.IsDir() {
		tmp = ram
	}
	for k, v := range map[string]string{
		"TMPDIR": tmp, "AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_CA_BUNDLE": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		if err := os.Setenv(k, v); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func prepared(t *testing.T) *authority {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cat, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	examples, err := catalog.Examples()
	if err != nil {
		t.Fatal(err)
	}
	return &authority{examples: examples, key: key, cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), cat: cat}
}

// Days on which nothing is to be relied on. ORTEST_SEEDS asks for more of them.
func TestWholeDays(t *testing.T) {
	a, seeds := prepared(t), uint64(200)
	if testing.Short() {
		seeds = 20
	}
	if n := os.Getenv("ORTEST_SEEDS"); n != "" {
		var err error
		if seeds, err = strconv.ParseUint(n, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	s := new(sums)
	t.Cleanup(func() {
		t.Logf("%d days: the longest run took %s, most machine time %s, at most %.2f of the points", seeds, s.longest, s.lives, s.points)
		t.Logf("the bot began %d times; of %d pieces %d were helped with, %d begun again, %d given up", s.starts, 9*seeds, s.helped, s.again, s.given)
	})
	const side = 2 // by side
	for part := range uint64(side) {
		t.Run(fmt.Sprintf("part %d", part), func(t *testing.T) {
			t.Parallel()
			for seed := part; seed < seeds && !t.Failed(); seed += side {
				synctest.Test(t, func(t *testing.T) { badDay(t, seed, a, s) })
			}
		})
	}
}

func badDay(t *testing.T, seed uint64, a *authority, s *sums) {
	d := newDay(t, seed, bad, a)
	d.fill(9, 3, 1+int(seed%3))
	took := d.drive(9 * time.Hour)
	d.check()
	machines, share := s.add(d, took)
	// Each bound is what the attempts allow: a machine for each of a bucket's, and
	// three times a good day's points where so many words are lost.
	if machines > 3*bot.MaxAttempts || d.lives > 6*time.Hour || took > 4*time.Hour || share > 3 {
		t.Errorf("%s, %d machines for %s, %.2f of the points", took, machines, d.lives, share)
	}
	if t.Failed() {
		t.Errorf("seed %d", seed)
	}
}

// sums are over many days.
type sums struct {
	mu             sync.Mutex
	longest, lives time.Duration
	points         float64
	given          int // pieces up
	starts, again  int // of the bot, of pieces
	helped         int // pieces that another bucket's machine took
}

func (s *sums) add(d *day, took time.Duration) (machines int, share float64) {
	points, machines, attempts, dispatches := d.spent()
	share = float64(points) / float64(12*machines+5*attempts+5*dispatches)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.longest, s.lives, s.points = max(s.longest, took), max(s.lives, d.lives), max(s.points, share)
	s.starts += d.starts
	for i, p := range d.shelf.run.Pieces {
		s.again += p.Attempt - 1
		if p.Reason != "" {
			s.given++
		}
		if p.Bucket != i*len(d.shelf.run.Lost)/len(d.shelf.run.Pieces) {
			s.helped++
		}
	}
	return machines, share
}

// A quiet day costs GitHub what it may.
func TestPointsOfAQuietDay(t *testing.T) {
	a := prepared(t)
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t, 1, quiet, a)
		d.fill(24, 6, 2)
		took := d.drive(9 * time.Hour)
		d.check()
		points, machines, attempts, dispatches := d.spent()
		t.Logf("took %s: %d points (%v) for %d machines, %d pieces, %d dispatches", took, points, d.hub.points, machines, attempts, dispatches)
		if allowed := 12*machines + 5*attempts + 5*dispatches; points > allowed {
			t.Errorf("%d points, at most %d are allowed", points, allowed)
		}
	})
}

// words are the cloud's notes.
type words struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (n *words) Note(_ context.Context, word string, until time.Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.until == nil {
		n.until = make(map[string]time.Time)
	}
	n.until[word] = until
	return nil
}

func (n *words) Noted(_ context.Context, now time.Time) (all []string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for w, until := range n.until {
		if now.Before(until) {
			all = append(all, w)
		}
	}
	slices.Sort(all)
	return all, nil
}

// direct lets a client call a handler without a network: what waits in it waits in
// the day's own time.
type direct struct{ h http.Handler }

func (c direct) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	rec := httptest.NewRecorder()
	defer func() {
		if recover() != nil {
			resp, err = nil, errors.New("connection cut")
		}
	}()
	c.h.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// sign is what a machine's metadata say of it.
func (d *day) sign(id string, started time.Time) (document, signature []byte, err error) {
	if document, err = json.Marshal(map[string]string{"instanceId": id, "pendingTime": started.Format(time.RFC3339)}); err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(document)
	signature, err = rsa.SignPKCS1v15(rand.Reader, d.key, crypto.SHA256, sum[:])
	return document, signature, err
}
