package bot

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestWhoWritesTooManyCommandsIsToldOnce, so that nobody uses up what GitHub lets
// the App write.
func TestWhoWritesTooManyCommandsIsToldOnce(t *testing.T) {
	s, g := &shelf{}, &guarded{role: "read"}
	b := guardedBot(t, s, g)
	now, id := noon, int64(0)
	b.Now = func() time.Time { return now }
	say := func(n int) (outcome string) {
		t.Helper()
		for range n {
			id++
			var err error
			outcome, err = b.handleComment(t.Context(), CommentEvent{Number: 1, OnPull: true, Action: "created", ID: id, Body: "/ortest help", Sender: "mallory", At: now})
			if err != nil {
				t.Fatal(err)
			}
		}
		return outcome
	}
	for _, tt := range []struct {
		name    string
		n       int
		role    string
		after   time.Duration
		answers int
		ignored bool
	}{
		{"as many as may be are answered", mostAnswered, "read", 0, mostAnswered, false},
		{"the next one is told that it is one too many", 1, "read", time.Minute, mostAnswered + 1, true},
		{"those after it are not answered", 20, "read", 0, mostAnswered + 1, true},
		{"who may write has every one answered", 20, "write", 0, mostAnswered + 21, false},
		{"an hour after the first ones there may be more", 1, "read", answeredOver, mostAnswered + 22, false},
	} {
		now, g.role = now.Add(tt.after), tt.role
		outcome := say(tt.n)
		if len(s.answers) != tt.answers || strings.HasPrefix(outcome, "ignored: ") != tt.ignored {
			t.Fatalf("%s: %d answers, want %d; the last ended as %q", tt.name, len(s.answers), tt.answers, outcome)
		}
	}
	if said := s.answers[mostAnswered].Body; !strings.Contains(said, fmt.Sprintf("more than %d commands within an hour", mostAnswered)) {
		t.Errorf("it is told %q", said)
	}
}
