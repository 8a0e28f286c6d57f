package bot

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// lines are the moves of a table as a diagram has them.
func lines[S ~string](moves map[S][]S) (all []string) {
	for _, from := range slices.Sorted(maps.Keys(moves)) {
		for _, to := range moves[from] {
			all = append(all, fmt.Sprintf("%s --> %s", from, to))
		}
	}
	slices.Sort(all)
	return all
}

func TestTheArchitectureDrawsTheMovesThatThereAre(t *testing.T) {
	raw, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	arrow := regexp.MustCompile(`(?m)^ *([a-z]+ --> [a-z]+)`)
	for heading, want := range map[string][]string{"`bot.RunState`": lines(runMoves), "`bot.PieceState`": lines(pieceMoves)} {
		_, rest, _ := strings.Cut(string(raw), heading)
		_, rest, _ = strings.Cut(rest, "```mermaid\n")
		diagram, _, _ := strings.Cut(rest, "```")
		var drawn []string
		for _, m := range arrow.FindAllStringSubmatch(diagram, -1) {
			drawn = append(drawn, m[1])
		}
		slices.Sort(drawn)
		if !slices.Equal(drawn, want) {
			t.Errorf("%s: drawn\n%q, the table is\n%q", heading, drawn, want)
		}
	}
}

func TestAMoveThatIsNotInTheTableIsRefusedAsAWhole(t *testing.T) {
	r := endedRun(0)
	r.State, r.Pieces[0].State, r.Pieces[0].Reason = Running, "odd", ""
	changed, err := r.move(Occurrence{Kind: CancelAsked, Why: "ada"}, noon)
	if changed || err == nil || !strings.Contains(err.Error(), "p1 of run 1 cannot go from odd to finished") {
		t.Errorf("changed %v, error %v", changed, err)
	}
	if r.State != Running || r.Pieces[0].State != "odd" || r.Cancelled != "" || r.Pieces[0].Reason != "" {
		t.Errorf("the run is %+v", r)
	}
}

// TestNoOccurrenceAsksForAMoveThatThereIsNot lets anything happen to runs, in any order.
func TestNoOccurrenceAsksForAMoveThatThereIsNot(t *testing.T) {
	random, made := rand.New(rand.NewPCG(1, 2)), make(map[string]bool)
	for range 3000 {
		r := Run{ID: "1", State: Accepted, Lost: make([]int, 2), Pieces: []Piece{
			{ID: "p1", State: Waiting, Attempt: 1}, {ID: "p2", State: Waiting, Attempt: 1, Bucket: 1, Stage: 1},
		}}
		for n := range 40 {
			p := r.Pieces[random.IntN(2)]
			o := Occurrence{
				Kind: Kind(1 + random.IntN(int(Reported))), Piece: p.ID, Attempt: p.Attempt - random.IntN(2), Instance: "i", Bucket: random.IntN(2), Stage: random.IntN(3),
				Why: "w", Nonce: "n", Dispatch: Dispatch{Nonce: fmt.Sprint(n), Pieces: []string{p.ID}, Attempts: []int{p.Attempt}},
			}
			if o.Kind == DispatchSent && len(r.Dispatch) > 0 {
				o.Dispatch = r.Dispatch[random.IntN(len(r.Dispatch))]
				o.Dispatch.WorkflowRun = 5
			}
			if rare := o.Kind == CancelAsked || o.Kind == DeadlinePassed || o.Kind == StageHeld; rare && random.IntN(8) > 0 {
				continue
			}
			was := r
			was.Pieces = slices.Clone(r.Pieces)
			if _, err := r.move(o, noon.Add(time.Duration(n)*time.Second)); err != nil {
				t.Fatalf("%+v: %v", o, err)
			}
			note(made, was.State, r.State)
			note(made, was.Pieces[0].State, r.Pieces[0].State)
		}
	}
	want := append(lines(runMoves), lines(pieceMoves)...)
	got := slices.Sorted(maps.Keys(made))
	if slices.SortFunc(want, cmp.Compare); !slices.Equal(got, want) {
		t.Errorf("moves that happened\n%q, in the tables\n%q", got, want)
	}
}

func note[S ~string](made map[string]bool, from, to S) {
	if from != to {
		made[fmt.Sprintf("%s --> %s", from, to)] = true
	}
}
