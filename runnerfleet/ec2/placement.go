package ec2

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/ortest/ortest/runnerfleet"
)

// Placement is where an arch's machines must run, in AWS's words; the zero value is
// wherever there is room. Machines with a placement are bought on demand.
type Placement struct {
	Tenancy     string `json:"tenancy,omitempty" yaml:"tenancy"` // dedicated or host
	Host        string `json:"host,omitempty" yaml:"host"`       // a dedicated host's ID
	HostGroup   string `json:"host_group,omitempty" yaml:"host_resource_group"`
	Group       string `json:"group,omitempty" yaml:"group"`             // a placement group's name
	Reservation string `json:"reservation,omitempty" yaml:"reservation"` // a capacity reservation's ID
}

// Validate says what AWS would refuse.
func (p Placement) Validate() error {
	switch {
	case p.Tenancy != "" && p.Tenancy != "dedicated" && p.Tenancy != "host":
		return fmt.Errorf("tenancy %q is none of: dedicated, host", p.Tenancy)
	case (p.Host != "" || p.HostGroup != "") && p.Tenancy != "host":
		return errors.New("a host needs tenancy: host")
	case p.Host != "" && p.HostGroup != "":
		return errors.New("host and host_resource_group exclude each other")
	}
	return nil
}

// buy returns what makes one RunInstances call of an ask's one offer.
func (p Placement) buy(c *Cloud) func(context.Context, runnerfleet.Launch, string, ask) (string, error) {
	return func(ctx context.Context, l runnerfleet.Launch, template string, a ask) (string, error) {
		o := a.Offers[0]
		in := &ec2.RunInstancesInput{
			MinCount: aws.Int32(1), MaxCount: aws.Int32(1), ClientToken: aws.String(token(c.cfg.Fleet, l.Instance, strconv.Itoa(l.Try), "placed")),
			LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateId: aws.String(template), Version: aws.String("1")},
			InstanceType:   types.InstanceType(o.Type), SubnetId: aws.String(o.Subnet),
			TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: c.tags(l)}},
		}
		if p.Tenancy != "" || p.Group != "" {
			in.Placement = &types.Placement{
				Tenancy: types.Tenancy(p.Tenancy), HostId: some(p.Host), HostResourceGroupArn: some(p.HostGroup), GroupName: some(p.Group),
			}
		}
		if p.Reservation != "" {
			in.CapacityReservationSpecification = &types.CapacityReservationSpecification{
				CapacityReservationTarget: &types.CapacityReservationTarget{CapacityReservationId: aws.String(p.Reservation)},
			}
		}
		out, err := c.ec2.RunInstances(ctx, in)
		if err != nil {
			return "", fmt.Errorf("run instance for %s: %w", l.Instance, errors.Join(c.anew(err, template), c.short(ctx, a.Market, o, err)))
		}
		for _, i := range out.Instances {
			c.quotas.bought(a.Market, o.Type)
			return aws.ToString(i.InstanceId), nil
		}
		return "", fmt.Errorf("run instance for %s: AWS gave no machine and no reason", l.Instance)
	}
}

// short remembers that an offer had no capacity.
func (c *Cloud) short(ctx context.Context, m market, o offer, why error) error {
	if !errors.Is(translate(why), runnerfleet.ErrCapacity) || quotaCode(codeOf(why)) {
		return nil
	}
	return c.cfg.Notes.Note(ctx, o.shortage(m), time.Now().Add(shortFor))
}

// some is a pointer to s, or nil for "".
func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
