package bot

import (
	"testing"
	"time"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
)

func TestWhatIsProposedToBeExpected(t *testing.T) {
	b := &Bot{Server: "https://github.com", Now: func() time.Time { return time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC) }}
	failure := report.Finding{Kind: "assert", File: "t/a.t", Block: "first", Name: "response_body"}
	of := func(c report.Class, rule string) report.Finding { f := failure; f.Class, f.Rule = c, rule; return f }
	for _, tt := range []struct {
		name    string
		finding report.Finding
		outcome string // "" proposes nothing
		rate    float64
	}{
		{"a new failure fails", of(report.New, ""), "fails", 0},
		{"what failed and passed at one commit is flaky, with a rate", of(report.Flaky, ""), "flaky", proposedRate},
		{"what an entry covers already is not proposed", of(report.Flaky, "known-1"), "", 0},
		{"what did not run is not proposed", of(report.NotRun, ""), "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			goals := []html.GoalView{{Goal: "t-hello", Result: &report.GoalResult{Findings: []report.Finding{tt.finding}}}}
			made := b.entries(comment{CommentEvent: CommentEvent{Sender: "ada"}}, Run{ID: "2", Pull: 7}, goals)
			if tt.outcome == "" {
				if len(made) > 0 {
					t.Errorf("proposes %s", made[0].yaml)
				}
				return
			}
			if len(made) != 1 {
				t.Fatalf("proposes %d entries", len(made))
			}
			text, err := with("e.yaml", nil, made)
			if err != nil {
				t.Fatal(err)
			}
			got, err := report.ReadExpectations("e.yaml", text)
			if err != nil || got[0].Outcome != tt.outcome || got[0].MaxRate != tt.rate {
				t.Errorf("%v in\n%s", err, text)
			}
		})
	}
}
