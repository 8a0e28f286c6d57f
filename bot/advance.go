package bot

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/report"
)

// MaxAttempts bounds how often a piece is tried when something other than its
// tests goes wrong, and how many instances a bucket may lose.
const MaxAttempts = 3

// Occurrence is something that happened to a run. Exactly one field group is
// meant, as its kind says.
type Occurrence struct {
	Kind     Kind
	Piece    string // of PieceAssigned, PieceComplete, PieceTrouble
	Attempt  int    // of the piece (another one than the current changes nothing), or of InstanceLost's instance
	Instance string // of PieceAssigned, as is Lane
	Lane     int
	Bucket   int      // of InstanceLost and PieceAssigned: the instance's
	Dispatch Dispatch // of DispatchIntended (without its id) and DispatchSent (nonce and id)
	Files    []string // of PieceTrouble: what is left to run; none means all of the piece's
	Nonce    string   // of PieceTrouble: a fresh one for the next attempt
	Goals    []string // of CancelAsked: those that end; none means all
	Stage    int      // of StageOpened and StageHeld: the one that is or would be next
	Why      string   // of PieceTrouble, InstanceLost, StageHeld: one sentence; of CancelAsked: who
}

// Kind says what happened.
type Kind int

// The kinds of occurrences.
const (
	DispatchIntended Kind = iota + 1 // pieces are about to be dispatched
	DispatchSent                     // a workflow run exists for a dispatch
	PieceAssigned                    // a piece goes to an instance
	PieceComplete                    // a piece reported its end
	PieceTrouble                     // a piece's attempt ended without an end, by no fault of its tests
	PieceRefused                     // GitHub will not run the piece, and a repeat would not help
	InstanceLost                     // a bucket's instance went before its pieces were done
	CancelAsked                      // a person cancelled the run, or goals of it
	StageOpened                      // the stage before was good
	StageHeld                        // the stage before was not
	DeadlinePassed
	Reported // everything final was shown, and no instance is left
)

// apply does what an occurrence means.
func (r *Run) apply(o Occurrence, now time.Time) bool {
	if r.State == Closed {
		return false
	}
	changed := false
	switch o.Kind {
	case DispatchIntended:
		changed = r.intend(o.Dispatch)
	case DispatchSent:
		changed = r.sent(o.Dispatch)
	case PieceAssigned:
		changed = r.assign(o, now)
	case PieceComplete:
		changed = r.complete(o)
	case PieceTrouble:
		changed = r.trouble(o)
	case PieceRefused:
		if p := r.current(o); p != nil {
			p.State, p.Reason, changed = Finished, o.Why, true
		}
	case InstanceLost:
		changed = r.lose(o)
	case CancelAsked:
		changed = r.cancel(o)
	case StageOpened:
		changed = r.open(o.Stage)
	case StageHeld:
		changed = r.hold(o.Stage, o.Why)
	case DeadlinePassed:
		changed = r.stop("the run's deadline passed", nil)
	case Reported:
		if changed = r.State == Ended; changed {
			r.State = Closed
		}
	}
	for i := range r.Pieces {
		if p := &r.Pieces[i]; p.State == Finished && p.FinishedAt.IsZero() {
			p.FinishedAt = now
		}
	}
	if (r.State == Accepted || r.State == Running) && r.done() {
		r.State, r.EndedAt, changed = Ended, now, true
	}
	return changed
}

// Piece returns the piece of an id, or nil.
func (r *Run) Piece(id string) *Piece {
	for i := range r.Pieces {
		if r.Pieces[i].ID == id {
			return &r.Pieces[i]
		}
	}
	return nil
}

func (r *Run) done() bool {
	return !slices.ContainsFunc(r.Pieces, func(p Piece) bool { return p.State != Finished })
}

// current returns the unfinished piece that an occurrence is about, or nil when it comes too late.
func (r *Run) current(o Occurrence) *Piece {
	p := r.Piece(o.Piece)
	if p == nil || p.State == Finished || p.Attempt != o.Attempt {
		return nil
	}
	return p
}

func (r *Run) intend(d Dispatch) bool {
	for i, id := range d.Pieces {
		p := r.Piece(id)
		if p == nil || p.State != Waiting || p.Attempt != d.Attempts[i] || r.intended(*p) {
			return false
		}
	}
	if len(d.Pieces) == 0 {
		return false
	}
	r.Dispatch = append(r.Dispatch, d)
	return true
}

