package store

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
)

// crashEnv tells the test binary to be the process that is killed.
const crashEnv = "ORTEST_STORE_CRASH"

func TestMain(m *testing.M) {
	if what := os.Getenv(crashEnv); what != "" {
		if err := dieDuring(what, os.Getenv("ORTEST_STORE_PATH")); err != nil {
			fmt.Println("error:", err)
		}
		os.Exit(3) // it was to be killed
	}
	code := m.Run()
	if c, err := cluster(); err == nil {
		_ = c.Close() // what is left is in the temporary directory
	}
	os.Exit(code)
}

// dieDuring does what is asked up to the point where it says "now", and then
// nothing more: whoever started it kills it there.
func dieDuring(what, path string) error {
	ctx := context.Background()
	now := func() {
		fmt.Println("now")
		select {}
	}
	s, err := Open(ctx, Config{Database: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	switch what {
	case "change":
		_, err = s.UpdateRun(ctx, "1", func(r *bot.Run) bool { r.Sticky = 9; now(); return true })
	case "stored":
		if _, err = s.AddDelivery(ctx, bot.Delivery{GUID: "g1", Event: "ping"}); err == nil {
			now()
		}
	case "delivery", "drive":
		stop := func(context.Context, string) error { now(); return nil }
		h := Handlers{Delivery: stop, Drive: stop, Answers: func(context.Context) error { return nil }}
		if what == "delivery" {
			h.Drive = func(context.Context, string) error { return nil }
		}
		err = s.Work(ctx, h)
	}
	return err
}

// kill runs dieDuring in a process of its own and kills it there.
func kill(t *testing.T, what, path string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), crashEnv+"="+what, "ORTEST_STORE_PATH="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed, and says so
	if line != "now\n" {
		t.Fatalf("the process said %q (%v)", line, err)
	}
}

func TestAKillWithinAChangeLeavesTheRunAsItWas(t *testing.T) {
	onBoth(t, testAKillWithinAChangeLeavesTheRunAsItWas)
}

func testAKillWithinAChangeLeavesTheRunAsItWas(t *testing.T, db database) {
	ctx, name := t.Context(), db.name(t)
	s := open(t, name)
	before := add(t, s, aRun(1))
	kill(t, "change", name)
	check(t, "run", must[bot.Run](t)(s.Run(ctx, "1")), before)
	after := must[bot.Run](t)(s.UpdateRun(ctx, "1", func(r *bot.Run) bool { r.Sticky = 3; return true }))
	check(t, "the next change", after.Sticky, int64(3))
}

func TestAKillAfterADeliveryIsStoredLosesNothing(t *testing.T) {
	onBoth(t, testAKillAfterADeliveryIsStoredLosesNothing)
}

func testAKillAfterADeliveryIsStoredLosesNothing(t *testing.T, db database) {
	path := db.name(t)
	kill(t, "stored", path)
	s := open(t, path)
	h, c := recording(t, s)
	work(t, s, h)
	c.ask("delivery g1")
}

func TestAKillWithinAHandlerIsMadeUpForAtOnce(t *testing.T) {
	onBoth(t, testAKillWithinAHandlerIsMadeUpForAtOnce)
}

func testAKillWithinAHandlerIsMadeUpForAtOnce(t *testing.T, db database) {
	for what, want := range map[string]string{"delivery": "delivery g1", "drive": "drive 1"} {
		t.Run(what, func(t *testing.T) {
			path := db.name(t)
			before, err := Open(t.Context(), Config{Database: path, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			if what == "delivery" {
				must[bool](t)(before.AddDelivery(t.Context(), bot.Delivery{GUID: "g1", Event: "ping"}))
			} else {
				add(t, before, aRun(1))
			}
			if err := before.Close(); err != nil {
				t.Fatal(err)
			}
			kill(t, what, path)
			s := open(t, path)
			check(t, "jobs that nobody works any more", jobs(t, s, "state = 'running'") > 0, true)
			h, c := recording(t, s)
			start := time.Now()
			work(t, s, h)
			c.ask(want)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}
