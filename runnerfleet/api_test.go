package runnerfleet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/fleettest"
)

// enrol shows a token and drops the answer.
func enrol(ctx context.Context, c *runnerfleet.Client, token string) error {
	_, err := c.Enrol(ctx, token)
	return err
}

// enrolled returns a world in which r1-b1-a1 has two pieces and an agent.
func enrolled(t *testing.T) (*world, *runnerfleet.Client) {
	t.Helper()
	w := newWorld()
	w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "1/p1/1", "1/p2/1")
	w.once(t)
	c := w.client("r1-b1-a1")
	if err := enrol(t.Context(), c, w.token("r1-b1-a1")); err != nil {
		t.Fatalf("Enrol: %v", err)
	}
	return w, c
}

func (w *world) token(instance string) string {
	l, _ := w.cloud.Launched(instance)
	return l.Token
}

func TestEnrol(t *testing.T) {
	for _, tt := range []struct {
		name  string
		enrol func(ctx context.Context, w *world) error
		err   error
		state runnerfleet.State
	}{
		{"the right token lets an agent in", func(ctx context.Context, w *world) error {
			return enrol(ctx, w.client("r1-b1-a1"), w.token("r1-b1-a1"))
		}, nil, runnerfleet.Idle},
		{"an agent that did not see the answer gets it again", func(ctx context.Context, w *world) error {
			c := w.client("r1-b1-a1")
			return errors.Join(enrol(ctx, c, w.token("r1-b1-a1")), enrol(ctx, c, w.token("r1-b1-a1")))
		}, nil, runnerfleet.Idle},
		{"a wrong token is refused and harms nobody", func(ctx context.Context, w *world) error {
			return enrol(ctx, w.client("r1-b1-a1"), "guess")
		}, runnerfleet.ErrRefused, runnerfleet.Booting},
		{"another instance's token is a wrong token", func(ctx context.Context, w *world) error {
			return enrol(ctx, w.client("r1-b1-a1"), w.token("r1-b2-a1"))
		}, runnerfleet.ErrRefused, runnerfleet.Booting},
		{"an unknown instance is refused", func(ctx context.Context, w *world) error {
			return enrol(ctx, w.client("r9-b1-a1"), w.token("r1-b1-a1"))
		}, runnerfleet.ErrRefused, runnerfleet.Booting},
		{"a second agent with the same token quarantines the instance", func(ctx context.Context, w *world) error {
			if err := enrol(ctx, w.client("r1-b1-a1"), w.token("r1-b1-a1")); err != nil {
				return err
			}
			return enrol(ctx, w.client("r1-b1-a1"), w.token("r1-b1-a1"))
		}, runnerfleet.ErrRefused, runnerfleet.Done},
		{"after that even the first is told to go", func(ctx context.Context, w *world) error {
			first := w.client("r1-b1-a1")
			_ = enrol(ctx, first, w.token("r1-b1-a1"))
			_ = enrol(ctx, w.client("r1-b1-a1"), w.token("r1-b1-a1"))
			return first.Heartbeat(ctx)
		}, runnerfleet.ErrNoMore, runnerfleet.Done},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
			w.work.Add(runnerfleet.Bucket{ID: "r1/b2"}, "p2")
			w.once(t)
			if err := tt.enrol(t.Context(), w); !errors.Is(err, tt.err) {
				t.Errorf("got %v, want %v", err, tt.err)
			}
			if in := w.instance(t, "r1-b1-a1"); in.State != tt.state {
				t.Errorf("state %s, want %s", in.State, tt.state)
			}
		})
	}
}

func TestPieceOverTheWire(t *testing.T) {
	w, c := enrolled(t)
	ctx := t.Context()
	job, _, err := c.Next(ctx)
	if err != nil || job.Piece != "1/p1/1" || job.Repository != "ortest-examples/hello" || job.RunID != 7 || job.Deadline.IsZero() {
		t.Fatalf("Next = %+v, %v", job, err)
	}
	if again, _, err := c.Next(ctx); err != nil || again.Piece != job.Piece {
		t.Errorf("asked again: %+v, %v; want the same piece", again, err)
	}
	if in := w.instance(t, "r1-b1-a1"); in.State != runnerfleet.Busy {
		t.Errorf("state %s, want busy", in.State)
	}
	log := "not utf-8: \xff\x00\nTEST\n"
	for range 2 {
		if err := c.Entry(ctx, job.Piece, json.RawMessage(`{"seq":0}`), []byte(log)); err != nil {
			t.Fatalf("Entry: %v", err)
		}
	}
	if err := c.Entry(ctx, job.Piece, json.RawMessage(`{"seq":1}`), nil); err != nil {
		t.Fatalf("Entry without a log: %v", err)
	}
	if err := c.Finished(ctx, job.Piece, 3, "because\nof "+strings.Repeat("x", 400)); err != nil {
		t.Fatalf("Finished: %v", err)
	}
	p := w.work.Piece(job.Piece)
	if p.Log != log || !slices.Equal(p.Metas, []string{`{"seq":0}`, `{"seq":1}`}) || p.Exit != 3 {
		t.Errorf("piece %+v, want its log unchanged, two entries and exit 3", p)
	}
	if !strings.HasPrefix(p.Reason, "because of xxx") || len([]rune(p.Reason)) != 301 {
		t.Errorf("reason %q, want one line of at most 300 characters", p.Reason)
	}
	if in := w.instance(t, "r1-b1-a1"); in.State != runnerfleet.Idle {
		t.Errorf("state %s, want idle", in.State)
	}
	if err := c.Finished(ctx, job.Piece, 0, ""); !errors.Is(err, runnerfleet.ErrStale) {
		t.Errorf("Finished again: %v, want ErrStale", err)
	}
}

