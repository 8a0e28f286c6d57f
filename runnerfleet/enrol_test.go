package runnerfleet_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ortest/ortest/runnerfleet"
)

// notary takes a document for the name of the machine, signed "by aws" and started
// at a time of its choice.
type notary struct{ started time.Time }

func (n notary) Attest(document, signature []byte) (string, time.Time, error) {
	if string(signature) != "by aws" {
		return "", time.Time{}, errors.New("signature does not match")
	}
	return string(document), n.started, nil
}

func TestEnrolByIdentity(t *testing.T) {
	for _, tt := range []struct {
		name      string
		machine   string
		signature string
		after     time.Duration // its launch
		err       error
		retry     bool
		state     runnerfleet.State
	}{
		{"the planned machine is let in", "m-1", "by aws", 0, nil, false, runnerfleet.Idle},
		{"just before the grace ends", "m-1", "by aws", 30*time.Minute - time.Millisecond, nil, false, runnerfleet.Idle},
		{"when the grace has ended", "m-1", "by aws", 30 * time.Minute, runnerfleet.ErrRefused, false, runnerfleet.Booting},
		{"a forged identity", "m-1", "by me", 0, runnerfleet.ErrRefused, false, runnerfleet.Booting},
		{"a machine that nobody launched comes again, until its grace ends", "m-9", "by aws", 0, nil, true, runnerfleet.Booting},
		{"a machine that nobody launched after its grace", "m-9", "by aws", 30 * time.Minute, runnerfleet.ErrRefused, false, runnerfleet.Booting},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
				w.once(t)
				w.api.Attest, w.api.Key = notary{started: time.Now()}, w.key
				<-time.After(tt.after)
				e, err := w.client("").EnrolByIdentity(t.Context(), []byte(tt.machine), []byte(tt.signature))
				switch {
				case tt.retry && (err == nil || runnerfleet.Permanent(err)):
					t.Errorf("got %+v, %v; want a passing error", e, err)
				case !tt.retry && !errors.Is(err, tt.err):
					t.Errorf("got %v, want %v", err, tt.err)
				case err == nil && (e.Instance != "r1-b1-a1" || e.Deadline.IsZero()):
					t.Errorf("let in as %+v", e)
				}
				if in := w.instance(t, "r1-b1-a1"); in.State != tt.state {
					t.Errorf("state %s, want %s", in.State, tt.state)
				}
			})
		})
	}
}

func TestIdentityShownTwiceEndsTheInstance(t *testing.T) {
	w := newWorld()
	w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
	w.once(t)
	w.api.Attest, w.api.Key = notary{started: time.Now()}, w.key
	c := w.client("")
	for range 2 {
		if _, err := c.EnrolByIdentity(t.Context(), []byte("m-1"), []byte("by aws")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.client("").EnrolByIdentity(t.Context(), []byte("m-1"), []byte("by aws")); !errors.Is(err, runnerfleet.ErrRefused) {
		t.Errorf("thief: %v, want ErrRefused", err)
	}
	if err := c.Heartbeat(t.Context()); !errors.Is(err, runnerfleet.ErrNoMore) {
		t.Errorf("first agent: %v, want ErrNoMore", err)
	}
}

func TestTokenIsNoIdentity(t *testing.T) {
	w := newWorld()
	w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
	w.once(t)
	w.api.Attest, w.api.Key = notary{started: time.Now()}, w.key
	if err := enrol(t.Context(), w.client("r1-b1-a1"), w.token("r1-b1-a1")); !errors.Is(err, runnerfleet.ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
}

func TestChallengeIsAnsweredSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
		w.once(t)
		w.api.Attest, w.api.Key = notary{started: time.Now()}, w.key
		rec := httptest.NewRecorder()
		w.api.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "POST", "/agent/v1/challenge", strings.NewReader("{}")))
		value := strings.Split(rec.Body.String(), `"`)[3]
		show := func(challenge string) int {
			body := `{"document":"bS0x","signature":"YnkgYXdz","challenge":"` + challenge + `","secret":"` + strings.Repeat("0", 64) + `"}`
			rec := httptest.NewRecorder()
			w.api.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "POST", "/agent/v1/enrol", strings.NewReader(body)))
			return rec.Code
		}
		at, mac, _ := strings.Cut(value, ".")
		for name, forged := range map[string]string{
			"none": "", "another time": "1" + at + "." + mac, "no mac": at + ".", "words": "now." + mac,
		} {
			if status := show(forged); status != 403 {
				t.Errorf("%s: %d, want 403", name, status)
			}
		}
		<-time.After(2*time.Minute - time.Millisecond)
		if status := show(value); status != 200 {
			t.Errorf("just in time: %d, want 200", status)
		}
		<-time.After(time.Millisecond)
		if status := show(value); status != 403 {
			t.Errorf("two minutes old: %d, want 403", status)
		}
	})
}

func TestNoCapacityIsNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.work.Add(runnerfleet.Bucket{ID: "r1/b1"}, "p1")
		cloud := &scarce{Cloud: w.cloud, refuse: 3}
		w.fleet.Cloud = cloud
		for range 12 {
			_ = w.fleet.Once(t.Context())
			<-time.After(10 * time.Second)
		}
		in := w.instance(t, "r1-b1-a1")
		if in.State != runnerfleet.Booting || in.Tries != 3 {
			t.Errorf("state %s after %d tries, want booting after 3", in.State, in.Tries)
		}
		if l, _ := w.cloud.Launched("r1-b1-a1"); l.Try != 3 || l.Params != "settled for try 3" {
			t.Errorf("launched with %+v, want what was settled for try 3", l)
		}
	})
}

// scarce is a cloud that has no capacity for the first launches it is asked for.
type scarce struct {
	runnerfleet.Cloud
	refuse int
}

func (s *scarce) Prepare(_ context.Context, l runnerfleet.Launch) (string, error) {
	return fmt.Sprintf("settled for try %d", l.Try), nil
}

func (s *scarce) Launch(ctx context.Context, l runnerfleet.Launch) (string, error) {
	if s.refuse--; s.refuse >= 0 {
		return "", fmt.Errorf("launch %s: %w", l.Instance, runnerfleet.ErrCapacity)
	}
	return s.Cloud.Launch(ctx, l)
}
