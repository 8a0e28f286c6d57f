package release

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
)

// shelf is what of the store a release needs.
type shelf struct {
	bot.Store
	runs     []bot.Run // newest first
	answers  []bot.Answer
	results  map[string]map[string]report.Verdict
	catalogs map[string][]byte
	marks    map[string]time.Time
}

func (s *shelf) Runs(context.Context, bot.Repo, int) ([]bot.Run, error) {
	return slices.Clone(s.runs), nil
}

func (s *shelf) Run(_ context.Context, id string) (bot.Run, error) {
	for _, o := range s.runs {
		if o.ID == id {
			return o, nil
		}
	}
	return bot.Run{}, bot.ErrNotFound
}

func (s *shelf) AddRun(_ context.Context, r bot.Run) (bot.Run, error) {
	if slices.ContainsFunc(s.runs, func(o bot.Run) bool { return o.Comment == r.Comment }) {
		return r, bot.ErrSeen
	}
	r.ID = fmt.Sprint(len(s.runs) + 1)
	s.runs = slices.Insert(s.runs, 0, r)
	return r, nil
}

func (s *shelf) Results(_ context.Context, run string) (map[string]json.RawMessage, error) {
	all := make(map[string]json.RawMessage)
	for goal, v := range s.results[run] {
		raw, err := json.Marshal(report.GoalResult{Goal: goal, Verdict: v})
		if err != nil {
			return nil, err
		}
		all[goal] = raw
	}
	return all, nil
}

func (s *shelf) Metas(context.Context, string) ([]bot.StoredEntry, error) { return nil, nil }

func (s *shelf) AddAnswer(_ context.Context, a bot.Answer) error {
	s.answers = append(s.answers, a)
	return nil
}

func (s *shelf) Answers(context.Context, bot.Repo, int) ([]bot.Answer, error) { return s.answers, nil }

func (s *shelf) PutCatalog(_ context.Context, revision string, packed []byte) error {
	s.catalogs[revision] = packed
	return nil
}

func (s *shelf) Catalog(_ context.Context, revision string) ([]byte, error) {
	if packed, ok := s.catalogs[revision]; ok {
		return packed, nil
	}
	return nil, bot.ErrNotFound
}

func (s *shelf) Mark(_ context.Context, name string) (time.Time, error) { return s.marks[name], nil }

func (s *shelf) SetMark(_ context.Context, name string, t time.Time) error {
	s.marks[name] = t
	return nil
}

// passed ends every run, with everything passed.
func (s *shelf) passed() {
	for i := range s.runs {
		o := &s.runs[i]
		o.State, s.results[o.ID] = bot.Closed, make(map[string]report.Verdict)
		for j := range o.Pieces {
			o.Pieces[j].State = bot.Finished
			s.results[o.ID][o.Pieces[j].Goal.String()] = report.Pass
		}
	}
}

// wall is where check runs are shown.
type wall struct {
	Forge
	check bot.CheckRun
}

func (w *wall) CheckRuns(context.Context, bot.Repo, string) ([]bot.CheckRun, error) { return nil, nil }

func (w *wall) CreateCheckRun(_ context.Context, _ bot.Repo, _ string, c bot.CheckRun) (int64, error) {
	w.check = c
	return 1, nil
}

var (
	repo = bot.Repo{Owner: "o", Name: "r"}
	noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
)

// released is the releases of a repository whose runs are on a shelf, with a catalog that
// a test may change.
func released(s *shelf, c **catalog.Catalog) (*Releases, *wall) {
	s.results, s.catalogs, s.marks = make(map[string]map[string]report.Verdict), make(map[string][]byte), make(map[string]time.Time)
	w := new(wall)
	return &Releases{
		Bot: &bot.Bot{
			Store: s, Catalog: func() *catalog.Catalog { return *c }, Now: func() time.Time { return noon }, Log: slog.New(slog.DiscardHandler),
		},
		Forge: w, Log: slog.New(slog.DiscardHandler),
		Alone: func(ctx context.Context, _ string, do func(context.Context) error) error { return do(ctx) },
	}, w
}

// bundling is the catalog with these releases.
func bundling(t *testing.T, releases string) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Load(fstest.MapFS{"releases.yaml": {Data: []byte(releases)}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// over is a run of a release of goals that have ended as they did; held ones did not begin.
func over(s *shelf, o bot.Run, verdicts map[string]report.Verdict) {
	o.ID = fmt.Sprint(len(s.runs) + 1)
	o.Repo, o.Base, o.Text, o.Author, o.State, o.CreatedAt, o.EndedAt = repo, "release-1.x", "release release-1.x", author, bot.Closed, noon, noon
	o.Plan.Options.Arch = "linux x86_64"
	for goal, v := range verdicts {
		g, err := plan.ParseGoal(goal)
		if err != nil {
			panic(err)
		}
		o.Pieces = append(o.Pieces, bot.Piece{Piece: plan.Piece{Goal: g}, State: bot.Finished, Held: v == "held", Reason: "the stage before is not good"})
	}
	s.runs, s.results[o.ID] = slices.Insert(s.runs, 0, o), make(map[string]report.Verdict)
	for goal, v := range verdicts {
		if v != "held" {
			s.results[o.ID][goal] = v
		}
	}
}
