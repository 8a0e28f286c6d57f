package days

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/runnerfleet"
)

const bootTime = 40 * time.Second

// machine is one from its launch until it powers off or is taken.
func (d *day) machine(id string) {
	life, began := 24*time.Hour, time.Now()
	if d.chance(d.mood.interrupted) {
		life = time.Duration(d.draw() * float64(30*time.Minute))
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), life)
	defer cancel()
	defer func() {
		d.aws.Kill(id)
		d.mu.Lock()
		d.lives += time.Since(began)
		d.mu.Unlock()
	}()
	// Whoever terminates it takes its power.
	watch := time.NewTicker(10 * time.Second)
	defer watch.Stop()
	over := ctx.Done()
	go func() {
		for {
			select {
			case <-over:
				return
			case <-watch.C:
				for _, in := range d.aws.Instances() {
					if in.ID == id && in.State != "running" && in.State != "pending" {
						cancel()
					}
				}
			}
		}
	}()
	if !wait(ctx, bootTime) {
		return
	}
	c := runnerfleet.NewClient("https://bot.example", "", &http.Client{Transport: d})
	document, signature, err := d.sign(id, began)
	if err != nil {
		d.t.Error(err)
	}
	var in runnerfleet.Enrolled
	if err = retry(ctx, func() (err error) {
		in, err = c.EnrolByIdentity(ctx, document, signature)
		return err
	}); err != nil {
		return
	}
	g, ctx := errgroup.WithContext(ctx)
	for n := range in.Lanes {
		l := c.InLane(n)
		g.Go(func() error {
			for {
				if err := d.piece(ctx, l); err != nil {
					return err
				}
			}
		})
	}
	_ = g.Wait() // whatever the reason, it powers off
}

// RoundTrip takes an agent's call to the process that lives now.
func (d *day) RoundTrip(r *http.Request) (*http.Response, error) {
	return direct{d.api.Load()}.RoundTrip(r)
}

// retry makes a call again until it has an answer that says something.
func retry(ctx context.Context, call func() error) error {
	for {
		err := call()
		if err == nil || runnerfleet.Permanent(err) || errors.Is(err, runnerfleet.ErrWait) || errors.Is(err, runnerfleet.ErrStale) {
			return err
		}
		if !wait(ctx, 5*time.Second) {
			return ctx.Err()
		}
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// piece runs one piece, and returns an error when the machine is to power off.
func (d *day) piece(ctx context.Context, c *runnerfleet.Client) error {
	var job runnerfleet.Assignment
	err := retry(ctx, func() (err error) {
		job, _, err = c.Next(ctx)
		return err
	})
	if errors.Is(err, runnerfleet.ErrWait) {
		if !wait(ctx, 5*time.Second) {
			return ctx.Err()
		}
		return retry(ctx, func() error { return c.Heartbeat(ctx) })
	}
	if err != nil {
		return err
	}
	reason := ""
	switch err = d.job(ctx, c, job); {
	case errors.Is(err, errRunner):
		reason, err = err.Error(), nil
	case errors.Is(err, runnerfleet.ErrStale):
		err = nil
	}
	if err == nil {
		err = retry(ctx, func() error { return c.Finished(ctx, job.Piece, 0, reason) })
	}
	if errors.Is(err, runnerfleet.ErrStale) {
		return nil
	}
	return err
}

var errRunner = errors.New("the runner has no job")

// job is a runner with its job: the files that the job's own workflow names.
func (d *day) job(ctx context.Context, c *runnerfleet.Client, job runnerfleet.Assignment) error {
	r, known := d.hub.acquire(job.JIT)
	for tries := 0; known && r.job == nil && tries < 20; tries++ {
		if !wait(ctx, 5*time.Second) {
			return ctx.Err()
		}
		if err := retry(ctx, func() error { return c.Heartbeat(ctx) }); err != nil {
			return err
		}
		r, known = d.hub.acquire(job.JIT)
	}
	if !known || r.job == nil || r.job.Name != job.Piece || r.run != job.RunID {
		return errRunner
	}
	d.mu.Lock()
	d.begun[job.Piece]++
	d.mu.Unlock()
	var files []string
	d.shelf.mu.Lock()
	for _, p := range d.shelf.run.Pieces {
		if fmt.Sprintf("1/%s/%d", p.ID, p.Attempt) == job.Piece {
			files = p.Files
		}
	}
	d.shelf.mu.Unlock()
	m := &report.Manifest{Goal: job.Goal, Repo: repo.String()}
	for _, f := range files {
		m.Files = append(m.Files, report.TestFile{Path: f})
	}
	err := d.entry(ctx, c, job, report.Entry{Manifest: m}, "")
	for i, f := range files {
		for left := time.Duration((1 + 4*d.draw()) * float64(time.Minute)); err == nil && left > 0; left -= 20 * time.Second {
			if !wait(ctx, min(left, 20*time.Second)) {
				return ctx.Err()
			}
			d.hub.beat(r)
			err = retry(ctx, func() error { return c.Heartbeat(ctx) })
		}
		if err == nil {
			err = d.entry(ctx, c, job, report.Entry{Seq: 1 + i, File: &report.FileResult{Path: f, Seconds: 60}},
				f+" .. \n1..1\nok 1 - it is\nok\nAll tests successful.\nFiles=1, Tests=1,  0 wallclock secs\nResult: PASS\n")
		}
	}
	if err == nil {
		err = d.entry(ctx, c, job, report.Entry{Seq: 1 + len(files), End: new(report.End)}, "")
	}
	if err == nil {
		d.hub.complete(r)
	}
	return err
}

func (d *day) entry(ctx context.Context, c *runnerfleet.Client, job runnerfleet.Assignment, e report.Entry, log string) error {
	e.Bytes = int64(len(log))
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return retry(ctx, func() error { return c.Entry(ctx, job.Piece, raw, []byte(log)) })
}
