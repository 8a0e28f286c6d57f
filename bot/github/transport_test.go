package github

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answers is a RoundTripper that gives one answer after another, the last one for ever.
type answers struct {
	list   []func() (*http.Response, error)
	bodies []string
}

func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	body := ""
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		body = string(b)
	}
	next := a.list[min(len(a.bodies), len(a.list)-1)]
	a.bodies = append(a.bodies, body)
	return next()
}

func code(c int, headers ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return &http.Response{StatusCode: c, Status: strconv.Itoa(c), Header: h, Body: io.NopCloser(strings.NewReader("{}"))}, nil
	}
}

func broken(op string) func() (*http.Response, error) {
	return func() (*http.Response, error) { return nil, &net.OpError{Op: op, Err: errors.New("refused")} }
}

func TestTransport(t *testing.T) {
	type try = func() (*http.Response, error)
	reset := func(in time.Duration) string {
		return strconv.FormatInt(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(in).Unix(), 10) // where synctest's clock begins
	}
	for _, tt := range []struct {
		name     string
		method   string
		path     string
		repeat   bool
		answers  []try
		want     int // code; 0 for an error
		sent     int
		min, max time.Duration
	}{
		{name: "a good answer is passed on at once", method: "POST", answers: []try{code(201)}, want: 201, sent: 1},
		{name: "a read is repeated after a server error", method: "GET", answers: []try{code(502), code(200)}, want: 200, sent: 2, min: 500 * time.Millisecond, max: 750 * time.Millisecond},
		{name: "a deletion is repeated after a server error", method: "DELETE", answers: []try{code(500), code(204)}, want: 204, sent: 2, min: 500 * time.Millisecond, max: 750 * time.Millisecond},
		{name: "a creation is not repeated after a server error", method: "POST", answers: []try{code(502), code(201)}, want: 502, sent: 1},
		{name: "a change is not repeated after a server error", method: "PATCH", answers: []try{code(500), code(200)}, want: 500, sent: 1},
		{name: "a change that may happen twice is", method: "PATCH", repeat: true, answers: []try{code(500), code(200)}, want: 200, sent: 2, min: 500 * time.Millisecond, max: 750 * time.Millisecond},
		{name: "a token may be asked for twice", method: "POST", path: "/app/installations/7/access_tokens", answers: []try{code(503), code(201)}, want: 201, sent: 2, min: 500 * time.Millisecond, max: 750 * time.Millisecond},
		{name: "the fourth server error is passed on", method: "GET", answers: []try{code(500)}, want: 500, sent: 4, min: 3500 * time.Millisecond, max: 5250 * time.Millisecond},
		{name: "a wrong request is passed on", method: "GET", answers: []try{code(422)}, want: 422, sent: 1},
		{name: "a 403 without a limit is passed on", method: "GET", answers: []try{code(403, "X-RateLimit-Remaining", "4999")}, want: 403, sent: 1},
		{name: "Retry-After is obeyed, also by a creation", method: "POST", answers: []try{code(403, "Retry-After", "7"), code(201)}, want: 201, sent: 2, min: 7 * time.Second, max: 7 * time.Second},
		{name: "Retry-After of exactly a minute is waited for", method: "GET", answers: []try{code(429, "Retry-After", "60"), code(200)}, want: 200, sent: 2, min: time.Minute, max: time.Minute},
		{name: "a second more is the caller's to wait", method: "GET", answers: []try{code(429, "Retry-After", "61")}, want: 429, sent: 1},
		{name: "Retry-After may be a date", method: "GET", answers: []try{code(503, "Retry-After", "Sat, 01 Jan 2000 00:00:09 GMT"), code(200)}, want: 200, sent: 2, min: 9 * time.Second, max: 9 * time.Second},
		{name: "a used up rate limit is waited for", method: "POST", answers: []try{code(403, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", reset(30*time.Second)), code(201)}, want: 201, sent: 2, min: 30 * time.Second, max: 30 * time.Second},
		{name: "a 429 that says nothing is a minute", method: "POST", answers: []try{code(429), code(201)}, want: 201, sent: 2, min: time.Minute, max: time.Minute},
		{name: "a creation that was never sent is repeated", method: "POST", answers: []try{broken("dial"), code(201)}, want: 201, sent: 2, min: 500 * time.Millisecond, max: 750 * time.Millisecond},
		{name: "a creation whose answer is lost is not", method: "POST", answers: []try{broken("read"), code(201)}, want: 0, sent: 1},
		{name: "a read whose answer is lost is", method: "GET", answers: []try{broken("read"), code(200)}, want: 200, sent: 2, min: 500 * time.Millisecond, max: 750 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{list: tt.answers}
				rt := newTransport(a, slog.New(slog.DiscardHandler))
				ctx := t.Context()
				if tt.repeat {
					ctx = mayRepeat(ctx)
				}
				req, err := http.NewRequestWithContext(ctx, tt.method, "http://github.test"+tt.path, bytes.NewReader([]byte("body")))
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				resp, err := rt.RoundTrip(req)
				got := 0
				if err == nil {
					got = resp.StatusCode
				}
				if got != tt.want || len(a.bodies) != tt.sent {
					t.Errorf("got code %d (%v) after %d requests, want %d after %d", got, err, len(a.bodies), tt.want, tt.sent)
				}
				if took := time.Since(start); took < tt.min || took > tt.max {
					t.Errorf("took %v, want %v to %v", took, tt.min, tt.max)
				}
				for _, b := range a.bodies {
					if b != "body" {
						t.Errorf("a repeat sent %q", b)
					}
				}
			})
		})
	}
}

func TestTransportStopsWaitingWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{list: []func() (*http.Response, error){code(429, "Retry-After", "30")}}
		rt := newTransport(a, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", "http://github.test", nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err = rt.RoundTrip(req)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 5*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestLimits(t *testing.T) {
	start := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	request := func(method, path string) *http.Request {
		req, err := http.NewRequestWithContext(inLane(t.Context(), acks), method, "http://github.test"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return req
	}
	type step struct {
		times int
		after time.Duration // from the start
		req   *http.Request
		wait  time.Duration // of the last of them
		err   error
	}
	read, change := request("GET", "/x"), request("PATCH", "/x")
	create, mint := request("POST", "/repos/o/n/issues/1/comments"), request("POST", "/repos/o/n/actions/runners/generate-jitconfig")
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{name: "850 reads a minute need no wait, one more does", steps: []step{{850, 0, read, 0, nil}, {1, time.Second, read, 59 * time.Second, nil}}},
		{name: "a write counts five", steps: []step{{170, 0, change, 0, nil}, {1, 0, read, time.Minute, nil}}},
		{name: "after exactly a minute the place is free", steps: []step{{850, 0, read, 0, nil}, {1, time.Minute, read, 0, nil}}},
		{name: "75 creations a minute", steps: []step{{75, 0, create, 0, nil}, {1, 20 * time.Second, create, 40 * time.Second, nil}}},
		{name: "a runner is no content", steps: []step{{75, 0, create, 0, nil}, {1, 0, mint, 0, nil}}},
		{name: "480 creations an hour, and then the caller waits", steps: []step{
			{75, 0, create, 0, nil}, {75, 1 * time.Minute, create, 0, nil}, {75, 2 * time.Minute, create, 0, nil}, {75, 3 * time.Minute, create, 0, nil},
			{75, 4 * time.Minute, create, 0, nil}, {75, 5 * time.Minute, create, 0, nil}, {30, 6 * time.Minute, create, 0, nil},
			{1, 10 * time.Minute, create, 50 * time.Minute, errBudget},
			{1, 59 * time.Minute, create, time.Minute, nil},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLimits()
			for i, s := range tt.steps {
				var wait time.Duration
				var err error
				for range s.times {
					wait, err = l.reserve(s.req, start.Add(s.after))
				}
				if wait != s.wait || !errors.Is(err, s.err) {
					t.Errorf("step %d: waits %v, error %v; want %v, %v", i, wait, err, s.wait, s.err)
				}
			}
		})
	}
}
