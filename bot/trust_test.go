package bot

import (
	"context"
	"strings"
	"testing"
)

// notary is a store that keeps approvals.
type notary struct {
	desk
	approved string // the commit
}

func (n *notary) AddApproval(_ context.Context, _ Repo, _ int, h Head, _ string) error {
	n.approved = h.SHA
	return nil
}

func (n *notary) Approved(_ context.Context, _ Repo, _ int, sha string) (string, error) {
	if n.approved != sha {
		return "", nil
	}
	return "ada", nil
}

func (n *notary) Answers(context.Context, Repo, int) (all []Answer, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.answers {
		all = append(all, n.answers[len(n.answers)-1-i])
	}
	return all, nil
}

// TestWhatTakesAWordIsNotReadFromAnEditOfNobody: whoever may write to a repository may
// edit what others wrote there, and a sweep is not told who did.
func TestWhatTakesAWordIsNotReadFromAnEditOfNobody(t *testing.T) {
	head := strings.Repeat("b", 40)
	for _, tt := range []struct {
		name, text string
		unsigned   bool
		says       string
		rolled     bool
		approved   bool
		runs       int
	}{
		{name: "a rollback is answered with the line to write", text: "rollback abc", unsigned: true, says: "new comment:\n\n```\n/ortest rollback abc\n```"},
		{name: "an approval is as well", text: "approve " + head, unsigned: true, says: "/ortest approve " + head},
		{name: "and a confirmation", text: "confirm", unsigned: true, says: "/ortest confirm\n"},
		{name: "and an end", text: "cancel", unsigned: true, says: "/ortest cancel\n"},
		{name: "a run is the author's, since who edits may run it as well", text: "t-hello", unsigned: true, runs: 1},
		{name: "a question is answered", text: "help", unsigned: true, says: "TARGET"},
		{name: "who wrote it and did not edit it rolls back", text: "rollback abc", says: "counts within seconds", rolled: true},
		{name: "who wrote it and did not edit it approves", text: "approve " + head, says: "is approved", approved: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, rolled := &notary{desk: desk{meet: make(chan struct{}, 10)}}, false
			b := guardedBot(t, &s.shelf, &guarded{})
			b.Store, b.Settings = s, func() Settings { return Settings{CatalogOf: "o/catalog"} }
			b.Forge = &keepers{role: "admin", guarded: guarded{pull: PullRequest{Number: 1, Open: true, Head: head}}}
			b.Rollback = func(string) error { rolled = true; return nil }
			c := CommentEvent{Repo: Repo{Owner: "o", Name: "n"}, Number: 1, OnPull: true, Action: "edited", ID: 1, Body: Prefix + " " + tt.text, Sender: "ada", At: noon, Unsigned: tt.unsigned}
			if _, err := b.handleComment(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if len(s.runs) != tt.runs || len(s.answers)+len(s.runs) != 1 || rolled != tt.rolled || (s.approved != "") != tt.approved {
				t.Fatalf("%d runs, rolled back: %v, approved: %q, answers %+v", len(s.runs), rolled, s.approved, s.answers)
			}
			if tt.runs == 0 && !strings.Contains(s.answers[0].Body, tt.says) {
				t.Errorf("the answer lacks %q: %s", tt.says, s.answers[0].Body)
			}
		})
	}
}

// TestAnApprovalTakesAllOfTheHead: a commit that begins like another one is made in no time.
func TestAnApprovalTakesAllOfTheHead(t *testing.T) {
	for _, tt := range []struct {
		name, head, takes string
		approved          bool
		says              string
	}{
		{name: "all 40 digits", head: strings.Repeat("b", 40), takes: strings.Repeat("b", 40), approved: true, says: "is approved"},
		{name: "all 64 where commits have as many", head: strings.Repeat("b", 64), takes: strings.Repeat("b", 64), approved: true, says: "is approved"},
		{name: "all but one are answered with the head, to be looked at", head: strings.Repeat("b", 40), takes: strings.Repeat("b", 39), says: "[that commit](https://github.com/o/n/commit/" + strings.Repeat("b", 40) + ") first"},
		{name: "40 of 64 are the beginning of many", head: strings.Repeat("b", 64), takes: strings.Repeat("b", 40), says: "is the beginning of many commits"},
		{name: "another commit is answered as well", head: strings.Repeat("b", 40), takes: strings.Repeat("a", 40), says: "is not the head"},
		{name: "one digit more is another commit", head: strings.Repeat("b", 40), takes: strings.Repeat("b", 41), says: "is not the head"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &notary{desk: desk{meet: make(chan struct{}, 10)}}
			b := guardedBot(t, &s.shelf, &guarded{pull: PullRequest{Number: 1, Open: true, Head: tt.head}})
			b.Store, b.Server = s, "https://github.com"
			c := CommentEvent{Repo: Repo{Owner: "o", Name: "n"}, Number: 1, OnPull: true, Action: "created", ID: 1, Body: "/ortest approve " + tt.takes, Sender: "ada", At: noon}
			if _, err := b.handleComment(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if len(s.answers) != 1 || (s.approved != "") != tt.approved || !strings.Contains(s.answers[0].Body, tt.says) {
				t.Errorf("approved %q, answers %+v", s.approved, s.answers)
			}
		})
	}
}
