package runnerfleet

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Fleet makes the cloud match what Work wants. Every field but Now is required; it must
// not be copied once used. One process at a time runs passes on a store.
type Fleet struct {
	Cloud  Cloud
	Store  Store
	Work   Work
	Limits Limits
	// URL is where new instances reach the API.
	URL string
	// Key derives the one-time tokens, at least 32 secret bytes that survive the
	// process: with another key, launches that were only intended are given up.
	Key []byte
	// Interval is the time between two passes when nothing wakes the fleet.
	Interval time.Duration
	Log      *slog.Logger
	// Now is the clock of the day; nil: time.Now.
	Now func() time.Time

	once sync.Once
	wake chan struct{}
	slow atomic.Bool // telling Work took too long in this pass

	ears      sync.Mutex // of listening and heard
	listening time.Time
	heard     time.Time   // when it was last seen that we can hear
	deaf      atomic.Bool // something could not be stored since
}

// Validate reports what is missing.
func (f *Fleet) Validate() error {
	switch {
	case f.Cloud == nil || f.Store == nil || f.Work == nil || f.Log == nil:
		return errors.New("fleet: Cloud, Store, Work and Log are required")
	case f.URL == "":
		return errors.New("fleet: URL is required")
	case len(f.Key) < 32:
		return fmt.Errorf("fleet: key has %d bytes, want 32 or more", len(f.Key))
	case f.Interval <= 0:
		return errors.New("fleet: interval must be positive")
	case f.Limits.MaxInstances < 1 || f.Limits.MaxAge <= 0 || f.Limits.BootGrace <= 0 || f.Limits.Silence <= 0:
		return errors.New("fleet: MaxInstances, MaxAge, BootGrace and Silence must be positive")
	}
	return nil
}

