package store

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// TestAlone has two processes, and two in each, take turns; on SQLite there is one.
func TestAlone(t *testing.T) { onBoth(t, testAlone) }

func testAlone(t *testing.T, db database) {
	ctx, name := t.Context(), db.name(t)
	all := []*Store{open(t, name), nil}
	all[1] = all[0]
	if db == onPostgres {
		all[1] = open(t, name)
	}
	var wg sync.WaitGroup
	var within, done int // alone, or the race detector tells
	for i := range 12 {
		wg.Go(func() {
			err := all[i%2].Alone(ctx, "release o/n", func(ctx context.Context) error {
				if within++; within != 1 {
					t.Error("two are alone")
				}
				err := all[i%2].Alone(ctx, "another key", func(context.Context) error { done++; return nil })
				<-time.After(time.Millisecond)
				within--
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	check(t, "all had their turn", done, 12)
	want := errors.New("it did not work")
	wantErr(t, "what do returns", all[0].Alone(ctx, "k", func(context.Context) error { return want }), want)
	err := all[0].Alone(ctx, "k", func(context.Context) error {
		soon, cancel := context.WithTimeout(ctx, 3*aloneEvery)
		defer cancel()
		return all[1].Alone(soon, "k", func(context.Context) error { return nil })
	})
	wantErr(t, "a wait that takes too long", err, context.DeadlineExceeded)
}

// TestALostRightIsNotGivenUpTwice loses the connection while somebody is alone: the
// next one's right outlives the end of the one before.
func TestALostRightIsNotGivenUpTwice(t *testing.T) {
	t.Parallel()
	ctx, name := t.Context(), onPostgres.name(t)
	one, other := open(t, name), open(t, name)
	session := &one.engine.(*pg).session
	lost, releaseLost, err := session.take(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	session.close()
	<-lost.Done()
	var release func()
	eventually(t, "the server has given it up", func() bool {
		_, release, err = session.take(ctx, "k")
		return err == nil
	})
	releaseLost()
	if _, _, err := other.engine.(*pg).session.take(ctx, "k"); !errors.Is(err, errBusy) {
		t.Errorf("another process takes what is held: %v", err)
	}
	release()
	_, release, err = other.engine.(*pg).session.take(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	release()
}
