package bot

import (
	"context"
	"testing"
)

// wall is a forge with check runs that can be gone.
type wall struct {
	guarded
	there []CheckRun
	made  int
}

func (w *wall) CheckRuns(context.Context, Repo, string) ([]CheckRun, error) { return w.there, nil }

func (w *wall) UpdateCheckRun(_ context.Context, _ Repo, c CheckRun) error {
	for _, t := range w.there {
		if t.ID == c.ID {
			return nil
		}
	}
	return ErrGone
}

func (w *wall) CreateCheckRun(_ context.Context, _ Repo, _ string, c CheckRun) (int64, error) {
	w.made++
	c.ID = 90 + int64(w.made)
	w.there = append(w.there, c)
	return c.ID, nil
}

func TestACheckRunThatIsGoneComesBack(t *testing.T) {
	both := []CheckRun{{ID: 1, Name: "ortest / verdict", External: "1"}, {ID: 2, Name: "ortest / t-hello", External: "1"}}
	for _, tt := range []struct {
		name  string
		there []CheckRun
		made  int
		ids   [2]int64
	}{
		{"what is there is written", both, 0, [2]int64{1, 2}},
		{"what is gone is made again", both[:1], 1, [2]int64{1, 91}},
		{"once, also after a stop in between", append(both[:1:1], CheckRun{ID: 7, Name: "ortest / t-hello", External: "1"}), 0, [2]int64{1, 7}},
		{"that of another run is another", append(both[:1:1], CheckRun{ID: 7, Name: "ortest / t-hello", External: "8"}), 1, [2]int64{1, 91}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &wall{there: append([]CheckRun(nil), tt.there...)}
			s := &shelf{run: endedRun(0)}
			s.run.Checks = []Check{{Name: "ortest / verdict", ID: 1}, {Name: "ortest / t-hello", Goal: "t-hello", ID: 2}}
			b := guardedBot(t, s, &w.guarded)
			b.Forge = w
			for range 2 {
				if err := b.Drive(t.Context(), "1"); err != nil {
					t.Fatal(err)
				}
			}
			if got := [2]int64{s.run.Checks[0].ID, s.run.Checks[1].ID}; w.made != tt.made || got != tt.ids || s.run.State != Closed {
				t.Errorf("made %d, check runs %v, the run is %s; want %d, %v", w.made, got, s.run.State, tt.made, tt.ids)
			}
		})
	}
}
