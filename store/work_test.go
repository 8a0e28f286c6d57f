package store

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
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

func TestWork(t *testing.T) {
	ctx, s := t.Context(), fresh(t)
	h, c := recording(t, s)
	stop := work(t, s, h)

	start := time.Now()
	must[bool](t)(s.AddDelivery(ctx, bot.Delivery{GUID: "g1", Event: "ping"}))
	c.ask("delivery g1")
	add(t, s, aRun(1))
	c.ask("drive 1")
	if err := s.AddAnswer(ctx, bot.Answer{Repo: hello, Comment: 2}); err != nil {
		t.Fatal(err)
	}
	c.ask("answers")
	t.Logf("took %v", time.Since(start))
	start = time.Now()
	stop()
	t.Logf("stop took %v", time.Since(start))
}
