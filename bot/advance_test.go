package bot

import (
	"slices"
	"testing"
	"time"

	"github.com/ortest/ortest/plan"
)

// aRun is a run of two goals in two buckets, nothing dispatched yet.
func aRun() Run {
	r := Run{ID: "1", State: Accepted, Lost: make([]int, 2)}
	for i, goal := range []plan.Goal{{Mode: "t", Project: "a"}, {Mode: "tv", Project: "a"}} {
		r.Pieces = append(r.Pieces, Piece{
			Piece: plan.Piece{Goal: goal, Part: 1, Parts: 1},
			ID:    []string{"p1", "p2"}[i], Bucket: i, State: Waiting, Attempt: 1, Nonce: "n1",
		})
	}
	r.Plan.Buckets = []plan.Bucket{{Pieces: []plan.Piece{r.Pieces[0].Piece}}, {Pieces: []plan.Piece{r.Pieces[1].Piece}}}
	return r
}

var both = Dispatch{Nonce: "d1", Pieces: []string{"p1", "p2"}, Attempts: []int{1, 1}}

// steps that bring aRun to the point where p1 runs on i1.
var started = []Occurrence{
	{Kind: DispatchIntended, Dispatch: both},
	{Kind: DispatchSent, Dispatch: Dispatch{Nonce: "d1", WorkflowRun: 7}},
	{Kind: PieceAssigned, Piece: "p1", Attempt: 1, Instance: "i1"},
}

func TestAdvance(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	trouble := func(attempt int) Occurrence {
		return Occurrence{Kind: PieceTrouble, Piece: "p1", Attempt: attempt, Why: "lost", Files: []string{"t/b.t"}, Nonce: "n2"}
	}
	for _, tt := range []struct {
		name    string
		before  []Occurrence
		then    Occurrence
		changed bool
		run     RunState
		p1, p2  PieceState
		attempt int // of p1
	}{
		{name: "an intended dispatch moves nothing yet", then: started[0], changed: true, run: Accepted, p1: Waiting, p2: Waiting, attempt: 1},
		{name: "a piece is never in two dispatches of one attempt", before: started[:1],
			then: Occurrence{Kind: DispatchIntended, Dispatch: Dispatch{Nonce: "d2", Pieces: []string{"p1"}, Attempts: []int{1}}}, run: Accepted, p1: Waiting, p2: Waiting, attempt: 1},
		{name: "a sent dispatch starts the run", before: started[:1], then: started[1], changed: true, run: Running, p1: Dispatched, p2: Dispatched, attempt: 1},
		{name: "a dispatch is sent once", before: started[:2], then: Occurrence{Kind: DispatchSent, Dispatch: Dispatch{Nonce: "d1", WorkflowRun: 8}},
			run: Running, p1: Dispatched, p2: Dispatched, attempt: 1},
		{name: "a piece goes to one instance", before: started, then: Occurrence{Kind: PieceAssigned, Piece: "p1", Attempt: 1, Instance: "i2"},
			run: Running, p1: Assigned, p2: Dispatched, attempt: 1},
		{name: "an end finishes a piece", before: started, then: Occurrence{Kind: PieceComplete, Piece: "p1", Attempt: 1}, changed: true, run: Running, p1: Finished, p2: Dispatched, attempt: 1},
		{name: "an end of an old attempt is ignored", before: append(slices.Clone(started), trouble(1)), then: Occurrence{Kind: PieceComplete, Piece: "p1", Attempt: 1},
			run: Running, p1: Waiting, p2: Dispatched, attempt: 2},
		{name: "trouble starts the next attempt", before: started, then: trouble(1), changed: true, run: Running, p1: Waiting, p2: Dispatched, attempt: 2},
		{name: "trouble told twice counts once", before: append(slices.Clone(started), trouble(1)), then: trouble(1), run: Running, p1: Waiting, p2: Dispatched, attempt: 2},
		{name: "trouble in the last attempt ends the piece", before: append(slices.Clone(started), trouble(1), trouble(2)), then: trouble(3), changed: true,
			run: Running, p1: Finished, p2: Dispatched, attempt: 3},
		{name: "trouble after the end is ignored", before: append(slices.Clone(started), Occurrence{Kind: PieceComplete, Piece: "p1", Attempt: 1}), then: trouble(1),
			run: Running, p1: Finished, p2: Dispatched, attempt: 1},
		{name: "a refused piece is not tried again", before: started[:1], then: Occurrence{Kind: PieceRefused, Piece: "p1", Attempt: 1, Why: "no workflow"}, changed: true,
			run: Accepted, p1: Finished, p2: Waiting, attempt: 1},
		{name: "a cancelled run has ended", before: started, then: Occurrence{Kind: CancelAsked, Why: "ann"}, changed: true, run: Ended, p1: Finished, p2: Finished, attempt: 1},
		{name: "a cancelled goal leaves the others", before: started, then: Occurrence{Kind: CancelAsked, Why: "ann", Goals: []string{"t-a"}}, changed: true,
			run: Running, p1: Finished, p2: Dispatched, attempt: 1},
		{name: "a goal that is over is not cancelled", before: append(slices.Clone(started), Occurrence{Kind: PieceComplete, Piece: "p1", Attempt: 1}),
			then: Occurrence{Kind: CancelAsked, Why: "ann", Goals: []string{"t-a"}}, run: Running, p1: Finished, p2: Dispatched, attempt: 1},
		{name: "the last goals that are cancelled end the run", before: append(slices.Clone(started), Occurrence{Kind: CancelAsked, Why: "ann", Goals: []string{"t-a"}}),
			then: Occurrence{Kind: CancelAsked, Why: "ann", Goals: []string{"tv-a"}}, changed: true, run: Ended, p1: Finished, p2: Finished, attempt: 1},
		{name: "a stage opens after the one before, not two after", before: started, then: Occurrence{Kind: StageOpened, Stage: 2}, run: Running, p1: Assigned, p2: Dispatched, attempt: 1},
		{name: "a stage opens once", before: append(slices.Clone(started), Occurrence{Kind: StageOpened, Stage: 1}), then: Occurrence{Kind: StageOpened, Stage: 1},
			run: Running, p1: Assigned, p2: Dispatched, attempt: 1},
		{name: "no stage is held that has begun", before: started, then: Occurrence{Kind: StageHeld, Stage: 1, Why: "not good"}, run: Running, p1: Assigned, p2: Dispatched, attempt: 1},
		{name: "the deadline ends a run", before: started, then: Occurrence{Kind: DeadlinePassed}, changed: true, run: Ended, p1: Finished, p2: Finished, attempt: 1},
		{name: "a lost instance alone moves no piece", before: started, then: Occurrence{Kind: InstanceLost, Bucket: 0, Attempt: 1}, changed: true,
			run: Running, p1: Assigned, p2: Dispatched, attempt: 1},
		{name: "the same instance is lost once", before: append(slices.Clone(started), Occurrence{Kind: InstanceLost, Bucket: 0, Attempt: 1}),
			then: Occurrence{Kind: InstanceLost, Bucket: 0, Attempt: 1}, run: Running, p1: Assigned, p2: Dispatched, attempt: 1},
		{name: "the third lost instance ends its bucket's pieces", before: append(slices.Clone(started), Occurrence{Kind: InstanceLost, Bucket: 0, Attempt: 2}),
			then: Occurrence{Kind: InstanceLost, Bucket: 0, Attempt: 3}, changed: true, run: Running, p1: Finished, p2: Dispatched, attempt: 1},
		{name: "a run that has not ended is not reported", before: started, then: Occurrence{Kind: Reported}, run: Running, p1: Assigned, p2: Dispatched, attempt: 1},
		{name: "an ended run closes when it is reported", before: append(slices.Clone(started), Occurrence{Kind: DeadlinePassed}), then: Occurrence{Kind: Reported}, changed: true,
			run: Closed, p1: Finished, p2: Finished, attempt: 1},
		{name: "nothing moves a closed run", before: append(slices.Clone(started), Occurrence{Kind: DeadlinePassed}, Occurrence{Kind: Reported}),
			then: Occurrence{Kind: CancelAsked, Why: "ann"}, run: Closed, p1: Finished, p2: Finished, attempt: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := aRun()
			for _, o := range tt.before {
				if !r.Advance(o, now) {
					t.Fatalf("%+v changed nothing on the way", o)
				}
			}
			if changed := r.Advance(tt.then, now); changed != tt.changed {
				t.Errorf("changed = %v, want %v", changed, tt.changed)
			}
			if r.State != tt.run || r.Pieces[0].State != tt.p1 || r.Pieces[1].State != tt.p2 || r.Pieces[0].Attempt != tt.attempt {
				t.Errorf("got run %s, p1 %s attempt %d, p2 %s; want %s, %s %d, %s", r.State, r.Pieces[0].State, r.Pieces[0].Attempt, r.Pieces[1].State,
					tt.run, tt.p1, tt.attempt, tt.p2)
			}
		})
	}
}

