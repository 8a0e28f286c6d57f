package ec2

import (
	"context"
	"strings"
	"sync"

	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"
)

// Rate is an API's request limit: how many at once, and how many a second. AWS publishes
// its own in docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html, and raises them
// for an account that asks.
type Rate struct {
	Burst     int     `yaml:"burst"`
	PerSecond float64 `yaml:"per_second"`
}

// published are AWS's limits by operation. CreateFleet's is not published; it is taken to
// be RunInstances'.
var published = map[string]Rate{
	"RunInstances":       {5, 2},
	"CreateFleet":        {5, 2},
	"TerminateInstances": {100, 5},
}

// What AWS publishes of the others: those that only look, and those that change something.
var looking, changing = Rate{100, 20}, Rate{50, 5}

// pacer holds every attempt, repeats included, to its operation's bucket: a refused
// call costs the whole region's budget, also that of others in the account.
type pacer struct {
	rates map[string]Rate // instead of what is published
	mu    sync.Mutex
	limit map[string]*rate.Limiter
}

func newPacer(rates map[string]Rate) *pacer {
	return &pacer{rates: rates, limit: make(map[string]*rate.Limiter)}
}

func (p *pacer) add(stack *middleware.Stack) error {
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("Pace", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		if err := p.of(middleware.GetOperationName(ctx)).Wait(ctx); err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
		return next.HandleFinalize(ctx, in)
	}), "Retry", middleware.After)
}

func (p *pacer) of(operation string) *rate.Limiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limit[operation] == nil {
		r := p.rate(operation)
		p.limit[operation] = rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst)
	}
	return p.limit[operation]
}

func (p *pacer) rate(operation string) Rate {
	if r, ok := p.rates[operation]; ok && r.Burst > 0 && r.PerSecond > 0 {
		return r
	}
	if r, ok := published[operation]; ok {
		return r
	}
	if strings.HasPrefix(operation, "Describe") || strings.HasPrefix(operation, "Get") {
		return looking
	}
	return changing
}
