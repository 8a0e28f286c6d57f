package bot

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// waits is something that starts when somebody who may says so.
type waits struct {
	*offer
	name  string    // of the answer that offers it, which its run has; "" of stages that were held up
	since time.Time // when it was asked for, or held up
	seen  bool      // it stood there when the command was written
}

// decideConfirm starts what was offered: a request over the budget, or the stages
// that were held up.
func (b *Bot) decideConfirm(ctx context.Context, c comment) error {
	at, ok, err := b.fix(ctx, c)
	if err != nil || !ok {
		return err
	}
	all, err := b.waiting(ctx, c, at.Head, verbConfirm)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return b.answer(ctx, c, refusal("nothing on this pull request waits to be confirmed for its head "+code(at.Head)))
	}
	o, ok := meant(c, all)
	if !ok {
		return b.answer(ctx, c, ambiguous(all))
	}
	s := start{at: at, words: o.Words, goals: o.Goals, of: o.Of, files: o.Files, author: o.Author, approved: cmp.Or(o.Approved, c.Sender), grants: o.name, confirmed: true}
	if o.name == "" {
		s.author = c.Sender
	}
	s.say("%s confirmed it", c.Sender)
	return b.start(ctx, c, s)
}

// meant returns which of what waits a confirmation is about: its sender's newest, else the
// only one. On an approved commit strangers' requests wait as well, perhaps since the
// moment before, so that what another one asked for is never meant among several.
func meant(c comment, all []waits) (o waits, ok bool) {
	if i := slices.IndexFunc(all, func(o waits) bool { return o.Author == c.Sender }); i >= 0 {
		return all[i], true
	}
	seen := slices.DeleteFunc(slices.Clone(all), func(o waits) bool { return !o.seen })
	if len(seen) != 1 {
		return waits{}, false
	}
	return seen[0], true
}

// ambiguous lists what a confirmation may mean, and says how to ask for one of it.
func ambiguous(all []waits) Answer {
	var s strings.Builder
	s.WriteString("`confirm` takes what you asked for yourself, or else the only thing that waited for that when you wrote. Of other people's there is:\n")
	for i, o := range all {
		if i == maxCommands {
			fmt.Fprintf(&s, "\n… and %d more.", len(all)-i)
			break
		}
		fmt.Fprintf(&s, "\n- %s of %s", o.text(), code(o.Author))
	}
	s.WriteString("\n\nWrite the one that you mean as your own command, and confirm that if it has to wait")
	return refusal(s.String())
}

// text is a command that asks for what waits.
func (o *offer) text() string {
	switch {
	case o.Files != nil:
		return fmt.Sprintf("the button %s of run %s", code(buttons[1].Label), o.Of)
	case o.Of != "":
		return fmt.Sprintf("%s for run %s", code(lineOf(verbRetry, o.Goals)), o.Of)
	}
	return code(lineOf(verbRun, o.Words))
}

// waiting returns what waits for a word about a head, newest first.
func (b *Bot) waiting(ctx context.Context, c comment, head string, wants verb) (all []waits, err error) {
	runs, err := b.Store.Runs(ctx, c.Repo, c.Number)
	if err != nil {
		return nil, err
	}
	answers, err := b.Store.Answers(ctx, c.Repo, c.Number)
	if err != nil {
		return nil, err
	}
	if wants == verbConfirm {
		all = heldUp(runs, head, c.At)
	}
	for _, a := range answers {
		granted := slices.ContainsFunc(runs, func(r Run) bool { return r.Grants == a.name() })
		if a.Offer != nil && a.Offer.Wants == wants && a.Offer.Head == head && !granted && !a.At.After(c.At) {
			seen := a.Posted > 0 && !after(a.PostedAt, c.At)
			all = append(all, waits{offer: a.Offer, name: a.name(), since: a.At, seen: seen})
		}
	}
	slices.SortStableFunc(all, func(x, y waits) int { return y.since.Compare(x.since) })
	return all, nil
}

// heldUp returns the stages that were not started of each person's newest run, unless
// another run has repeated them: nobody's run takes away what waits for somebody else.
func heldUp(runs []Run, head string, at time.Time) (all []waits) {
	repeated := make(map[string][]string) // goals by the run that has them
	var seen []string
	for _, r := range runs {
		repeated[r.Of] = append(repeated[r.Of], r.goals()...)
		if r.Head != head || slices.Contains(seen, r.Author) {
			continue
		}
		seen = append(seen, r.Author)
		goals := slices.DeleteFunc(r.held(), func(g string) bool { return slices.Contains(repeated[r.ID], g) })
		if !r.live() && len(goals) > 0 && !after(r.EndedAt, at) {
			all = append(all, waits{offer: &offer{Words: r.Words, Goals: goals, Of: r.ID, Author: r.Author}, since: r.EndedAt, seen: true})
		}
	}
	return all
}

// after reports whether something came after a text. GitHub tells times to the second.
func after(at, text time.Time) bool { return at.Truncate(time.Second).After(text) }

func (a Answer) name() string { return fmt.Sprintf("%s/%d/%d", a.Place, a.Comment, a.Index) }
