package runnerfleet

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Client is an agent's end of the API. A method makes one attempt. It returns one
// of the sentinels below, an error that Permanent recognises, or an error
// after which the same call should be made again.
//
//	ErrNoMore    the instance has ended: power off
//	ErrRefused   of Enrol: this agent will never be let in
//	ErrStale     of Entry, Finished and Heartbeat: drop the piece
//	ErrInvalid   of Entry: drop the entry
type Client struct {
	base     string
	instance string
	secret   string
	lane     int
	http     *http.Client
	piece    atomic.Pointer[string] // that was handed out last and is not finished
}

// NewClient draws the secret that will speak for the instance. base is the
// API's URL without its path; c may be shared.
func NewClient(base, instance string, c *http.Client) *Client {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return &Client{base: strings.TrimSuffix(base, "/"), instance: instance, secret: hex.EncodeToString(b[:]), http: c}
}

// InLane returns a client that speaks for a lane, from 0, of the instance that c
// has enrolled for. c itself speaks for lane 0.
func (c *Client) InLane(n int) *Client {
	return &Client{base: c.base, instance: c.instance, secret: c.secret, lane: n, http: c.http}
}

// Enrol shows the one-time token. It may be repeated by this client, and by no other.
func (c *Client) Enrol(ctx context.Context, token string) (Enrolled, error) {
	return c.enrol(ctx, enrolment{Instance: c.instance, Token: token, Secret: c.secret})
}

// EnrolByIdentity shows the machine's identity document, as it is, and the
// signature of it. From then on the client speaks for the instance it is told.
func (c *Client) EnrolByIdentity(ctx context.Context, document, signature []byte) (Enrolled, error) {
	var ch challenge
	if _, err := c.post(ctx, "challenge", struct{}{}, &ch); err != nil {
		return Enrolled{}, err
	}
	e, err := c.enrol(ctx, enrolment{
		Document: document, Signature: signature, Challenge: ch.Challenge, Secret: c.secret,
	})
	if err == nil {
		c.instance = e.Instance
	}
	return e, err
}

func (c *Client) enrol(ctx context.Context, e enrolment) (Enrolled, error) {
	var in Enrolled
	_, err := c.post(ctx, "enrol", e, &in)
	return in, err
}

// Next asks for a piece. With ErrWait comes how long to wait before asking again.
func (c *Client) Next(ctx context.Context) (Assignment, time.Duration, error) {
	var job Assignment
	h, err := c.post(ctx, "next", want{Lane: c.lane}, &job)
	if err != nil || job.Piece != "" {
		if err == nil {
			c.piece.Store(&job.Piece)
		}
		return job, 0, err
	}
	s, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || s < 1 || s > 60 {
		s = 1
	}
	return job, time.Duration(s) * time.Second, ErrWait
}

// Entry hands over one report entry. meta and log are bounded by MaxMeta and MaxLog.
func (c *Client) Entry(ctx context.Context, piece string, meta json.RawMessage, log []byte) error {
	q := url.Values{"piece": {piece}, "meta": {strconv.Itoa(len(meta))}}
	body := io.MultiReader(bytes.NewReader(meta), bytes.NewReader(log))
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, c.base+apiPrefix+"entries?"+q.Encode(), body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.ContentLength = int64(len(meta) + len(log))
	req.Header.Set("Content-Type", "application/octet-stream")
	_, err = c.send(req, nil)
	return err
}

// Finished says how the runner of a piece ended; see Work.Finished.
func (c *Client) Finished(ctx context.Context, piece string, exit int, reason string) error {
	c.piece.Store(nil)
	_, err := c.post(ctx, "finished", finish{Lane: c.lane, Piece: piece, Exit: exit, Reason: reason}, nil)
	return err
}

// Heartbeat says that the agent lives and has the piece of the last Next, until
// that is finished. ErrStale: that piece is not the instance's any more.
func (c *Client) Heartbeat(ctx context.Context) error {
	var b beating
	p := c.piece.Load()
	if p != nil {
		b.Piece = *p
	}
	_, err := c.post(ctx, "heartbeat", b, nil)
	if errors.Is(err, ErrStale) && c.piece.Load() != p {
		return nil // it was finished meanwhile
	}
	return err
}

// Bye says that the agent stops before it was told to.
func (c *Client) Bye(ctx context.Context, reason string) error {
	_, err := c.post(ctx, "bye", bye{Reason: reason}, nil)
	return err
}

// StatusError is an answer that is none of the sentinels.
type StatusError struct {
	Status int
	Text   string
}

// Error returns the status and what the API said.
func (e *StatusError) Error() string { return fmt.Sprintf("answer %d: %s", e.Status, e.Text) }

// Permanent reports that the same call will never succeed, so that an agent which
// gets it has to give up. An address where somebody else answers for a while,
// as in a restart, is not permanent.
func Permanent(err error) bool {
	var s *StatusError
	if !errors.As(err, &s) {
		return errors.Is(err, ErrNoMore) || errors.Is(err, ErrRefused)
	}
	switch s.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusRequestEntityTooLarge:
		return true
	}
	return false
}

func (c *Client) post(ctx context.Context, call string, body, into any) (http.Header, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", call, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+apiPrefix+call, bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	return c.send(req, into)
}

func (c *Client) send(req *http.Request, into any) (http.Header, error) {
	req.Header.Set("Authorization", "Bearer "+c.instance+"."+c.secret)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read answer: %w", err)
	case resp.StatusCode == http.StatusNoContent:
		return resp.Header, nil
	case resp.StatusCode == http.StatusOK && into != nil:
		// Not strict: the server may be newer than the agent.
		if err := json.Unmarshal(b, into); err != nil {
			return nil, fmt.Errorf("read answer: %w", err)
		}
		return resp.Header, nil
	}
	var f failure
	if json.Unmarshal(b, &f) != nil || f.Error == "" {
		// Whoever this is, it is not our API: a proxy, or another server
		// that took the address while ours is away.
		return nil, &StatusError{Status: http.StatusBadGateway, Text: "not the fleet's answer: " + resp.Status}
	}
	for _, s := range statuses {
		if resp.StatusCode == s.status {
			return nil, s.err
		}
	}
	return nil, &StatusError{Status: resp.StatusCode, Text: f.Error}
}
