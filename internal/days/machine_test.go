package days

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ortest/ortest/internal/ec2test"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/runnerfleet"
)

const bootTime = 40 * time.Second

// cut takes a machine's power.
func (d *day) cut(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if off := d.off[id]; off != nil {
		off()
	}
}

// boot starts a machine, whose power whoever terminates it takes.
func (d *day) boot(in ec2test.Instance) {
	ctx, off := context.WithCancel(d.t.Context())
	d.mu.Lock()
	d.off[in.ID] = off
	d.mu.Unlock()
	d.agents.Go(func() { d.machine(ctx, in.ID) })
}

// machine is one from its launch until it powers off or is taken.
func (d *day) machine(ctx context.Context, id string) {
	life, began := 24*time.Hour, time.Now()
	if d.chance(d.mood.interrupted) {
		life = time.Duration(d.draw() * float64(30*time.Minute))
	}
	ctx, cancel := context.WithTimeout(ctx, life)
	defer cancel()
	defer func() {
		d.aws.Kill(id)
		d.mu.Lock()
		d.lives += time.Since(began)
		d.off[id]()
		delete(d.off, id)
		d.mu.Unlock()
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
	for tries := 0; known && r.job == nil && tries < 20; {
		if !wait(ctx, 5*time.Second) {
			return ctx.Err()
		}
		if err := retry(ctx, func() error { return c.Heartbeat(ctx) }); err != nil {
			return err
		}
		if r, known = d.hub.acquire(job.JIT); !d.hub.standing() {
			tries++
		}
	}
	if !known || r.job == nil || r.job.Name != job.Piece || r.run != job.RunID {
		return errRunner
	}
	d.mu.Lock()
	d.begun[job.Piece]++
	d.mu.Unlock()
	files := d.files(job.Piece)
	m := &report.Manifest{Goal: job.Goal, Repo: repo.String()}
	for _, f := range files {
		m.Files = append(m.Files, report.TestFile{Path: f})
	}
	err := d.entry(ctx, c, job, report.Entry{Manifest: m}, "")
	for i, f := range files {
		for left := time.Duration((1 + 4*d.draw()) * float64(d.unit)); err == nil && left > 0; left -= 20 * time.Second {
			if !wait(ctx, min(left, 20*time.Second)) {
				return ctx.Err()
			}
			d.hub.beat(r)
			err = retry(ctx, func() error { return c.Heartbeat(ctx) })
		}
		if err == nil {
			result, log := d.says(job, f)
			err = d.entry(ctx, c, job, report.Entry{Seq: 1 + i, File: &result}, log)
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

// passes is what a good file prints.
func passes(_ runnerfleet.Assignment, file string) (result report.FileResult, log string) {
	return report.FileResult{Path: file, Seconds: 60},
		file + " .. \n1..1\nok 1 - it is\nok\nAll tests successful.\nFiles=1, Tests=1,  0 wallclock secs\nResult: PASS\n"
}

func (d *day) entry(ctx context.Context, c *runnerfleet.Client, job runnerfleet.Assignment, e report.Entry, log string) error {
	e.Bytes = int64(len(log))
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return retry(ctx, func() error { return c.Entry(ctx, job.Piece, raw, []byte(log)) })
}
