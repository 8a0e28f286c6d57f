package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/queue"
)

var _ runnerfleet.Work = (*Bot)(nil)

// Buckets returns the buckets of live runs that have unfinished pieces, and as
// spare those whose instance could help another.
func (b *Bot) Buckets(ctx context.Context) ([]runnerfleet.Bucket, error) {
	runs, err := b.Store.LiveRuns(ctx)
	if err != nil {
		return nil, err
	}
	var want []runnerfleet.Bucket
	for _, r := range runs {
		if r.State != Running {
			continue
		}
		last := longest(r.Plan)
		for i := range r.Plan.Buckets {
			spare := !r.unfinished(i)
			if spare {
				if _, can := r.next(i, queue.Seat{}, b.Now()); can != queue.Take {
					continue
				}
			}
			want = append(want, runnerfleet.Bucket{
				ID:       bucketID(r.ID, i),
				Attempt:  r.Lost[i] + 1,
				Arch:     r.Plan.Options.Arch,
				Type:     r.Plan.Options.InstanceType,
				Deadline: r.Deadline,
				OnDemand: i == last || r.Lost[i] > 0,
				Lanes:    r.lanes(i),
				Spare:    spare,
			})
		}
	}
	return want, nil
}

// longest is the bucket that the run's end waits for: to lose its machine would cost
// the most.
func longest(p plan.Plan) int {
	last := 0
	for i, b := range p.Buckets {
		if b.P90 > p.Buckets[last].P90 {
			last = i
		}
	}
	return last
}

func (r *Run) unfinished(bucket int) bool {
	for _, p := range r.Pieces {
		if p.Bucket == bucket && p.State != Finished && p.Stage <= r.Stage {
			return true
		}
	}
	return false
}

// Next hands a lane of an instance its next piece and mints the runner for it. A
// lane that did not see the answer asks again and gets the same
// piece with a new runner; the old one is removed by its name.
func (b *Bot) Next(ctx context.Context, in runnerfleet.Instance) (runnerfleet.Assignment, error) {
	run, bucket, err := parseBucketID(in.Bucket)
	if err != nil {
		return runnerfleet.Assignment{}, err
	}
	var got string
	var answer queue.Answer
	r, err := b.Store.UpdateRun(ctx, run, func(r *Run) bool {
		var p *Piece
		if p, answer = r.next(bucket, queue.Seat{Instance: in.ID, Lane: in.Asking}, b.Now()); p == nil {
			return false
		}
		got = p.ID
		return r.Advance(Occurrence{
			Kind: PieceAssigned, Piece: p.ID, Attempt: p.Attempt, Instance: in.ID, Lane: in.Asking, Bucket: bucket,
		}, b.Now())
	})
	switch {
	case err != nil:
		return runnerfleet.Assignment{}, err
	case answer == queue.Wait:
		return runnerfleet.Assignment{}, runnerfleet.ErrWait
	case answer != queue.Take:
		return runnerfleet.Assignment{}, runnerfleet.ErrNoMore
	}
	p := *r.Piece(got)
	name := r.runnerName(p)
	id, jit, err := b.Forge.MintRunner(ctx, r.Repo, name, label(p))
	if final(err) { // the instance would ask until its deadline
		if err := b.again(ctx, r.ID, p.ID, p.Attempt, "GitHub gave it no runner: "+err.Error()); err != nil {
			return runnerfleet.Assignment{}, err
		}
		return runnerfleet.Assignment{}, runnerfleet.ErrWait
	}
	if err != nil {
		return runnerfleet.Assignment{}, fmt.Errorf("mint runner %s: %w", name, err)
	}
	packed, err := b.packed(ctx, r)
	if err != nil {
		return runnerfleet.Assignment{}, err
	}
	_, err = b.Store.UpdateRun(ctx, r.ID, func(r *Run) bool {
		p := r.Piece(p.ID)
		if p.Instance != in.ID || p.Runner == id {
			return false
		}
		p.Runner = id
		return true
	})
	return runnerfleet.Assignment{
		Piece:      wireID(r.ID, p),
		Goal:       p.Goal.String(),
		JIT:        jit,
		Repository: r.Repo.String(),
		RunID:      r.workflowRun(p),
		Deadline:   earlier(b.Now().Add(p.timeout()), r.Deadline),
		Catalog:    packed,
	}, err
}

// lanes is how many pieces an instance of the bucket runs at once; 0 is 1.
func (r *Run) lanes(bucket int) int {
	if bucket >= len(r.Plan.Buckets) {
		return 0
	}
	return r.Plan.Buckets[bucket].Lanes
}

// runnerName names the runner of a piece's attempt: no other attempt of any run has
// one of that name.
func (r *Run) runnerName(p Piece) string {
	return fmt.Sprintf("%s%s-%d-%s", r.runners(), p.ID, p.Attempt, p.Nonce[:8])
}

// runners is what the names of all its runners begin with.
func (r *Run) runners() string { return "ortest-" + r.ID + "-" }

