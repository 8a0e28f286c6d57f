package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// answeredAt returns the answers to what stands at a place, by their commands' order.
func (p *place) answeredAt(t *testing.T, place string, id int64) (found []string) {
	t.Helper()
	for i := range 10 {
		for _, c := range p.talk(t).Comments {
			if text, ok := strings.CutPrefix(c.Body, fmt.Sprintf("<!-- ortest:answer %s.%d.%d -->", place, id, i)); ok && c.App {
				found = append(found, text)
			}
		}
	}
	return found
}

// TestCommandsInReviews reads the text of a review and a comment on a line, by their
// webhooks; an edit runs only what is new.
func TestCommandsInReviews(t *testing.T) {
	t.Parallel()
	act := scripted(t)
	p := newPlace(t, func(c *systemConfig) { machines(c, act) })
	review, err := p.gh.Review(demoRepo, p.pull, demoMaintainer, "Looks good.\n\n/ortest status\n")
	if err != nil {
		t.Fatal(err)
	}
	line, err := p.gh.LineComment(demoRepo, p.pull, demoMaintainer, "/ortest plan t-hello")
	if err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	if said := p.answeredAt(t, "review", review); len(said) != 1 || !strings.Contains(said[0], "nothing was run") {
		t.Errorf("the review is answered %q", said)
	}
	if said := p.answeredAt(t, "review_comment", line); len(said) != 1 || !strings.Contains(said[0], "this would run 1 piece") {
		t.Errorf("the comment on a line is answered %q", said)
	}
	if lines := p.talk(t).Lines; len(lines) != 1 || lines[0].Counts()["eyes"] != 1 {
		t.Errorf("the comment on a line is %+v, want one 👀", lines)
	}
	if err := p.gh.EditReview(review, demoMaintainer, "Looks good.\n\n/ortest status\n/ortest t-hello\n"); err != nil {
		t.Fatal(err)
	}
	p.settle(t)
	if r := p.run(t, 1); r.Place != "review" || r.Comment != review || r.Author != demoMaintainer {
		t.Errorf("the run is of %s %d, by %s", r.Place, r.Comment, r.Author)
	}
	if said := p.answeredAt(t, "review", review); len(said) != 1 {
		t.Errorf("after the edit the review is answered %q", said)
	}
	sweptAgain(t, p)
	p.run(t, 1)
}

// TestReviewsWithoutAnyWebhook finds the same by sweeps alone.
func TestReviewsWithoutAnyWebhook(t *testing.T) {
	t.Parallel()
	p := openDeaf(t, func(c *systemConfig) { c.Sweep = 200 * time.Millisecond }).start(t)
	p.await(t, func(ctx context.Context) (string, error) {
		at, err := p.sys.store.Mark(ctx, "born")
		if at.IsZero() {
			return "the first sweep is to come", err
		}
		return "", err
	})
	review, err := p.gh.Review(demoRepo, p.pull, demoStranger, "/ortest help")
	if err != nil {
		t.Fatal(err)
	}
	line, err := p.gh.LineComment(demoRepo, p.pull, demoStranger, "/ortest status")
	if err != nil {
		t.Fatal(err)
	}
	p.await(t, func(context.Context) (string, error) {
		if len(p.answeredAt(t, "review", review)) == 1 && len(p.answeredAt(t, "review_comment", line)) == 1 {
			return "", nil
		}
		return "the review and the comment on a line are to be answered", nil
	})
}
