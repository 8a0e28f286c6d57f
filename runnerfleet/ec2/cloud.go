package ec2

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/ortest/ortest/runnerfleet"
)

// The tags of every machine, set by the call that launches it. One without the
// fleet's tag is not ours and is never touched.
const (
	tagFleet    = "ortest:fleet"
	tagInstance = "ortest:instance"
	tagBucket   = "ortest:bucket"
	tagDeadline = "ortest:deadline" // RFC 3339
)

// Config is what the fleet's account offers. All is required but HTTP,
// and Certificates, without which no agent can enrol.
type Config struct {
	Fleet    string // the name in the machines' tags: two fleets of an account differ in it
	Arches   map[string]Arch
	Subnets  []string // in several zones, of one network
	Groups   []string // security groups; they need no inbound rule
	Owners   []string // accounts whose images are taken, or "self"
	AgentURL string   // where a machine fetches its agent, https
	MaxAge   time.Duration
	// Certificates are AWS's public ones, PEM, that sign instance identity documents in
	// the regions which are used.
	Certificates []byte
	Notes        Notes
	// Rates replace AWS's published request limits, by operation, where an account has others.
	Rates map[string]Rate
	HTTP  *http.Client // nil: the SDK's own
	// AnswerWithin is how long AWS has for an answer before it is asked again; 0: a minute.
	AnswerWithin time.Duration
	Log          *slog.Logger
}

// Notes remembers words until their time is over, across restarts.
type Notes interface {
	Note(ctx context.Context, word string, until time.Time) error
	Noted(ctx context.Context, now time.Time) ([]string, error)
}

// Arch is how an arch is served.
type Arch struct {
	// Image is an image's ID, "ssm:NAME" for the parameter that holds it, or a
	// pattern of names of which the newest is taken.
	Image string
	// Types are the instance types to choose from; a bucket may name its own instead.
	Types  []string
	Spot   bool
	Digest string // SHA-256 in hex of the agent that AgentURL serves for it
	// Root is where the image has the system in which jobs test, if not its own.
	Root string
	// Placement is for what CreateFleet cannot serve: dedicated hosts and reservations.
	Placement Placement
}

// Validate says what is missing.
func (c Config) Validate() error {
	switch {
	case c.Fleet == "" || len(c.Fleet) > 100:
		return errors.New("ec2: the fleet needs a name of at most 100 bytes")
	case len(c.Arches) == 0:
		return errors.New("ec2: no arch is configured")
	case len(c.Subnets) == 0 || len(c.Groups) == 0:
		return errors.New("ec2: subnets and security groups are required")
	case c.AgentURL == "" || c.MaxAge <= 0 || c.Notes == nil || c.Log == nil:
		return errors.New("ec2: AgentURL, MaxAge, Notes and Log are required")
	}
	for name, a := range c.Arches {
		if a.Image == "" || len(a.Types) == 0 || len(a.Digest) != 64 {
			return fmt.Errorf("ec2: %s needs an image, instance types and the agent's SHA-256", name)
		}
		if err := a.Placement.Validate(); err != nil {
			return fmt.Errorf("ec2: placement of %s: %w", name, err)
		}
	}
	return nil
}

// Cloud runs instances on EC2. It is made by Open.
type Cloud struct {
	*Reaper
	cfg         Config
	credentials aws.CredentialsProvider
	ssm         *ssm.Client
	quotas      *quotas
	templates   *templates
	notary      *notary
}

var (
	_ runnerfleet.Cloud    = (*Cloud)(nil)
	_ runnerfleet.Preparer = (*Cloud)(nil)
	_ runnerfleet.Attestor = (*Cloud)(nil)
	_ runnerfleet.Console  = (*Cloud)(nil)
)

// Open reads where AWS is and who we are as every AWS tool does, and asks
// nothing of it yet.
func Open(ctx context.Context, cfg Config) (*Cloud, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	notary, err := newNotary(cfg.Certificates)
	if err != nil {
		return nil, err
	}
	sdk, err := account(ctx, cfg.Rates, cfg.AnswerWithin)
	if err != nil {
		return nil, err
	}
	if cfg.HTTP != nil {
		sdk.HTTPClient = cfg.HTTP
	}
	c := &Cloud{
		Reaper: &Reaper{fleet: cfg.Fleet, ec2: callsOf(sdk)},
		cfg:    cfg, credentials: sdk.Credentials, ssm: ssm.NewFromConfig(sdk), notary: notary, templates: new(templates),
	}
	c.quotas = &quotas{ec2: c.ec2, limits: servicequotas.NewFromConfig(sdk), log: cfg.Log}
	c.saw, c.foreign = c.quotas.saw, building
	return c, nil
}

// answering bounds each attempt of a call: the SDK itself waits for ever for the answer to
// what a server has accepted. What is asked again has no second effect: launches carry tokens.
func answering(within time.Duration) config.LoadOptionsFunc {
	return config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(cmp.Or(within, time.Minute)))
}

// account reads where AWS is and who we are.
func account(ctx context.Context, rates map[string]Rate, within time.Duration) (aws.Config, error) {
	sdk, err := config.LoadDefaultConfig(ctx, answering(within))
	if err != nil {
		return sdk, fmt.Errorf("load AWS configuration: %w", err)
	}
	if sdk.Region == "" {
		return sdk, errors.New("ec2: no region is set: AWS_REGION, or region in the profile")
	}
	sdk.APIOptions = append(sdk.APIOptions, newPacer(rates).add)
	return sdk, nil
}

// building reports that a machine is on its way to become an image: no bucket has it, and
// it is whoever builds that ends it. Past its deadline it is an orphan as any other.
func building(in types.Instance, m runnerfleet.Machine) bool {
	is := slices.ContainsFunc(in.Tags, func(t types.Tag) bool { return aws.ToString(t.Key) == tagImage })
	return is && time.Now().Before(m.Deadline)
}
