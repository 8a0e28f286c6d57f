package bot

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// desk is a store of runs and answers that commands leave behind. A look at the runs
// waits a moment for another one, so that what is not in turns meets there.
type desk struct {
	shelf
	mu   sync.Mutex
	runs []Run
	meet chan struct{}
}

func (d *desk) Runs(context.Context, Repo, int) ([]Run, error) {
	select {
	case d.meet <- struct{}{}:
	case <-d.meet:
	case <-time.After(100 * time.Millisecond):
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []Run
	for i := range d.runs {
		all = append(all, d.runs[len(d.runs)-1-i])
	}
	return all, nil
}

func (d *desk) RunsSince(context.Context, time.Time) ([]Run, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.runs, nil
}

func (d *desk) AddRun(_ context.Context, r Run) (Run, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r.ID = string(rune('1' + len(d.runs)))
	d.runs = append(d.runs, r)
	return r, nil
}

func (d *desk) AddAnswer(_ context.Context, a Answer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers = append(d.answers, a)
	return nil
}

func (d *desk) PutCatalog(context.Context, string, []byte) error { return nil }

// TestStartsTakeTurns writes commands at the same moment: each one counts what the
// others have started.
func TestStartsTakeTurns(t *testing.T) {
	for _, tt := range []struct {
		name  string
		texts [2]string
		set   Settings
		says  string
	}{
		{"the same request twice starts once", [2]string{"t-hello", "t-hello"}, Settings{}, "already running just this"},
		{"a budget that is enough for one is used once", [2]string{"t-hello", "tv-hello"}, Settings{Pull: Budget{Minutes: 1}}, "the budget of this pull request would be exceeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &desk{meet: make(chan struct{})}
			b := guardedBot(t, &d.shelf, &guarded{pull: PullRequest{Number: 1, Open: true, Head: strings.Repeat("b", 40)}})
			b.Store, b.Settings = d, func() Settings { return tt.set }
			var wg sync.WaitGroup
			for i, text := range tt.texts {
				wg.Go(func() {
					c := CommentEvent{Number: 1, OnPull: true, Action: "created", ID: int64(i + 1), Body: Prefix + " " + text, Sender: "ada", At: noon}
					if _, err := b.handleComment(t.Context(), c); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if len(d.runs) != 1 || len(d.answers) != 1 || !strings.Contains(d.answers[0].Body, tt.says) {
				t.Errorf("%d runs, answers %+v; want one each; a plan takes %+v", len(d.runs), d.answers, spent{}.plus(d.runs[0].Plan))
			}
		})
	}
}

// TestAPushInTheSecondOfTheCommand: GitHub tells times to the second.
func TestAPushInTheSecondOfTheCommand(t *testing.T) {
	old, now := strings.Repeat("a", 40), strings.Repeat("b", 40)
	for _, tt := range []struct {
		name   string
		fork   bool
		heads  []Head
		starts bool
	}{
		{"to a fork may have come after it", true, []Head{{old, noon.Add(-time.Hour)}, {now, noon}}, false},
		{"to a fork a second before has not", true, []Head{{old, noon.Add(-time.Hour)}, {now, noon.Add(-time.Second)}}, true},
		{"that opened it is what was seen", true, []Head{{now, noon}}, true},
		{"to a branch is of somebody who may write", false, []Head{{old, noon.Add(-time.Hour)}, {now, noon}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &desk{meet: make(chan struct{}, 1)}
			d.heads = tt.heads
			b := guardedBot(t, &d.shelf, &guarded{pull: PullRequest{Number: 1, Open: true, Head: now, Fork: tt.fork}})
			b.Store = d
			c := CommentEvent{Number: 1, OnPull: true, Action: "created", ID: 1, Body: "/ortest t-hello", Sender: "ada", At: noon}
			if _, err := b.handleComment(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if (len(d.runs) == 1) != tt.starts || len(d.runs)+len(d.answers) != 1 {
				t.Fatalf("%d runs, answers %+v", len(d.runs), d.answers)
			}
			if !tt.starts && !strings.Contains(d.answers[0].Body, old) {
				t.Errorf("the answer does not name the commit before: %s", d.answers[0].Body)
			}
		})
	}
}

// TestACancelledGoalThatWasOver: what is over is not said to be cancelled.
func TestACancelledGoalThatWasOver(t *testing.T) {
	r := endedRun(0)
	other := r.Pieces[0]
	other.ID, other.State, other.Reason, other.Goal.Mode = "p2", Assigned, "", "tv"
	r.State, r.Pieces[0].Reason, r.Pieces = Running, "", append(r.Pieces, other)
	for _, tt := range []struct{ name, text, says string }{
		{"it is over", "cancel t-hello", "`t-hello` is over already"},
		{"the other one is not", "cancel tv-hello", ""},
		{"both: the one that is not", "cancel t-hello tv-hello", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &shelf{run: r}
			s.run.Pieces = append([]Piece(nil), r.Pieces...)
			c := CommentEvent{Number: 1, OnPull: true, Action: "created", ID: 1, Body: Prefix + " " + tt.text, Sender: "ada", At: noon}
			if _, err := guardedBot(t, s, &guarded{}).handleComment(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			a := s.answers[0]
			if !strings.Contains(a.Body, tt.says) || (tt.says == "") != (len(a.Cancels) == 1) {
				t.Errorf("answer %+v", a)
			}
			for _, c := range a.Cancels {
				if len(c.Goals) != 1 || c.Goals[0] != "tv-hello" {
					t.Errorf("cancels %v", c.Goals)
				}
			}
		})
	}
}
