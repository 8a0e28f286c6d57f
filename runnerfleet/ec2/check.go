package ec2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Finding is what Check found out about one thing.
type Finding struct {
	About string // such as "image of linux x86_64"
	Says  string
	Err   error  // nil: it is as it should be
	Do    string // with Err: what would help
	Mild  bool   // with Err: machines start nevertheless
}

// Check asks AWS whether it has what the configuration names, and whether we may do what a
// launch does, without starting anything: the calls that would are dry runs.
func (c *Cloud) Check(ctx context.Context) []Finding {
	if _, err := c.credentials.Retrieve(ctx); err != nil {
		return []Finding{{About: "credentials", Err: fmt.Errorf("find credentials: %w", err), Do: "give them as every AWS tool reads them: a profile, the environment, or the role of the instance that this runs on"}}
	}
	found := []Finding{c.checkSubnets(ctx), c.checkGroups(ctx)}
	var without []int
	arches := slices.Sorted(maps.Keys(c.cfg.Arches))
	for _, arch := range arches {
		f := c.checkImage(ctx, arch)
		if errors.Is(f.Err, errNoImage) {
			without = append(without, len(found))
		}
		found = append(found, f, c.checkRoom(ctx, arch), c.checkLaunch(ctx, arch))
	}
	if len(without) < len(arches) { // not everybody tests on all of them
		for _, i := range without {
			found[i].Mild = true
		}
	}
	return found
}

func (c *Cloud) checkSubnets(ctx context.Context) Finding {
	f := Finding{About: "subnets", Do: "see fleet.ec2.subnets; the stack's outputs have them"}
	out, err := c.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: c.cfg.Subnets})
	if err != nil {
		return f.failed(err, "ec2:DescribeSubnets")
	}
	zones := make(map[string]bool)
	for _, s := range out.Subnets {
		zones[aws.ToString(s.AvailabilityZone)] = true
	}
	f.Says = fmt.Sprintf("%d in %d zones", len(out.Subnets), len(zones))
	if len(zones) < 2 {
		f.Err, f.Mild, f.Do = fmt.Errorf("%d subnets in one zone alone", len(out.Subnets)), true, "name subnets in several zones: one has no capacity now and then"
	}
	return f
}

func (c *Cloud) checkGroups(ctx context.Context) Finding {
	f := Finding{About: "security groups", Do: "see fleet.ec2.security_groups; the stack's outputs have it"}
	out, err := c.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: c.cfg.Groups})
	if err != nil {
		return f.failed(err, "ec2:DescribeSecurityGroups")
	}
	f.Says = fmt.Sprintf("%d, nobody comes in", len(out.SecurityGroups))
	for _, g := range out.SecurityGroups {
		if len(g.IpPermissions) > 0 {
			f.Err, f.Mild, f.Do = fmt.Errorf("%s lets somebody in", aws.ToString(g.GroupId)), true, "take its inbound rules away: nothing needs one"
		}
	}
	return f
}

func (c *Cloud) checkImage(ctx context.Context, arch string) Finding {
	f := Finding{About: "image of " + arch, Do: "ortest image build --arch '" + arch + "' makes one, or see fleet.ec2.images"}
	img, err := c.findImage(ctx, c.cfg.Arches[arch].Image, c.cfg.Owners)
	switch {
	case errors.Is(err, errNoImage):
		f.Err = fmt.Errorf("%w %s of %s", errNoImage, c.cfg.Arches[arch].Image, strings.Join(c.cfg.Owners, ", "))
		return f
	case err != nil:
		return f.failed(err, "ec2:DescribeImages")
	}
	f.Says = aws.ToString(img.ImageId) + " " + aws.ToString(img.Name)
	return f
}

func (c *Cloud) checkRoom(ctx context.Context, arch string) Finding {
	f := Finding{About: "quota of " + arch, Do: "ask AWS for more vCPUs in Service Quotas"}
	n, quota, err := c.Room(ctx, arch, "")
	switch {
	case err != nil:
		return f.failed(err, "ec2:DescribeInstanceTypes")
	case n < 0:
		f.Err, f.Mild, f.Do = errors.New("not known"), true, "allow servicequotas:GetServiceQuota; until then AWS says no only when it is asked for a machine"
	case n == 0:
		f.Err = fmt.Errorf("%s: no machine may start", quota)
	default:
		f.Says = fmt.Sprintf("%d machines at once, by %s", n, quota)
	}
	return f
}

// checkLaunch is a launch but for the machine.
func (c *Cloud) checkLaunch(ctx context.Context, arch string) Finding {
	f := Finding{About: "launch of " + arch, Do: "attach runnerfleet/ec2/aws/bot-policy.json, with the fleet's name, to who we are"}
	img, err := c.findImage(ctx, c.cfg.Arches[arch].Image, c.cfg.Owners)
	if err != nil {
		f.Err, f.Do = errors.New("not tried, since there is no image"), ""
		f.Mild = true
		return f
	}
	a := c.cfg.Arches[arch]
	_, err = c.ec2.RunInstances(ctx, &ec2.RunInstancesInput{
		DryRun: aws.Bool(true), MinCount: aws.Int32(1), MaxCount: aws.Int32(1), ImageId: img.ImageId, InstanceType: types.InstanceType(a.Types[0]),
		SubnetId: aws.String(c.cfg.Subnets[0]), SecurityGroupIds: c.cfg.Groups,
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: c.ours()}},
	})
	if isCode(err, "DryRunOperation") {
		f.Says = "AWS would start a " + a.Types[0]
		return f
	}
	if err == nil {
		err = errors.New("a dry run was not taken as one")
	}
	return f.failed(err, "ec2:RunInstances")
}

// failed names the permission that is missing, if it is that.
func (f Finding) failed(err error, permission string) Finding {
	f.Err = translate(err)
	switch code := codeOf(err); {
	case code == "UnauthorizedOperation" || strings.HasPrefix(code, "AccessDenied"):
		f.Err, f.Do = fmt.Errorf("%s is not allowed: %w", permission, err), "attach runnerfleet/ec2/aws/bot-policy.json, with the fleet's name, to who we are"
	case code == "AuthFailure" || code == "InvalidClientTokenId" || code == "UnrecognizedClientException" || code == "":
		f.Do = "see region and credentials, as every AWS tool reads them"
	}
	return f
}
