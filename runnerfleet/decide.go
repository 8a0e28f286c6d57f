package runnerfleet

import (
	"slices"
	"time"
)

// Limits bound what the fleet may hold and how long it waits. All are required.
type Limits struct {
	MaxInstances int           // machines at once, those on their way out included
	MaxAge       time.Duration // no instance lives longer, whatever its bucket's deadline
	BootGrace    time.Duration // from launch to enrolment
	Silence      time.Duration // without a heartbeat; several times the agents' interval
	Settle       time.Duration // how long the cloud's list may lag behind a launch
}

// View is what one pass saw: the cloud first, then the store, then what is
// wanted. In that order every machine's intent is in the view, and an
// instance that ends meanwhile errs towards being kept one more pass.
type View struct {
	Machines  []Machine
	Instances []Instance
	Want      []Bucket
	Listening time.Time // since when this process hears the agents
}

// Step is one correction. A step that is repeated has no second effect.
type Step struct {
	Op       Op
	Instance string // "" to terminate a machine that belongs to none
	CloudID  string // of Terminate; "" when the machine is not known
	Bucket   Bucket // of LaunchOne
	Reason   string
}

// Op is what a step does.
type Op string

// The operations, in the order in which a pass applies them.
const (
	Lose      Op = "lose"      // tell Work that an instance which ended will serve nothing more
	Terminate Op = "terminate" // end the instance and its machine
	Confirm   Op = "confirm"   // the machine is gone: end the instance if it had not, and forget it
	LaunchOne Op = "launch"    // write the intent down and start the machine, or repeat that
)

// Decide returns the steps that give each wanted bucket one instance.
//
// Terminations come first, so that a launch never waits for an instance the
// same pass is about to find gone. Decide reads no clock and calls no API: a dry
// run is Decide without applying, and a bug report is its arguments.
func Decide(v View, now time.Time, lim Limits) []Step {
	wanted, known := v.wanted(), v.known()
	steps, listed := v.claim(known)
	held := len(steps)             // machines there are, or may be
	taken := make(map[string]bool) // buckets that an instance serves or will
	var lose, launch []Step
	for _, in := range v.Instances {
		b, want := wanted[in.ID]
		if !in.live() && (in.Owed || want && !b.Spare) {
			lose = append(lose, Step{Op: Lose, Instance: in.ID, Reason: in.Reason})
		}
		if in.State == Gone {
			continue
		}
		want = want && (!b.Spare || !in.EnrolledAt.IsZero())
		s := in.step(situation{wanted: want, machine: listed[in.ID], listening: v.Listening}, now, lim)
		switch s.Op {
		case "":
			taken[in.Bucket] = taken[in.Bucket] || in.live()
		case LaunchOne:
			taken[in.Bucket] = true
			s.Bucket = b
			launch = append(launch, s)
		default:
			steps = append(steps, s)
		}
		if s.Op != Confirm {
			held++
		}
	}
	steps = slices.Concat(lose, steps, launch)
	for _, b := range v.Want {
		id, err := InstanceID(b)
		_, tried := known[id]
		if err != nil || tried || taken[b.ID] || held >= lim.MaxInstances || b.Spare || b.over(now) {
			continue
		}
		if before, ok := known[b.before()]; ok && before.waits(now) {
			continue
		}
		taken[b.ID] = true
		held++
		steps = append(steps, Step{Op: LaunchOne, Instance: id, Bucket: b, Reason: "bucket unserved"})
	}
	return steps
}

// situation is what the rest of a view says of one instance.
type situation struct {
	wanted    bool
	machine   *Machine // nil: the cloud does not list it
	listening time.Time
}

// step is what an instance that is not Gone needs, if anything.
func (in *Instance) step(at situation, now time.Time, lim Limits) Step {
	why := in.overdue(at, now, lim)
	running := at.machine != nil && at.machine.Running
	switch {
	case running && why != "":
		return Step{Op: Terminate, Instance: in.ID, CloudID: at.machine.CloudID, Reason: why}
	case in.State == Intended && why == "" && (running || at.machine == nil):
		if in.waits(now) {
			return Step{}
		}
		return Step{Op: LaunchOne, Instance: in.ID, Reason: "launch unconfirmed"}
	case running:
		return Step{}
	case at.machine != nil || !in.waits(now) && now.Sub(past(in.started(), at.listening, now)) >= lim.Settle:
		if why == "" {
			why = reasonVanished
		}
		return Step{Op: Confirm, Instance: in.ID, Reason: why}
	case in.live() && why != "":
		// Perhaps it is only not listed yet: it is ended at once, and
		// terminated when it shows.
		return Step{Op: Terminate, Instance: in.ID, CloudID: in.CloudID, Reason: why}
	}
	return Step{}
}

// claim returns the machine of each instance, a running one before a terminated
// one, and the steps that end the machines which belong to none.
func (v View) claim(known map[string]Instance) ([]Step, map[string]*Machine) {
	var steps []Step
	owned := make(map[string]*Machine, len(v.Machines))
	for i := range v.Machines {
		m := &v.Machines[i]
		why := orphan(m, known)
		switch {
		case why != "" && m.Running:
			steps = append(steps, Step{Op: Terminate, CloudID: m.CloudID, Reason: why})
		case why == "" && (owned[m.Instance] == nil || m.Running):
			owned[m.Instance] = m
		}
	}
	return steps, owned
}

// orphan reports why a machine belongs to nobody, or "".
func orphan(m *Machine, known map[string]Instance) string {
	in, ok := known[m.Instance]
	switch {
	case !ok:
		return "unknown to the store"
	case in.State == Gone:
		return "listed again after it was gone"
	case in.CloudID != "" && in.CloudID != m.CloudID:
		return "second machine of its instance"
	}
	return ""
}

// wanted returns the buckets by the instance that is to serve them.
func (v View) wanted() map[string]Bucket {
	m := make(map[string]Bucket, len(v.Want))
	for _, b := range v.Want {
		if id, err := InstanceID(b); err == nil {
			m[id] = b
		}
	}
	return m
}

func (v View) known() map[string]Instance {
	m := make(map[string]Instance, len(v.Instances))
	for _, in := range v.Instances {
		m[in.ID] = in
	}
	return m
}

// before names the instance of the attempt before, or "".
func (b Bucket) before() string {
	b.Attempt--
	id, err := InstanceID(b)
	if err != nil {
		return ""
	}
	return id
}

// over reports that nothing may serve the bucket any more.
func (b Bucket) over(now time.Time) bool { return !b.Deadline.IsZero() && !now.Before(b.Deadline) }
