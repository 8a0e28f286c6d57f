package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	callTimeout = 30 * time.Second // longer than the server waits for a job
	firstPause  = 200 * time.Millisecond
	longPause   = 5 * time.Second
)

// errGone says that the server no longer knows the runner or its job.
var errGone = errors.New("the server has ended this")

// client calls the stand-in.
type client struct {
	blob Blob
	http http.Client
}

func newClient(b Blob) *client {
	return &client{blob: b, http: http.Client{Timeout: callTimeout}}
}

// acquire waits for the runner's job.
func (c *client) acquire(ctx context.Context) (Assignment, error) {
	for {
		var a Assignment
		if err := c.insist(ctx, "/acquire", nil, &a); err != nil {
			return a, err
		}
		if a.Job != 0 {
			return a, nil
		}
	}
}

// beat reports life and learns whether the job shall stop. It is tried once:
// the next beat is the repeat.
func (c *client) beat(ctx context.Context, job int64) (Beat, error) {
	var b Beat
	err := c.once(ctx, jobPath(job, "heartbeat"), nil, &b)
	return b, err
}

// log appends a part of the log at its offset.
func (c *client) log(ctx context.Context, job, offset int64, part []byte) error {
	return c.insist(ctx, jobPath(job, "log")+"?offset="+strconv.FormatInt(offset, 10), part, nil)
}

// complete reports the job's end.
func (c *client) complete(ctx context.Context, job int64, conclusion string) error {
	raw, err := json.Marshal(Result{Conclusion: conclusion})
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	return c.insist(ctx, jobPath(job, "complete"), raw, nil)
}

func jobPath(job int64, call string) string {
	return "/jobs/" + strconv.FormatInt(job, 10) + "/" + call
}

// insist repeats a call until the server has answered it, ctx ends, or the
// server says that it is pointless.
func (c *client) insist(ctx context.Context, path string, body []byte, into any) error {
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		err := c.once(ctx, path, body, into)
		if err == nil || errors.Is(err, errGone) {
			return err
		}
		if !wait(ctx, pause) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

// once makes one call. An answer that will never change is errGone.
func (c *client) once(ctx context.Context, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.blob.URL+"/_runner"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("build request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.blob.Secret)
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("call %s: %w", path, err)
	}
	defer func() { _ = res.Body.Close() }() // only read
	raw, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	switch {
	case err != nil:
		return fmt.Errorf("call %s: %w", path, err)
	case res.StatusCode == http.StatusGone || res.StatusCode == http.StatusForbidden:
		return errGone
	case res.StatusCode < 200 || res.StatusCode > 299:
		return fmt.Errorf("call %s: %s: %s", path, res.Status, bytes.TrimSpace(raw))
	case into == nil || len(raw) == 0:
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("parse answer of %s: %w", path, err)
	}
	return nil
}

// wait pauses and reports whether ctx is still going.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
