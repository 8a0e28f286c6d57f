package days

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/store"
)

const oneDay = 24 * time.Hour

// event is what happens at a time of a day.
type event struct {
	at time.Duration
	do func()
}

// What people write. The first few begin runs.
var texts = []string{
	"/ortest --all-at-once -t 20 t-hello t-tally tv-hello", "/ortest t-hello t-tally", "/ortest t-hello tv-hello", "/ortest -t 20 t-tally",
	"/ortest plan t-hello", "/ortest status", "/ortest nonsense", "/ortest why t-hello", "/ortest retry",
}

const runTexts = 4

// diary is a day of people, and of what goes wrong on it.
func (l *life) diary(number int) (all []event) {
	at := func(t time.Duration, do func()) { all = append(all, event{t, do}) }
	within := func(d time.Duration) time.Duration { return time.Duration(l.plans.Int64N(int64(d))) }
	for range l.busy {
		pull, when := 1+l.plans.IntN(len(l.town.talks)), within(20*time.Hour)
		if l.plans.IntN(6) == 0 { // which ends the run that is under way
			at(when+within(8*time.Minute), func() { l.town.push(pull, commit("good", 1000*number+len(all)+100)) })
		}
		if l.plans.IntN(2) == 0 {
			kind := []string{"good", "good", "bad"}[l.plans.IntN(3)]
			head := commit(kind, 1000*number+len(all))
			at(when, func() { l.town.push(pull, head) })
		}
		text := texts[l.plans.IntN(runTexts)]
		at(when+time.Minute, func() { l.say(pull, text) })
		if l.plans.IntN(4) == 0 {
			at(when+within(8*time.Minute), func() { l.say(pull, "/ortest cancel") })
		}
		other := texts[runTexts+l.plans.IntN(len(texts)-runTexts)]
		at(within(22*time.Hour), func() { l.say(pull, other) })
		// What goes wrong does so while something is under way.
		if what := l.plans.IntN(12); what < len(outageOf) {
			at(when+within(8*time.Minute), func() { l.away(what) })
		} else if what == len(outageOf) {
			by := within(2*time.Hour) - time.Hour
			at(when+within(8*time.Minute), func() { l.skew = by; l.tally.jumps++ })
			at(when+time.Hour+within(time.Hour), func() { l.skew = 0 })
		}
	}
	if number%2 == 0 {
		head := commit("good", 1000*number+500)
		at(within(20*time.Hour), func() { l.town.release("release", head) })
	}
	slices.SortStableFunc(all, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	return all
}

// outageOf is how long each is away.
var outageOf = [...]time.Duration{github: time.Hour, database: 5 * time.Minute, cloud: 30 * time.Minute, jobs: time.Hour}

func (l *life) away(what int) {
	l.outages[what] = outage{time.Now(), time.Now().Add(outageOf[what])}
	l.tally.outages++
}

func (l *life) say(pull int, text string) {
	l.asked[l.town.say(pull, text)] = &command{at: time.Now(), pull: pull, text: text}
}

// live lives so many days.
func (l *life) live(days int) {
	for number := range days {
		morning := time.Now()
		diary := l.diary(number)
		for time.Since(morning) < 23*time.Hour || len(diary) > 0 {
			for len(diary) > 0 && time.Since(morning) >= diary[0].at {
				diary[0].do()
				diary = diary[1:]
			}
			l.town.stand(l.outages[jobs].on())
			l.pass(l.t.Context())
			l.look()
			pause := 30 * time.Second
			if l.quiet() {
				pause = 10 * time.Minute
			}
			if len(diary) > 0 {
				pause = min(pause, max(diary[0].at-time.Since(morning), time.Second))
			}
			<-time.After(pause)
			if l.t.Failed() {
				return
			}
		}
		l.night()
		l.look()
	}
}

// look finds the runs that are new, and checks those that are closed.
func (l *life) look() {
	for {
		r, err := l.gate.Store.Run(l.t.Context(), strconv.Itoa(len(l.runs)+1))
		if errors.Is(err, bot.ErrNotFound) {
			break
		}
		if err != nil {
			l.t.Fatal(err)
		}
		l.runs = append(l.runs, r.Comment)
		l.living = append(l.living, r.ID)
	}
	l.living = slices.DeleteFunc(l.living, func(id string) bool {
		r, err := l.gate.Store.Run(l.t.Context(), id)
		if err != nil {
			l.t.Fatalf("run %s: %v", id, err)
		}
		if age := time.Since(r.CreatedAt); r.State != bot.Closed && age > 14*time.Hour {
			l.t.Errorf("run %s is %s after %s", id, r.State, age)
		}
		if r.State == bot.Closed {
			l.checkRun(r)
		}
		return r.State == bot.Closed
	})
	for id, c := range l.asked {
		if time.Since(c.at) >= answeredWithin && !c.looked {
			c.looked = true
			l.checkCommand(id, c)
		}
	}
	for _, in := range l.aws.Instances() {
		if age := time.Since(in.LaunchedAt); in.State != "terminated" && age > l.fleet.Limits.MaxAge+time.Hour {
			l.t.Errorf("machine %s of %s is %s old", in.ID, in.Tags["ortest:instance"], age)
		}
	}
}

// answeredWithin is how long a command may take to have its run or its answer: GitHub may
// be away for an hour of it.
const answeredWithin = 4 * time.Hour

// checkCommand wants one run or one answer, and never two.
func (l *life) checkCommand(id int64, c *command) {
	runs := len(slices.DeleteFunc(slices.Clone(l.runs), func(of int64) bool { return of != id }))
	if answers := l.town.answers(id); runs+answers != 1 {
		known, err := l.gate.Store.Commands(l.t.Context(), repo, "", id)
		given, aerr := l.gate.Store.Answers(l.t.Context(), repo, c.pull)
		given = slices.DeleteFunc(given, func(a bot.Answer) bool { return a.Comment != id })
		l.t.Errorf("%q, comment %d of %d, written %s, has %d runs and %d answers: stored %v %+v, %v, %v",
			c.text, id, c.pull, c.at.Format(time.DateTime), runs, answers, known, given, err, aerr)
	}
}

// checkRun is what holds of each run that is closed.
func (l *life) checkRun(r bot.Run) {
	l.tally.runs++
	for _, in := range l.aws.Instances() {
		if strings.HasPrefix(in.Tags["ortest:bucket"], r.ID+"/") && in.State != "terminated" {
			l.t.Errorf("run %s is closed, and %s of %s is %s", r.ID, in.ID, in.Tags["ortest:instance"], in.State)
		}
	}
	whole := r.Cancelled == ""
	for _, p := range r.Pieces {
		whole = whole && p.Reason == ""
	}
	if whole {
		l.checkLogs(r)
	}
	want := []string{"success"}
	switch good := isGood(r.Head); {
	case r.Cancelled != "" && good:
		want = []string{"cancelled"}
		l.tally.cancelled++
	case r.Cancelled != "": // a goal may have failed before
		want = []string{"cancelled", "failure"}
		l.tally.cancelled++
	case !good:
		want = []string{"failure"}
		l.tally.failed++
	case !whole:
		want = []string{"failure"}
		l.tally.incomplete++
	default:
		l.tally.passed++
	}
	if got := l.town.conclusion(r); !slices.Contains(want, got) {
		l.t.Errorf("run %s of %s (cancelled by %q, whole %v) is shown as %q, want %q", r.ID, r.Head, r.Cancelled, whole, got, want)
	}
	if left, err := l.gate.Store.Instances(l.t.Context()); err != nil {
		l.t.Error(err)
	} else {
		for _, in := range left {
			if strings.HasPrefix(in.Bucket, r.ID+"/") && in.State != "gone" {
				l.t.Errorf("run %s is closed, and instance %s is %s", r.ID, in.ID, in.State)
			}
		}
	}
}

// checkLogs wants each file of a run's plan once, and an end of each piece.
func (l *life) checkLogs(r bot.Run) {
	reader, seen := &bot.Bot{Store: l.gate.Store}, make(map[string]int)
	goals := make(map[string]bool)
	for _, p := range r.Pieces {
		goals[p.Goal.String()] = true
	}
	for goal := range goals {
		ev, err := reader.Evidence(l.t.Context(), r, goal)
		if err != nil {
			l.t.Error(err)
		}
		for _, piece := range ev.Pieces {
			for _, e := range piece.Entries {
				if e.File != nil {
					seen[goal+" "+e.File.Path]++
				}
			}
			if n := len(piece.Entries); n == 0 || piece.Entries[n-1].End == nil {
				l.t.Errorf("run %s: a piece of %s has no end", r.ID, goal)
			}
		}
	}
	for _, b := range r.Plan.Buckets {
		for _, p := range b.Pieces {
			for _, f := range allOf(p) {
				if what := p.Goal.String() + " " + f; seen[what] != 1 {
					l.t.Errorf("run %s: %s has %d results", r.ID, what, seen[what])
				}
			}
		}
	}
}

// finish is what holds in the end.
func (l *life) finish() {
	l.agents.Wait()
	<-time.After(lostAfter)
	l.hub.mu.Lock()
	l.hub.sweep()
	l.hub.mu.Unlock()
	for _, r := range l.hub.runners {
		l.t.Errorf("runner %s is left", r.name)
	}
	launched := make(map[string]int)
	for _, in := range l.aws.Instances() {
		if launched[in.Tags["ortest:instance"]]++; launched[in.Tags["ortest:instance"]] > 1 || in.State != "terminated" {
			l.t.Errorf("machine %s of %s: launched %d times, %s", in.ID, in.Tags["ortest:instance"], launched[in.Tags["ortest:instance"]], in.State)
		}
	}
	l.tally.machines = len(launched)
	nonces := make(map[string]int)
	for _, w := range l.hub.runs {
		if nonces[w.nonce]++; nonces[w.nonce] > 1 {
			l.t.Errorf("dispatch %s was sent twice", w.nonce)
		}
	}
	for attempt, n := range l.begun {
		if n > 1 {
			l.t.Errorf("attempt %s was begun %d times", attempt, n)
		}
	}
	if len(l.hub.foreign) > 0 || len(l.town.twice) > 0 {
		l.t.Errorf("jobs with two runners: %q; made twice: %q", l.hub.foreign, l.town.twice)
	}
	for id, c := range l.asked {
		l.checkCommand(id, c)
	}
	for n, t := range l.town.talks {
		stickies := 0
		for _, c := range t.comments {
			if old := time.Since(c.UpdatedAt) > l.keep.Runs; !old && strings.HasPrefix(c.Body, "<!-- ortest:runs -->") {
				stickies++
			}
		}
		if stickies > 1 {
			l.t.Errorf("pull request %d has %d comments of runs", n, stickies)
		}
	}
	l.grown()
}

// grown compares the second half of a life with the first.
func (l *life) grown() {
	sum := func(all []size) size {
		m := all[0]
		for _, s := range all {
			m = size{max(m.file, s.file), min(m.goroutines, s.goroutines), min(m.heap, s.heap)} // another life goes on beside this one
		}
		return m
	}
	early, late := sum(l.sizes[:len(l.sizes)/2]), sum(l.sizes[len(l.sizes)/2:])
	const stand, aside = 16 << 20, 8 // what the stand-ins remember, who forget nothing, and what the life beside this one does
	if late.file > early.file*3/2 || late.goroutines > early.goroutines+aside || late.heap > early.heap+stand {
		l.t.Errorf("in the first half of its life it took %+v, in the second %+v", early, late)
	}
	l.t.Logf("in the first half of its life it took %+v, in the second %+v", early, late)
}

// A bot lives for weeks. ORTEST_LIVES asks for so many lives of four weeks, from the seed
// ORTEST_SEED on.
func TestWeeks(t *testing.T) {
	a := prepared(t)
	a.cat = a.examples
	first, lives, days, busy, keep := uint64(0), uint64(1), 7, 2, store.Keep{Logs: oneDay, Runs: 2 * oneDay, Deliveries: oneDay}
	if testing.Short() {
		days = 3
	}
	if n := os.Getenv("ORTEST_LIVES"); n != "" {
		var err error
		if lives, err = strconv.ParseUint(n, 10, 64); err != nil {
			t.Fatal(err)
		}
		first, _ = strconv.ParseUint(os.Getenv("ORTEST_SEED"), 10, 64) // none is 0
		days, busy, keep = 28, 3, store.Keep{Logs: 3 * oneDay, Runs: 7 * oneDay, Deliveries: 3 * oneDay}
	}
	for part := range uint64(2) {
		t.Run(fmt.Sprintf("part %d", part), func(t *testing.T) {
			t.Parallel()
			for seed := first + part; seed < first+lives && !t.Failed(); seed += 2 {
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t, seed, a, keep)
					l.busy = busy
					l.weeks(seed, days)
				})
			}
		})
	}
}

func (l *life) weeks(seed uint64, days int) {
	began := time.Now()
	l.t.Logf("seed %d", seed)
	l.live(days)
	if !l.t.Failed() {
		l.finish()
	}
	l.t.Logf("%d days: %+v", int(time.Since(began)/oneDay), l.tally)
	if err := l.gate.Store.Close(); err != nil {
		l.t.Error(err)
	}
}
