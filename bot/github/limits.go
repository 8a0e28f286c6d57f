package github

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxWait is how long one request waits for a limit; beyond it the caller gets
// an error and comes back, instead of holding its turn.
const maxWait = time.Minute

var errBudget = errors.New("own limit of requests to GitHub is used up")

// window lets n things happen in any span of its length.
type window struct {
	span time.Duration
	at   []time.Time // when each of the last n happens, oldest at next
	next int
}

func newWindow(n int, span time.Duration) *window {
	return &window{span: span, at: make([]time.Time, n)}
}

// free returns how long after now the nth next thing may happen. n must not be
// more than the window holds.
func (w *window) free(n int, now time.Time) time.Duration {
	return max(0, w.at[(w.next+n-1)%len(w.at)].Add(w.span).Sub(now))
}

// take notes n things at t.
func (w *window) take(n int, t time.Time) {
	for range n {
		w.at[w.next] = t
		w.next = (w.next + 1) % len(w.at)
	}
}

// limits are those of GitHub that it enforces only by refusing everything
// afterwards, with some room left for people who use the App's token by hand.
type limits struct {
	mu     sync.Mutex
	points *window   // 900 a minute: a read is one, a write five
	create []*window // content that people see: 80 a minute, 500 an hour
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
	cost := 5
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		cost = 1
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := l.points.free(cost, now)
	content := createsContent(req)
	if content {
		for _, w := range l.create {
			wait = max(wait, w.free(1, now))
		}
	}
	if wait > maxWait {
		return wait, errBudget
	}
	l.points.take(cost, now.Add(wait))
	if content {
		for _, w := range l.create {
			w.take(1, now.Add(wait))
		}
	}
	return wait, nil
}

// createsContent reports whether a request counts as creating content: all
// POSTs but those for tokens and runners.
func createsContent(req *http.Request) bool {
	return req.Method == http.MethodPost &&
		!strings.HasSuffix(req.URL.Path, "/access_tokens") &&
		!strings.HasSuffix(req.URL.Path, "/generate-jitconfig")
}
