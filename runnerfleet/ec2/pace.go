package ec2

import (
	"context"
	"sync"

	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"
)

// A bucket is what AWS publishes of an API's request limit in
// docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html: how many at
// once, and how many a second.
type bucket struct {
	size int
	fill rate.Limit
}

// buckets are by operation. CreateFleet's is not published; it is taken to be
// RunInstances'.
var buckets = map[string]bucket{
	"RunInstances":         {5, 2},
	"CreateFleet":          {5, 2},
	"TerminateInstances":   {100, 5},
	"CreateLaunchTemplate": {50, 5},
	"DescribeInstances":    {100, 20},
	"DescribeImages":       {100, 20},
	"GetConsoleOutput":     {50, 5},
}

// pacer holds every attempt, repeats included, to its operation's bucket: a refused
// call costs the whole region's budget, also that of others in the account.
type pacer struct {
	mu    sync.Mutex
	limit map[string]*rate.Limiter
}

func newPacer() *pacer { return &pacer{limit: make(map[string]*rate.Limiter)} }

func (p *pacer) add(stack *middleware.Stack) error {
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("Pace", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		if l := p.of(middleware.GetOperationName(ctx)); l != nil {
			if err := l.Wait(ctx); err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, err
			}
		}
		return next.HandleFinalize(ctx, in)
	}), "Retry", middleware.After)
}

func (p *pacer) of(operation string) *rate.Limiter {
	b, ok := buckets[operation]
	if !ok {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limit[operation] == nil {
		p.limit[operation] = rate.NewLimiter(b.fill, b.size)
	}
	return p.limit[operation]
}
