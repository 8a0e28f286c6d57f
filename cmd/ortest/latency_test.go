package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestACommentIsAnsweredSoon measures from a comment to 👀, and to the plan: as
// long as a person waits who has written something.
func TestACommentIsAnsweredSoon(t *testing.T) {
	p := newPlace(t, func(*systemConfig) {})
	p.settle(t)
	const eyesWithin, planWithin, rounds = time.Second, 3 * time.Second, 5
	var eyes, plans []time.Duration
	for range rounds {
		began := time.Now()
		id := p.say(t, demoMaintainer, "/ortest plan hello")
		seen := time.Duration(0)
		p.await(t, func(context.Context) (string, error) {
			found, reactions := answers(p.talk(t), id)
			if seen == 0 && reactions["eyes"] == 1 {
				seen = time.Since(began)
			}
			if len(found) == 0 || !strings.Contains(found[0], "nothing was started") {
				return "the plan is to come", nil
			}
			return "", nil
		})
		eyes, plans = append(eyes, seen), append(plans, time.Since(began))
	}
	slices.Sort(eyes)
	slices.Sort(plans)
	t.Logf("to the reaction: %v, to the plan: %v (looked at every 50ms)", eyes, plans)
	// The middle one: a machine with other work is slow now and then.
	if eyes[rounds/2] > eyesWithin || plans[rounds/2] > planWithin {
		t.Errorf("eyes after %v, want %v; plan after %v, want %v", eyes[rounds/2], eyesWithin, plans[rounds/2], planWithin)
	}
}
