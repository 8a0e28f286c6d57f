package fleettest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ortest/ortest/runnerfleet"
)

// CloudContract is what every cloud does. The machines that it launches need
// not do anything but stay.
func CloudContract(t *testing.T, open func(t *testing.T) runnerfleet.Cloud) {
	ctx := context.Background()
	l := runnerfleet.Launch{
		Instance: "r1-b1-a1", Bucket: "r1/b1", Arch: "linux x86_64", URL: "http://127.0.0.1:1",
		Token: "t0", Deadline: time.Now().Add(time.Hour).UTC().Truncate(time.Second),
	}
	find := func(t *testing.T, c runnerfleet.Cloud, instance string) (found []runnerfleet.Machine) {
		t.Helper()
		ms, err := c.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			if m.Instance == instance && m.Running {
				found = append(found, m)
			}
		}
		return found
	}
	launch := func(t *testing.T, c runnerfleet.Cloud, l runnerfleet.Launch) string {
		t.Helper()
		if p, ok := c.(runnerfleet.Preparer); ok {
			var err error
			if l.Params, err = p.Prepare(ctx, l); err != nil {
				t.Fatalf("Prepare: %v", err)
			}
		}
		id, err := c.Launch(ctx, l)
		if err != nil || id == "" {
			t.Fatalf("Launch = %q, %v", id, err)
		}
		t.Cleanup(func() { _ = c.Terminate(context.Background(), id) })
		return id
	}

	t.Run("a launched machine is listed with its tags", func(t *testing.T) {
		c := open(t)
		id := launch(t, c, l)
		Eventually(t, "machine is listed", func() bool { return len(find(t, c, l.Instance)) == 1 })
		m := find(t, c, l.Instance)[0]
		if m.CloudID != id || !m.Deadline.Equal(l.Deadline) || m.LaunchedAt.IsZero() {
			t.Errorf("machine = %+v, want cloud id %s, deadline %v and a launch time", m, id, l.Deadline)
		}
	})
	t.Run("a repeated launch starts nothing new", func(t *testing.T) {
		c := open(t)
		first := launch(t, c, l)
		if again := launch(t, c, l); again != first {
			t.Errorf("second launch = %s, want %s", again, first)
		}
		Eventually(t, "one machine is listed", func() bool { return len(find(t, c, l.Instance)) == 1 })
	})
	t.Run("two instances have two machines", func(t *testing.T) {
		c := open(t)
		other := l
		other.Instance = "r1-b2-a1"
		if a, b := launch(t, c, l), launch(t, c, other); a == b {
			t.Errorf("both are %s", a)
		}
		Eventually(t, "both are listed", func() bool {
			return len(find(t, c, l.Instance)) == 1 && len(find(t, c, other.Instance)) == 1
		})
	})
	t.Run("a terminated machine stops running, and a late repeat of its launch does not bring it back", func(t *testing.T) {
		c := open(t)
		id := launch(t, c, l)
		Eventually(t, "machine is listed", func() bool { return len(find(t, c, l.Instance)) == 1 })
		for range 2 {
			if err := c.Terminate(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		Eventually(t, "machine is gone", func() bool { return len(find(t, c, l.Instance)) == 0 })
		if again := launch(t, c, l); again != id {
			t.Errorf("late launch = %s, want %s", again, id)
		}
		if ms := find(t, c, l.Instance); len(ms) != 0 {
			t.Errorf("late launch started %+v", ms)
		}
	})
	t.Run("terminating a machine that never was is no error", func(t *testing.T) {
		if err := open(t).Terminate(ctx, "nobody"); err != nil {
			t.Error(err)
		}
	})
}

// StoreContract is what every store of instances does.
func StoreContract(t *testing.T, open func(t *testing.T) runnerfleet.Store) {
	ctx := context.Background()
	at := time.Date(2026, 1, 2, 15, 0, 0, 123456000, time.UTC)
	in := runnerfleet.Instance{
		ID: "r1-b1-a1", Bucket: "r1/b1", Attempt: 1, Arch: "linux x86_64", Type: "c5.large", URL: "http://x",
		CloudID: "i-1", State: runnerfleet.Booting, Reason: "because", Owed: true,
		Secret: []byte{1, 2}, Enrol: []byte{3}, IntendedAt: at, LaunchedAt: at.Add(time.Millisecond), EnrolledAt: at.Add(time.Microsecond),
		SeenAt: at.Add(time.Second), EndedAt: at.Add(time.Minute), Deadline: at.Add(time.Hour),
		OnDemand: true, Params: `{"image":"ami-1"}`, Tries: 2, RetryAt: at.Add(2 * time.Minute),
	}
	same := func(t *testing.T, got, want runnerfleet.Instance) {
		t.Helper()
		if d := cmp.Diff(want, got, cmp.Comparer(time.Time.Equal)); d != "" {
			t.Errorf("instance differs (-want +got):\n%s", d)
		}
	}

	t.Run("what was added comes back whole", func(t *testing.T) {
		s := open(t)
		if err := s.AddInstance(ctx, in); err != nil {
			t.Fatal(err)
		}
		got, err := s.Instance(ctx, in.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, in)
	})
	t.Run("zero times and no secret stay so", func(t *testing.T) {
		s := open(t)
		bare := runnerfleet.Instance{ID: "a", Bucket: "b", Attempt: 1, State: runnerfleet.Intended, IntendedAt: at}
		if err := s.AddInstance(ctx, bare); err != nil {
			t.Fatal(err)
		}
		got, err := s.Instance(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		if got.Secret != nil || !got.EnrolledAt.IsZero() || !got.SeenAt.IsZero() {
			t.Errorf("got %+v, want nil secret and zero times", got)
		}
	})
	t.Run("an instance is added once", func(t *testing.T) {
		s := open(t)
		if err := s.AddInstance(ctx, in); err != nil {
			t.Fatal(err)
		}
		if err := s.AddInstance(ctx, in); !errors.Is(err, runnerfleet.ErrExists) {
			t.Errorf("second add: %v, want ErrExists", err)
		}
	})
	t.Run("an unknown instance is not found", func(t *testing.T) {
		s := open(t)
		if _, err := s.Instance(ctx, "nobody"); !errors.Is(err, runnerfleet.ErrNotFound) {
			t.Errorf("read: %v, want ErrNotFound", err)
		}
		_, err := s.UpdateInstance(ctx, "nobody", func(*runnerfleet.Instance) bool { return true })
		if !errors.Is(err, runnerfleet.ErrNotFound) {
			t.Errorf("update: %v, want ErrNotFound", err)
		}
	})
	t.Run("an update is kept, and a refused one is not", func(t *testing.T) {
		s := open(t)
		if err := s.AddInstance(ctx, in); err != nil {
			t.Fatal(err)
		}
		want := in
		want.State = runnerfleet.Done
		got, err := s.UpdateInstance(ctx, in.ID, func(i *runnerfleet.Instance) bool {
			i.State = runnerfleet.Done
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
		got, err = s.UpdateInstance(ctx, in.ID, func(i *runnerfleet.Instance) bool {
			i.State = runnerfleet.Gone
			return false
		})
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
		if got, err = s.Instance(ctx, in.ID); err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
	})
	t.Run("instances that are not gone are listed, eldest first", func(t *testing.T) {
		s := open(t)
		younger, elder := in, in
		younger.ID, younger.IntendedAt, elder.ID = "x1", at.Add(time.Second), "x2"
		for _, i := range []runnerfleet.Instance{younger, elder} {
			if err := s.AddInstance(ctx, i); err != nil {
				t.Fatal(err)
			}
		}
		all, err := s.Instances(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 2 || all[0].ID != "x2" || all[1].ID != "x1" {
			t.Fatalf("got %+v, want x2, x1", all)
		}
		same(t, all[0], elder)
	})
}
