package github

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// library is a GitHub of one page, whose text and presence a test changes.
type library struct {
	mu    sync.Mutex
	text  string // "" is not there
	slow  time.Duration
	asked []string // If-None-Match of each GET, and the other methods
}

func (l *library) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	text, slow := l.text, l.slow
	if req.Method == http.MethodGet {
		l.asked = append(l.asked, "GET "+req.Header.Get("If-None-Match"))
	} else {
		l.asked = append(l.asked, req.Method)
	}
	l.mu.Unlock()
	if err := sleep(req.Context(), slow); err != nil {
		return nil, err
	}
	answer := func(status int, body, etag string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Etag": {etag}}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
	switch {
	case text == "":
		return answer(http.StatusNotFound, "{}", "")
	case req.Header.Get("If-None-Match") == strconv.Quote(text):
		return answer(http.StatusNotModified, "", "")
	}
	return answer(http.StatusOK, text, strconv.Quote(text))
}

func (l *library) set(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = text
}

// TestReads goes through what is read, written and waited for, one after another.
func TestReads(t *testing.T) {
	type step struct {
		do   string // "read", "write", a time to wait, or "text=…"
		want string // code and body of a read
	}
	for _, tt := range []struct {
		name  string
		text  string
		steps []step
		asked []string
	}{
		{
			"what is unchanged is asked for by its tag, and shown whole", "a", []step{{"read", "200 a"}, {"read", "200 a"}},
			[]string{"GET ", `GET "a"`},
		},
		{
			"nothing is believed without asking", "a", []step{{"read", "200 a"}, {"text=b", ""}, {"read", "200 b"}, {"read", "200 b"}},
			[]string{"GET ", `GET "a"`, `GET "b"`},
		},
		{
			"what is not there is not asked for again within seconds", "", []step{{"read", "404 {}"}, {"text=a", ""}, {"2999ms", ""}, {"read", "404 {}"}},
			[]string{"GET "},
		},
		{
			"after three seconds it is", "", []step{{"read", "404 {}"}, {"text=a", ""}, {"3s", ""}, {"read", "200 a"}},
			[]string{"GET ", "GET "},
		},
		{
			"and at once after a write of ours", "", []step{{"read", "404 {}"}, {"text=a", ""}, {"write", ""}, {"read", "200 a"}},
			[]string{"GET ", "POST", "GET "},
		},
		{
			"what went away is not there", "a", []step{{"read", "200 a"}, {"text=", ""}, {"read", "404 {}"}},
			[]string{"GET ", `GET "a"`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hub := &library{text: tt.text}
				rt := newTransport(hub, slog.New(slog.DiscardHandler))
				for i, s := range tt.steps {
					if text, ok := strings.CutPrefix(s.do, "text="); ok {
						hub.set(text)
						continue
					}
					if d, err := time.ParseDuration(s.do); err == nil {
						if err := sleep(t.Context(), d); err != nil {
							t.Fatal(err)
						}
						continue
					}
					method := map[string]string{"read": http.MethodGet, "write": http.MethodPost}[s.do]
					if got := ask(t.Context(), t, rt, method); s.want != "" && got != s.want {
						t.Errorf("step %d: %s, want %s", i, got, s.want)
					}
				}
				if got, want := strings.Join(hub.asked, "|"), strings.Join(tt.asked, "|"); got != want {
					t.Errorf("GitHub was asked %s, want %s", got, want)
				}
			})
		})
	}
}

// ask sends one request and returns the code and the body, or the error.
func ask(ctx context.Context, t *testing.T, rt http.RoundTripper, method string) string {
	req, err := http.NewRequestWithContext(ctx, method, "http://github.test/page", nil)
	if err != nil {
		t.Error(err)
		return ""
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return err.Error()
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return strconv.Itoa(resp.StatusCode) + " " + string(body)
}

func TestReadersOfOnePageShareOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := &library{text: "a", slow: time.Second}
		rt := newTransport(hub, slog.New(slog.DiscardHandler))
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if got := ask(short, t, rt, http.MethodGet); got != context.DeadlineExceeded.Error() {
				t.Errorf("who has no time got %s", got)
			}
		})
		synctest.Wait()
		for range 20 {
			all.Go(func() {
				if got := ask(t.Context(), t, rt, http.MethodGet); got != "200 a" {
					t.Errorf("got %s", got)
				}
			})
		}
		all.Wait()
		if len(hub.asked) != 1 {
			t.Errorf("GitHub was asked %q, want once", hub.asked)
		}
	})
}

