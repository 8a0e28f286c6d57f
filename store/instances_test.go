package store

import (
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/fleettest"
)

func anInstance(id, bucket string, intended time.Duration) runnerfleet.Instance {
	return runnerfleet.Instance{
		ID: id, Bucket: bucket, Attempt: 1, Arch: "linux x86_64", Type: "c7i.large", URL: "http://127.0.0.1:1", State: runnerfleet.Intended,
		Enrol: []byte{0, 1, 255}, IntendedAt: noon.Add(intended), Deadline: noon.Add(time.Hour),
	}
}

func TestInstances(t *testing.T) { onBoth(t, testInstances) }

func testInstances(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	add(t, s, aRun(1)) // live
	add(t, s, aRun(2))
	must[bot.Run](t)(s.UpdateRun(ctx, "2", func(r *bot.Run) bool { r.State = bot.Closed; return true }))
	in := anInstance("i1", "1/b0", 2*time.Second)
	if err := s.AddInstance(ctx, in); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "the same ID again", s.AddInstance(ctx, anInstance("i1", "1/b1", 0)), runnerfleet.ErrExists)
	check(t, "an instance comes back as it was stored", must[runnerfleet.Instance](t)(s.Instance(ctx, "i1")), in)
	_, err := s.Instance(ctx, "i2")
	wantErr(t, "an instance that is not there", err, runnerfleet.ErrNotFound)
	_, err = s.UpdateInstance(ctx, "i2", func(*runnerfleet.Instance) bool { return true })
	wantErr(t, "an update of one that is not there", err, runnerfleet.ErrNotFound)

	got := must[runnerfleet.Instance](t)(s.UpdateInstance(ctx, "i1", func(in *runnerfleet.Instance) bool { in.Reason = "x"; return false }))
	check(t, "what is not wanted is not returned", got, in)
	want := runnerfleet.Instance{
		ID: "i1", Bucket: "1/b0", Attempt: 2, Arch: "a", Type: "t", URL: "u", CloudID: "c", State: runnerfleet.Busy, Reason: "r", Owed: true,
		Secret: []byte{9}, Enrol: []byte{3}, IntendedAt: noon.Add(1), LaunchedAt: noon.Add(2 * time.Microsecond), EnrolledAt: noon.Add(3 * time.Hour),
		SeenAt: noon.Add(4 * time.Second), EndedAt: noon.Add(5 * time.Second), Deadline: noon.Add(6 * time.Second),
	}
	want.IntendedAt = noon
	got = must[runnerfleet.Instance](t)(s.UpdateInstance(ctx, "i1", func(in *runnerfleet.Instance) bool {
		*in = want
		in.ID, in.Bucket = "other", "9/b9"
		return true
	}))
	check(t, "every field but ID and bucket can change", got, want)
	check(t, "and is stored", must[runnerfleet.Instance](t)(s.Instance(ctx, "i1")), want)
}

func TestInstancesThatAreListed(t *testing.T) { onBoth(t, testInstancesThatAreListed) }

func testInstancesThatAreListed(t *testing.T, db database) {
	ctx, s := t.Context(), db.fresh(t)
	add(t, s, aRun(1)) // live
	add(t, s, aRun(2))
	must[bot.Run](t)(s.UpdateRun(ctx, "2", func(r *bot.Run) bool { r.State = bot.Closed; return true }))
	for i, tt := range []struct {
		name   string
		bucket string
		state  runnerfleet.State
		owed   bool
		listed bool
	}{
		{name: "idle of a live run", bucket: "1/b0", state: runnerfleet.Idle, listed: true},
		{name: "gone of a live run", bucket: "1/b0", state: runnerfleet.Gone, listed: true},
		{name: "gone of a live run with the prefix r", bucket: "r1/b0", state: runnerfleet.Gone, listed: true},
		{name: "done of a closed run", bucket: "2/b0", state: runnerfleet.Done, listed: true},
		{name: "gone of a closed run", bucket: "2/b0", state: runnerfleet.Gone},
		{name: "gone of a closed run, but owed", bucket: "2/b0", state: runnerfleet.Gone, owed: true, listed: true},
		{name: "gone of a bucket that names no run", bucket: "demo", state: runnerfleet.Gone},
		{name: "busy of a bucket that names no run", bucket: "demo", state: runnerfleet.Busy, listed: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := anInstance(tt.name, tt.bucket, -time.Duration(i)*time.Second)
			in.State, in.Owed = tt.state, tt.owed
			if err := s.AddInstance(ctx, in); err != nil {
				t.Fatal(err)
			}
			all := must[[]runnerfleet.Instance](t)(s.Instances(ctx))
			// Each is older than the one before, and thus comes first.
			if got := len(all) > 0 && all[0].ID == tt.name; got != tt.listed {
				t.Errorf("listed: %v, want %v", got, tt.listed)
			}
		})
	}
}

func TestInstancesKeepTheFleetsContract(t *testing.T) { onBoth(t, testInstancesKeepTheFleetsContract) }

func testInstancesKeepTheFleetsContract(t *testing.T, db database) {
	fleettest.StoreContract(t, func(t *testing.T) runnerfleet.Store { return db.fresh(t) })
}
