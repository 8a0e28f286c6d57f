package githubtest

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// limiter counts requests per installation in windows of an hour. It forgets
// on restart, which only ever lets more through.
type limiter struct {
	max int
	now func() time.Time

	mu   sync.Mutex
	used map[int64]window // by installation; 0 is the App itself
}

type window struct {
	used  int
	reset time.Time
}

// take counts one request, writes the headers, and refuses it when the window
// is used up. Asking for the limit itself is free.
func (l *limiter) take(installation int64, h http.Header, counts bool) error {
	w := l.window(installation, counts)
	h.Set("X-RateLimit-Limit", strconv.Itoa(l.max))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(0, l.max-w.used)))
	h.Set("X-RateLimit-Used", strconv.Itoa(min(w.used, l.max)))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(w.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
	if counts && w.used > l.max {
		return refuse(http.StatusForbidden, "API rate limit exceeded for installation ID %d.", installation)
	}
	return nil
}

func (l *limiter) window(installation int64, counts bool) window {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.used == nil {
		l.used = make(map[int64]window)
	}
	w := l.used[installation]
	if now := l.now(); !now.Before(w.reset) {
		w = window{reset: now.Add(time.Hour)}
	}
	if counts {
		w.used++
	}
	l.used[installation] = w
	return w
}

func (s *Server) getRateLimit(r *request) (reply, error) {
	w := s.limit.window(r.install.ID, false)
	core := obj{"limit": s.limit.max, "used": min(w.used, s.limit.max), "remaining": max(0, s.limit.max-w.used), "reset": w.reset.Unix()}
	return ok(obj{"resources": obj{"core": core, "search": core}, "rate": core}), nil
}
