package runnerfleet_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ortest/ortest/runnerfleet"
)

// screen is a cloud that shows what its machines printed.
type screen struct {
	runnerfleet.Cloud
	text string
	err  error
}

func (s screen) ConsoleOutput(context.Context, string) (string, error) { return s.text, s.err }

func TestBootThatFailedShowsItsConsole(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		err        error
		want       string
	}{
		{"the last lines, in one", "one\ntwo\r\nthree\nfour\nfive\nsix\n", nil, "never enrolled; its console ends: two | three | four | five | six"},
		{"a hostile line is text", "\x1b[2Jgone\x00\n", nil, "never enrolled; its console ends:  [2Jgone "},
		{"an endless line is cut", strings.Repeat("x", 10_000), nil, "never enrolled; its console ends: " + strings.Repeat("x", 300) + "…"},
		{"nothing printed", "\n", nil, "never enrolled"},
		{"no console to be had", "", errors.New("throttled"), "never enrolled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.fleet.Cloud = screen{w.cloud, tt.text, tt.err}
				w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
				w.once(t)
				w.live(t, limits.BootGrace)
				if in := w.instance(t, "r1-b1-a1"); in.Reason != tt.want {
					t.Errorf("reason %q, want %q", in.Reason, tt.want)
				}
			})
		})
	}
}
