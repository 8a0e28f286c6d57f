package ec2

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/ortest/ortest/runnerfleet"
)

// order is all that a launch's calls say, settled before the first of them.
type order struct {
	Template string `json:"template"` // launch template's ID; it is never changed
	Asks     []ask  `json:"asks"`     // one call each, the next when the one before finds no capacity
	// Place is where the machine must run. AWS's fleets cannot be told, so it is launched
	// by itself, and of one offer: a launch that found none is not remembered by AWS, and
	// its repeat might buy a second machine.
	Place *Placement `json:"place,omitempty"`
}

type ask struct {
	Market market  `json:"market"`
	Offers []offer `json:"offers"` // AWS chooses among them
}

// offer is a machine that AWS sells somewhere.
type offer struct {
	Type   string `json:"type"`
	Subnet string `json:"subnet"`
}

// market is how capacity is bought; its values are AWS's.
type market string

const (
	spotMarket     market = "spot"
	onDemandMarket market = "on-demand"
)

// Prepare settles image, template and offers of a launch: not those that had no
// capacity a moment ago, and not in a market whose quota is used up.
func (c *Cloud) Prepare(ctx context.Context, l runnerfleet.Launch) (string, error) {
	o, err := c.order(ctx, l)
	if err != nil {
		return "", err
	}
	if o.Template, err = c.template(ctx, l.Arch); err != nil {
		return "", fmt.Errorf("prepare launch: %w", err)
	}
	b, err := json.Marshal(o)
	return string(b), err
}

// order settles all of a launch but its template.
func (c *Cloud) order(ctx context.Context, l runnerfleet.Launch) (o order, err error) {
	a, ok := c.cfg.Arches[l.Arch]
	if !ok {
		return o, fmt.Errorf("prepare launch: %w: arch %q is not configured: add it to fleet.ec2.images", runnerfleet.ErrRejected, l.Arch)
	}
	if l.Type != "" {
		a.Types = []string{l.Type}
	}
	markets := []market{onDemandMarket}
	if a.Spot && !l.OnDemand && a.Placement == (Placement{}) {
		markets = []market{spotMarket, onDemandMarket}
	}
	var none []error
	if a.Placement != (Placement{}) {
		o.Place = &a.Placement
	}
	for _, m := range markets {
		offers, err := c.offers(ctx, m, a.Types)
		switch {
		case err == nil && o.Place != nil:
			o.Asks = append(o.Asks, ask{m, offers[:1]})
		case err == nil:
			o.Asks = append(o.Asks, ask{m, offers})
		case !errors.Is(err, runnerfleet.ErrCapacity) && !errors.Is(err, runnerfleet.ErrRejected):
			return o, fmt.Errorf("prepare launch: %w", err)
		}
		none = append(none, err)
	}
	if len(o.Asks) == 0 {
		return o, fmt.Errorf("prepare launch: %w", errors.Join(none...)) // capacity, if one of them says so
	}
	return o, nil
}

// offers returns every type in every subnet that may have capacity in a market.
func (c *Cloud) offers(ctx context.Context, m market, of []string) ([]offer, error) {
	short, err := c.cfg.Notes.Noted(ctx, time.Now())
	if err != nil {
		return nil, fmt.Errorf("read shortages: %w", err)
	}
	fitting, err := c.quotas.fitting(ctx, m, of)
	if err != nil {
		return nil, err
	}
	var left []offer
	for _, t := range fitting {
		for _, s := range c.cfg.Subnets {
			if o := (offer{t, s}); !slices.Contains(short, o.shortage(m)) {
				left = append(left, o)
			}
		}
	}
	if len(left) == 0 {
		return nil, fmt.Errorf("%w: %s had none of %s in the last %s", runnerfleet.ErrCapacity, m, strings.Join(fitting, ", "), shortFor)
	}
	return left, nil
}

// shortFor is how long an offer that had no capacity is not asked for again; Karpenter's
// value.
const shortFor = 3 * time.Minute

// shortage is the note of an offer without capacity.
func (o offer) shortage(m market) string { return "ec2 " + string(m) + " " + o.Type + " " + o.Subnet }

// Launch buys one machine. A repeat with the same parameters finds the one that
// was bought before, in whichever market.
func (c *Cloud) Launch(ctx context.Context, l runnerfleet.Launch) (string, error) {
	var o order
	if err := json.Unmarshal([]byte(l.Params), &o); err != nil {
		return "", fmt.Errorf("read parameters of %s: %w", l.Instance, err)
	}
	var short []error
	for _, a := range o.Asks {
		buy := c.buy
		if o.Place != nil {
			buy = o.Place.buy(c)
		}
		id, err := buy(ctx, l, o.Template, a)
		switch {
		case err == nil:
			return id, nil
		case !errors.Is(err, runnerfleet.ErrCapacity):
			return "", err
		}
		short = append(short, err)
	}
	return "", errors.Join(short...)
}

