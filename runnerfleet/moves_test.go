package runnerfleet

import (
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

// lines are the moves of the table as a diagram has them.
func lines() (all []string) {
	for from, list := range moves {
		for _, to := range list {
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
	_, rest, _ := strings.Cut(string(raw), "`runnerfleet.State`")
	_, rest, _ = strings.Cut(rest, "```mermaid\n")
	diagram, _, _ := strings.Cut(rest, "```")
	var drawn []string
	for _, m := range regexp.MustCompile(`(?m)^ *([a-z]+ --> [a-z]+)`).FindAllStringSubmatch(diagram, -1) {
		drawn = append(drawn, m[1])
	}
	slices.Sort(drawn)
	if want := lines(); !slices.Equal(drawn, want) {
		t.Errorf("drawn\n%q, the table is\n%q", drawn, want)
	}
}

// TestEveryMoveHappensAndNoOther lets anything happen to instances, in any order.
func TestEveryMoveHappensAndNoOther(t *testing.T) {
	random, now := rand.New(rand.NewPCG(1, 2)), time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	made := make(map[string]bool)
	for range 2000 {
		in := Instance{ID: "r1-b1-a1", State: Intended, Lanes: 2}
		for range 30 {
			e := event{
				kind: eventKind(random.IntN(int(vanished) + 1)), params: "p", cloudID: "m", reason: "r", lost: random.IntN(2) == 0,
				lane: random.IntN(2), secret: []byte{byte(random.IntN(20) / 19)},
			}
			if (e.kind == ended || e.kind == rejected) && random.IntN(8) > 0 {
				continue
			}
			from := in.State
			if in.advance(e, now); in.State != from {
				made[fmt.Sprintf("%s --> %s", from, in.State)] = true
			}
		}
	}
	if got, want := slices.Sorted(maps.Keys(made)), lines(); !slices.Equal(got, want) {
		t.Errorf("moves that happened\n%q, in the table\n%q", got, want)
	}
}

func TestAMoveThatIsNotInTheTableChangesNothing(t *testing.T) {
	in := Instance{ID: "r1-b1-a1", State: "odd"}
	if in.advance(event{kind: ended, reason: "why", lost: true}, time.Now()) || in.State != "odd" || in.Reason != "" || in.Owed {
		t.Errorf("the instance is %+v", in)
	}
}
