package github

import (
	"context"
	"net/http"
	"time"
)

// ledger is where the processes of an App share what they take of its limits, which
// outlives them.
type ledger interface {
	Created(ctx context.Context, installation int64, since time.Time) ([]time.Time, error) // oldest first
	Create(ctx context.Context, installation int64, at time.Time) error
	// Spent returns when points are spent at the latest, one by one, the soonest first.
	Spent(ctx context.Context, installation int64, since time.Time) ([]time.Time, error)
	Spend(ctx context.Context, installation int64, points int, at time.Time) error
}

// How many points a process sets aside at a time, and for how long: to ask the
// ledger for each request would cost more than most requests do. The limit that we
// keep leaves room for as many as three replicas set aside at the same moment.
const (
	purseOf  = 16
	purseFor = 5 * time.Second
)

// purse has points that were set aside.
type purse struct {
	left   int
	until  time.Time
	bought int       // of which the ledger is to be told
	at     time.Time // when those are spent at the latest
}

func (p *purse) has(points int, at time.Time) bool { return p.left >= points && !at.After(p.until) }

// buy takes points for a request, and some more when nobody has to wait for them.
func (l *limits) buy(cost int, lane lane, now, at time.Time) {
	p := purse{left: cost, until: at, bought: cost, at: at}
	if l.shared && !at.After(now) && l.points.free(purseOf, lane, now) == 0 {
		at = now.Add(purseFor)
		p = purse{left: purseOf, until: at, bought: purseOf, at: at}
	}
	l.points.take(p.bought, at)
	l.purse = p
}

// bought returns the points that were taken since it was asked before, and when they
// are spent at the latest.
func (l *limits) bought() (points int, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	points, l.purse.bought = l.purse.bought, 0
	return points, l.purse.at
}

// short reports whether a request needs more points than are set aside.
func (l *limits) short(req *http.Request, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shared = true
	return !l.purse.has(costOf(req), now)
}

// learn takes over what all processes have taken, the soonest first.
func (l *limits) learn(all []time.Time, of ...*window) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range of {
		n := min(len(all), len(w.at))
		clear(w.at[:len(w.at)-n])
		copy(w.at[len(w.at)-n:], all[len(all)-n:])
	}
}

// reserve takes a place for a request, among those of the other processes. While the
// ledger cannot be asked, each has all that it does not know to be taken.
func (t *transport) reserve(req *http.Request, now time.Time) (time.Duration, error) {
	if t.ledger == nil {
		return t.limits.reserve(req, now)
	}
	t.sharing.Lock()
	defer t.sharing.Unlock()
	content := createsContent(req)
	asked := t.ask(req, content, now)
	wait, err := t.limits.reserve(req, now)
	if err == nil && asked == nil {
		asked = t.tell(req.Context(), content, now.Add(wait))
	}
	if asked != nil && req.Context().Err() == nil {
		t.log.Warn("limits are not shared with other replicas now", "err", asked)
	}
	return wait, err
}

// ask learns what the others have taken of what a request needs.
func (t *transport) ask(req *http.Request, content bool, now time.Time) error {
	if content {
		made, err := t.ledger.Created(req.Context(), t.installation, now.Add(-time.Hour))
		if err != nil {
			return err
		}
		t.limits.learn(made, t.limits.create...)
	}
	if !t.limits.short(req, now) {
		return nil
	}
	spent, err := t.ledger.Spent(req.Context(), t.installation, now.Add(-time.Minute))
	if err != nil {
		return err
	}
	t.limits.learn(spent, t.limits.points)
	return nil
}

// tell tells the others what was taken.
func (t *transport) tell(ctx context.Context, content bool, at time.Time) error {
	if points, until := t.limits.bought(); points > 0 {
		if err := t.ledger.Spend(ctx, t.installation, points, until); err != nil {
			return err
		}
	}
	if !content {
		return nil
	}
	return t.ledger.Create(ctx, t.installation, at)
}