// TestWhoReadsAfterAWriteSeesIt: a fetch that began before is not shared.
func TestWhoReadsAfterAWriteSeesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := &library{text: "a", slow: time.Second}
		rt := newTransport(hub, slog.New(slog.DiscardHandler))
		var early sync.WaitGroup
		early.Go(func() { ask(t.Context(), t, rt, http.MethodGet) })
		synctest.Wait()
		hub.mu.Lock()
		hub.slow = 0
		hub.mu.Unlock()
		ask(t.Context(), t, rt, http.MethodPost)
		hub.set("b")
		if got := ask(t.Context(), t, rt, http.MethodGet); got != "200 b" {
			t.Errorf("got %s", got)
		}
		early.Wait()
	})
}

// TestProgressStarvesNoAnswer uses a lane up and asks what the others have left.
func TestProgressStarvesNoAnswer(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		lane lane
		fits int // creations within a minute
	}{{cosmetics, 50}, {results, 68}, {acks, 75}} {
		l := newLimits()
		reserve := func(in lane) time.Duration {
			req, err := http.NewRequestWithContext(inLane(t.Context(), in), http.MethodPost, "http://github.test/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			wait, err := l.reserve(req, now)
			if err != nil {
				t.Fatal(err)
			}
			return wait
		}
		fits := 0
		for reserve(tt.lane) == 0 {
			fits++
		}
		if fits != tt.fits {
			t.Errorf("lane %d: %d go at once, want %d", tt.lane, fits, tt.fits)
		}
		if tt.lane != acks && reserve(acks) != 0 {
			t.Errorf("lane %d: an answer waits behind it", tt.lane)
		}
	}
}

// TestWhatGitHubRefusesForALimit holds up what comes after, and nothing else does.
func TestWhatGitHubRefusesForALimit(t *testing.T) {
	said := func(status int, body string, head ...string) *http.Response {
		resp, err := code(status, head...)()
		if err != nil {
			t.Fatal(err)
		}
		resp.Body = io.NopCloser(strings.NewReader(body))
		tellLimit(resp)
		return resp
	}
	const abuse = `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}`
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	in := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	for _, tt := range []struct {
		name  string
		heard []*http.Response
		lane  lane
		wait  time.Duration // of the next read; more than maxWait is errBudget
	}{
		{"nothing after a good answer", []*http.Response{said(200, "{}")}, results, 0},
		{"nothing after a permission that is missing", []*http.Response{said(403, `{"message":"Resource not accessible by integration"}`)}, results, 0},
		{"nothing after trouble at GitHub's", []*http.Response{said(502, "")}, results, 0},
		{"what Retry-After says", []*http.Response{said(429, "", "Retry-After", "9")}, acks, 9 * time.Second},
		{"a minute after a secondary limit that only the text tells", []*http.Response{said(403, abuse)}, acks, time.Minute},
		{"longer when it comes twice", []*http.Response{said(403, abuse), said(403, abuse)}, acks, 2 * time.Minute},
		{"until the reset of a limit that is used up", []*http.Response{said(403, "", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", in(30*time.Second))}, acks, 30 * time.Second},
		{"progress leaves a fifth of the hour to others", []*http.Response{said(200, "", "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "1000", "X-RateLimit-Reset", in(50*time.Second))}, cosmetics, 50 * time.Second},
		{"and not before", []*http.Response{said(200, "", "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "1001", "X-RateLimit-Reset", in(50*time.Second))}, cosmetics, 0},
		{"results go on then", []*http.Response{said(200, "", "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "1000", "X-RateLimit-Reset", in(50*time.Second))}, results, 0},
		{"answers go on to the last", []*http.Response{said(200, "", "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "1", "X-RateLimit-Reset", in(50*time.Second))}, acks, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLimits()
			for _, r := range tt.heard {
				l.heard(r, now)
			}
			req, err := http.NewRequestWithContext(inLane(t.Context(), tt.lane), http.MethodGet, "http://github.test/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			wait, err := l.reserve(req, now)
			if wait != tt.wait || errors.Is(err, errBudget) != (tt.wait > maxWait) {
				t.Errorf("waits %v, %v; want %v", wait, err, tt.wait)
			}
		})
	}
}
