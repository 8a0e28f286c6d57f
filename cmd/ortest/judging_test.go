package main

import (
	"sync"
	"testing"

	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
)

// TestGoalsAreJudgedAtOnce is what the lanes of ortest run do; the race
// detector of make check sees it.
func TestGoalsAreJudgedAtOnce(t *testing.T) {
	c, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	weigh := judging{catalog: c, known: map[string][]report.Expectation{}}
	var lanes sync.WaitGroup
	for _, goal := range []string{"t-ngx_lua", "tv-ngx_lua", "t-ngx_echo", "th-ngx_echo", "t-lua-resty-redis", "t-lua-resty-lock"} {
		lanes.Go(func() {
			if _, err := weigh.expects(goal); err != nil {
				t.Errorf("expects of %s: %v", goal, err)
			}
		})
	}
	lanes.Wait()
	if len(weigh.known) != 4 {
		t.Errorf("expectations of %d projects are kept, want 4", len(weigh.known))
	}
}
