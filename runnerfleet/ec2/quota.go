package ec2

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"

	"github.com/ortest/ortest/runnerfleet"
)

// quotaCodes are of the vCPUs of standard instances (families A C D H I M R T Z), which
// AWS counts apart by market.
var quotaCodes = map[market]string{onDemandMarket: "L-1216C47A", spotMarket: "L-34B43A08"}

// quotaLife is how long a quota is taken to hold.
const quotaLife = time.Hour

// usage is vCPUs by market.
type usage map[market]int

func (u *usage) add(in types.Instance) {
	if *u == nil {
		*u = make(usage)
	}
	m := onDemandMarket
	if in.InstanceLifecycle == types.InstanceLifecycleTypeSpot {
		m = spotMarket
	}
	if cpu := in.CpuOptions; cpu != nil && standard(string(in.InstanceType)) {
		(*u)[m] += int(aws.ToInt32(cpu.CoreCount) * aws.ToInt32(cpu.ThreadsPerCore))
	}
}

// quotas is a ledger of the vCPUs that the account may use and that the fleet does. What
// others in the account use it does not see: AWS has the last word.
type quotas struct {
	ec2    calls
	limits *servicequotas.Client
	log    *slog.Logger

	mu    sync.Mutex
	used  usage // by the last list, and what was bought since
	size  map[string]int
	limit map[market]limit
}

type limit struct {
	vcpus int // -1: not known
	asked time.Time
}

// saw replaces the ledger by what the cloud lists.
func (q *quotas) saw(u usage) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.used = u
}

// bought counts a machine that the next list may not show yet.
func (q *quotas) bought(m market, instanceType string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.used == nil {
		q.used = make(usage)
	}
	if standard(instanceType) {
		q.used[m] += q.size[instanceType]
	}
}

// fitting returns the types of which one more is within the quota.
func (q *quotas) fitting(ctx context.Context, m market, of []string) ([]string, error) {
	max := q.of(ctx, m)
	if max < 0 {
		return of, nil
	}
	if err := q.learn(ctx, of); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var fit []string
	ever := false // where nothing else is running
	for _, t := range of {
		ever = ever || !standard(t) || q.size[t] <= max
		if !standard(t) || q.used[m]+q.size[t] <= max {
			fit = append(fit, t)
		}
	}
	if !ever {
		return nil, fmt.Errorf("%w: the %s quota of %d vCPUs (%s) is too small for %s: ask AWS for more", runnerfleet.ErrRejected, m, max, quotaCodes[m], strings.Join(of, ", "))
	}
	if len(fit) == 0 {
		return nil, fmt.Errorf("%w: the %s quota of %d vCPUs (%s) is used up by %d", runnerfleet.ErrCapacity, m, max, quotaCodes[m], q.used[m])
	}
	return fit, nil
}

// of returns a market's quota. An account that may not read it has none as far as
// we know, and is asked again later.
func (q *quotas) of(ctx context.Context, m market) int {
	q.mu.Lock()
	known, ok := q.limit[m]
	q.mu.Unlock()
	if ok && time.Since(known.asked) < quotaLife {
		return known.vcpus
	}
	got := limit{vcpus: -1, asked: time.Now()}
	out, err := q.limits.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{
		ServiceCode: aws.String("ec2"), QuotaCode: aws.String(quotaCodes[m]),
	})
	switch {
	case err != nil:
		q.log.Warn("quota unknown", "market", m, "quota", quotaCodes[m], "err", err)
	case out.Quota != nil:
		got.vcpus = int(aws.ToFloat64(out.Quota.Value))
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.limit == nil {
		q.limit = make(map[market]limit)
	}
	q.limit[m] = got
	return got.vcpus
}

// learn asks how many vCPUs types have, once each.
func (q *quotas) learn(ctx context.Context, of []string) error {
	q.mu.Lock()
	var ask []types.InstanceType
	for _, t := range of {
		if q.size[t] == 0 {
			ask = append(ask, types.InstanceType(t))
		}
	}
	q.mu.Unlock()
	if len(ask) == 0 {
		return nil
	}
	out, err := q.ec2.DescribeInstanceTypes(ctx, &ec2.DescribeInstanceTypesInput{InstanceTypes: ask})
	if err != nil {
		return fmt.Errorf("describe instance types: %w", settled(err))
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.size == nil {
		q.size = make(map[string]int)
	}
	for _, t := range out.InstanceTypes {
		if t.VCpuInfo != nil {
			q.size[string(t.InstanceType)] = int(aws.ToInt32(t.VCpuInfo.DefaultVCpus))
		}
	}
	return nil
}

// standard reports whether a type counts towards the standard quotas: its family
// is the letters before the first digit.
func standard(instanceType string) bool {
	n := strings.IndexAny(instanceType, "0123456789")
	return n > 0 && slices.Contains([]string{"a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"}, instanceType[:n])
}

// Room returns how many machines of an arch the account's quotas admit at once, in all its
// markets together and of the type given, or of the arch's; and which quotas those are. It is
// below 0 where no quota is known or counts.
func (c *Cloud) Room(ctx context.Context, arch, instanceType string) (machines int, quota string, err error) {
	a, ok := c.cfg.Arches[arch]
	if !ok {
		return -1, "", nil
	}
	of := a.Types
	if instanceType != "" {
		of = []string{instanceType}
	}
	markets := []market{onDemandMarket}
	if a.Spot && a.Placement == (Placement{}) {
		markets = []market{spotMarket, onDemandMarket}
	}
	if a.Placement.Tenancy == "host" || slices.ContainsFunc(of, func(t string) bool { return !standard(t) }) {
		return -1, "", nil
	}
	if err := c.quotas.learn(ctx, of); err != nil {
		return -1, "", err
	}
	var said []string
	for _, m := range markets {
		most := c.quotas.of(ctx, m)
		if most < 0 {
			return -1, "", nil
		}
		machines += c.quotas.machines(most, of)
		said = append(said, fmt.Sprintf("%d vCPUs %s (%s)", most, m, quotaCodes[m]))
	}
	return machines, strings.Join(said, " and "), nil
}

// machines is how many of the smallest of types a number of vCPUs is enough for.
func (q *quotas) machines(vcpus int, of []string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	least := 0
	for _, t := range of {
		if n := q.size[t]; n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return vcpus / max(1, least)
}