// runOfRunner returns the run that a runner of that name would be of; "" when it is none of ours.
func runOfRunner(name string) string {
	rest, ours := strings.CutPrefix(name, "ortest-")
	run, _, more := strings.Cut(rest, "-")
	if !ours || !more {
		return ""
	}
	return run
}

// next returns the piece that a lane of a bucket's instance takes.
func (r *Run) next(bucket int, at queue.Seat, now time.Time) (*Piece, queue.Answer) {
	if r.State != Running {
		return nil, queue.NoMore
	}
	all := make([]queue.Piece, len(r.Pieces))
	for i, p := range r.Pieces {
		all[i] = queue.Piece{
			Bucket: p.Bucket, State: queue.Over, Seat: queue.Seat{Instance: p.Instance, Lane: p.Lane}, Since: p.Since,
			Goal: p.Goal.String(), Build: p.Build, Takes: p.Estimate, Serial: p.Serial,
		}
		if p.Stage <= r.Stage {
			all[i].State = map[PieceState]queue.State{
				Waiting: queue.Waiting, Dispatched: queue.Ready, Assigned: queue.Held, Finished: queue.Over,
			}[p.State]
		}
	}
	i, answer := queue.Next(all, at, queue.Bucket{Number: bucket, Lanes: r.lanes(bucket)}, now)
	if answer != queue.Take {
		return nil, answer
	}
	return &r.Pieces[i], answer
}

// Entry stores what a piece reports. An end completes the piece, unless it
// says that the tests were never reached for a reason outside them.
func (b *Bot) Entry(ctx context.Context, in runnerfleet.Instance, piece string, meta json.RawMessage, log []byte) error {
	e, err := report.DecodeEntry(meta)
	if err != nil {
		return fmt.Errorf("entry of piece %s: %w: %w", piece, runnerfleet.ErrInvalid, err)
	}
	run, id, attempt, err := b.owned(ctx, in, piece)
	if errors.Is(err, errComplete) {
		return nil // the answer to its end was lost, and the agent says it again
	}
	if err != nil {
		return err
	}
	err = b.Store.AddEntry(ctx, run, StoredEntry{Piece: id, Attempt: attempt, Seq: e.Seq, Meta: meta, Log: log})
	if err != nil {
		return err
	}
	switch {
	case e.End == nil:
		return nil
	case retryable(*e.End):
		return b.again(ctx, run, id, attempt, e.End.Phase+": "+e.End.Reason)
	}
	return b.advance(ctx, run, Occurrence{Kind: PieceComplete, Piece: id, Attempt: attempt})
}

// Finished hears that a piece's runner ended. After the piece's end this is
// nothing new; without one the attempt has failed.
func (b *Bot) Finished(ctx context.Context, in runnerfleet.Instance, piece string, exit int, reason string) error {
	run, id, attempt, err := b.owned(ctx, in, piece)
	if errors.Is(err, errComplete) {
		return nil
	}
	if errors.Is(err, runnerfleet.ErrStale) {
		return errors.Join(err, b.leavePiece(ctx, in, piece))
	}
	if err != nil {
		return err
	}
	why := fmt.Sprintf("the runner ended with code %d before the piece was complete", exit)
	if reason != "" {
		why += ": " + reason
	}
	return b.again(ctx, run, id, attempt, why)
}

// Holds says whether a piece is still the instance's: what was cancelled is not,
// and what is complete is until its runner has ended.
func (b *Bot) Holds(ctx context.Context, in runnerfleet.Instance, piece string) error {
	_, _, _, err := b.owned(ctx, in, piece)
	if errors.Is(err, errComplete) {
		return nil
	}
	return err
}

