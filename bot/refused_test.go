package bot

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/runnerfleet"
)

// shelf is a store of one run and some answers.
type shelf struct {
	Store
	run     Run
	answers []Answer
	entries []StoredEntry
	heads   []Head

	catalogs map[string][]byte
}

func (s *shelf) Run(context.Context, string) (Run, error)       { return s.run, nil }
func (s *shelf) Runs(context.Context, Repo, int) ([]Run, error) { return []Run{s.run}, nil }
func (s *shelf) AddHead(_ context.Context, _ Repo, _ int, h Head) error {
	s.heads = append(s.heads, h)
	return nil
}
func (s *shelf) AddAnswer(_ context.Context, a Answer) error {
	s.answers = append(s.answers, a)
	return nil
}

func (s *shelf) Entries(context.Context, string, string) ([]StoredEntry, error) {
	return s.entries, nil
}

func (s *shelf) Metas(context.Context, string) ([]StoredEntry, error) { return s.entries, nil }
func (s *shelf) Results(context.Context, string) (map[string]json.RawMessage, error) {
	return nil, nil
}
func (s *shelf) PutResult(context.Context, string, string, json.RawMessage) error { return nil }
func (s *shelf) Commands(context.Context, Repo, string, int64) (map[int]string, error) {
	return nil, nil
}

func (s *shelf) PutCatalog(_ context.Context, revision string, packed []byte) error {
	if s.catalogs == nil {
		s.catalogs = make(map[string][]byte)
	}
	s.catalogs[revision] = packed
	return nil
}

func (s *shelf) Catalog(_ context.Context, revision string) ([]byte, error) {
	packed, ok := s.catalogs[revision]
	if !ok {
		return nil, ErrNotFound
	}
	return packed, nil
}

func (s *shelf) HeadAt(_ context.Context, _ Repo, _ int, t time.Time, _ string) (Head, error) {
	for _, h := range slices.Backward(s.heads) {
		if !h.At.After(t) {
			return h, nil
		}
	}
	return Head{}, ErrNotFound
}

func (s *shelf) UpdateRun(_ context.Context, _ string, change func(*Run) bool) (Run, error) {
	change(&s.run)
	return s.run, nil
}

func (s *shelf) UnpostedAnswers(context.Context) ([]Answer, error) {
	return slices.DeleteFunc(slices.Clone(s.answers), func(a Answer) bool { return a.Posted != 0 }), nil
}

func (s *shelf) PutAnswer(_ context.Context, a Answer) error {
	for i := range s.answers {
		if s.answers[i].Comment == a.Comment {
			s.answers[i] = a
		}
	}
	return nil
}

// guarded is a forge that refuses what it is told to.
type guarded struct {
	Forge
	react, comment, check, mint, ask error
	pull                             PullRequest
	comments                         int64
	role                             string            // "" is write
	head                             map[string]string // by OWNER/NAME
	heads                            []string          // that were asked for
}

func (g *guarded) React(context.Context, Repo, string, int64, string) error { return g.react }
func (g *guarded) Comments(context.Context, Repo, int, time.Time) ([]Comment, error) {
	return nil, nil
}
func (g *guarded) CheckRuns(context.Context, Repo, string) ([]CheckRun, error) { return nil, nil }

func (g *guarded) CreateComment(_ context.Context, _ Repo, pull int, _ string) (int64, error) {
	if g.comment != nil && pull == 1 {
		return 0, g.comment
	}
	g.comments++
	return g.comments, nil
}

func (g *guarded) CreateCheckRun(context.Context, Repo, string, CheckRun) (int64, error) {
	return 7, g.check
}
func (g *guarded) UpdateCheckRun(context.Context, Repo, CheckRun) error { return g.check }
func (g *guarded) Permission(context.Context, Repo, string) (string, error) {
	return cmp.Or(g.role, "write"), g.ask
}
func (g *guarded) PullRequest(context.Context, Repo, int) (PullRequest, error) {
	return g.pull, nil
}
func (g *guarded) MintRunner(context.Context, Repo, string, string) (int64, string, error) {
	return 0, "", g.mint
}

func (g *guarded) Head(_ context.Context, _ Repo, name, branch string) (string, error) {
	g.heads = append(g.heads, strings.TrimSuffix(name+"@"+branch, "@"))
	return g.head[name], g.ask
}
func (g *guarded) File(context.Context, Repo, string, string) ([]byte, error) { return nil, ErrGone }
func (g *guarded) DeleteComment(context.Context, Repo, int64) error           { return nil }

type noInstances struct{}

func (noInstances) Instances(context.Context) ([]runnerfleet.Instance, error) { return nil, nil }

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func guardedBot(t *testing.T, s *shelf, g *guarded) *Bot {
	t.Helper()
	c, err := catalog.Examples()
	if err != nil {
		t.Fatal(err)
	}
	return &Bot{
		Store: s, Forge: g, Instances: noInstances{}, Catalog: func() *catalog.Catalog { return c },
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return noon },
	}
}

func TestAnAnswerThatIsRefusedHoldsUpNoOther(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		age   time.Duration
		first int64
		fails bool
	}{
		{"a conversation that is locked is tried again", ErrRefused, patience - 1, 0, true},
		{"a conversation that stays locked is given up", ErrRefused, patience, nowhere, false},
		{"a pull request that is gone is given up", ErrGone, 0, nowhere, false},
		{"trouble is tried again for ever", errors.New("502"), 2 * patience, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := noon.Add(-tt.age)
			s := &shelf{answers: []Answer{{Pull: 1, Comment: 1, At: at}, {Pull: 2, Comment: 2, At: at}}}
			g := &guarded{comment: tt.err, react: ErrGone}
			if err := guardedBot(t, s, g).PostAnswers(t.Context()); (err != nil) != tt.fails {
				t.Errorf("PostAnswers: %v", err)
			}
			if s.answers[0].Posted != tt.first || s.answers[1].Posted != 1 {
				t.Errorf("posted %d and %d, want %d and 1", s.answers[0].Posted, s.answers[1].Posted, tt.first)
			}
		})
	}
}

