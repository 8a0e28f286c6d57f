package main

import (
	"context"
	"strings"

	"github.com/ortest/ortest/runnerfleet"
)

// canaryBuckets is what the buckets of ortest image build begin with.
const canaryBuckets = "image/"

// canaries is Work with the instances of ortest image build beside the bot's: they are let
// in, get no piece, and are nobody's loss.
type canaries struct {
	runnerfleet.Work
	store runnerfleet.Store
}

// Buckets lists what the bot wants, and what an image build waits for.
func (c canaries) Buckets(ctx context.Context) ([]runnerfleet.Bucket, error) {
	want, err := c.Work.Buckets(ctx)
	if err != nil {
		return nil, err
	}
	all, err := c.store.Instances(ctx)
	if err != nil {
		return nil, err
	}
	for _, in := range all {
		if canary(in) && in.State != runnerfleet.Done && in.State != runnerfleet.Gone {
			want = append(want, runnerfleet.Bucket{
				ID: in.Bucket, Attempt: in.Attempt, Arch: in.Arch, Type: in.Type, Deadline: in.Deadline, OnDemand: true,
			})
		}
	}
	return want, nil
}

// Next sends a canary home: that it asks is all that was to be seen.
func (c canaries) Next(ctx context.Context, in runnerfleet.Instance) (runnerfleet.Assignment, error) {
	if canary(in) {
		return runnerfleet.Assignment{}, runnerfleet.ErrNoMore
	}
	return c.Work.Next(ctx, in)
}

// Lost is told to whoever builds the image, by the store.
func (c canaries) Lost(ctx context.Context, in runnerfleet.Instance) error {
	if canary(in) {
		return nil
	}
	return c.Work.Lost(ctx, in)
}

func canary(in runnerfleet.Instance) bool { return strings.HasPrefix(in.Bucket, canaryBuckets) }
