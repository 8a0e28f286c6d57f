package days

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/release"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/store"
)

// life is weeks of one bot: a real database in which everything stays that is not
// forgotten, several pull requests, and all that goes wrong.
type life struct {
	*day
	town     *town
	gate     *gate
	database string
	keep     store.Keep
	releases *release.Releases
	plans    *rand.Rand // of people and of what goes wrong

	busy    int           // runs that people ask for on a day
	skew    time.Duration // by how much the clock of the day is wrong
	outages [4]outage     // of what, by the constants below
	asked   map[int64]*command
	open    []string // GUIDs of deliveries that are stored, and not known to be processed
	failed  []bot.Delivery
	guid    atomic.Int64
	inbox   chan bot.Delivery
	runs    []int64  // of every run, the comment that asked for it
	living  []string // runs that were not closed yet
	sizes   []size   // one for each day
	tally   tally
}

// What is away for a while.
const (
	github = iota // with its webhooks
	database
	cloud
	jobs // they are handed out to nobody
)

// outage is when something is away next.
type outage struct{ from, to time.Time }

func (o outage) on() bool { now := time.Now(); return !now.Before(o.from) && now.Before(o.to) }

// command is one that somebody wrote.
type command struct {
	at     time.Time
	pull   int
	text   string
	looked bool
}

// size is what a quiet bot takes.
type size struct {
	file       int64 // bytes of the database
	goroutines int
	heap       uint64
}

// tally counts a life.
type tally struct {
	passes, runs, cancelled, failed, passed, incomplete, lives, closes, machines int
	outages, jumps                                                               int
}

var errAway = errors.New("it does not answer")

func newLife(t *testing.T, seed uint64, a *authority, keep store.Keep) *life {
	d := surroundings(t, seed, bad, a)
	l := &life{
		day: d, keep: keep, database: filepath.Join(t.TempDir(), "ortest.db"), plans: rand.New(rand.NewPCG(seed, 2)),
		asked: make(map[int64]*command), inbox: make(chan bot.Delivery, 10_000),
	}
	d.now = func() time.Time { return time.Now().Add(l.skew) }
	d.unit, d.files, d.says = 40*time.Second, l.filesOf, l.result
	d.mood.dies, d.mood.interrupted = 0.001, 0.5 // interrupted within half an hour, and most have less to do
	d.aws.Fault = func(string, bool) error {
		if l.outages[cloud].on() {
			return errAway
		}
		return d.lose()
	}
	d.aws.Lag = 3 * time.Second
	d.hub.hook = l.webhook
	d.hub.fault = func() error {
		if l.outages[github].on() {
			return errAway
		}
		return d.fault(false)
	}
	l.town = newTown(d.hub, 4, time.Now)
	l.gate = &gate{fault: func(write bool) error {
		if l.outages[database].on() {
			return errAway
		}
		return d.fault(write)
	}}
	d.store, d.rows, d.forge, d.config.Notes = l.gate, l.gate, l.town, l.gate
	d.set = bot.Settings{Supersede: true}
	l.openStore()
	l.begin()
	return l
}

func (l *life) openStore() {
	s, err := store.Open(l.t.Context(), store.Config{Database: l.database, Log: slog.New(slog.DiscardHandler), Keep: l.keep})
	if err != nil {
		l.t.Fatal(err)
	}
	l.gate.Store = s
}

// begin is a new process.
func (l *life) begin() {
	l.tally.lives++
	l.start()
	b := l.bot.Load()
	l.releases = &release.Releases{
		Bot: b, Forge: l.town, URL: b.URL, Log: b.Log,
		Rules: func() []release.Rule {
			return []release.Rule{{Branches: []string{"release"}, Targets: []string{"t-hello", "t-tally"}}}
		},
		Alone: func(ctx context.Context, _ string, do func(context.Context) error) error { return do(ctx) },
		Push:  func([]byte) (bot.Repo, string, error) { return repo, "release", nil },
	}
}

// filesOf are those of a piece's attempt.
func (l *life) filesOf(piece string) []string {
	r, id := l.runOf(piece)
	p := r.Piece(id)
	if p == nil {
		l.t.Errorf("piece %s is none of its run's", piece)
		return nil
	}
	return allOf(p.Piece)
}

// allOf are the files that a piece names, or all of its goal.
func allOf(p plan.Piece) []string {
	if len(p.Files) > 0 {
		return p.Files
	}
	return map[string][]string{"hello": {"t/001-greet.t", "t/002-native.t", "t/003-state.t"}, "tally": {"t/01-library.t", "t/02-command.t"}}[p.Goal.Project]
}