func TestAdvanceKeepsWhatTheNextAttemptNeeds(t *testing.T) {
	r := aRun()
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	for _, o := range started {
		r.Advance(o, now)
	}
	r.Advance(Occurrence{Kind: PieceTrouble, Piece: "p1", Attempt: 1, Why: "instance lost", Files: []string{"t/b.t"}, Nonce: "fresh"}, now)
	p := r.Pieces[0]
	if p.Nonce != "fresh" || p.Instance != "" || !slices.Equal(p.Files, []string{"t/b.t"}) || !slices.Equal(p.Trouble, []string{"attempt 1: instance lost"}) {
		t.Errorf("next attempt is %+v", p)
	}
	d := Dispatch{Nonce: "d2", Pieces: []string{"p1"}, Attempts: []int{2}}
	if !r.Advance(Occurrence{Kind: DispatchIntended, Dispatch: d}, now) {
		t.Error("the next attempt cannot be dispatched")
	}
}

func TestStagesOfARun(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	r := aRun()
	r.Pieces[1].Stage = 1
	first := Dispatch{Nonce: "d1", Pieces: []string{"p1"}, Attempts: []int{1}}
	for _, o := range []Occurrence{
		{Kind: DispatchIntended, Dispatch: first}, {Kind: DispatchSent, Dispatch: Dispatch{Nonce: "d1", WorkflowRun: 7}},
	} {
		r.Advance(o, now)
	}
	if r.staged() || r.unfinished(1) {
		t.Error("the second stage is next although the first goes on")
	}
	r.Advance(Occurrence{Kind: PieceComplete, Piece: "p1", Attempt: 1}, now)
	if !r.staged() || r.State != Running {
		t.Fatal("the second stage is not next")
	}
	held := r
	held.Pieces = slices.Clone(r.Pieces)
	held.Advance(Occurrence{Kind: StageHeld, Stage: 1, Why: "not good"}, now)
	if held.State != Ended || !held.Pieces[1].Held || !slices.Equal(held.held(), []string{"tv-a"}) {
		t.Errorf("held: %s, %+v", held.State, held.Pieces[1])
	}
	r.Advance(Occurrence{Kind: StageOpened, Stage: 1}, now)
	if r.staged() || !r.unfinished(1) || r.State != Running {
		t.Error("the second stage does not run")
	}
}
