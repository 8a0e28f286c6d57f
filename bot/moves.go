package bot

import (
	"fmt"
	"slices"
	"time"
)

// runMoves and pieceMoves are all moves that there are, by where they begin. A state
// that leads nowhere is final. docs/architecture.md draws them.
var (
	runMoves = map[RunState][]RunState{
		Accepted: {Running, Ended},
		Running:  {Ended},
		Ended:    {Closed},
	}
	pieceMoves = map[PieceState][]PieceState{
		Waiting:    {Dispatched, Finished},
		Dispatched: {Assigned, Waiting, Finished},
		Assigned:   {Waiting, Finished},
	}
)

// Advance applies an occurrence to a run at a time and reports whether it
// changed anything. It is the only function that changes the state of a run
// or a piece; what comes late or twice changes nothing.
func (r *Run) Advance(o Occurrence, now time.Time) bool {
	changed, err := r.move(o, now)
	return changed && err == nil
}

// move applies an occurrence. One that would make a move which is not in the tables
// is refused as a whole, with an error: the run stays as it was.
func (r *Run) move(o Occurrence, now time.Time) (changed bool, err error) {
	was := *r
	was.Pieces, was.Dispatch, was.Lost = slices.Clone(r.Pieces), slices.Clone(r.Dispatch), slices.Clone(r.Lost)
	changed = r.apply(o, now)
	if r.State != was.State && !slices.Contains(runMoves[was.State], r.State) {
		err = fmt.Errorf("run %s cannot go from %s to %s", r.ID, was.State, r.State)
	}
	for i, p := range r.Pieces {
		if from := was.Pieces[i].State; p.State != from && !slices.Contains(pieceMoves[from], p.State) {
			err = fmt.Errorf("piece %s of run %s cannot go from %s to %s", p.ID, r.ID, from, p.State)
		}
	}
	if err != nil {
		*r = was
		return false, err
	}
	return changed, nil
}
