package bot

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/plan"
)

// TestWhatAConfirmationMeans: it names nothing, and strangers ask on an approved commit
// as well.
func TestWhatAConfirmationMeans(t *testing.T) {
	head := strings.Repeat("b", 40)
	offered := func(id int64, author, words string, ago time.Duration, posted int64) Answer {
		return Answer{
			Comment: id, Author: author, At: noon.Add(-ago), Posted: posted, PostedAt: noon.Add(-ago + time.Second),
			Offer: &offer{Words: strings.Fields(words), Head: head, Author: author, Wants: verbConfirm},
		}
	}
	hello := plan.Goal{Mode: "tv", Project: "hello"}
	heldUp := func(id, author, of string, ago time.Duration) Run {
		return Run{
			ID: id, Of: of, Author: author, Head: head, State: Closed, CreatedAt: noon.Add(-ago), EndedAt: noon.Add(-ago), Words: []string{"t-hello", "tv-hello"},
			Pieces: []Piece{{Piece: plan.Piece{Goal: hello}, ID: "p1", State: Finished, Reason: "held", Held: true}},
		}
	}
	good := heldUp("2", "mallory", "", time.Minute)
	good.Pieces[0].Held, good.Pieces[0].Reason = false, ""
	again := heldUp("2", "mallory", "1", time.Minute)
	again.Pieces[0].Held = false
	const hour = time.Hour
	for _, tt := range []struct {
		name    string
		answers []Answer // newest first
		runs    []Run    // oldest first
		words   string   // of what starts; "" is nothing
		says    []string
	}{
		{name: "one's own request, though a stranger asked since", answers: []Answer{offered(2, "mallory", "-f t-hello", time.Minute, 9), offered(1, "ada", "t-hello", hour, 8)}, words: "t-hello"},
		{name: "one's own newest of two", answers: []Answer{offered(2, "ada", "-f t-hello", time.Minute, 9), offered(1, "ada", "t-hello", hour, 8)}, words: "-f t-hello"},
		{name: "one's own request, though a stranger's stages are held", answers: []Answer{offered(1, "ada", "t-hello", hour, 8)}, runs: []Run{heldUp("1", "mallory", "", time.Minute)}, words: "t-hello"},
		{name: "one's own stages, though a stranger asked since", answers: []Answer{offered(1, "mallory", "-f t-hello", time.Minute, 9)}, runs: []Run{heldUp("1", "ada", "", hour)}, words: "of 1"},
		{name: "one's own stages, though a stranger's run came since", runs: []Run{heldUp("1", "ada", "", hour), good}, words: "of 1"},
		{name: "one's own stages, though a stranger's are held since", runs: []Run{heldUp("1", "ada", "", hour), heldUp("2", "mallory", "", time.Minute)}, words: "of 1"},
		{name: "stages that another run repeated wait no more", runs: []Run{heldUp("1", "ada", "", hour), again}, says: []string{"nothing on this pull request waits"}},
		{name: "the newer of one's own request and stages", answers: []Answer{offered(1, "ada", "-f t-hello", time.Minute, 9)}, runs: []Run{heldUp("1", "ada", "", hour)}, words: "-f t-hello"},
		{name: "another one's, when nothing else waits", answers: []Answer{offered(1, "bob", "t-hello", hour, 8)}, words: "t-hello"},
		{name: "another one's stages, when nothing else waits", runs: []Run{heldUp("1", "bob", "", hour)}, words: "of 1"},
		{
			name: "none of two others'", answers: []Answer{offered(2, "mallory", "-f t-hello", time.Minute, 9), offered(1, "bob", "t-hello", hour, 8)},
			says: []string{"- `/ortest -f t-hello` of `mallory`\n- `/ortest t-hello` of `bob`\n", "as your own command"},
		},
		{
			name: "none of another one's request and stages", answers: []Answer{offered(1, "bob", "t-hello", hour, 8)}, runs: []Run{heldUp("1", "mallory", "", time.Minute)},
			says: []string{"- `/ortest retry tv-hello` for run 1 of `mallory`\n- `/ortest t-hello` of `bob`\n"},
		},
		{name: "nothing of another one that is not answered yet", answers: []Answer{offered(1, "mallory", "-f t-hello", hour, 0)}, says: []string{"of `mallory`"}},
		{name: "nothing of another one that GitHub does not show", answers: []Answer{offered(1, "mallory", "-f t-hello", hour, nowhere)}, says: []string{"of `mallory`"}},
		{name: "nothing of another one that was answered a second later", answers: []Answer{offered(1, "mallory", "-f t-hello", 0, 9)}, says: []string{"of `mallory`"}},
		{name: "another one's that was answered in that second", answers: []Answer{offered(1, "bob", "t-hello", time.Second, 9)}, words: "t-hello"},
		{name: "another one's, beside one that is not answered yet", answers: []Answer{offered(2, "mallory", "-f t-hello", 0, 0), offered(1, "bob", "t-hello", hour, 8)}, words: "t-hello"},
		{name: "nothing that was asked for later", answers: []Answer{offered(1, "ada", "t-hello", -time.Second, 8)}, says: []string{"nothing on this pull request waits"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &notary{desk: desk{meet: make(chan struct{}, 10), runs: slices.Clone(tt.runs)}}
			for _, a := range slices.Backward(tt.answers) {
				s.answers = append(s.answers, a)
			}
			b := guardedBot(t, &s.shelf, &guarded{pull: PullRequest{Number: 1, Open: true, Head: head}})
			b.Store = s
			c := CommentEvent{Number: 1, OnPull: true, Action: "created", ID: 99, Body: "/ortest confirm", Sender: "ada", At: noon}
			if _, err := b.handleComment(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			started, answered := s.runs[len(tt.runs):], s.answers[len(tt.answers):]
			if len(started)+len(answered) != 1 || (len(started) == 1) != (tt.words != "") {
				t.Fatalf("%d runs, answers %+v", len(started), answered)
			}
			for _, r := range started {
				if got := strings.Join(r.Words, " "); got != tt.words && "of "+r.Of != tt.words {
					t.Errorf("started %q of %q", got, r.Of)
				}
			}
			for _, part := range tt.says {
				if !strings.Contains(answered[0].Body, part) {
					t.Errorf("the answer lacks %q: %s", part, answered[0].Body)
				}
			}
		})
	}
}
