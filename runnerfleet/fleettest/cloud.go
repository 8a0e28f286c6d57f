package fleettest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ortest/ortest/runnerfleet"
)

// Cloud is a cloud in memory.
type Cloud struct {
	Faults *Faults
	// Lag is how long a launched machine is not listed, Linger how long a
	// terminated one still is.
	Lag, Linger time.Duration

	mu       sync.Mutex
	machines []*machine
	byToken  map[string]*machine
}

type machine struct {
	runnerfleet.Machine
	launch runnerfleet.Launch
	ended  time.Time
}

// Launch starts a machine, or finds the one that the same instance has.
// Other parameters for the same instance are an error, as in EC2.
func (c *Cloud) Launch(_ context.Context, l runnerfleet.Launch) (string, error) {
	if err := c.Faults.at("cloud.Launch", false); err != nil {
		return "", err
	}
	c.mu.Lock()
	m, ok := c.byToken[l.Instance]
	if ok && m.launch != l {
		c.mu.Unlock()
		return "", fmt.Errorf("idempotency mismatch: %+v after %+v", l, m.launch)
	}
	if !ok {
		m = c.add(l.Instance, l.Deadline)
		m.launch = l
		if c.byToken == nil {
			c.byToken = make(map[string]*machine)
		}
		c.byToken[l.Instance] = m
	}
	c.mu.Unlock()
	return m.CloudID, c.Faults.at("cloud.Launch", true)
}

func (c *Cloud) add(instance string, deadline time.Time) *machine {
	m := &machine{Machine: runnerfleet.Machine{
		CloudID: fmt.Sprintf("m-%d", len(c.machines)+1), Instance: instance,
		Running: true, LaunchedAt: time.Now(), Deadline: deadline,
	}}
	c.machines = append(c.machines, m)
	return m
}

// List returns what a caller may know of by now.
func (c *Cloud) List(context.Context) ([]runnerfleet.Machine, error) {
	if err := c.Faults.at("cloud.List", false); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var ms []runnerfleet.Machine
	now := time.Now()
	for _, m := range c.machines {
		if now.Sub(m.LaunchedAt) >= c.Lag && (m.Running || now.Sub(m.ended) < c.Linger) {
			ms = append(ms, m.Machine)
		}
	}
	return ms, nil
}

// Terminate ends a machine.
func (c *Cloud) Terminate(_ context.Context, cloudID string) error {
	if err := c.Faults.at("cloud.Terminate", false); err != nil {
		return err
	}
	c.Kill(cloudID)
	return c.Faults.at("cloud.Terminate", true)
}

// Kill ends a machine without anybody having asked.
func (c *Cloud) Kill(cloudID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.machines {
		if m.CloudID == cloudID && m.Running {
			m.Running, m.ended = false, time.Now()
		}
	}
}

// Stray starts a machine with our tag that no store knows.
func (c *Cloud) Stray(instance string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(instance, time.Time{})
}

// Running returns the instances whose machines run, in order of launch. One that runs
// twice stands there twice.
func (c *Cloud) Running() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []string
	for _, m := range c.machines {
		if m.Running {
			ids = append(ids, m.Instance)
		}
	}
	return ids
}

// Launched returns what an instance was started with; false when it never was.
func (c *Cloud) Launched(instance string) (runnerfleet.Launch, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.byToken[instance]
	if !ok {
		return runnerfleet.Launch{}, false
	}
	return m.launch, true
}
