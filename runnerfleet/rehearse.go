package runnerfleet

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Rehearse launches an instance for a bucket that is nobody's, waits until its agent has
// enrolled, and ends it: so it is seen that a new image can serve. The agent enrols with
// the process that serves f.Store, whose Work lists the bucket for as long; a pass of
// that process ends the instance too, at its deadline or when this one is no more.
func (f *Fleet) Rehearse(ctx context.Context, b Bucket, most time.Duration) (err error) {
	id, err := InstanceID(b)
	if err != nil {
		return err
	}
	now, token := time.Now(), enrolToken(f.Key, id)
	deadline := now.Add(most).UTC().Truncate(time.Second)
	in := Instance{
		ID: id, Bucket: b.ID, Attempt: b.Attempt, Arch: b.Arch, Type: b.Type, URL: f.URL, OnDemand: true,
		State: Intended, Enrol: digest(token), IntendedAt: now, Deadline: deadline,
		RetryAt: deadline, // no pass launches it, which would take the image that serves now
	}
	if err := f.Store.AddInstance(ctx, in); err != nil {
		return fmt.Errorf("write intent: %w", err)
	}
	defer func() { err = errors.Join(err, f.rehearsed(ctx, id)) }()
	l := in.launch(token)
	if cloud, ok := f.Cloud.(Preparer); ok {
		if l.Params, err = cloud.Prepare(ctx, l); err != nil {
			return err
		}
		if _, err := f.note(ctx, id, event{kind: prepared, params: l.Params}); err != nil {
			return err
		}
	}
	cloudID, err := f.Cloud.Launch(ctx, l)
	if err != nil {
		return err
	}
	if _, err := f.note(ctx, id, event{kind: launched, cloudID: cloudID}); err != nil {
		return err
	}
	return f.awaitEnrolment(ctx, id, cloudID)
}

func (f *Fleet) awaitEnrolment(ctx context.Context, id, cloudID string) error {
	tick := time.NewTicker(f.Interval)
	defer tick.Stop()
	for {
		in, err := f.Store.Instance(ctx, id)
		switch {
		case err != nil:
			return fmt.Errorf("read instance: %w", err)
		case !in.EnrolledAt.IsZero() && in.Reason != reasonTwice:
			return nil
		case !in.live() || !time.Now().Before(in.Deadline):
			return fmt.Errorf("%s has not enrolled: %s%s", cloudID, reasonOr(in.Reason, reasonOverdue), f.lastWords(ctx, cloudID))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s has not enrolled: %w", cloudID, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

func reasonOr(reason, other string) string {
	if reason == "" {
		return other
	}
	return reason
}

// lastWords is what a machine's console shows, to follow why it did not enrol.
func (f *Fleet) lastWords(ctx context.Context, cloudID string) string {
	cloud, ok := f.Cloud.(Console)
	if !ok {
		return ""
	}
	text, err := cloud.ConsoleOutput(ctx, cloudID)
	if err != nil || text == "" {
		return ""
	}
	return "; its console ends:\n" + text[max(0, len(text)-2000):]
}

// rehearsed ends the instance and its machine, also when ctx has ended.
func (f *Fleet) rehearsed(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	in, err := f.note(ctx, id, event{kind: ended, reason: "rehearsal over"})
	if err != nil || in.CloudID == "" {
		return err
	}
	return f.Cloud.Terminate(ctx, in.CloudID)
}

func (f *Fleet) note(ctx context.Context, id string, e event) (Instance, error) {
	return update(ctx, f.Store, f.Log, id, func(in *Instance) bool { return in.advance(e, time.Now()) })
}