// intended reports whether a dispatch of the piece's current attempt is written down.
func (r *Run) intended(p Piece) bool {
	for _, d := range r.Dispatch {
		if i := slices.Index(d.Pieces, p.ID); i >= 0 && d.Attempts[i] == p.Attempt {
			return true
		}
	}
	return false
}

func (r *Run) sent(d Dispatch) bool {
	for i := range r.Dispatch {
		known := &r.Dispatch[i]
		if known.Nonce != d.Nonce || known.WorkflowRun != 0 {
			continue
		}
		known.WorkflowRun = d.WorkflowRun
		for j, id := range known.Pieces {
			if p := r.Piece(id); p.State == Waiting && p.Attempt == known.Attempts[j] {
				p.State = Dispatched
			}
		}
		if r.State == Accepted {
			r.State = Running
		}
		return true
	}
	return false
}

// assign gives a piece to a lane of an instance, and to the bucket that the
// instance is of: if that is another one, its machine helps, and the piece is its own
// from then on.
func (r *Run) assign(o Occurrence, now time.Time) bool {
	p := r.current(o)
	if p == nil || p.State != Dispatched {
		return false
	}
	p.State, p.Instance, p.Lane, p.Since, p.Bucket = Assigned, o.Instance, o.Lane, now, o.Bucket
	return true
}

func (r *Run) complete(o Occurrence) bool {
	p := r.current(o)
	if p == nil {
		return false
	}
	p.State = Finished
	return true
}

func (r *Run) trouble(o Occurrence) bool {
	p := r.current(o)
	if p == nil {
		return false
	}
	r.again(p, o.Why, o.Files, o.Nonce)
	return true
}

// again starts a piece's next attempt, or ends the piece when its attempts are used up.
func (r *Run) again(p *Piece, why string, files []string, nonce string) {
	p.Trouble = append(p.Trouble, fmt.Sprintf("attempt %d: %s", p.Attempt, why))
	p.Instance, p.Lane, p.Since, p.Runner = "", 0, time.Time{}, 0
	if p.Attempt >= MaxAttempts {
		p.State, p.Reason = Finished, fmt.Sprintf("given up after %d attempts", p.Attempt)
		return
	}
	if len(files) > 0 {
		p.Files = files
	}
	p.Attempt++
	p.Nonce, p.State = nonce, Waiting
}

// lose counts an instance that went. The pieces of its bucket need no new
// attempt for that alone: the one it was running is reported as PieceTrouble.
func (r *Run) lose(o Occurrence) bool {
	if r.State == Ended || r.Lost[o.Bucket] >= o.Attempt {
		return false
	}
	r.Lost[o.Bucket] = o.Attempt
	if r.Lost[o.Bucket] >= MaxAttempts {
		for i := range r.Pieces {
			if p := &r.Pieces[i]; p.Bucket == o.Bucket && p.State != Finished {
				p.Trouble = append(p.Trouble, o.Why)
				p.State, p.Reason = Finished, fmt.Sprintf("%d instances were lost", MaxAttempts)
			}
		}
	}
	return true
}

// cancel ends the run, or goals of it. When those were the last, it is the run.
func (r *Run) cancel(o Occurrence) bool {
	if r.Cancelled != "" || r.State == Ended {
		return false
	}
	changed := r.stop("cancelled by "+o.Why, o.Goals)
	if len(o.Goals) == 0 || changed && !slices.ContainsFunc(r.Pieces, func(p Piece) bool { return p.State != Finished || p.Reason == "" }) {
		r.Cancelled, changed = o.Why, true
	}
	if changed {
		what := "the run"
		if len(o.Goals) > 0 {
			what = strings.Join(o.Goals, " ")
		}
		r.Trail = append(r.Trail, what+" was cancelled by "+o.Why)
	}
	return changed
}

// stop ends every unfinished piece, or those of goals.
func (r *Run) stop(why string, goals []string) bool {
	changed := false
	for i := range r.Pieces {
		p := &r.Pieces[i]
		if p.State != Finished && (len(goals) == 0 || slices.Contains(goals, p.Goal.String())) {
			p.State, p.Reason, changed = Finished, why, true
		}
	}
	return changed
}

// retryable reports whether a piece that ended so deserves another attempt:
// only what stopped it before its own code was built does.
func retryable(e report.End) bool {
	return e.Reason != "" && (e.Phase == "prepare" || e.Phase == "checkout")
}
