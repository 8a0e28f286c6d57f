package bot

import (
	"context"
	"errors"
	"testing"
	"time"
)

// listing is a GitHub that has a workflow run, or lists none, and may fail to cancel it.
type listing struct {
	*guarded
	lists  int64
	cancel error
	ended  []int64
}

func (l *listing) FindWorkflowRun(context.Context, Repo, string, string) (int64, error) {
	return l.lists, nil
}

func (l *listing) CancelWorkflowRun(_ context.Context, _ Repo, id int64) error {
	if l.cancel == nil {
		l.ended = append(l.ended, id)
	}
	return l.cancel
}

func (l *listing) RemoveRunners(context.Context, Repo, string) (int, error) { return 0, nil }

func TestARunWaitsForTheEndOfItsWorkflowRuns(t *testing.T) {
	trouble := errors.New("502")
	for _, tt := range []struct {
		name   string
		since  time.Duration // its end
		sent   Dispatch
		lists  int64
		cancel error
		want   RunState
		ended  int64 // 0: none
	}{
		{"it is cancelled", 0, Dispatch{WorkflowRun: 8}, 0, nil, Closed, 8},
		{"it cannot be cancelled", patience - 1, Dispatch{WorkflowRun: 8}, 0, trouble, Ended, 0},
		{"it could not be cancelled for a day", patience, Dispatch{WorkflowRun: 8}, 0, trouble, Closed, 0},
		{"it has been cancelled", 0, Dispatch{WorkflowRun: 8, Stopped: true}, 0, nil, Closed, 0},
		{"its start was never answered, and it is found", 0, Dispatch{TriedAt: noon}, 9, nil, Closed, 9},
		{"its start was never answered, and GitHub may list it yet", 0, Dispatch{TriedAt: noon.Add(1 - time.Minute)}, 0, nil, Ended, 0},
		{"its start was never answered, and GitHub would list it by now", 0, Dispatch{TriedAt: noon.Add(-time.Minute)}, 0, nil, Closed, 0},
		{"its start was never asked for", 0, Dispatch{}, 9, nil, Closed, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &shelf{run: endedRun(tt.since)}
			tt.sent.Nonce, tt.sent.Pieces, tt.sent.Attempts = newNonce(), []string{"p1"}, []int{1}
			s.run.Acked, s.run.Dispatch = true, []Dispatch{tt.sent}
			g := &listing{guarded: &guarded{}, lists: tt.lists, cancel: tt.cancel}
			b := guardedBot(t, s, g.guarded)
			b.Forge = g
			if err := b.Drive(t.Context(), "1"); !errors.Is(err, tt.cancel) {
				t.Errorf("Drive: %v", err)
			}
			var ended int64
			if len(g.ended) > 0 {
				ended = g.ended[0]
			}
			if s.run.State != tt.want || ended != tt.ended {
				t.Errorf("the run is %s, workflow run %d was cancelled; want %s, %d", s.run.State, ended, tt.want, tt.ended)
			}
		})
	}
}
