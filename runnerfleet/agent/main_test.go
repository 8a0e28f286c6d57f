package agent

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/ortest/ortest/runnerfleet/fleettest"
)

// TestMain lets the test binary be the agent, and the runner that the agent starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "agent":
			os.Exit(agentMain())
		case "keep":
			os.Exit(Keep(os.Args[2:]))
		case "runner":
			os.Exit(fleettest.Runner(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

func agentMain() int {
	c, err := FromEnv(os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	c.Runner, c.Keeper = []string{os.Args[0], "runner"}, []string{os.Args[0], "keep"}
	c.Again, c.Users, c.Home = time.Millisecond, os.Getenv("TEST_USERS"), os.Getenv("TEST_HOME")
	c.Root = os.Getenv("TEST_ROOT")
	if c.Home != "" {
		c.Runner = []string{"bin/Runner.Listener"}
	}
	c.Idle, _ = time.ParseDuration(os.Getenv("TEST_IDLE")) // none is 0
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	c.Output, c.Heartbeat, c.Grace = os.Stderr, 50*time.Millisecond, 500*time.Millisecond
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := Run(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
