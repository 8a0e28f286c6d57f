package github

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ortest/ortest/bot"
)

func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestVerify(t *testing.T) {
	secrets := func(s ...string) (all [][]byte) {
		for _, s := range s {
			all = append(all, []byte(s))
		}
		return all
	}
	body := []byte("Hello, World!")
	for _, tt := range []struct {
		name    string
		secrets [][]byte
		header  string
		want    bool
	}{
		// From docs.github.com, "Validating webhook deliveries".
		{name: "GitHub's own example", secrets: secrets("It's a Secret to Everybody"), header: "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", want: true},
		{name: "the new secret of two", secrets: secrets("old", "new"), header: sign("new", body), want: true},
		{name: "the old secret of two", secrets: secrets("old", "new"), header: sign("old", body), want: true},
		{name: "another secret", secrets: secrets("old", "new"), header: sign("other", body)},
		{name: "another body", secrets: secrets("s"), header: sign("s", []byte("Hello, world!"))},
		{name: "no secret verifies nothing", header: sign("", body)},
		{name: "an empty secret verifies nothing", secrets: secrets(""), header: sign("", body)},
		{name: "no header", secrets: secrets("s")},
		{name: "the old header's algorithm", secrets: secrets("s"), header: strings.Replace(sign("s", body), "sha256", "sha1", 1)},
		{name: "no algorithm", secrets: secrets("s"), header: strings.TrimPrefix(sign("s", body), "sha256=")},
		{name: "half a sum", secrets: secrets("s"), header: sign("s", body)[:len("sha256=")+32]},
		{name: "no hexadecimal digits", secrets: secrets("s"), header: "sha256=zz"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Verify(tt.secrets, tt.header, body); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// shelf remembers deliveries as the store does.
type shelf struct {
	got []bot.Delivery
	err error
}

func (s *shelf) AddDelivery(_ context.Context, d bot.Delivery) (bool, error) {
	if s.err != nil {
		return false, s.err
	}
	for _, old := range s.got {
		if old.GUID == d.GUID {
			return false, nil
		}
	}
	s.got = append(s.got, d)
	return true, nil
}

func TestWebhook(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	body := []byte(`{"zen":"Keep it logically awesome."}`)
	full := append([]byte(`"`), bytes.Repeat([]byte("x"), maxPayload)...)
	full[maxPayload-1] = '"' // exactly the limit, and one byte more
	stored := bot.Delivery{GUID: "72d3162e-cc78-11e3-81ab-4c9367dc0958", Event: "ping", Payload: body, ReceivedAt: now}
	none := func(http.Header) {}
	of, ours := func(payload string) []byte { return []byte(payload) }, []string{"openresty", "calio"}
	for _, tt := range []struct {
		name   string
		method string
		body   []byte
		change func(http.Header)
		shelf  shelf
		owners []string
		code   int
		stored bool
		says   string // in the answer
	}{
		{name: "a signed delivery is stored and accepted", body: body, change: none, code: 202, stored: true},
		{name: "the media type may have a parameter", body: body, change: func(h http.Header) { h.Set("Content-Type", "application/json; charset=utf-8") }, code: 202, stored: true},
		{name: "one stored before is good", body: body, change: none, shelf: shelf{got: []bot.Delivery{stored}}, code: 200, stored: true},
		{name: "one that cannot be stored is GitHub's to show as failed", body: body, change: none, shelf: shelf{err: errors.New("disk full")}, code: 503},
		{name: "a read is refused", method: "GET", body: body, change: none, code: 405},
		{name: "no signature", body: body, change: func(h http.Header) { h.Del("X-Hub-Signature-256") }, code: 401},
		{name: "a wrong signature", body: body, change: func(h http.Header) { h.Set("X-Hub-Signature-256", sign("other", body)) }, code: 401},
		{name: "the signature comes before the GUID", body: body, change: func(h http.Header) { h.Del("X-Hub-Signature-256"); h.Del("X-GitHub-Delivery") }, code: 401},
		{name: "no GUID", body: body, change: func(h http.Header) { h.Del("X-GitHub-Delivery") }, code: 400},
		{name: "a GUID that is none", body: body, change: func(h http.Header) { h.Set("X-GitHub-Delivery", "a b") }, code: 400},
		{name: "a GUID that is too long", body: body, change: func(h http.Header) { h.Set("X-GitHub-Delivery", strings.Repeat("a", 101)) }, code: 400},
		{name: "no event", body: body, change: func(h http.Header) { h.Del("X-GitHub-Event") }, code: 400},
		{name: "a form", body: body, change: func(h http.Header) { h.Set("Content-Type", "application/x-www-form-urlencoded") }, code: 400},
		{name: "a payload that is not JSON", body: body[:9], change: none, code: 400},
		{name: "without owners everybody is served", body: of(`{"repository":{"owner":{"login":"eve"}}}`), change: none, code: 202, stored: true},
		{name: "an owner that is named is served, whatever the case", body: of(`{"repository":{"owner":{"login":"OpenResty"}}}`), change: none, owners: ours, code: 202, stored: true},
		{name: "the last of several owners is served", body: of(`{"repository":{"owner":{"login":"calio"}}}`), change: none, owners: ours, code: 202, stored: true},
		{name: "a repository of somebody else is ignored", body: of(`{"repository":{"owner":{"login":"eve"}}}`), change: none, owners: ours, code: 200, says: `ignored: github.owners of this bot's configuration does not name "eve"`},
		{name: "a name that only begins like an owner's is somebody else's", body: of(`{"repository":{"owner":{"login":"openresty2"}}}`), change: none, owners: ours, code: 200, says: "ignored:"},
		{name: "a push that names its owner in the other way is ignored", body: of(`{"repository":{"owner":{"name":"eve"}}}`), change: none, owners: ours, code: 200, says: "ignored:"},
		{name: "the repository's owner counts, not who did something or what came from a fork", body: of(`{"repository":{"owner":{"login":"eve"}},"organization":{"login":"openresty"},"sender":{"login":"calio"}}`), change: none, owners: ours, code: 200, says: "ignored:"},
		{name: "an organization of somebody else is ignored", body: of(`{"organization":{"login":"eve"}}`), change: none, owners: ours, code: 200, says: "ignored:"},
		{name: "an installation of somebody else is ignored", body: of(`{"installation":{"id":7,"account":{"login":"eve"}}}`), change: none, owners: ours, code: 200, says: "ignored:"},
		{name: "an installation of an owner is served", body: of(`{"installation":{"id":7,"account":{"login":"openresty"}}}`), change: none, owners: ours, code: 202, stored: true},
		{name: "what is of no account is taken", body: body, change: none, owners: ours, code: 202, stored: true},
		{name: "a field of another form hides no owner", body: of(`{"organization":7,"repository":{"owner":{"login":"eve"}}}`), change: none, owners: ours, code: 200, says: "ignored:"},
		{name: "the signature comes before the owner", body: of(`{"repository":{"owner":{"login":"eve"}}}`), change: func(h http.Header) { h.Del("X-Hub-Signature-256") }, owners: ours, code: 401},
		{name: "a payload of exactly the limit", body: full[:maxPayload], change: none, code: 202, stored: true},
		{name: "a payload of one byte more", body: full, change: none, code: 413},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.shelf
			h := &Webhook{Secrets: [][]byte{[]byte("s")}, Owners: tt.owners, Deliveries: &s, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}
			method := tt.method
			if method == "" {
				method = "POST"
			}
			req := httptest.NewRequest(method, "/webhook", bytes.NewReader(tt.body))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("X-GitHub-Delivery", stored.GUID)
			req.Header.Set("X-GitHub-Event", "ping")
			req.Header.Set("X-Hub-Signature-256", sign("s", tt.body))
			tt.change(req.Header)
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			if rec.Code != tt.code || !strings.Contains(rec.Body.String(), tt.says) {
				t.Errorf("code %d, want %d: %s", rec.Code, tt.code, rec.Body)
			}
			var want []bot.Delivery
			if tt.stored {
				d := stored
				d.Payload = tt.body
				want = []bot.Delivery{d}
			}
			if d := cmp.Diff(want, s.got, cmp.Comparer(bytes.Equal)); d != "" {
				t.Errorf("stored (-want +got):\n%.2000s", d)
			}
		})
	}
}