// runOf reads the run that a piece is of, without any fault.
func (l *life) runOf(piece string) (r bot.Run, id string) {
	run, rest, _ := strings.Cut(piece, "/")
	id, _, _ = strings.Cut(rest, "/")
	r, err := l.gate.Store.Run(l.t.Context(), run)
	if err != nil {
		l.t.Errorf("piece %s: %v", piece, err)
	}
	return r, id
}

// result is what a file of a commit prints: one of a bad commit fails in its first.
func (l *life) result(job runnerfleet.Assignment, file string) (report.FileResult, string) {
	r, _ := l.runOf(job.Piece)
	if !strings.Contains(file, "01-") || isGood(r.Head) {
		return passes(job, file)
	}
	return report.FileResult{Path: file, Seconds: 60, Exit: 1}, file + " .. \n1..1\nnot ok 1 - it is\nFailed 1/1 subtests\nResult: FAIL\n"
}

func isGood(head string) bool { return head[0] == 'a' }

// webhook lets one come, or not, or twice. One that cannot be stored comes again.
func (l *life) webhook(event string, payload []byte) {
	guid := fmt.Sprint(l.guid.Add(1))
	if l.outages[github].on() {
		return
	}
	for range l.times() {
		l.inbox <- bot.Delivery{GUID: guid, Event: event, Payload: payload, ReceivedAt: time.Now()}
	}
}

// take stores what came, and works what is stored.
func (l *life) take(ctx context.Context) {
	came := l.failed
	for len(l.inbox) > 0 {
		came = append(came, <-l.inbox)
	}
	l.failed = nil
	for _, d := range came {
		if _, err := l.gate.AddDelivery(ctx, d); err != nil {
			l.failed = append(l.failed, d)
		} else if !slices.Contains(l.open, d.GUID) {
			l.open = append(l.open, d.GUID)
		}
	}
	var left []string
	for _, guid := range l.open {
		if err := l.releases.HandleDelivery(ctx, guid); err != nil {
			left = append(left, guid)
		}
	}
	l.open = left
}

// pass is what a process does by itself, again and again.
func (l *life) pass(ctx context.Context) {
	l.tally.passes++
	l.take(ctx)
	live, _ := l.gate.LiveRuns(ctx)
	for _, r := range live {
		_ = l.bot.Load().Drive(ctx, r.ID) // what failed is tried again, here and below
		_ = l.releases.Driven(ctx, r.ID)
	}
	_ = l.bot.Load().PostAnswers(ctx)
	_ = l.fleet.Once(ctx)
	if l.tally.passes%4 == 0 {
		_ = l.bot.Load().Sweep(ctx)
		_ = l.releases.Sweep(ctx)
	}
	if l.dead.Swap(false) {
		l.begin()
	}
}

// quiet reports whether nothing is under way.
func (l *life) quiet() bool {
	live, err := l.gate.Store.LiveRuns(l.t.Context())
	owed, oerr := l.gate.Store.UnpostedAnswers(l.t.Context())
	if err = errors.Join(err, oerr); err != nil {
		l.t.Error(err)
	}
	return len(live) == 0 && len(owed) == 0 && len(l.inbox) == 0 && len(l.failed) == 0 && len(l.open) == 0 && l.running() == 0
}

// running are the machines that have power.
func (l *life) running() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.off)
}

// night closes the bot and its database, as an upgrade does, lets the queue of jobs be worked
// for a while, and looks at what has grown.
func (l *life) night() {
	l.skew = 0
	for !l.quiet() {
		l.pass(l.t.Context())
		<-time.After(l.fleet.Interval)
	}
	l.tally.closes++
	b := l.bot.Load()
	ctx, stop := context.WithTimeout(l.t.Context(), 20*time.Second)
	err := l.gate.Store.Work(ctx, store.Handlers{
		Delivery: func(context.Context, string) error { return nil }, Drive: b.Drive, Answers: b.PostAnswers,
	})
	stop()
	if err = errors.Join(err, l.gate.Store.Close()); err != nil {
		l.t.Error(err)
	}
	info, err := os.Stat(l.database)
	if err != nil {
		l.t.Fatal(err)
	}
	l.openStore()
	l.begin()
	synctest.Wait()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	l.sizes = append(l.sizes, size{info.Size(), runtime.NumGoroutine(), m.HeapAlloc})
}
