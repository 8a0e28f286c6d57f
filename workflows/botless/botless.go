// Package botless is a workflow run that tests without the bot: its job plan says
// what is tested, up starts machines, a matrix tests, report tells, down ends the
// machines. The jobs hand each other what they know as outputs, and read all else
// from their environment.
//
// What a person or a job that ran a stranger's code says is believed as little as
// possible: plan asks GitHub who may write, down lists the cloud and GitHub, and
// report takes a piece's results only under the piece's own name.
package botless

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
)

// run is what the job plan decided.
type run struct {
	ID      string       `json:"id"` // of the workflow run and its attempt
	Run     int64        `json:"run"`
	Repo    string       `json:"repo"`
	Pull    int          `json:"pull,omitempty"`
	Head    string       `json:"head"`
	Base    string       `json:"base,omitempty"`
	Author  string       `json:"author"`
	Command string       `json:"command"`
	Cloud   string       `json:"cloud"`
	Options plan.Options `json:"options"`
	Stages  int          `json:"stages"`
	At      time.Time    `json:"at"`
}

// machine is a machine that up starts, and its jobs in order.
type machine struct {
	ID      string  `json:"id"` // b1, b2, …
	Arch    string  `json:"arch"`
	Type    string  `json:"type,omitempty"`
	Minutes int     `json:"minutes"` // how long it may live
	Pieces  []piece `json:"pieces"`
}

type piece struct {
	ID      string `json:"id"`
	Goal    string `json:"goal"`
	Label   string `json:"label"`
	Minutes int    `json:"minutes"`
}

// Job is a command of a workflow job. All fields are required.
type Job struct {
	Stdout, Stderr io.Writer
	Log            *slog.Logger

	Catalog func(overlay string) (*catalog.Catalog, error) // the one in force here, or the built-in one with a directory over it
	Pack    func(context.Context, plan.Input) (plan.Plan, error)
	Judge   func(*catalog.Catalog) func(report.Evidence) (report.GoalResult, error) // by a catalog's expectations
	Limit   time.Duration                                                           // -t where nobody says otherwise
	Data    string                                                                  // folder of machines on this machine, unless ORTEST_DATA names one
	Idle    time.Duration                                                           // how long their runners wait for a job, unless ORTEST_IDLE says
}

// UsageError says what is missing in a job's environment, or wrong with it.
type UsageError struct{ Err error }

// Error is what it wraps.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what it wraps.
func (e *UsageError) Unwrap() error { return e.Err }

// BadError is a verdict that is bad, or that what was asked for is refused.
type BadError struct{ Err error } // nil: all was said

// Error is what it wraps.
func (e *BadError) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Unwrap returns what it wraps.
func (e *BadError) Unwrap() error { return e.Err }

func usage(err error) error { return &UsageError{err} }

func refused(err error) error { return &BadError{err} }

// Run runs the command of a name: plan, up, test, report, down or results; ready
// does nothing. A bad end is a *UsageError or a *BadError, or else a failure of ours.
func (j Job) Run(ctx context.Context, name string) error {
	switch name {
	case "plan":
		return j.plan(ctx)
	case "up":
		return j.up(ctx)
	case "test":
		return j.test(ctx)
	case "report":
		return j.report(ctx)
	case "down":
		return j.down(ctx)
	case "results":
		return j.results(ctx)
	}
	return nil // ready
}

// readRun reads what the job plan decided.
func (j Job) readRun() (run, error) {
	var r run
	raw := os.Getenv("ORTEST_PLAN")
	if err := json.Unmarshal([]byte(raw), &r); err != nil || r.ID == "" {
		return r, usage(fmt.Errorf("ORTEST_PLAN holds no plan: hand it the output run of the job that plans (%w)", cmp.Or(err, errors.New("it has no id"))))
	}
	return r, nil
}

// catalog is the one in force, or an overlay of the built-in one.
func (j Job) catalog() (*catalog.Catalog, error) { return j.Catalog(os.Getenv("ORTEST_CATALOG")) }
