package github

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxWait is how long one request waits for a limit; beyond it the caller gets
// an error and comes back, instead of holding its turn.
const maxWait = time.Minute

var errBudget = errors.New("own limit of requests to GitHub is used up")

// lane is how much a request matters. Each leaves some of every limit to those
// before it, so that no amount of progress reports starves an answer.
type lane int

// The lanes, those that matter most first.
const (
	acks      lane = iota // reactions and answers to people, and what is read to give them
	results               // what everything is in by default: runs, check runs that end
	cosmetics             // progress, and sweeps for what webhooks missed
	lanes     = 3
)

type laneKey struct{}

// inLane marks the requests of a context.
func inLane(ctx context.Context, l lane) context.Context {
	return context.WithValue(ctx, laneKey{}, l)
}

func laneOf(ctx context.Context) lane {
	if l, ok := ctx.Value(laneKey{}).(lane); ok {
		return l
	}
	return results
}

// window lets a number of things happen in any span of its length.
type window struct {
	span time.Duration
	keep [lanes]int  // how many a lane leaves to those before it
	at   []time.Time // when each of the last ones happens, sorted
}

func newWindow(n int, span time.Duration) *window {
	return &window{span: span, keep: [lanes]int{0, n / 10, n / 3}, at: make([]time.Time, n)}
}

// free returns how long after now the nth next thing of a lane may happen. n
// must not be more than the window has for it.
func (w *window) free(n int, l lane, now time.Time) time.Duration {
	return max(0, w.at[n+w.keep[l]-1].Add(w.span).Sub(now))
}

// take notes n things at t.
func (w *window) take(n int, t time.Time) {
	for range n {
		w.at = slices.Delete(w.at, 0, 1)
		i, _ := slices.BinarySearchFunc(w.at, t, time.Time.Compare)
		w.at = slices.Insert(w.at, i, t)
	}
}

// limits are those that GitHub has for one installation. The secondary ones it
// enforces only by refusing everything afterwards, so some room is left for
// people who use the App's token by hand.
type limits struct {
	mu     sync.Mutex
	points *window   // 900 a minute: a read is one, a write five
	create []*window // content that people see: 80 a minute, 500 an hour
	shared bool      // points are spent by other processes, too: some are set aside at a time
	purse  purse     // what is set aside

	paused  time.Time // GitHub wants nothing before
	refused int       // how often in a row it said so without saying until when

	left, of int // of the primary limit, as GitHub last said; of is 0 before
	reset    time.Time
}

func newLimits() *limits {
	return &limits{
		points: newWindow(850, time.Minute),
		create: []*window{newWindow(75, time.Minute), newWindow(480, time.Hour)},
	}
}

// reserve takes a place for a request and returns how long after now it is.
// A place further than maxWait is not taken: errBudget.
func (l *limits) reserve(req *http.Request, now time.Time) (time.Duration, error) {
	lane := laneOf(req.Context())
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := max(l.paused.Sub(now), l.primary(lane, now), 0)
	content := createsContent(req)
	if content {
		for _, w := range l.create {
			wait = max(wait, w.free(1, lane, now))
		}
	}
	cost := costOf(req)
	paid := l.purse.has(cost, now) && l.purse.has(cost, now.Add(wait))
	if !paid {
		wait = max(wait, l.points.free(cost, lane, now))
	}
	by, bounded := req.Context().Deadline() // nothing is bought for who does not wait for it
	if wait > maxWait || bounded && wait > 0 && now.Add(wait).After(by) {
		return wait, errBudget
	}
	if !paid {
		l.buy(cost, lane, now, now.Add(wait))
	}
	l.purse.left -= cost
	if content {
		for _, w := range l.create {
			w.take(1, now.Add(wait))
		}
	}
	return wait, nil
}

// costOf is what a request costs in points.
func costOf(req *http.Request) int {
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		return 1
	}
	return 5
}

// primary is how long a lane waits for the hourly limit: it leaves a part of
// what is left to those before it.
func (l *limits) primary(lane lane, now time.Time) time.Duration {
	keep := [lanes]int{0, l.of / 20, l.of / 5}[lane]
	if l.of == 0 || l.left > keep || !l.reset.After(now) {
		return 0
	}
	return l.reset.Sub(now)
}

// heard notes what an answer says about the limits. One that refuses for a limit
// holds up every other request of the installation: GitHub bans who goes on.
func (l *limits) heard(resp *http.Response, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of, oerr := strconv.Atoi(resp.Header.Get("X-RateLimit-Limit"))
	left, lerr := strconv.Atoi(resp.Header.Get("X-RateLimit-Remaining"))
	reset, rerr := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64)
	if errors.Join(oerr, lerr, rerr) == nil {
		l.of, l.left, l.reset = of, left, time.Unix(reset, 0)
	}
	if !limited(resp) {
		l.refused = 0
		return
	}
	wait, told := retryAfter(resp, now)
	if !told { // GitHub asks for at least a minute, and longer each time
		wait = time.Minute << min(l.refused, 4)
		l.refused++
	}
	if until := now.Add(wait); until.After(l.paused) {
		l.paused = until
	}
}

// createsContent reports whether a request counts as creating content: all
// POSTs but those for tokens, runners and deliveries that are asked for again.
func createsContent(req *http.Request) bool {
	return req.Method == http.MethodPost &&
		!strings.HasSuffix(req.URL.Path, "/access_tokens") &&
		!strings.Contains(req.URL.Path, "/app/hook/deliveries/") &&
		!strings.HasSuffix(req.URL.Path, "/generate-jitconfig")
}
