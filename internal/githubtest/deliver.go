package githubtest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	deliveryTimeout = 10 * time.Second   // GitHub's patience
	deliveryKept    = 3 * 24 * time.Hour // how long one can be sent again
	maxResponse     = 64 << 10           // how much of an answer is kept
)

// Delivery is one attempt to send a webhook. Attempted is zero until it was made.
type Delivery struct {
	ID         int64         `json:"id"`
	Event      int64         `json:"event"`
	GUID       string        `json:"guid"` // the same in each attempt
	Name       string        `json:"name"` // issue_comment, …
	Action     string        `json:"action"`
	Redelivery bool          `json:"redelivery"`
	Attempted  time.Time     `json:"attempted,omitzero"`
	Duration   time.Duration `json:"duration"`
	Code       int           `json:"code"`   // the answer's, 0 when there was none
	Status     string        `json:"status"` // OK, or what went wrong
	Headers    http.Header   `json:"headers"`
	Body       string        `json:"body"` // of the answer
}

// OK reports whether the webhook was taken.
func (d Delivery) OK() bool { return d.Code >= 200 && d.Code < 300 }

// runDeliveries sends what is due, oldest first and one at a time, until ctx
// ends. A kill between sending and writing that down sends the webhook twice:
// receivers must bear that from GitHub too.
func (s *Server) runDeliveries(ctx context.Context) error {
	changed, end := s.Subscribe()
	defer end()
	s.dropOldDeliveries()
	for {
		d, e, due := s.nextDelivery()
		if due {
			s.attempt(ctx, d, e)
			if ctx.Err() == nil {
				continue
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

func (s *Server) nextDelivery() (Delivery, event, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.broken != nil {
		return Delivery{}, event{}, false
	}
	d, due := s.st.sent.find(func(d Delivery) bool { return d.Attempted.IsZero() })
	e, known := s.st.events.get(d.Event)
	return d, e, due && known
}

// attempt makes one delivery and writes down how it went, unless ctx ended
// meanwhile: then it is still due.
func (s *Server) attempt(ctx context.Context, d Delivery, e event) {
	start := s.cfg.Now()
	code, header, body, err := s.post(ctx, e)
	if ctx.Err() != nil {
		return
	}
	d.Attempted, d.Duration = start.UTC(), max(0, s.cfg.Now().Sub(start))
	d.Code, d.Headers, d.Body = code, header, body
	switch {
	case err != nil:
		d.Status = "failed to connect to host"
		s.log.Warn("webhook not delivered", "delivery", d.GUID, "err", err)
	case d.OK():
		d.Status = "OK"
	default:
		d.Status = "Invalid HTTP Response: " + strconv.Itoa(code)
		s.log.Warn("webhook refused", "delivery", d.GUID, "code", code)
	}
	if err := s.update(func(st *state, x *tx) error { st.sent.put(x, d.ID, d); return nil }); err != nil {
		s.log.Error("record delivery", "delivery", d.GUID, "err", err)
	}
}

func (s *Server) post(ctx context.Context, e event) (int, http.Header, string, error) {
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.WebhookURL, bytes.NewReader(e.Payload))
	if err != nil {
		return 0, nil, "", fmt.Errorf("build webhook: %w", err)
	}
	req.Header = s.webhookHeader(e)
	res, err := s.hooks.Do(req)
	if err != nil {
		return 0, nil, "", fmt.Errorf("send webhook: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // only read
	body, err := io.ReadAll(io.LimitReader(res.Body, maxResponse))
	if err != nil {
		return 0, nil, "", fmt.Errorf("read webhook's answer: %w", err)
	}
	return res.StatusCode, res.Header, string(body), nil
}

// webhookHeader signs a payload and says what it is.
func (s *Server) webhookHeader(e event) http.Header {
	mac := hmac.New(sha256.New, []byte(s.cfg.WebhookSecret))
	mac.Write(e.Payload)
	h := http.Header{}
	for k, v := range map[string]string{
		"Accept":                                 "*/*",
		"Content-Type":                           "application/json",
		"User-Agent":                             "GitHub-Hookshot/0rtest1",
		"X-GitHub-Delivery":                      e.GUID,
		"X-GitHub-Event":                         e.Name,
		"X-GitHub-Hook-ID":                       "1",
		"X-GitHub-Hook-Installation-Target-ID":   strconv.FormatInt(s.cfg.AppID, 10),
		"X-GitHub-Hook-Installation-Target-Type": "integration",
		"X-Hub-Signature-256":                    "sha256=" + hex.EncodeToString(mac.Sum(nil)),
	} {
		h.Set(k, v)
	}
	return h
}

// dropOldDeliveries forgets what GitHub would no longer know.
func (s *Server) dropOldDeliveries() {
	err := s.update(func(st *state, x *tx) error {
		limit := s.cfg.Now().Add(-deliveryKept)
		for _, e := range st.events.filter(func(e event) bool { return e.At.Before(limit) }) {
			st.events.remove(x, e.ID)
			for _, d := range st.sent.filter(func(d Delivery) bool { return d.Event == e.ID }) {
				st.sent.remove(x, d.ID)
			}
		}
		return nil
	})
	if err != nil {
		s.log.Error("drop old deliveries", "err", err)
	}
}
