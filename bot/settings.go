package bot

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ortest/ortest/plan"
)

// Settings are what may change while the bot works. The zero value allows what
// plan.Policy's zero value allows, without any budget.
type Settings struct {
	Policy      plan.Policy   // what a comment may choose
	Limit       time.Duration // -t where a command has none; an hour when zero
	Maintenance string        // why no new run starts; "" in normal times
	Kill        string        // why every run ends now; "" in normal times
	Supersede   bool          // a push ends the pull request's runs of older commits
	Teams       []string      // ORG/SLUG: who is in one of them may do what writers may
	// Expectations is the repository, OWNER/NAME, of the catalog's expectations: new
	// ones are proposed there. "" is each pull request's own, which then has some itself.
	Expectations string
	// CatalogOf is the repository, OWNER/NAME on this GitHub, where the catalog comes
	// from: its maintainers may roll it back. "" is none.
	CatalogOf string

	Command Budget // of one command
	Pull    Budget // of a pull request, over all its runs
	User    Budget // of a person, over a day
	Day     Budget // of everybody, over a day
}

// Budget bounds what plans may take, as they estimate it. Zero is no bound.
type Budget struct {
	Minutes int     // of machines
	USD     float64 // at on-demand prices
}

func (b *Bot) settings() Settings {
	if b.Settings == nil {
		return Settings{}
	}
	return b.Settings()
}

// closed says why no run starts now, or "".
func (s Settings) closed() string {
	switch why := cmp.Or(s.Kill, s.Maintenance); {
	case why != "":
		return "the bot is in maintenance and starts nothing: " + plain(why) + ". What was asked is not remembered; write it again later"
	default:
		return ""
	}
}

// spent is what plans take together.
type spent struct {
	machine time.Duration
	usd     float64
}

func (s spent) plus(p plan.Plan) spent {
	for _, bucket := range p.Buckets {
		t := max(bucket.Estimate, time.Minute) // machines are paid a minute at least
		s.machine += t
		s.usd += t.Hours() * p.Price.OnDemand
	}
	return s
}

// over says by how much a budget would be exceeded, or "".
func (b Budget) over(of string, s spent) string {
	var said []string
	if m := minutes(s.machine); b.Minutes > 0 && m > b.Minutes {
		said = append(said, fmt.Sprintf("%d of %d machine minutes", m, b.Minutes))
	}
	if b.USD > 0 && s.usd > b.USD {
		said = append(said, fmt.Sprintf("%.2f of %.2f USD", s.usd, b.USD))
	}
	if len(said) == 0 {
		return ""
	}
	return "the budget of " + of + " would be exceeded (" + strings.Join(said, ", ") + ")"
}

// overBudget says which budget a run would exceed, or "".
func (b *Bot) overBudget(ctx context.Context, r Run) (string, error) {
	s := b.settings()
	if why := s.Command.over("one command", spent{}.plus(r.Plan)); why != "" {
		return why, nil
	}
	if s.Pull != (Budget{}) {
		runs, err := b.Store.Runs(ctx, r.Repo, r.Pull)
		if err != nil {
			return "", err
		}
		total := spent{}.plus(r.Plan)
		for _, o := range runs {
			total = total.plus(o.Plan)
		}
		if why := s.Pull.over("this pull request", total); why != "" {
			return why, nil
		}
	}
	if s.User == (Budget{}) && s.Day == (Budget{}) {
		return "", nil
	}
	runs, err := b.Store.RunsSince(ctx, b.Now().Add(-24*time.Hour))
	if err != nil {
		return "", err
	}
	user, day := spent{}.plus(r.Plan), spent{}.plus(r.Plan)
	for _, o := range runs {
		day = day.plus(o.Plan)
		if strings.EqualFold(o.Author, r.Author) {
			user = user.plus(o.Plan)
		}
	}
	return cmp.Or(s.User.over("one person and day", user), s.Day.over("a day", day)), nil
}