// buy makes one CreateFleet call, which answers at once and is not repeated by AWS.
func (c *Cloud) buy(ctx context.Context, l runnerfleet.Launch, template string, a ask) (string, error) {
	in := &ec2.CreateFleetInput{
		Type:        types.FleetTypeInstant,
		ClientToken: aws.String(token(c.cfg.Fleet, l.Instance, strconv.Itoa(l.Try), string(a.Market))),
		LaunchTemplateConfigs: []types.FleetLaunchTemplateConfigRequest{{
			LaunchTemplateSpecification: &types.FleetLaunchTemplateSpecificationRequest{
				LaunchTemplateId: aws.String(template), Version: aws.String("1"),
			},
			Overrides: a.overrides(),
		}},
		TargetCapacitySpecification: &types.TargetCapacitySpecificationRequest{
			TotalTargetCapacity: aws.Int32(1), DefaultTargetCapacityType: types.DefaultTargetCapacityType(a.Market),
		},
		TagSpecifications: []types.TagSpecification{
			{ResourceType: types.ResourceTypeInstance, Tags: c.tags(l)}, {ResourceType: types.ResourceTypeFleet, Tags: c.tags(l)},
		},
	}
	if a.Market == spotMarket {
		in.SpotOptions = &types.SpotOptionsRequest{AllocationStrategy: types.SpotAllocationStrategyPriceCapacityOptimized}
	} else {
		in.OnDemandOptions = &types.OnDemandOptionsRequest{AllocationStrategy: types.FleetOnDemandAllocationStrategyLowestPrice}
	}
	out, err := c.ec2.CreateFleet(ctx, in)
	if err != nil {
		return "", fmt.Errorf("create fleet for %s: %w", l.Instance, c.anew(err, template))
	}
	// Also the offers that AWS passed over on its way to one that served.
	if err := c.note(ctx, a.Market, out.Errors); err != nil {
		c.cfg.Log.Warn("shortage not noted", "instance", l.Instance, "err", err)
	}
	for _, i := range out.Instances {
		for _, id := range i.InstanceIds {
			c.quotas.bought(a.Market, string(i.InstanceType))
			return id, nil
		}
	}
	return "", unserved(l.Instance, out.Errors)
}

// unserved makes one error of what the offers answered. It is a matter of capacity
// when one of them says so: then another market or moment may serve.
func unserved(instance string, all []types.CreateFleetError) error {
	why := fmt.Errorf("%w: AWS gave no machine and no reason", runnerfleet.ErrCapacity)
	for i, e := range all {
		code, message := aws.ToString(e.ErrorCode), aws.ToString(e.ErrorMessage)
		says := meaning(code)
		switch {
		case errors.Is(says, runnerfleet.ErrCapacity):
			return fmt.Errorf("create fleet for %s: %w: %s: %s", instance, says, code, message)
		case says != nil: // the launch stays settled: the fleet that was made is AWS's last word on its token
			why = fmt.Errorf("%w: %w: %s: %s", runnerfleet.ErrCapacity, says, code, message)
		case i == 0:
			why = rejection(code, message)
		}
	}
	return fmt.Errorf("create fleet for %s: %w", instance, why)
}

// note remembers which offers had no capacity, where AWS says which. A quota is
// the account's, and no offer's.
func (c *Cloud) note(ctx context.Context, m market, all []types.CreateFleetError) error {
	var errs []error
	for _, e := range all {
		code := aws.ToString(e.ErrorCode)
		at := e.LaunchTemplateAndOverrides
		if at == nil || at.Overrides == nil || quotaCode(code) || !errors.Is(meaning(code), runnerfleet.ErrCapacity) {
			continue
		}
		o := offer{string(at.Overrides.InstanceType), aws.ToString(at.Overrides.SubnetId)}
		errs = append(errs, c.cfg.Notes.Note(ctx, o.shortage(m), time.Now().Add(shortFor)))
	}
	return errors.Join(errs...)
}

func (a ask) overrides() []types.FleetLaunchTemplateOverridesRequest {
	var all []types.FleetLaunchTemplateOverridesRequest
	for _, o := range a.Offers {
		all = append(all, types.FleetLaunchTemplateOverridesRequest{
			InstanceType: types.InstanceType(o.Type), SubnetId: aws.String(o.Subnet),
		})
	}
	return all
}

func (c *Cloud) tags(l runnerfleet.Launch) []types.Tag {
	var tags []types.Tag
	for _, kv := range [][2]string{
		{tagFleet, c.cfg.Fleet}, {tagInstance, l.Instance}, {tagBucket, l.Bucket},
		{tagDeadline, l.Deadline.UTC().Format(time.RFC3339)}, {"Name", "ortest " + l.Instance},
	} {
		tags = append(tags, types.Tag{Key: aws.String(kv[0]), Value: aws.String(kv[1])})
	}
	return tags
}

// token names one call for ever: 64 hex digits, which is as long as AWS takes.
func token(words ...string) string {
	h := sha256.New()
	for _, w := range words {
		h.Write([]byte(w + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil))
}
