package ec2_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ortest/ortest/internal/ec2test"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
)

func TestWhatAWSRejectsSaysWhatToDo(t *testing.T) {
	of := func(code string) func(*ec2test.Server, *ec2.Config) {
		return func(s *ec2test.Server, _ *ec2.Config) { s.Refuse = func(_, _, _ string) string { return code } }
	}
	forbid := func(action string) func(*ec2test.Server, *ec2.Config) {
		return func(s *ec2test.Server, _ *ec2.Config) { s.Forbid = []string{action} }
	}
	const policy = "UnauthorizedOperation: You are not authorized to perform this operation.; give the bot bot-policy.json; ortest doctor names the permission that lacks"
	for _, tt := range []struct {
		name   string
		change func(*ec2test.Server, *ec2.Config)
		err    error
		says   string
	}{
		{"no permission to launch", forbid("CreateFleet"), runnerfleet.ErrRejected, policy},
		{"no permission to make a launch template", forbid("CreateLaunchTemplate"), runnerfleet.ErrRejected, policy},
		{"no permission to look for an image", forbid("DescribeImages"), runnerfleet.ErrRejected, policy},
		{"no permission to ask for sizes", forbid("DescribeInstanceTypes"), runnerfleet.ErrRejected, policy},
		{"no image", func(s *ec2test.Server, _ *ec2.Config) { s.Images = nil }, runnerfleet.ErrRejected, "no image ortest-x64-* of self: ortest image build makes one"},
		{"an image that is gone", of("InvalidAMIID.NotFound"), runnerfleet.ErrRejected, "name another in fleet.ec2.images"},
		{"a subnet that is gone", of("InvalidSubnetID.NotFound"), runnerfleet.ErrRejected, "correct fleet.ec2.subnets"},
		{"a group that is gone", of("InvalidGroup.NotFound"), runnerfleet.ErrRejected, "correct fleet.ec2.security_groups"},
		{"anything else", of("InvalidParameter"), runnerfleet.ErrRejected, "InvalidParameter: We currently do not have sufficient capacity.; ortest doctor looks at the account"},
		{"no permission for either market's role", of("AuthFailure.ServiceLinkedRoleCreationNotPermitted"), runnerfleet.ErrRejected, "the credentials are not this account's"},
		{"a quota that no machine fits", func(s *ec2test.Server, c *ec2.Config) { s.Quotas["L-34B43A08"], s.Quotas["L-1216C47A"] = 0, 0 },
			runnerfleet.ErrRejected, "the on-demand quota of 0 vCPUs (L-1216C47A) is too small for c5.large, c6i.large: ask AWS for more"},
		{"an arch that nobody configured", func(_ *ec2test.Server, c *ec2.Config) {
			c.Arches["linux aarch64"] = c.Arches[x64]
			delete(c.Arches, x64)
		},
			runnerfleet.ErrRejected, `arch "linux x86_64" is not configured`},
		{"AWS's own trouble is no rejection, and the next try is another one", of("InternalError"), runnerfleet.ErrCapacity, "InternalError"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, cfg := account(), configure()
			tt.change(s, &cfg)
			_, err := buy(t, open(t, s, cfg), launch())
			if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v\nwant %v, %s", err, tt.err, tt.says)
			}
		})
	}
}
