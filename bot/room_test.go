package bot

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/ortest/ortest/plan"
)

func TestWaves(t *testing.T) {
	for _, tt := range []struct {
		name string
		need int
		room int
		err  error
		want string
	}{
		{"as many as there may be", 4, 4, nil, ""},
		{"one more", 5, 4, nil, "this needs 5 machines and there may be 4 at once: the quota; they start in 2 waves"},
		{"none may start", 1, 0, nil, "this needs 1 machine, and none may start: the quota"},
		{"nothing is known", 5, -1, nil, ""},
		{"nobody can say", 5, 0, errors.New("down"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &Bot{Log: slog.New(slog.DiscardHandler), Room: func(context.Context, string, string) (int, string, error) { return tt.room, "the quota", tt.err }}
			got := strings.Join(b.waves(t.Context(), plan.Options{}, tt.need), "")
			if !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := new(Bot).waves(t.Context(), plan.Options{}, 5); got != nil {
		t.Errorf("without anybody to ask: %q", got)
	}
}
