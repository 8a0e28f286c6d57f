package github

import (
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
)

// TestWhoseATextOfASweepIs: lists have who wrote a text, and not who edited it.
func TestWhoseATextOfASweepIs(t *testing.T) {
	at := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	body := "/ortest rollback abc"
	for _, tt := range []struct {
		name     string
		updated  time.Duration
		unsigned bool
	}{
		{"one that was not edited is its author's", 0, false},
		{"one that was edited a second later may be anybody's", time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := listed{HTML: "https://github.com/o/n/pull/7#issuecomment-1", Issue: "https://api.github.com/repos/o/n/issues/7"}
			l.comment = comment{ID: 1, Body: &body, User: &account{Login: "ada", Type: "User"}, CreatedAt: at, UpdatedAt: at.Add(tt.updated)}
			e, ok := l.event(bot.Repo{Owner: "o", Name: "n"}, bot.InComment, App{ID: 1})
			if !ok || e.Unsigned != tt.unsigned || e.Sender != "ada" || e.Number != 7 || !e.OnPull {
				t.Errorf("%v, %+v", ok, e)
			}
		})
	}
}
