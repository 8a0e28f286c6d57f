package store

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/runnerfleet"
)

// calls are what handlers were asked; ask waits for the next one.
type calls struct {
	t  *testing.T
	ch chan string
}

func (c calls) ask(want string) {
	c.t.Helper()
	select {
	case got := <-c.ch:
		if got != want {
			c.t.Errorf("handlers were asked for %q, want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		c.t.Fatalf("handlers were never asked for %q", want)
	}
}

// work works the jobs of s until the test ends or the returned function is called.
func work(t *testing.T, s *Store, h Handlers) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Work(ctx, h); err != nil {
			t.Errorf("work: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

// recording are handlers that finish what they are asked for and tell c.
func recording(t *testing.T, s *Store) (Handlers, calls) {
	c := calls{t, make(chan string, 100)}
	return Handlers{
		Delivery: func(ctx context.Context, guid string) error {
			c.ch <- "delivery " + guid
			return s.FinishDelivery(ctx, guid, "done")
		},
		Drive: func(ctx context.Context, run string) error {
			_, err := s.UpdateRun(ctx, run, func(r *bot.Run) bool { r.State = bot.Closed; return true })
			c.ch <- "drive " + run
			return err
		},
		Answers: func(ctx context.Context) error {
			owed, err := s.UnpostedAnswers(ctx)
			for _, a := range owed {
				a.Posted = 99
				err = errors.Join(err, s.PutAnswer(ctx, a))
			}
			if len(owed) > 0 {
				c.ch <- "answers"
			}
			return err
		},
	}, c
}

// unseen is a time of a delivery that the first look, which may be under way, does not
// take for one that is left, nor for one of a clock that was set back.
func unseen() time.Time { return time.Now().Add(30 * time.Second) }

func TestWorkDoesWhatIsStored(t *testing.T) { onBoth(t, testWorkDoesWhatIsStored) }

func testWorkDoesWhatIsStored(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	h, c := recording(t, s)
	stop := work(t, s, h)
	must[bool](t)(s.AddDelivery(ctx, bot.Delivery{GUID: "g1", Event: "ping", ReceivedAt: unseen()}))
	c.ask("delivery g1")
	add(t, s, aRun(1))
	c.ask("drive 1")
	if err := s.AddAnswer(ctx, bot.Answer{Repo: hello, Comment: 2}); err != nil {
		t.Fatal(err)
	}
	c.ask("answers")
	stop()
	check(t, "what is left to ask", len(c.ch), 0)
	check(t, "jobs left running", jobs(t, s, "state = 'running'"), 0)
}

func TestWhatIsAddedOnceWorkHasBegunNeedsNoJob(t *testing.T) {
	onBoth(t, func(t *testing.T, db database) {
		s := db.fresh(t)
		h, c := recording(t, s)
		begun := make(chan struct{})
		h.Begun = func() { close(begun) }
		work(t, s, h)
		<-begun
		must[bool](t)(s.AddDelivery(t.Context(), bot.Delivery{GUID: "g1", Event: "ping", ReceivedAt: unseen()}))
		c.ask("delivery g1")
		check(t, "jobs of deliveries", jobs(t, s, "kind = 'delivery'"), 0)
	})
}

// jobs counts the queue's rows.
func jobs(t *testing.T, s *Store, where string) (n int) {
	t.Helper()
	if err := s.db.QueryRow(`SELECT count(*) FROM river_job WHERE ` + where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWorkFindsWhatLostItsJob(t *testing.T) { onBoth(t, testWorkFindsWhatLostItsJob) }

func testWorkFindsWhatLostItsJob(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	must[bool](t)(s.AddDelivery(ctx, bot.Delivery{GUID: "g1", Event: "ping"}))
	add(t, s, aRun(1))
	if err := s.AddAnswer(ctx, bot.Answer{Repo: hello, Comment: 2}); err != nil {
		t.Fatal(err)
	}
	// As a killed process leaves them: fetched, and worked by nobody.
	if _, err := s.db.Exec(`UPDATE river_job SET state = 'running', attempt = 1, attempted_at = CURRENT_TIMESTAMP`); err != nil {
		t.Fatal(err)
	}
	h, c := recording(t, s)
	start := time.Now()
	work(t, s, h)
	got := map[string]bool{}
	for range 3 {
		select {
		case what := <-c.ch:
			got[what] = true
		case <-time.After(20 * time.Second):
			t.Fatalf("only %v was asked for", got)
		}
	}
	check(t, "asked for", got, map[string]bool{"delivery g1": true, "drive 1": true, "answers": true})
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("a new process took %v", took)
	}
}

func TestWhatFailsIsTriedAgain(t *testing.T) { onBoth(t, testWhatFailsIsTriedAgain) }

func testWhatFailsIsTriedAgain(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	h, c := recording(t, s)
	good := h.Delivery
	tries := 0
	h.Delivery = func(ctx context.Context, guid string) error {
		tries++
		switch tries {
		case 1:
			return errors.New("GitHub is away")
		case 2:
			panic("a bug")
		}
		return good(ctx, guid)
	}
	work(t, s, h)
	must[bool](t)(s.AddDelivery(ctx, bot.Delivery{GUID: "g1", Event: "ping"}))
	c.ask("delivery g1")
	check(t, "tries", tries, 3)
}

func TestARunIsDrivenByOneJobAtATime(t *testing.T) { onBoth(t, testARunIsDrivenByOneJobAtATime) }

func testARunIsDrivenByOneJobAtATime(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	h, _ := recording(t, s)
	const entries = 60
	var mu sync.Mutex
	busy, drives, seen := false, 0, 0
	added, done := make(chan struct{}), make(chan struct{})
	h.Drive = func(ctx context.Context, run string) error {
		mu.Lock()
		if busy {
			t.Error("a run is driven twice at once")
		}
		busy = true
		drives++
		mu.Unlock()
		all, err := s.Entries(ctx, run, "p1")
		<-added // however busy the machine, the entries come within one drive
		mu.Lock()
		defer mu.Unlock()
		busy = false
		if seen < entries && len(all) == entries {
			close(done)
		}
		seen = len(all)
		return err
	}
	add(t, s, aRun(1))
	work(t, s, h)
	for i := range entries {
		if err := s.AddEntry(ctx, "1", bot.StoredEntry{Piece: "p1", Attempt: 1, Seq: i, Meta: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
	}
	close(added)
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the last entry was never seen")
	}
	mu.Lock()
	defer mu.Unlock()
	if drives > entries/4 {
		t.Errorf("a burst of %d entries made %d drives", entries, drives)
	}
}

func TestAnInstancesStateDrivesItsRunAndAHeartbeatDoesNot(t *testing.T) {
	onBoth(t, testAnInstancesStateDrivesItsRunAndAHeartbeatDoesNot)
}

func testAnInstancesStateDrivesItsRunAndAHeartbeatDoesNot(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	add(t, s, aRun(1))
	if err := s.AddInstance(ctx, anInstance("i1", "1/b0", 0)); err != nil {
		t.Fatal(err)
	}
	idle := func() {
		if _, err := s.db.Exec(`UPDATE drives SET queued = 0; DELETE FROM river_job`); err != nil {
			t.Fatal(err)
		}
	}
	idle()
	must[runnerfleet.Instance](t)(s.UpdateInstance(ctx, "i1", func(in *runnerfleet.Instance) bool { in.SeenAt = noon; return true }))
	check(t, "jobs after a heartbeat", jobs(t, s, "true"), 0)
	must[runnerfleet.Instance](t)(s.UpdateInstance(ctx, "i1", func(in *runnerfleet.Instance) bool { in.State = runnerfleet.Gone; return true }))
	check(t, "jobs after its end", jobs(t, s, "kind = 'drive'"), 1)
	idle()
	must[bot.Run](t)(s.UpdateRun(ctx, "1", func(r *bot.Run) bool { r.State = bot.Closed; return true }))
	check(t, "jobs after the run closed", jobs(t, s, "true"), 0)
}

func TestOneProcessWorksAFile(t *testing.T) {
	name := onSQLite.name(t)
	one, two := open(t, name), open(t, name)
	h, c := recording(t, one)
	stop := work(t, one, h)
	add(t, two, aRun(1)) // another process may store: a drive shows that the first one works
	c.ask("drive 1")

	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() { second <- two.Work(ctx, h) }()
	add(t, two, aRun(2))
	c.ask("drive 2")
	stop()
	add(t, one, aRun(3))
	c.ask("drive 3") // by the second, which waited for the first to leave
	cancel()
	if err := <-second; err != nil {
		t.Errorf("second: %v", err)
	}
}

func TestWorkWithoutAHandlerIsAnError(t *testing.T) { onBoth(t, testWorkWithoutAHandlerIsAnError) }

func testWorkWithoutAHandlerIsAnError(t *testing.T, db database) {
	if err := db.fresh(t).Work(t.Context(), Handlers{}); err == nil {
		t.Error("no error")
	}
}

func TestWhatIsWorkedMayFinishWhenWorkEnds(t *testing.T) {
	onBoth(t, testWhatIsWorkedMayFinishWhenWorkEnds)
}

func testWhatIsWorkedMayFinishWhenWorkEnds(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	h, c := recording(t, s)
	good, begun, leave := h.Delivery, make(chan struct{}), make(chan struct{})
	h.Delivery = func(ctx context.Context, guid string) error {
		close(begun)
		<-leave
		return good(ctx, guid)
	}
	stop := work(t, s, h)
	must[bool](t)(s.AddDelivery(ctx, bot.Delivery{GUID: "g1", Event: "ping"}))
	<-begun
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(leave)
	c.ask("delivery g1")
	<-stopped
	check(t, "outcome", must[bot.Delivery](t)(s.Delivery(ctx, "g1")).Outcome, "done")
}
