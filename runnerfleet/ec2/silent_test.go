package ec2_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/fleettest"
)

// An AWS that accepts a request and never answers costs a pass, and not the fleet.
func TestACallThatIsNeverAnsweredIsGivenUp(t *testing.T) {
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	s, cfg := account(), configure()
	var silent atomic.Bool
	silent.Store(true)
	s.Silent = func(action string) bool { return action == "DescribeInstances" && silent.Load() }
	cfg.AnswerWithin = time.Second
	c := open(t, s, cfg)
	f := &runnerfleet.Fleet{
		Cloud: c, Store: new(fleettest.Store), Work: new(fleettest.Work), URL: "https://bot.example", Key: make([]byte, 32), Interval: time.Second, Log: cfg.Log,
		Limits: runnerfleet.Limits{MaxInstances: 1, MaxAge: time.Hour, BootGrace: time.Minute, Silence: time.Minute},
	}
	if err := f.Once(t.Context()); err == nil {
		t.Error("a pass without an answer is good")
	}
	silent.Store(false)
	if err := f.Once(t.Context()); err != nil {
		t.Errorf("the next pass: %v", err)
	}
}

func TestACallThatIsNotAnsweredIsAskedAgain(t *testing.T) {
	s, cfg := account(), configure()
	var asked atomic.Int32
	s.Silent = func(string) bool { return asked.Add(1) == 1 }
	cfg.AnswerWithin = time.Second
	if _, err := open(t, s, cfg).List(t.Context()); err != nil || asked.Load() != 2 {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
}