// leavePiece notes that an instance is rid of a piece that was cancelled.
func (b *Bot) leavePiece(ctx context.Context, in runnerfleet.Instance, piece string) error {
	run, id, attempt, err := parseWireID(piece)
	if err != nil {
		return nil // no piece of ours
	}
	err = b.leave(ctx, run, func(p Piece) bool { return p.ID == id && p.Attempt == attempt && p.Instance == in.ID })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Lost hears that an instance is gone for good: what it was running is tried
// again on another one.
func (b *Bot) Lost(ctx context.Context, in runnerfleet.Instance) error {
	run, bucket, err := parseBucketID(in.Bucket)
	if err != nil {
		return err
	}
	r, err := b.Store.Run(ctx, run)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	why := fmt.Sprintf("instance %s was lost", in.ID)
	if in.Reason != "" {
		why += ": " + in.Reason
	}
	for _, p := range r.Pieces {
		if p.Instance == in.ID && p.State == Assigned {
			if err := b.again(ctx, run, p.ID, p.Attempt, why); err != nil {
				return err
			}
		}
	}
	if err := b.leave(ctx, run, func(p Piece) bool { return p.Instance == in.ID }); err != nil {
		return err
	}
	return b.advance(ctx, run, Occurrence{Kind: InstanceLost, Bucket: bucket, Attempt: in.Attempt, Why: why})
}

// removeRunner takes the runner of an attempt that is over off GitHub's list. One
// that GitHub thinks is busy goes by itself once its job is given up.
func (b *Bot) removeRunner(ctx context.Context, repo Repo, id int64) error {
	if id == 0 {
		return nil
	}
	if err := b.Forge.RemoveRunner(ctx, repo, id); err != nil && !errors.Is(err, ErrRefused) && !errors.Is(err, ErrGone) {
		return fmt.Errorf("remove runner %d: %w", id, err)
	}
	return nil
}

// errComplete says that a piece has reported all it had.
var errComplete = errors.New("piece is complete")

// owned checks that a piece's attempt is the instance's to report.
func (b *Bot) owned(ctx context.Context, in runnerfleet.Instance, piece string) (run, id string, attempt int, err error) {
	stale := fmt.Errorf("piece %.60q, instance %s: %w", piece, in.ID, runnerfleet.ErrStale)
	run, id, attempt, err = parseWireID(piece)
	if err != nil {
		return "", "", 0, stale
	}
	p, err := b.Store.Piece(ctx, run, id)
	if errors.Is(err, ErrNotFound) {
		return "", "", 0, stale
	}
	if err != nil {
		return "", "", 0, err
	}
	switch {
	case p.Instance != in.ID || p.Attempt != attempt:
		return "", "", 0, stale
	case p.State == Finished && p.Reason == "":
		return "", "", 0, errComplete
	case p.State != Assigned:
		return "", "", 0, stale
	}
	return run, id, attempt, nil
}

// again ends an attempt that its tests are not to blame for. The next one runs
// the files that have not reported yet, as far as it is known which.
func (b *Bot) again(ctx context.Context, run, id string, attempt int, why string) error {
	r, err := b.Store.Run(ctx, run)
	if err != nil {
		return err
	}
	if p := r.Piece(id); p != nil && p.Attempt == attempt && p.State != Finished {
		if err := b.removeRunner(ctx, r.Repo, p.Runner); err != nil {
			return err
		}
	}
	left, err := b.unfinishedFiles(ctx, run, id)
	if err != nil {
		return err
	}
	nonce := newNonce()
	return b.advance(ctx, run, Occurrence{
		Kind: PieceTrouble, Piece: id, Attempt: attempt, Why: why, Files: left, Nonce: nonce,
	})
}

func (b *Bot) unfinishedFiles(ctx context.Context, run, id string) ([]string, error) {
	stored, err := b.Store.Entries(ctx, run, id)
	if err != nil {
		return nil, err
	}
	var planned []string
	ran := make(map[string]bool)
	for _, s := range stored {
		e, err := report.DecodeEntry(s.Meta)
		if err != nil {
			return nil, err
		}
		if e.Manifest != nil && planned == nil {
			for _, f := range e.Manifest.Files {
				planned = append(planned, f.Path)
			}
		}
		if e.File != nil {
			ran[e.File.Path] = true
		}
	}
	var left []string
	for _, f := range planned {
		if f == report.Suite { // no file that could be asked for
			return nil, nil
		}
		if !ran[f] {
			left = append(left, f)
		}
	}
	return left, nil
}

// advance applies an occurrence and looks at the run soon.
func (b *Bot) advance(ctx context.Context, run string, o Occurrence) error {
	var refused error
	_, err := b.Store.UpdateRun(ctx, run, func(r *Run) (changed bool) {
		changed, refused = r.move(o, b.Now())
		return changed
	})
	if refused != nil {
		b.Log.Error("move refused", "run", run, "err", refused)
	}
	if err == nil && b.Wake != nil {
		b.Wake()
	}
	return err
}

// workflowRun returns the workflow run that holds a piece's current attempt.
func (r *Run) workflowRun(p Piece) int64 {
	for _, d := range r.Dispatch {
		for i, id := range d.Pieces {
			if id == p.ID && d.Attempts[i] == p.Attempt {
				return d.WorkflowRun
			}
		}
	}
	return 0
}

// timeout is how long one attempt of a piece may take: twice its estimate, and
// never less than half an hour, since a first estimate is a guess.
func (p Piece) timeout() time.Duration { return max(2*p.Estimate, 30*time.Minute) }

func bucketID(run string, bucket int) string { return run + "/b" + strconv.Itoa(bucket) }

func parseBucketID(id string) (run string, bucket int, err error) {
	run, n, ok := strings.Cut(id, "/b")
	if bucket, err = strconv.Atoi(n); !ok || err != nil {
		return "", 0, fmt.Errorf("%q is no bucket", id)
	}
	return run, bucket, nil
}

// wireID names a piece's attempt to the agent and the action.
func wireID(run string, p Piece) string { return fmt.Sprintf("%s/%s/%d", run, p.ID, p.Attempt) }

func parseWireID(id string) (run, piece string, attempt int, err error) {
	parts := strings.Split(id, "/")
	if len(parts) == 3 {
		attempt, err = strconv.Atoi(parts[2])
	}
	if len(parts) != 3 || err != nil {
		return "", "", 0, fmt.Errorf("%q is no piece: want RUN/PIECE/ATTEMPT", id)
	}
	return parts[0], parts[1], attempt, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