// Two lanes of one instance, each with its own piece: the end of one is not the
// instance's.
func TestLanesOverTheWire(t *testing.T) {
	w := newWorld()
	ctx := t.Context()
	w.work.Add(runnerfleet.Bucket{ID: "r1/b1", Lanes: 2}, "p1", "p2")
	w.once(t)
	c := w.client("r1-b1-a1")
	e, err := c.Enrol(ctx, w.token("r1-b1-a1"))
	if err != nil || e.Lanes != 2 {
		t.Fatalf("enrolled as %+v, %v, want two lanes", e, err)
	}
	lanes := []*runnerfleet.Client{c.InLane(0), c.InLane(1)}
	for i, l := range lanes {
		for range 2 {
			if job, _, err := l.Next(ctx); err != nil || job.Piece != []string{"p1", "p2"}[i] {
				t.Fatalf("lane %d got %+v, %v", i, job, err)
			}
		}
	}
	if _, _, err := c.InLane(2).Next(ctx); !runnerfleet.Permanent(err) {
		t.Errorf("a third lane got %v", err)
	}
	if err := lanes[1].Finished(ctx, "p2", 0, ""); err != nil {
		t.Fatal(err)
	}
	if in := w.instance(t, "r1-b1-a1"); in.State != runnerfleet.Busy || in.Taken != 1 {
		t.Errorf("instance %+v, want it busy in its first lane", in)
	}
	if _, _, err := lanes[1].Next(ctx); !errors.Is(err, runnerfleet.ErrWait) {
		t.Errorf("a lane with nothing to do got %v while the other works", err)
	}
	if err := lanes[0].Heartbeat(ctx); err != nil {
		t.Errorf("heartbeat of the lane that works: %v", err)
	}
	if err := lanes[0].Finished(ctx, "p1", 0, ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := lanes[1].Next(ctx); !errors.Is(err, runnerfleet.ErrNoMore) {
		t.Errorf("with nothing left: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name string
		call func(ctx context.Context, w *world, c *runnerfleet.Client) error
		err  error
	}{
		{"an entry of a piece that it does not have", func(ctx context.Context, _ *world, c *runnerfleet.Client) error {
			return c.Entry(ctx, "1/p2/1", json.RawMessage(`{"seq":0}`), nil)
		}, runnerfleet.ErrStale},
		{"an entry that is no JSON", func(ctx context.Context, _ *world, c *runnerfleet.Client) error {
			return c.Entry(ctx, "1/p1/1", json.RawMessage(`{"seq"`), nil)
		}, runnerfleet.ErrInvalid},
		{"an entry that Work cannot read", func(ctx context.Context, _ *world, c *runnerfleet.Client) error {
			return c.Entry(ctx, "1/p1/1", json.RawMessage(`{}`), nil)
		}, runnerfleet.ErrInvalid},
		{"a finish of a piece that it does not have", func(ctx context.Context, _ *world, c *runnerfleet.Client) error {
			return c.Finished(ctx, "1/p2/1", 0, "")
		}, runnerfleet.ErrStale},
		{"a call after goodbye", func(ctx context.Context, _ *world, c *runnerfleet.Client) error {
			if err := c.Bye(ctx, "enough"); err != nil {
				return err
			}
			_, _, err := c.Next(ctx)
			return err
		}, runnerfleet.ErrNoMore},
		{"an entry after the end", func(ctx context.Context, _ *world, c *runnerfleet.Client) error {
			_ = c.Bye(ctx, "enough")
			return c.Entry(ctx, "1/p1/1", json.RawMessage(`{"seq":0}`), nil)
		}, runnerfleet.ErrNoMore},
		{"a piece when there is none", func(ctx context.Context, w *world, c *runnerfleet.Client) error {
			w.work.Cancel()
			_, _, err := c.Next(ctx)
			return err
		}, runnerfleet.ErrNoMore},
		{"a piece when none is ready", func(ctx context.Context, w *world, c *runnerfleet.Client) error {
			w.fail("work.Next", false, runnerfleet.ErrWait)
			_, wait, err := c.Next(ctx)
			if wait != time.Second {
				t.Errorf("wait %v, want 1s", wait)
			}
			return err
		}, runnerfleet.ErrWait},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, c := enrolled(t)
			if _, _, err := c.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := tt.call(t.Context(), w, c); !errors.Is(err, tt.err) {
				t.Errorf("got %v, want %v", err, tt.err)
			}
			if p := w.work.Piece("1/p2/1"); p.Finished && len(p.Tries) > 0 || len(p.Metas) != 0 {
				t.Errorf("piece 2 was touched: %+v", p)
			}
		})
	}
}

