package steps

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/runnerfleet"
)

// machine is one with its agent, which does one thing after another, and each again
// until it is answered.
type machine struct {
	world    *world
	id       string
	launch   runnerfleet.Launch
	client   *runnerfleet.Client
	on, dies bool
	began    time.Time
	ended    time.Time
	enrolled bool
	job      runnerfleet.Assignment
	runner   *jit
	entries  []report.Entry // still to be handed over
}

// off takes its power. GitHub gives its job up some time later.
func (m *machine) off() {
	m.on, m.ended = false, time.Now()
}

func (m *machine) work(ctx context.Context) {
	if !m.on && m.runner != nil && time.Since(m.ended) >= 10*time.Minute {
		m.world.forge.release(m.runner, "failure")
		m.runner = nil
	}
	if !m.on || time.Since(m.began) < 2*tick {
		return
	}
	err := m.goOn(ctx)
	switch {
	case errors.Is(err, runnerfleet.ErrWait):
		err = m.client.Heartbeat(ctx)
	case errors.Is(err, runnerfleet.ErrStale):
		m.drop(ctx)
		err = nil
	}
	if runnerfleet.Permanent(err) {
		m.off()
	}
}

// drop ends a job that nobody waits for.
func (m *machine) drop(ctx context.Context) {
	if m.runner != nil {
		m.world.forge.release(m.runner, "cancelled")
	}
	_ = m.client.Finished(ctx, m.job.Piece, -1, "stopped") // stale, too
	m.job, m.runner, m.entries = runnerfleet.Assignment{}, nil, nil
}

func (m *machine) goOn(ctx context.Context) (err error) {
	switch {
	case !m.enrolled:
		_, err = m.client.Enrol(ctx, m.launch.Token)
		m.enrolled = err == nil
		return err
	case m.job.Piece == "":
		m.job, _, err = m.client.Next(ctx)
		return err
	case m.runner == nil:
		return m.take(ctx)
	case m.dies:
		m.off()
		return nil
	}
	if err := m.client.Heartbeat(ctx); err != nil {
		return err
	}
	for len(m.entries) > 0 {
		e, log := m.entries[0], ""
		if e.File != nil {
			log = m.world.story.says(m.job, e.File)
		}
		e.Bytes = int64(len(log))
		raw, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if err := m.client.Entry(ctx, m.job.Piece, raw, []byte(log)); err != nil {
			return err
		}
		m.entries = m.entries[1:]
		if m.world.story.slow {
			return nil
		}
	}
	m.world.forge.release(m.runner, "success")
	if err := m.client.Finished(ctx, m.job.Piece, 0, ""); err != nil {
		return err
	}
	m.job, m.runner = runnerfleet.Assignment{}, nil
	return nil
}

// take lets a runner have the job of its label.
func (m *machine) take(ctx context.Context) error {
	r := m.world.forge.acquire(m.job.JIT)
	if r == nil || r.job == nil {
		err := m.client.Finished(ctx, m.job.Piece, -1, "the runner has no job")
		if err == nil {
			m.job = runnerfleet.Assignment{}
		}
		return err
	}
	m.runner = r
	_, project, _ := strings.Cut(m.job.Goal, "-")
	m.entries = []report.Entry{
		{Manifest: &report.Manifest{Goal: m.job.Goal, Repo: "o/" + project, Files: []report.TestFile{{Path: "t/a.t"}}}},
		{Seq: 1, File: &report.FileResult{Path: "t/a.t", Seconds: 1}},
		{Seq: 2, End: new(report.End)},
	}
	return nil
}
