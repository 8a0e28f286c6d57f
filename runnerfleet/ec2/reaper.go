package ec2

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/ortest/ortest/runnerfleet"
)

// Reaper sees and ends the machines of a fleet. It needs no right but to describe
// instances and to terminate those with the fleet's tag, and no other setting: what it
// knows of a machine stands in the machine's tags.
type Reaper struct {
	fleet string
	ec2   calls
	saw   func(usage) // told what a list showed; nil: nobody is
	// foreign says of which machines List is silent; nil: of none.
	foreign func(in types.Instance, m runnerfleet.Machine) bool
}

// OpenReaper returns the reaper of a fleet.
func OpenReaper(ctx context.Context, fleet string) (*Reaper, error) {
	sdk, err := account(ctx, nil, 0)
	if err != nil {
		return nil, err
	}
	return &Reaper{fleet: fleet, ec2: callsOf(sdk)}, nil
}

// List returns the fleet's machines, also those that are about to be, and for a
// while those that were.
func (r *Reaper) List(ctx context.Context) ([]runnerfleet.Machine, error) {
	var all []runnerfleet.Machine
	var held usage
	pages := ec2.NewDescribeInstancesPaginator(r.ec2.DescribeInstances, &ec2.DescribeInstancesInput{
		Filters:    []types.Filter{{Name: aws.String("tag:" + tagFleet), Values: []string{r.fleet}}},
		MaxResults: aws.Int32(1000),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describe instances: %w", translate(err))
		}
		for _, res := range page.Reservations {
			for _, in := range res.Instances {
				m := machine(in)
				if m.Running {
					held.add(in)
				}
				if r.foreign == nil || !r.foreign(in, m) {
					all = append(all, m)
				}
			}
		}
	}
	if r.saw != nil {
		r.saw(held)
	}
	slices.SortFunc(all, func(a, b runnerfleet.Machine) int { return a.LaunchedAt.Compare(b.LaunchedAt) })
	return all, nil
}

// machine reads a machine from its tags. One that is stopped still exists and
// still costs.
func machine(in types.Instance) runnerfleet.Machine {
	m := runnerfleet.Machine{CloudID: aws.ToString(in.InstanceId), LaunchedAt: aws.ToTime(in.LaunchTime).UTC(), Running: true}
	if in.State != nil {
		switch in.State.Name {
		case types.InstanceStateNameShuttingDown, types.InstanceStateNameTerminated:
			m.Running = false
		}
	}
	for _, t := range in.Tags {
		switch aws.ToString(t.Key) {
		case tagInstance:
			m.Instance = aws.ToString(t.Value)
		case tagDeadline:
			m.Deadline, _ = time.Parse(time.RFC3339, aws.ToString(t.Value))
		}
	}
	return m
}

// Terminate ends a machine. What the account does not have, or shows only later,
// is no error: List decides what is left.
func (r *Reaper) Terminate(ctx context.Context, cloudID string) error {
	_, err := r.ec2.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{cloudID}})
	if err = translate(err); err != nil && !errors.Is(err, errNoMachine) {
		return fmt.Errorf("terminate instance: %w", err)
	}
	return nil
}

// ConsoleOutput returns what the machine printed last while it booted, without what looks
// like a secret: people will read it on a pull request.
func (r *Reaper) ConsoleOutput(ctx context.Context, cloudID string) (string, error) {
	out, err := r.ec2.GetConsoleOutput(ctx, &ec2.GetConsoleOutputInput{InstanceId: aws.String(cloudID), Latest: aws.Bool(true)})
	if isCode(err, "UnsupportedOperation") { // only Nitro has the latest
		out, err = r.ec2.GetConsoleOutput(ctx, &ec2.GetConsoleOutputInput{InstanceId: aws.String(cloudID)})
	}
	if err != nil {
		return "", fmt.Errorf("get console output: %w", translate(err))
	}
	text, err := console(aws.ToString(out.Output))
	return redact(text), err
}
