package bot

import (
	"context"
	"fmt"
	"time"
)

// How many commands of somebody who may not write are answered within a time. Each
// answer is content, of which GitHub lets the App create 500 an hour: whoever
// writes commands only to use that up must leave most of it to the others.
const (
	mostAnswered   = 120
	answeredOver   = time.Hour
	mostRemembered = 10_000 // people
)

// asker is what somebody asked lately.
type asker struct {
	at   []time.Time
	told time.Time // that it is too much
}

// flooded reports whether a command stays without an answer of its own, since its
// sender writes too many and may not write to the repository. It is said once.
func (b *Bot) flooded(ctx context.Context, c comment) (bool, error) {
	if n, _ := b.asked(c.Sender, false); n <= mostAnswered {
		return false, nil
	}
	_, may, err := b.May(ctx, c.Repo, c.Sender)
	switch {
	case err != nil && !final(err):
		return false, err
	case err == nil && may:
		return false, nil
	}
	if _, told := b.asked(c.Sender, true); told {
		return true, nil
	}
	return true, b.answer(ctx, c, refusal(fmt.Sprintf("you wrote more than %d commands within an hour, and only people who may write to %s have more answered. What you write from now on is not answered until some of them are an hour old",
		mostAnswered, code(c.Repo.String()))))
}

// asked counts a command, or notes that its sender was told, and says whether that
// was so already.
func (b *Bot) asked(login string, tell bool) (n int, told bool) {
	now := b.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.askers == nil || len(b.askers) > mostRemembered {
		b.askers = make(map[string]asker)
	}
	a := b.askers[login]
	for len(a.at) > 0 && now.Sub(a.at[0]) >= answeredOver {
		a.at = a.at[1:]
	}
	told = now.Sub(a.told) < answeredOver
	switch {
	case tell && !told:
		a.told = now
	case !tell && len(a.at) <= mostAnswered: // beyond it they are all too many
		a.at = append(a.at, now)
	}
	b.askers[login] = a
	return len(a.at), told
}