// fail makes one kind of call fail.
func (w *world) fail(name string, after bool, err error) {
	w.faults.Set(func(c fleettest.Call) error {
		if c == (fleettest.Call{Name: name, After: after}) {
			return err
		}
		return nil
	})
}

func TestOwnTroubleIsNotTheAgents(t *testing.T) {
	w, c := enrolled(t)
	secret := errors.New("database password is xyzzy")
	for _, name := range []string{"store.Instance", "store.UpdateInstance", "work.Next"} {
		w.fail(name, false, secret)
		_, _, err := c.Next(t.Context())
		var s *runnerfleet.StatusError
		if !errors.As(err, &s) || s.Status != http.StatusServiceUnavailable || strings.Contains(s.Text, "xyzzy") || runnerfleet.Permanent(err) {
			t.Errorf("%s fails: agent sees %v, want 503 without the cause, to be tried again", name, err)
		}
	}
}

func TestPieceHandedToAnInstanceThatEnded(t *testing.T) {
	w, c := enrolled(t)
	// The instance ends between the bot's choice and the note that it is busy.
	w.faults.Set(func(call fleettest.Call) error {
		if call == (fleettest.Call{Name: "work.Next", After: true}) {
			w.faults.Set(nil)
			if err := c.Bye(t.Context(), "gone"); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	if _, _, err := c.Next(t.Context()); !errors.Is(err, runnerfleet.ErrNoMore) {
		t.Errorf("Next = %v, want ErrNoMore", err)
	}
	if in := w.instance(t, "r1-b1-a1"); !in.Owed {
		t.Errorf("%+v, want its piece owed to Work", in)
	}
	w.once(t)
	if p := w.work.Piece("1/p1/1"); p.Holder != "" {
		t.Errorf("piece %+v, want it waiting again", p)
	}
}

// raw sends what no client of ours would.
func (w *world) raw(t *testing.T, method, path, auth string, body io.Reader) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, body)
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	var f struct{ Error string }
	if err := json.Unmarshal(rec.Body.Bytes(), &f); err != nil || f.Error == "" {
		t.Errorf("%s %s: body %q is no error in JSON", method, path, rec.Body)
	}
	return rec.Code, f.Error
}

func TestOnlyOurOwnTroubleIsAnErrorInTheLog(t *testing.T) {
	for _, tt := range []struct {
		name string
		gone bool
		want bool
	}{
		{"the store fails", false, true},
		{"the agent went away", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, _ := enrolled(t)
			var log bytes.Buffer
			w.api.Log = slog.New(slog.NewTextHandler(&log, nil))
			w.faults.Set(func(fleettest.Call) error { return context.Canceled })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.gone {
				cancel()
			}
			r := httptest.NewRequestWithContext(ctx, "POST", "/agent/v1/next", strings.NewReader("{}"))
			r.Header.Set("Authorization", "Bearer r1-b1-a1."+strings.Repeat("ab", 32))
			w.api.ServeHTTP(httptest.NewRecorder(), r)
			if got := strings.Contains(log.String(), "level=ERROR"); got != tt.want {
				t.Errorf("log %q", log.String())
			}
		})
	}
}

