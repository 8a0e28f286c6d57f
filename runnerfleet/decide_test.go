package runnerfleet

import (
	"slices"
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	lim := Limits{
		MaxInstances: 2, MaxAge: time.Hour, BootGrace: 5 * time.Minute, Silence: time.Minute, Settle: 10 * time.Second,
	}
	b1, b2, b3 := Bucket{ID: "b1", Attempt: 1}, Bucket{ID: "b2", Attempt: 1}, Bucket{ID: "b3", Attempt: 1}
	spare := Bucket{ID: "b1", Attempt: 1, Spare: true}
	b1again := Bucket{ID: "b1", Attempt: 2}
	inst := func(s State, change ...func(*Instance)) Instance {
		in := Instance{
			ID: "b1-a1", Bucket: "b1", Attempt: 1, CloudID: "m1", State: s,
			IntendedAt: ago(2 * time.Minute), LaunchedAt: ago(2 * time.Minute), Deadline: now.Add(time.Hour),
		}
		switch s {
		case Intended:
			in.CloudID, in.LaunchedAt = "", time.Time{}
		case Idle, Busy:
			in.EnrolledAt, in.SeenAt = ago(time.Minute), ago(time.Second)
		case Done:
			in.Reason = reasonFinished
		}
		for _, f := range change {
			f(&in)
		}
		return in
	}
	begun := func(d time.Duration) func(*Instance) {
		return func(in *Instance) {
			in.IntendedAt = ago(d)
			if !in.LaunchedAt.IsZero() {
				in.LaunchedAt = ago(d)
			}
		}
	}
	seen := func(d time.Duration) func(*Instance) { return func(in *Instance) { in.SeenAt = ago(d) } }
	due := func(in *Instance) { in.Deadline = now }
	owed := func(in *Instance) { in.Owed, in.Reason = true, reasonSilent }
	named := func(id, cloud string) func(*Instance) {
		return func(in *Instance) { in.ID, in.Bucket, in.CloudID = id+"-a1", id, cloud }
	}
	runs := Machine{CloudID: "m1", Instance: "b1-a1", Running: true}
	stopped := Machine{CloudID: "m1", Instance: "b1-a1"}

	launch := func(b Bucket, why string) Step {
		id, _ := InstanceID(b)
		return Step{Op: LaunchOne, Instance: id, Bucket: b, Reason: why}
	}
	end := func(why string) Step { return Step{Op: Terminate, Instance: "b1-a1", CloudID: "m1", Reason: why} }
	confirm := func(why string) Step { return Step{Op: Confirm, Instance: "b1-a1", Reason: why} }
	lose := func(why string) Step { return Step{Op: Lose, Instance: "b1-a1", Reason: why} }

	for _, tt := range []struct {
		name   string
		want   []Bucket
		seen   []Instance
		cloud  []Machine
		listen time.Time
		out    []Step
	}{
		{name: "nothing wanted, nothing there"},
		{name: "an unserved bucket is launched", want: []Bucket{b1}, out: []Step{launch(b1, "bucket unserved")}},
		{name: "capped by MaxInstances", want: []Bucket{b1, b2, b3},
			out: []Step{launch(b1, "bucket unserved"), launch(b2, "bucket unserved")}},
		{name: "a machine on its way out counts against MaxInstances", want: []Bucket{b2, b3},
			seen: []Instance{inst(Done)}, cloud: []Machine{runs},
			out: []Step{end(reasonFinished), launch(b2, "bucket unserved")}},
		{name: "a machine found gone no longer counts", want: []Bucket{b2, b3},
			seen: []Instance{inst(Done)}, cloud: []Machine{stopped},
			out: []Step{confirm(reasonFinished), launch(b2, "bucket unserved"), launch(b3, "bucket unserved")}},
		{name: "an orphan counts against MaxInstances until it is gone", want: []Bucket{b2, b3},
			cloud: []Machine{{CloudID: "m9", Instance: "x-a1", Running: true}},
			out:   []Step{{Op: Terminate, CloudID: "m9", Reason: "unknown to the store"}, launch(b2, "bucket unserved")}},
		{name: "a bucket is not launched at its deadline", want: []Bucket{{ID: "b1", Attempt: 1, Deadline: now}}},
		{name: "a bucket whose id cannot name an instance is left alone", want: []Bucket{{ID: "b 1", Attempt: 1}, {ID: "b1"}}},

		{name: "a booting instance serves its bucket", want: []Bucket{b1},
			seen: []Instance{inst(Booting)}, cloud: []Machine{runs}},
		{name: "a busy instance serves its bucket", want: []Bucket{b1},
			seen: []Instance{inst(Busy)}, cloud: []Machine{runs}},
		{name: "an intended launch that may not have happened is repeated", want: []Bucket{b1},
			seen: []Instance{inst(Intended)}, out: []Step{launch(b1, "launch unconfirmed")}},
		{name: "an intended launch that did happen is repeated to learn its cloud id", want: []Bucket{b1},
			seen: []Instance{inst(Intended)}, cloud: []Machine{runs}, out: []Step{launch(b1, "launch unconfirmed")}},
		{name: "a repeated launch is not held back by MaxInstances", want: []Bucket{b1},
			seen:  []Instance{inst(Intended), inst(Busy, named("x", "m2")), inst(Busy, named("y", "m3"))},
			cloud: []Machine{{CloudID: "m2", Instance: "x-a1", Running: true}, {CloudID: "m3", Instance: "y-a1", Running: true}},
			out:   []Step{launch(b1, "launch unconfirmed")}},
		{name: "an intended launch that nobody wants any more is ended while it may still show",
			seen: []Instance{inst(Intended, begun(9*time.Second))},
			out:  []Step{{Op: Terminate, Instance: "b1-a1", Reason: reasonUnwanted}}},
		{name: "an intended launch that nobody wants is forgotten once the list has settled",
			seen: []Instance{inst(Intended, begun(10*time.Second))}, out: []Step{confirm(reasonUnwanted)}},
		{name: "the next attempt waits until the instance before it has ended", want: []Bucket{b1again},
			seen: []Instance{inst(Busy)}, cloud: []Machine{runs}},
		{name: "the next attempt is launched while the machine before it goes away", want: []Bucket{b1again},
			seen: []Instance{inst(Done)}, cloud: []Machine{runs},
			out: []Step{end(reasonFinished), launch(b1again, "bucket unserved")}},

		{name: "a stuck boot goes at exactly BootGrace", want: []Bucket{b1},
			seen: []Instance{inst(Booting, begun(5*time.Minute))}, cloud: []Machine{runs}, out: []Step{end(reasonNoEnrol)}},
		{name: "a boot just before BootGrace stays", want: []Bucket{b1},
			seen: []Instance{inst(Booting, begun(5*time.Minute-1))}, cloud: []Machine{runs}},
		{name: "a boot that could not reach us is given its grace anew", want: []Bucket{b1}, listen: ago(time.Minute),
			seen: []Instance{inst(Booting, begun(10*time.Minute))}, cloud: []Machine{runs}},
		{name: "a busy instance is lost at exactly Silence", want: []Bucket{b1},
			seen: []Instance{inst(Busy, seen(time.Minute))}, cloud: []Machine{runs}, out: []Step{end(reasonSilent)}},
		{name: "a busy instance just before Silence stays", want: []Bucket{b1},
			seen: []Instance{inst(Busy, seen(time.Minute-1))}, cloud: []Machine{runs}},
		{name: "what nobody could hear is no silence", want: []Bucket{b1}, listen: ago(time.Minute - 1),
			seen: []Instance{inst(Busy, seen(time.Hour))}, cloud: []Machine{runs}},
		{name: "a busy instance outlives its bucket being cancelled",
			seen: []Instance{inst(Busy)}, cloud: []Machine{runs}},
		{name: "an idle instance does not",
			seen: []Instance{inst(Idle)}, cloud: []Machine{runs}, out: []Step{end(reasonUnwanted)}},
		{name: "the deadline ends even a busy one", want: []Bucket{b1},
			seen: []Instance{inst(Busy, due)}, cloud: []Machine{runs}, out: []Step{end(reasonOverdue)}},
		{name: "an instance that enrolled before its launch was noted is no stuck boot", want: []Bucket{b1},
			seen: []Instance{inst(Busy, func(in *Instance) { in.CloudID, in.LaunchedAt = "", time.Time{} })}, cloud: []Machine{runs}},

		{name: "an instance whose machine stopped is lost at once", want: []Bucket{b1},
			seen: []Instance{inst(Busy)}, cloud: []Machine{stopped}, out: []Step{confirm(reasonVanished)}},
		{name: "an instance that is not listed is lost at exactly Settle", want: []Bucket{b1},
			seen: []Instance{inst(Booting, begun(10*time.Second))}, out: []Step{confirm(reasonVanished)}},
		{name: "before that the list may lag", want: []Bucket{b1},
			seen: []Instance{inst(Booting, begun(10*time.Second-1))}},
		{name: "a running machine of the instance counts more than a stopped one", want: []Bucket{b1},
			seen: []Instance{inst(Busy)}, cloud: []Machine{runs, stopped}},

		{name: "a finished instance is terminated until the cloud confirms",
			seen: []Instance{inst(Done)}, cloud: []Machine{runs}, out: []Step{end(reasonFinished)}},
		{name: "a finished instance that the list has not shown yet is waited for",
			seen: []Instance{inst(Done, begun(10*time.Second-1))}},
		{name: "an owed loss is told before its machine is ended",
			seen: []Instance{inst(Done, owed, begun(time.Second))}, out: []Step{lose(reasonSilent)}},
		{name: "an owed loss is told even when the machine is long gone",
			seen: []Instance{inst(Gone, owed)}, out: []Step{lose(reasonSilent)}},
		{name: "a bucket that is still wanted from an instance that ended is said to be lost, not launched again",
			want: []Bucket{b1}, seen: []Instance{inst(Gone)}, out: []Step{lose("")}},

		{name: "a spare bucket is not launched", want: []Bucket{spare}},
		{name: "the instance of a spare bucket stays", want: []Bucket{spare}, seen: []Instance{inst(Idle)}, cloud: []Machine{runs}},
		{name: "an instance that has not enrolled is not kept for others", want: []Bucket{spare},
			seen: []Instance{inst(Booting)}, cloud: []Machine{runs}, out: []Step{end(reasonUnwanted)}},
		{name: "the ended instance of a spare bucket is not lost", want: []Bucket{spare}, seen: []Instance{inst(Gone)}},

		{name: "a stopped machine of nobody needs nothing", cloud: []Machine{{CloudID: "m9", Instance: "x-a1"}}},
		{name: "a machine that shows after it was found gone is terminated",
			seen: []Instance{inst(Gone)}, cloud: []Machine{runs},
			out: []Step{{Op: Terminate, CloudID: "m1", Reason: "listed again after it was gone"}}},
		{name: "a second machine of an instance is terminated, the first stays", want: []Bucket{b1},
			seen: []Instance{inst(Busy)}, cloud: []Machine{{CloudID: "m2", Instance: "b1-a1", Running: true}, runs},
			out: []Step{{Op: Terminate, CloudID: "m2", Reason: "second machine of its instance"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := View{Machines: tt.cloud, Instances: tt.seen, Want: tt.want, Listening: tt.listen}
			if got := Decide(v, now, lim); !slices.Equal(got, tt.out) {
				t.Errorf("Decide\n got %+v\nwant %+v", got, tt.out)
			}
		})
	}
}
