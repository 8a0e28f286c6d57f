package github

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxTries bounds how often one request is sent.
const maxTries = 4

// transport keeps GitHub's limits and repeats requests. What GitHub turned
// away unread (a rate limit, no connection) is repeated always; what may have
// taken effect only when it may happen twice.
type transport struct {
	next   http.RoundTripper
	limits *limits
	cache  *cache
	log    *slog.Logger

	sharing      sync.Mutex // from what the ledger says to what is added to it
	ledger       ledger     // nil: there is no other process
	installation int64
}

// newTransport returns one for an installation, whose limits are its own.
func newTransport(next http.RoundTripper, log *slog.Logger) *transport {
	return &transport{next: next, limits: newLimits(), cache: newCache(), log: log}
}

// RoundTrip returns the last answer when the tries are used up or the next one
// would have to wait longer than maxWait.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }() // each try sends a copy; nothing is lost with this one
	}
	if req.Method == http.MethodGet {
		return t.cache.read(req, t.send)
	}
	defer t.cache.wrote()
	return t.send(req)
}

func (t *transport) send(req *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		wait, err := t.reserve(req, time.Now())
		if err != nil {
			return nil, fmt.Errorf("%w: the next %s may go in %v", err, req.Method, wait.Round(time.Second))
		}
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
		again, err := replay(req)
		if err != nil {
			return nil, err
		}
		resp, err := t.next.RoundTrip(again)
		if err == nil {
			tellLimit(resp)
			t.limits.heard(resp, time.Now())
		}
		wait, ok := retryIn(req, resp, err, try)
		if !ok || (req.Body != nil && req.GetBody == nil) || req.Context().Err() != nil {
			return resp, err
		}
		t.log.Info("request to GitHub is repeated", "method", req.Method, "path", req.URL.Path, "wait", wait, "reason", reason(resp, err))
		if resp != nil {
			// Read to its end so that the connection can be used again; what it says is known.
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
			_ = resp.Body.Close()
		}
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
	}
}

// replay is a request with a body of its own, where it has one that can be had again.
func replay(req *http.Request) (*http.Request, error) {
	c := req.Clone(req.Context())
	if req.GetBody == nil {
		return c, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, fmt.Errorf("read request again: %w", err)
	}
	c.Body = body
	return c, nil
}

// retryIn decides whether a request is sent again, and after which wait.
func retryIn(req *http.Request, resp *http.Response, err error, try int) (time.Duration, bool) {
	if try >= maxTries {
		return 0, false
	}
	wait := time.Duration(1<<(try-1)) * 500 * time.Millisecond
	wait += rand.N(wait / 2) // so that those refused together do not come back together
	switch {
	case err != nil:
		return wait, unsent(err) || repeatable(req)
	case limited(resp):
		told, ok := retryAfter(resp, time.Now())
		if !ok {
			told = maxWait // GitHub asks for at least a minute
		}
		wait = max(wait, told)
		return wait, wait <= maxWait
	case resp.StatusCode >= 500:
		told, _ := retryAfter(resp, time.Now())
		wait = max(wait, told)
		return wait, repeatable(req) && wait <= maxWait
	}
	return 0, false
}

// unsent reports whether no connection was made, so that GitHub has seen nothing.
func unsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// limited reports whether an answer is about a rate limit, so that the request
// had no effect.
func limited(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		return resp.Header.Get("Retry-After") != "" || resp.Header.Get("X-RateLimit-Remaining") == "0" || resp.Header.Get(secondary) != ""
	}
	return false
}

// secondary marks a 403 that is about a secondary limit and says so only in its text.
const secondary = "X-Ortest-Secondary-Limit"

// tellLimit looks into a 403 that names no limit in its head: GitHub tells a
// secondary one in the text, and nothing else tells it from a permission that is missing.
func tellLimit(resp *http.Response) {
	resp.Header.Del(secondary)
	if resp.StatusCode != http.StatusForbidden || limited(resp) {
		return
	}
	said, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	rest := resp.Body
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(said), rest), rest}
	text := strings.ToLower(string(said))
	if err == nil && (strings.Contains(text, "secondary rate limit") || strings.Contains(text, "secondary-rate-limits") || strings.Contains(text, "abuse detection")) {
		resp.Header.Set(secondary, "told in the text")
	}
}

// retryAfter reads when GitHub wants to be asked again: Retry-After in seconds
// or as a date, or the reset of a rate limit that is used up.
func retryAfter(resp *http.Response, now time.Time) (time.Duration, bool) {
	if v := resp.Header.Get("Retry-After"); v != "" {
		if s, err := strconv.ParseInt(v, 10, 32); err == nil && s >= 0 {
			return time.Duration(s) * time.Second, true
		}
		if at, err := http.ParseTime(v); err == nil {
			return max(0, at.Sub(now)), true
		}
	}
	if resp.Header.Get("X-RateLimit-Remaining") == "0" {
		if s, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			return max(0, time.Unix(s, 0).Sub(now)), true
		}
	}
	return 0, false
}

type repeatKey struct{}

// mayRepeat marks calls whose second effect is none.
func mayRepeat(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatKey{}, true)
}

func repeatable(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodDelete:
		return true
	case http.MethodPost:
		if strings.HasSuffix(req.URL.Path, "/access_tokens") {
			return true
		}
	}
	return req.Context().Value(repeatKey{}) != nil
}

func reason(resp *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	return resp.Status
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