// Run makes passes until ctx ends, and then returns nil: the instances live on and
// the next process finds them. A pass that fails is logged, and made again.
func (f *Fleet) Run(ctx context.Context) error {
	if err := f.Validate(); err != nil {
		return err
	}
	f.start()
	tick := time.NewTicker(f.Interval)
	defer tick.Stop()
	for {
		if err := f.Once(ctx); err != nil && ctx.Err() == nil {
			f.Log.Error("fleet pass", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		case <-tick.C:
		}
	}
}

// Wake asks for a pass soon. It never blocks, and may be called from anywhere.
func (f *Fleet) Wake() {
	f.start()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *Fleet) start() {
	f.once.Do(func() {
		f.wake = make(chan struct{}, 1)
		f.listening = wall(f.Now)
	})
}

// Once makes one pass: observe, decide, apply. It attempts every step and
// joins what failed; when it cannot observe, it changes nothing. Passes must not
// overlap.
func (f *Fleet) Once(ctx context.Context) error {
	v, err := f.Observe(ctx)
	if err != nil {
		return err
	}
	now := f.hear()
	over := f.stayAwake()
	defer over()
	v.Listening = f.hearing()
	f.slow.Store(false)
	wanted := v.wanted()
	var errs []error
	for _, b := range v.Want {
		if _, err := InstanceID(b); err != nil {
			errs = append(errs, err)
		}
	}
	var launches []*pass
	for _, s := range Decide(v, now, f.Limits) {
		_, want := wanted[s.Instance]
		p := &pass{Fleet: f, step: s, wanted: want, now: now}
		if s.Op == LaunchOne {
			launches = append(launches, p)
			continue
		}
		errs = append(errs, p.named(p.apply(ctx)))
	}
	return errors.Join(errors.Join(errs...), launchAll(ctx, launches))
}

// launchesAtOnce is how many launches a pass has under way: a cloud takes a second or
// more for each, and its own limits hold the rest back.
const launchesAtOnce = 16

// launchAll writes each intent down, one after the other, and asks the cloud for
// them side by side.
func launchAll(ctx context.Context, all []*pass) error {
	errs := make([]error, len(all))
	var g errgroup.Group
	g.SetLimit(launchesAtOnce)
	for i, p := range all {
		l, err := p.settle(ctx)
		if err != nil || l == nil {
			errs[i] = p.named(err)
			continue
		}
		g.Go(func() error {
			errs[i] = p.named(p.launch(ctx, *l))
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	return errors.Join(errs...)
}

// Observe returns what a pass would see now.
func (f *Fleet) Observe(ctx context.Context) (View, error) {
	f.start()
	v := View{Listening: f.hearing()}
	var err error
	if v.Machines, err = f.Cloud.List(ctx); err != nil {
		return v, fmt.Errorf("list machines: %w", err)
	}
	if v.Instances, err = f.Store.Instances(ctx); err != nil {
		return v, fmt.Errorf("read instances: %w", err)
	}
	if v.Want, err = f.Work.Buckets(ctx); err != nil {
		return v, fmt.Errorf("read wanted buckets: %w", err)
	}
	return v, nil
}

// Left counts the instances that are not Gone and whose bucket's ID begins with
// prefix ("r1/" for those of a run, "" for all). A run is over at 0.
func (f *Fleet) Left(ctx context.Context, prefix string) (int, error) {
	all, err := f.Store.Instances(ctx)
	if err != nil {
		return 0, fmt.Errorf("read instances: %w", err)
	}
	n := 0
	for _, in := range all {
		if in.State != Gone && strings.HasPrefix(in.Bucket, prefix) {
			n++
		}
	}
	return n, nil
}

// pass is one step on its way into the world.
type pass struct {
	*Fleet
	step   Step
	wanted bool
	now    time.Time
}

func (p *pass) apply(ctx context.Context) error {
	switch p.step.Op {
	case Terminate:
		return p.terminate(ctx)
	case Confirm:
		return p.confirm(ctx)
	case Lose:
		in, err := p.Store.Instance(ctx, p.step.Instance)
		if err != nil {
			return err
		}
		return p.lose(ctx, in)
	}
	return fmt.Errorf("unknown operation %q", p.step.Op)
}

// named says which step failed.
func (p *pass) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", p.step.Op, cmp.Or(p.step.Instance, p.step.CloudID), err)
}

// terminate ends an instance, tells Work, so that its runners are no longer registered,
// and ends its machine, whether that could be told or not. Whether it must
// go is asked again of the instance as it is now: it may have taken a piece
// or been heard since it was observed.
func (p *pass) terminate(ctx context.Context) error {
	var errs []error
	if p.step.Instance != "" {
		at := situation{wanted: p.wanted, listening: p.hearing()}
		seen := p.console(ctx)
		in, err := p.update(ctx, func(in *Instance) bool {
			now := wall(p.Now) // it may have been heard since the pass began
			why := in.overdue(at, now, p.Limits)
			e := event{kind: ended, reason: in.explain(why), lost: why != reasonUnwanted}
			if why == reasonNoEnrol {
				e.reason += seen
			}
			return why != "" && in.advance(e, now)
		})
		if err != nil {
			return err
		}
		if in.live() {
			return nil
		}
		if in.Owed {
			errs = append(errs, p.lose(ctx, in))
		}
	} else {
		p.Log.Warn("orphaned machine", "machine", p.step.CloudID, "reason", p.step.Reason)
	}
	if p.step.CloudID != "" {
		errs = append(errs, p.Cloud.Terminate(ctx, p.step.CloudID))
	}
	return errors.Join(errs...)
}

// console returns what a machine that never enrolled printed last, to follow why it
// went; "" when there is nothing to be had. Nobody else will ever see it.
func (p *pass) console(ctx context.Context) string {
	cloud, ok := p.Cloud.(Console)
	if !ok || p.step.Reason != reasonNoEnrol || p.step.CloudID == "" {
		return ""
	}
	text, err := cloud.ConsoleOutput(ctx, p.step.CloudID)
	if err != nil {
		p.Log.Warn("no console output", "instance", p.step.Instance, "err", err)
		return ""
	}
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) == 0 {
		return ""
	}
	return "; its console ends: " + printable(strings.Join(lines[max(0, len(lines)-consoleLines):], " | "))
}

// consoleLines of a console are shown.
const consoleLines = 5

// confirm forgets an instance whose machine is gone, once Work knows.
func (p *pass) confirm(ctx context.Context) error {
	in, err := p.update(ctx, func(in *Instance) bool {
		lost := p.step.Reason != reasonUnwanted || in.State == Busy
		return in.advance(event{kind: ended, reason: in.explain(p.step.Reason), lost: lost}, p.now)
	})
	if err != nil {
		return err
	}
	if in.Owed {
		if err := p.lose(ctx, in); err != nil {
			return err
		}
	}
	_, err = p.update(ctx, func(in *Instance) bool { return in.advance(event{kind: vanished}, p.now) })
	return err
}

// How long Work has to hear of a loss, and of the others in a pass in which it took longer:
// machines cost while it does. What it has not heard is told by the next pass.
const (
	tellTime  = 10 * time.Second
	tellHaste = time.Second
)

// lose tells Work, then remembers that it did: a crash between tells it again.
func (p *pass) lose(ctx context.Context, in Instance) error {
	within := tellTime
	if p.slow.Load() {
		within = tellHaste
	}
	telling, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := p.Work.Lost(telling, in); err != nil {
		if telling.Err() != nil {
			p.slow.Store(true)
		}
		return fmt.Errorf("report loss: %w", err)
	}
	_, err := p.update(ctx, func(in *Instance) bool { return in.advance(event{kind: told}, p.now) })
	return err
}

// settle writes the intent down, and what the cloud freezes of it. It returns the
// launch to ask for, or nil when there is none any more. After a crash at any point
// the same step sends the same bytes again.
func (p *pass) settle(ctx context.Context) (*Launch, error) {
	token := enrolToken(p.Key, p.step.Instance)
	in, err := p.intend(ctx, token)
	if err != nil {
		return nil, err
	}
	switch {
	case !in.live():
		return nil, p.lose(ctx, in)
	case in.CloudID != "":
		return nil, nil
	case !bytes.Equal(in.Enrol, digest(token)):
		_, err := p.update(ctx, func(in *Instance) bool {
			return in.advance(event{kind: ended, reason: reasonKeyChange, lost: true}, p.now)
		})
		return nil, err
	}
	if cloud, ok := p.Cloud.(Preparer); ok && in.Params == "" {
		params, err := cloud.Prepare(ctx, in.launch(token))
		if err != nil {
			return nil, p.refused(ctx, err)
		}
		in, err = p.update(ctx, func(in *Instance) bool { return in.advance(event{kind: prepared, params: params}, p.now) })
		if err != nil {
			return nil, err
		}
	}
	l := in.launch(token)
	return &l, nil
}

// launch asks the cloud, and notes its answer.
func (p *pass) launch(ctx context.Context, l Launch) error {
	cloudID, err := p.Cloud.Launch(ctx, l)
	if err != nil {
		return p.refused(ctx, err)
	}
	// By now, and not since the pass began: from here on the list may lag.
	_, err = p.update(ctx, func(in *Instance) bool {
		return in.advance(event{kind: launched, cloudID: cloudID}, wall(p.Now))
	})
	return err
}

// refused notes why there is no machine; err comes back either way. A rejection is told
// to Work at once: nothing is gained by waiting for an agent that nobody launched.
func (p *pass) refused(ctx context.Context, err error) error {
	e := event{kind: delayed, reason: printable(err.Error())}
	switch {
	case errors.Is(err, ErrCapacity):
		e.kind = refused
	case errors.Is(err, ErrRejected):
		e.kind, e.reason = rejected, printable(reasonNoLaunch+": "+err.Error())
	}
	in, uerr := p.update(ctx, func(in *Instance) bool { return in.advance(e, wall(p.Now)) })
	if uerr == nil && e.kind == rejected && in.Owed {
		uerr = p.lose(ctx, in)
	}
	return errors.Join(err, uerr)
}

// intend returns the stored intent, which this call or an earlier one wrote.
func (p *pass) intend(ctx context.Context, token string) (Instance, error) {
	b, id := p.step.Bucket, p.step.Instance
	deadline := p.now.Add(p.Limits.MaxAge)
	if !b.Deadline.IsZero() && b.Deadline.Before(deadline) {
		deadline = b.Deadline
	}
	in := Instance{
		ID: id, Bucket: b.ID, Attempt: b.Attempt, Arch: b.Arch, Type: b.Type, URL: p.URL, OnDemand: b.OnDemand, Lanes: b.Lanes,
		State: Intended, Enrol: digest(token), IntendedAt: p.now,
		// As every store gives it back: the launch may be repeated from there.
		Deadline: deadline.UTC().Truncate(time.Second),
	}
	began := wall(p.Now)
	err := p.Store.AddInstance(ctx, in)
	p.stored(began, err)
	switch {
	case errors.Is(err, ErrExists):
		return p.Store.Instance(ctx, id)
	case err != nil:
		return in, fmt.Errorf("write intent: %w", err)
	}
	p.Log.Info("instance intended", "instance", id, "bucket", b.ID, "reason", p.step.Reason)
	return in, nil
}

// update moves the step's instance and logs where it went.
func (p *pass) update(ctx context.Context, change func(*Instance) bool) (Instance, error) {
	began := wall(p.Now)
	in, err := update(ctx, p.Store, p.Log, p.step.Instance, change)
	p.stored(began, err)
	return in, err
}

// stored notes how a write went that began then: where it took long, or came to nothing,
// no heartbeat could be stored either.
func (p *pass) stored(began time.Time, err error) {
	if err != nil && !errors.Is(err, ErrExists) || wall(p.Now).Sub(began) >= p.Limits.Silence/2 {
		p.deaf.Store(true)
	}
}

func update(ctx context.Context, s Store, log *slog.Logger, id string, change func(*Instance) bool) (Instance, error) {
	var from State
	in, err := s.UpdateInstance(ctx, id, func(in *Instance) bool {
		from = in.State
		return change(in)
	})
	if err != nil {
		return in, fmt.Errorf("update instance: %w", err)
	}
	if in.State != from {
		log.Info("instance moved", "instance", id, "from", from, "to", in.State, "reason", in.Reason)
	}
	return in, nil
}