func endedRun(since time.Duration) Run {
	goal, err := plan.ParseGoal("t-hello")
	if err != nil {
		panic(err)
	}
	return Run{
		ID: "1", State: Ended, Pull: 1, EndedAt: noon.Add(-since), CreatedAt: noon.Add(-since), Deadline: noon.Add(time.Hour),
		Pieces: []Piece{{Piece: plan.Piece{Goal: goal}, ID: "p1", State: Finished, Reason: "cancelled", Attempt: 1, Nonce: newNonce()}},
	}
}

func TestARunClosesWhateverGitHubRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		since time.Duration
		want  RunState
	}{
		{"not before its report was tried for long", patience - 1, Ended},
		{"after that", patience, Closed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &shelf{run: endedRun(tt.since)}
			err := guardedBot(t, s, &guarded{react: ErrRefused, comment: ErrRefused, check: ErrRefused}).Drive(t.Context(), "1")
			if s.run.State != tt.want || (err == nil) != (tt.want == Closed) || !s.run.Acked {
				t.Errorf("state %s, acknowledged %v, error %v; want %s", s.run.State, s.run.Acked, err, tt.want)
			}
		})
	}
	t.Run("a deadline passes although the comment cannot be reacted to", func(t *testing.T) {
		s := &shelf{run: endedRun(0)}
		s.run.State, s.run.Pieces[0].State, s.run.Deadline = Running, Assigned, noon
		if err := guardedBot(t, s, &guarded{react: errors.New("502")}).Drive(t.Context(), "1"); err == nil {
			t.Error("the trouble was swallowed")
		}
		if s.run.State == Running {
			t.Error("the run goes on past its deadline")
		}
	})
}

func TestARunnerThatIsRefusedIsTrouble(t *testing.T) {
	s := &shelf{run: endedRun(0)}
	s.run.State, s.run.Pieces[0].State = Running, Dispatched
	b := guardedBot(t, s, &guarded{mint: fmt.Errorf("mint: %w", ErrRefused)})
	_, err := b.Next(t.Context(), runnerfleet.Instance{ID: "1-b0-a1", Bucket: "1/b0", Attempt: 1})
	if p := s.run.Pieces[0]; !errors.Is(err, runnerfleet.ErrWait) || p.State != Waiting || p.Attempt != 2 || len(p.Trouble) != 1 {
		t.Errorf("error %v, piece %+v; want the next attempt to wait", err, p)
	}
}

func TestALostSuiteRunsAgainAsAWhole(t *testing.T) {
	s := &shelf{entries: []StoredEntry{{Piece: "p1", Attempt: 1, Meta: json.RawMessage(
		`{"seq":0,"manifest":{"goal":"t-tally","repo":"o/tally","commit":"","arch":"","files":[{"path":"(suite)","blocks":null}]}}`)}}}
	left, err := guardedBot(t, s, &guarded{}).unfinishedFiles(t.Context(), "1", "p1")
	if err != nil || left != nil {
		t.Errorf("left %q, %v; want none, which means all", left, err)
	}
}

func TestTheProjectOfThePullRequestIsTestedAtItsHead(t *testing.T) {
	b := guardedBot(t, &shelf{}, &guarded{})
	project, ok := b.Catalog().Project("hello")
	if !ok {
		t.Fatal("no project hello")
	}
	owner, name, _ := strings.Cut(strings.TrimPrefix(project.Repo, "https://github.com/"), "/")
	r := endedRun(0)
	r.Head, r.Repo = strings.Repeat("a", 40), Repo{Owner: strings.ToUpper(owner), Name: strings.ToUpper(name)}
	if leg := leg(b.Catalog(), r, r.Pieces[0]); leg.Commit != r.Head {
		t.Errorf("%s of %s is tested at %q, not at %s", leg.Repo, r.Repo, leg.Commit, r.Head)
	}
}

func TestAHeadThatNobodySaw(t *testing.T) {
	c := CommentEvent{Number: 1, OnPull: true, Action: "created", ID: 3, Body: "/ortest hello", Sender: "ada", At: noon.Add(-time.Minute)}
	t.Run("of a fork is not believed", func(t *testing.T) {
		s, sha := &shelf{}, strings.Repeat("b", 40)
		g := &guarded{pull: PullRequest{Number: 1, Open: true, Head: sha, Fork: true}}
		if _, err := guardedBot(t, s, g).handleComment(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if len(s.answers) != 1 || !strings.Contains(s.answers[0].Body, sha) || len(s.heads) != 1 {
			t.Errorf("answers %+v, heads %+v; want one that shows the commit, which is known from now on", s.answers, s.heads)
		}
	})
	t.Run("a permission that GitHub keeps to itself is an answer", func(t *testing.T) {
		s := &shelf{}
		if _, err := guardedBot(t, s, &guarded{ask: ErrRefused}).handleComment(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if len(s.answers) != 1 || s.answers[0].Understood {
			t.Errorf("answers %+v, want one refusal", s.answers)
		}
	})
}
