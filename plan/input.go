package plan

import (
	"errors"
	"fmt"
	"time"
)

// Input is everything Pack needs to know; it looks nowhere else.
type Input struct {
	Options  Options
	Limit    time.Duration // whole minutes
	Work     []Work        // in the request's order; each goal once
	Split    string        // "auto" or "never"
	Lanes    int           // pieces at once on a machine; 0: as many as serve the objective
	Cores    int           // of a machine; 0 is 2
	Boot     time.Duration // of each machine, preparation included
	Price    Price
	Basis    string      // a sentence: what the estimates rest on
	Warnings []string    // about the estimates; they become the plan's
	Nodes    int         // of the exact search; 0 is a default that takes well under two seconds
	Stop     func() bool // a backstop against a slow machine: true ends the search early, and the plan says so
}

// Work is one goal and what it takes.
type Work struct {
	Goal     Goal
	Build    time.Duration // once on each machine that takes a part of the goal
	CPUShare float64       // CPU seconds per second while it runs; 0 counts as 1
	Files    []File        // at least one
}

// File is one test file, the smallest thing that is planned, and what is known
// of its duration. A goal whose files are unknown has a single one without a
// path: it cannot be cut.
type File struct {
	Path     string
	Median   time.Duration // of history: the weighted mean, the newest runs most
	P90      time.Duration // not below Median
	CPUShare float64       // CPU seconds per second as measured; 0 when never measured
	Runs     int           // behind the estimate; 0 is no history
	Newest   time.Time     // of those runs
	Failed   bool          // only failed runs are known; their durations are used
	Serial   bool          // nothing else may run on the machine meanwhile
}

// Bounds of an input; nothing real comes near.
const (
	maxLimit    = 24 * time.Hour
	maxDuration = 24 * time.Hour * 30
	maxGoals    = 20_000
	maxFiles    = 1_000_000
)

func (in Input) validate() error {
	switch {
	case in.Limit < time.Minute || in.Limit > maxLimit || in.Limit%time.Minute != 0:
		return badValue("-t", fmt.Sprint(in.Limit.Minutes()), "give whole minutes from 1 to 1440, such as -t 60")
	case in.Split != "auto" && in.Split != "never":
		return badValue("--split", in.Split, "write --split auto or --split never")
	case in.Lanes < 0 || in.Lanes > 64 || in.Cores < 0:
		return badValue("--lanes", fmt.Sprint(in.Lanes), "write --lanes auto or a number from 1 to 64")
	case in.Boot < 0 || in.Boot >= in.Limit:
		return &UsageError{Word: "-t " + fmt.Sprint(in.Limit.Minutes()), What: fmt.Sprintf("is no longer than a machine takes to boot, %s", in.Boot), Do: fmt.Sprintf("give at least -t %d", ceilMinutes(in.Boot)+1)}
	case len(in.Work) > maxGoals:
		return &UsageError{What: fmt.Sprintf("%d goals are too many to plan", len(in.Work)), Do: fmt.Sprintf("name at most %d", maxGoals)}
	}
	return in.validateWork()
}

func (in Input) validateWork() error {
	seen := make(map[Goal]bool, len(in.Work))
	files := 0
	for _, w := range in.Work {
		if seen[w.Goal] || len(w.Files) == 0 {
			return fmt.Errorf("plan %s: a goal stands once and has files", w.Goal)
		}
		seen[w.Goal] = true
		files += len(w.Files)
		if w.Build < 0 || w.Build > maxDuration || !(w.CPUShare >= 0 && w.CPUShare <= 64) {
			return fmt.Errorf("plan %s: build of %s at CPU share %v is not possible", w.Goal, w.Build, w.CPUShare)
		}
		for _, f := range w.Files {
			if f.Median < 0 || f.P90 < f.Median || f.P90 > maxDuration {
				return fmt.Errorf("plan %s: %s takes %s, at the 90th percentile %s: not possible", w.Goal, f.Path, f.Median, f.P90)
			}
		}
	}
	if files > maxFiles {
		return errors.New("plan: more than a million test files")
	}
	return nil
}

// ceilMinutes is how durations are shown: a started minute counts.
func ceilMinutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }
