// Package plan turns a request for goals into buckets that machines can serve.
//
// It is pure: it reads no clock, no file and no network. What it knows of the
// world (projects, modes, durations, prices) is handed to it; package
// plan/catalog has the data.
package plan

import (
	"fmt"
	"strings"
	"time"
)

// Goal is one project in one mode; its name is "tv-ngx_lua".
type Goal struct {
	Mode    string `json:"mode"`    // t tr tw tv trv twv th thv tl to
	Project string `json:"project"` // ngx_lua
}

// String returns the goal's name, which ParseGoal reads back.
func (g Goal) String() string { return g.Mode + "-" + g.Project }

// ParseGoal splits a goal's name at its first hyphen. It knows no catalog:
// whether mode and project exist is the catalog's to say.
func ParseGoal(name string) (Goal, error) {
	mode, project, ok := strings.Cut(name, "-")
	if !ok || mode == "" || project == "" {
		return Goal{}, fmt.Errorf("%q is no goal: want MODE-PROJECT, such as tv-ngx_lua", name)
	}
	return Goal{Mode: mode, Project: project}, nil
}

// MarshalText writes the goal as its name.
func (g Goal) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText reads a goal's name.
func (g *Goal) UnmarshalText(b []byte) (err error) {
	*g, err = ParseGoal(string(b))
	return err
}

// Piece is a goal, or a slice of a goal's test files: what one workflow job runs.
type Piece struct {
	Goal     Goal          `json:"goal"`
	Part     int           `json:"part"`            // from 1
	Parts    int           `json:"parts"`           // 1 when the goal is whole
	Files    []string      `json:"files,omitempty"` // test files in order; none means all the goal has
	Estimate time.Duration `json:"estimate"`        // wall time without boot and build, as it usually is
	P90      time.Duration `json:"p90,omitempty"`   // the same at the 90th percentile
	Build    time.Duration `json:"build,omitempty"` // before the first file
	CPUShare float64       `json:"cpu_share,omitempty"`
	Serial   bool          `json:"serial,omitempty"` // it waits until no other lane works, and no other begins meanwhile
}

// String returns "tv-ngx_lua", or "tv-ngx_lua[2/5]" for a slice.
func (p Piece) String() string {
	if p.Parts <= 1 {
		return p.Goal.String()
	}
	return fmt.Sprintf("%s[%d/%d]", p.Goal, p.Part, p.Parts)
}

// Bucket is the pieces one machine takes, in order: a lane that is free takes
// the next.
type Bucket struct {
	Pieces   []Piece       `json:"pieces"`
	Lanes    int           `json:"lanes,omitempty"` // pieces at once; 0 is 1
	Estimate time.Duration `json:"estimate"`        // boot, builds and pieces, as they usually take
	P90      time.Duration `json:"p90,omitempty"`   // the same at the 90th percentile: what is held against the limit
}

// Options are the flags of a request that change how its goals run, not which.
type Options struct {
	Arch         string `json:"arch"`                   // "linux x86_64"
	Nginx        string `json:"nginx,omitempty"`        // -v: nginx core
	CCOpt        string `json:"cc_opt,omitempty"`       // -o: nginx_cc_opt
	InstanceType string `json:"instance,omitempty"`     // -i
	Revision     string `json:"revision,omitempty"`     // -b: catalog revision
	Force        bool   `json:"force,omitempty"`        // -f: clean rebuild
	RestyCore    bool   `json:"resty_core,omitempty"`   // -c
	NoSystemTap  bool   `json:"no_systemtap,omitempty"` // -S
}

// Plan is the answer to one request: its buckets and what they rest on.
type Plan struct {
	Options  Options       `json:"options"`
	Limit    time.Duration `json:"limit"` // -t; no bucket is longer unless a single piece is
	Buckets  []Bucket      `json:"buckets"`
	Warnings []string      `json:"warnings,omitempty"` // sentences for a person, such as a guessed duration
	Lower    int           `json:"lower"`              // no plan of this request has fewer machines
	Optimal  bool          `json:"optimal"`            // as few machines as possible, proven
	EndLower time.Duration `json:"end_lower"`          // with as many machines, no plan ends earlier
	Boot     time.Duration `json:"boot,omitempty"`     // of each machine
	Builds   int           `json:"builds,omitempty"`   // builds of all machines together
	Whole    time.Duration `json:"whole,omitempty"`    // machine time of whole goals, one at a time on a machine: what the old tool paid for
	Basis    string        `json:"basis,omitempty"`    // a sentence: what the estimates rest on
	Price    Price         `json:"price"`              // of a machine
}

// Price is what a machine costs, in dollars per hour.
type Price struct {
	Type     string  `json:"type,omitempty"` // instance type
	OnDemand float64 `json:"on_demand,omitempty"`
	Spot     float64 `json:"spot,omitempty"`
	Date     string  `json:"date,omitempty"`   // of the prices, YYYY-MM-DD
	Source   string  `json:"source,omitempty"` // who says so, in a few words; "" is the catalog
}

// End returns how long the plan takes, its longest bucket.
func (p Plan) End() time.Duration {
	var end time.Duration
	for _, b := range p.Buckets {
		end = max(end, b.P90)
	}
	return end
}

// Machine returns the machine time of all buckets together: what is paid for.
func (p Plan) Machine() time.Duration {
	var sum time.Duration
	for _, b := range p.Buckets {
		sum += b.Estimate
	}
	return sum
}

// Pieces returns every piece of the plan in bucket order.
func (p Plan) Pieces() []Piece {
	var all []Piece
	for _, b := range p.Buckets {
		all = append(all, b.Pieces...)
	}
	return all
}