func TestHostileRequests(t *testing.T) {
	w := newWorld()
	w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
	w.once(t)
	secret := strings.Repeat("ab", 32)
	enrol := func(body string) io.Reader { return strings.NewReader(body) }
	token := w.token("r1-b1-a1")
	ok := `{"instance":"r1-b1-a1","token":"` + token + `","secret":"` + secret + `"}`
	mine := "Bearer r1-b1-a1." + secret

	before := []struct {
		name, method, path, auth string
		body                     io.Reader
		status                   int
	}{
		{"no such call", "POST", "/agent/v1/reboot", "", nil, 404},
		{"another method", "GET", "/agent/v1/next", "", nil, 405},
		{"enrolment by another method", "GET", "/agent/v1/enrol", "", nil, 404},
		{"an unknown key", "POST", "/agent/v1/enrol", "", enrol(`{"instance":"x","admin":true}`), 400},
		{"two values", "POST", "/agent/v1/enrol", "", enrol(ok + ok), 400},
		{"a weak secret", "POST", "/agent/v1/enrol", "", enrol(strings.Replace(ok, secret, "ab", 1)), 400},
		{"an endless body", "POST", "/agent/v1/enrol", "", enrol(`{"instance":"` + strings.Repeat("x", 1<<20)), 413},
		{"no bearer", "POST", "/agent/v1/next", "", enrol(`{}`), 401},
		{"a bearer before enrolment", "POST", "/agent/v1/next", mine, enrol(`{}`), 401},
		{"the token as bearer", "POST", "/agent/v1/next", "Bearer r1-b1-a1." + token, enrol(`{}`), 401},
		{"an empty secret", "POST", "/agent/v1/next", "Bearer r1-b1-a1.", enrol(`{}`), 401},
	}
	for _, tt := range before {
		t.Run(tt.name, func(t *testing.T) {
			if status, text := w.raw(t, tt.method, tt.path, tt.auth, tt.body); status != tt.status {
				t.Errorf("%d %s, want %d", status, text, tt.status)
			}
		})
	}
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "POST", "/agent/v1/enrol", enrol(ok)))
	if rec.Code != http.StatusOK {
		t.Fatalf("enrol: %d %s", rec.Code, rec.Body)
	}
	after := []struct {
		name, method, path, auth string
		body                     io.Reader
		status                   int
	}{
		{"another instance's name with this secret", "POST", "/agent/v1/next", "Bearer r1-b2-a1." + secret, enrol(`{}`), 401},
		{"a secret that differs at its end", "POST", "/agent/v1/next", strings.TrimSuffix(mine, "b") + "c", enrol(`{}`), 401},
		{"an entry without a piece", "PUT", "/agent/v1/entries?meta=2", mine, enrol(`{}`), 400},
		{"an entry without a length", "PUT", "/agent/v1/entries?piece=p1", mine, enrol(`{}`), 400},
		{"a negative length", "PUT", "/agent/v1/entries?piece=p1&meta=-1", mine, enrol(`{}`), 400},
		{"a length beyond the body", "PUT", "/agent/v1/entries?piece=p1&meta=3", mine, enrol(`{}`), 400},
		{"a length beyond the bound", "PUT", "/agent/v1/entries?piece=p1&meta=4194305", mine, enrol(`{}`), 413},
		{"a log beyond the bound", "PUT", "/agent/v1/entries?piece=p1&meta=2", mine,
			io.MultiReader(enrol(`{}`), bytes.NewReader(make([]byte, runnerfleet.MaxLog+1))), 413},
		{"a finish with an unknown key", "POST", "/agent/v1/finished", mine, enrol(`{"piece":"p1","verdict":"pass"}`), 400},
	}
	for _, tt := range after {
		t.Run(tt.name, func(t *testing.T) {
			if status, text := w.raw(t, tt.method, tt.path, tt.auth, tt.body); status != tt.status {
				t.Errorf("%d %s, want %d", status, text, tt.status)
			}
		})
	}
}

func TestEntryAtItsBounds(t *testing.T) {
	w, c := enrolled(t)
	job, _, err := c.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	meta := append([]byte(`{"seq":0}`), bytes.Repeat([]byte(" "), runnerfleet.MaxMeta-9)...)
	if err := c.Entry(t.Context(), job.Piece, meta, make([]byte, runnerfleet.MaxLog)); err != nil {
		t.Fatalf("Entry: %v", err)
	}
	if p := w.work.Piece(job.Piece); len(p.Log) != runnerfleet.MaxLog || len(p.Metas) != 1 {
		t.Errorf("stored %d bytes of log and %d entries", len(p.Log), len(p.Metas))
	}
}

func TestClientTakesNobodyElsesAnswer(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answer  http.HandlerFunc
		permits bool
	}{
		{"a proxy's page with our status for the end", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<h1>Gone</h1>", http.StatusGone)
		}, true},
		{"a server that knows nothing of agents", func(w http.ResponseWriter, r *http.Request) {
			http.NotFound(w, r)
		}, true},
		{"an answer that is cut", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"piece":`)
		}, true},
		{"our own refusal", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"unknown"}`)
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewServer(tt.answer)
			defer s.Close()
			_, _, err := runnerfleet.NewClient(s.URL, "x", s.Client()).Next(t.Context())
			if err == nil || runnerfleet.Permanent(err) == tt.permits {
				t.Errorf("err %v, permanent %v; want it to be tried again: %v", err, runnerfleet.Permanent(err), tt.permits)
			}
		})
	}
}
