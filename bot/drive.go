package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/workflows"
)

// jobGrace is how long a workflow job may be over without its piece having
// reported, before the attempt counts as failed: the agent's last words travel.
const jobGrace = 2 * time.Minute

// Drive makes GitHub agree with what is stored of a run: acknowledgement,
// comment, check runs, workflow runs. It looks before it creates, so it may be
// cut off after any call and called again. A step that fails keeps none of the
// others from its turn: a run ends and is shown whatever GitHub refuses.
func (b *Bot) Drive(ctx context.Context, id string) error {
	r, err := b.Store.Run(ctx, id)
	if err != nil {
		return fmt.Errorf("read run %s: %w", id, err)
	}
	if r.State == Closed {
		return nil
	}
	var errs []error
	for _, step := range []struct {
		does string
		do   func(context.Context, Run) error
	}{
		{"acknowledge", b.acknowledge},
		{"watch limits of", b.watchLimits},
		{"fix commits of", b.fixCommits},
		{"dispatch", b.dispatch},
		{"watch jobs", b.watchJobs},
		{"stop jobs of", b.stopJobs},
		{"open stage of", b.nextStage},
		{"report", b.finish},
	} {
		if r, err = b.Store.Run(ctx, id); err != nil {
			return fmt.Errorf("read run %s: %w", id, err)
		}
		if err := step.do(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("%s run %s: %w", step.does, id, err))
		}
	}
	return errors.Join(errs...)
}

func (b *Bot) acknowledge(ctx context.Context, r Run) error {
	if r.Acked {
		return nil
	}
	if r.Place != InButton {
		if err := b.Forge.React(ctx, r.Repo, r.Place, r.Comment, "eyes"); err != nil && !final(err) {
			return err
		}
	}
	return b.update(ctx, r.ID, func(r *Run) bool { r.Acked = true; return true })
}

// watchLimits ends a run that is past its deadline, or that the kill switch ends.
func (b *Bot) watchLimits(ctx context.Context, r Run) error {
	if b.settings().Kill != "" && r.live() {
		return b.advance(ctx, r.ID, Occurrence{Kind: CancelAsked, Why: "the kill switch"})
	}
	if b.Now().Before(r.Deadline) {
		return nil
	}
	return b.advance(ctx, r.ID, Occurrence{Kind: DeadlinePassed})
}

// dispatch sends the workflow for every piece that waits. What is meant is
// stored first; a dispatch whose answer was lost is found again by its nonce.
// Nothing is sent before the commits are fixed.
func (b *Bot) dispatch(ctx context.Context, r Run) error {
	if r.State != Accepted && r.State != Running || r.Commits == nil {
		return nil
	}
	if err := b.intend(ctx, r); err != nil {
		return err
	}
	r, err := b.Store.Run(ctx, r.ID)
	if err != nil {
		return err
	}
	for _, d := range r.Dispatch {
		if d.WorkflowRun != 0 || !r.wants(d) {
			continue
		}
		if err := b.send(ctx, r, d); err != nil {
			return err
		}
	}
	return nil
}

// wants reports whether a dispatch still holds an attempt that waits for it.
func (r *Run) wants(d Dispatch) bool {
	for i, id := range d.Pieces {
		if p := r.Piece(id); p.State == Waiting && p.Attempt == d.Attempts[i] {
			return true
		}
	}
	return false
}

// intend writes down a dispatch for the pieces that wait without one.
func (b *Bot) intend(ctx context.Context, r Run) error {
	c, err := b.catalogOf(ctx, r)
	if err != nil {
		return err
	}
	if err := b.Keep(ctx, c); err != nil {
		return err
	}
	var legs []workflows.Piece
	byLeg := make(map[string]Piece)
	for _, p := range r.Pieces {
		if p.State == Waiting && p.Stage <= r.Stage && !r.intended(p) {
			leg := leg(c, r, p)
			if err := leg.Validate(); err != nil {
				if err := b.refusePiece(ctx, r.ID, p, err.Error()); err != nil {
					return err
				}
				continue
			}
			legs, byLeg[leg.ID] = append(legs, leg), p
		}
	}
	for _, part := range workflows.Split(legs) {
		d := Dispatch{Nonce: newNonce()}
		for _, leg := range part {
			p := byLeg[leg.ID]
			d.Pieces, d.Attempts = append(d.Pieces, p.ID), append(d.Attempts, p.Attempt)
		}
		if err := b.advance(ctx, r.ID, Occurrence{Kind: DispatchIntended, Dispatch: d}); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bot) send(ctx context.Context, r Run, d Dispatch) error {
	id, err := b.Forge.FindWorkflowRun(ctx, r.Repo, workflows.File, d.Nonce)
	if err != nil {
		return err
	}
	if id == 0 {
		if b.unsettled(d) {
			return nil
		}
		c, err := b.catalogOf(ctx, r)
		if err != nil {
			return err
		}
		var legs []workflows.Piece
		for _, piece := range d.Pieces {
			legs = append(legs, leg(c, r, *r.Piece(piece)))
		}
		inputs, err := workflows.Inputs(legs, d.Nonce)
		if err != nil {
			return b.refuse(ctx, r, d, err)
		}
		if err := b.note(ctx, r.ID, d.Nonce, func(d *Dispatch) { d.TriedAt = b.Now() }); err != nil {
			return err
		}
		id, err = b.Forge.Dispatch(ctx, r.Repo, workflows.File, inputs)
		if final(err) {
			return b.refuse(ctx, r, d, err)
		}
		if err != nil {
			return err
		}
	}
	d.WorkflowRun = id
	return b.advance(ctx, r.ID, Occurrence{Kind: DispatchSent, Dispatch: d})
}

// unsettled reports whether GitHub may have started a dispatch and not list it yet.
func (b *Bot) unsettled(d Dispatch) bool {
	return b.Now().Sub(d.TriedAt).Abs() < cmp.Or(b.Settle, time.Minute)
}

// note writes down something about a dispatch that moves no state.
func (b *Bot) note(ctx context.Context, run, nonce string, change func(*Dispatch)) error {
	return b.update(ctx, run, func(r *Run) bool {
		for i := range r.Dispatch {
			if r.Dispatch[i].Nonce == nonce {
				change(&r.Dispatch[i])
			}
		}
		return true
	})
}

// refuse ends the pieces of a dispatch that GitHub will never accept.
func (b *Bot) refuse(ctx context.Context, r Run, d Dispatch, cause error) error {
	b.Log.Warn("dispatch refused", "run", r.ID, "err", cause)
	why := fmt.Sprintf("GitHub refused to start %s of the default branch of %s: %v", workflows.File, r.Repo, cause)
	for i, id := range d.Pieces {
		if p := r.Piece(id); p.Attempt == d.Attempts[i] {
			if err := b.refusePiece(ctx, r.ID, *p, why); err != nil {
				return err
			}
		}
	}
	return b.note(ctx, r.ID, d.Nonce, func(d *Dispatch) { d.Stopped = true }) // there is nothing to stop
}

func (b *Bot) refusePiece(ctx context.Context, run string, p Piece, why string) error {
	return b.advance(ctx, run, Occurrence{Kind: PieceRefused, Piece: p.ID, Attempt: p.Attempt, Why: why})
}

func label(p Piece) string { return workflows.Label(p.Nonce) }

// watchJobs asks GitHub now and then how the jobs of unfinished pieces are, so
// that a lost webhook, a job cancelled by hand or a refused one costs minutes, not the run.
func (b *Bot) watchJobs(ctx context.Context, r Run) error {
	// What a webhook failed to tell may take a twentieth of what the run took so far.
	every := max(cmp.Or(b.Poll, 15*time.Second), b.Now().Sub(r.CreatedAt)/20)
	if r.State != Running {
		return nil
	}
	if due, err := b.due(ctx, r, lookedAt, every); err != nil || !due {
		return err
	}
	for _, d := range r.Dispatch {
		if d.WorkflowRun == 0 || !r.busyIn(d) {
			continue
		}
		jobs, err := b.Forge.Jobs(ctx, r.Repo, d.WorkflowRun)
		if err != nil {
			return err
		}
		for i, id := range d.Pieces {
			p := *r.Piece(id)
			if p.State == Finished || p.Attempt != d.Attempts[i] {
				continue
			}
			if why := b.overdue(r, p, jobs); why != "" {
				if err := b.again(ctx, r.ID, p.ID, p.Attempt, why); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *Run) busyIn(d Dispatch) bool {
	for i, id := range d.Pieces {
		if p := r.Piece(id); p.State != Finished && p.Attempt == d.Attempts[i] {
			return true
		}
	}
	return false
}

// overdue says why a piece's attempt will not report any more, or "".
func (b *Bot) overdue(r Run, p Piece, jobs []Job) string {
	for _, j := range jobs {
		if len(j.Labels) == 0 || j.Labels[0] != label(p) {
			continue
		}
		if j.RunnerName != "" && j.RunnerName != r.runnerName(p) {
			return fmt.Sprintf("its workflow job went to runner %.100q, and not to the planned %s", j.RunnerName, r.runnerName(p))
		}
		if j.Status != "completed" {
			continue
		}
		if p.State == Dispatched {
			return fmt.Sprintf("its workflow job ended as %s before a runner took it", j.Conclusion)
		}
		if !j.CompletedAt.IsZero() && b.Now().Sub(j.CompletedAt) >= jobGrace {
			return fmt.Sprintf("its workflow job ended as %s, and nothing more came", j.Conclusion)
		}
	}
	return ""
}

// stopJobs ends the workflow runs that nobody waits for any more: those of a
// run that was stopped, and those of attempts that were given up. A machine
// goes when its job has.
func (b *Bot) stopJobs(ctx context.Context, r Run) error {
	var errs []error
	for _, d := range r.Dispatch {
		if r.stray(d) {
			errs = append(errs, b.stop(ctx, r, d))
		}
	}
	return errors.Join(errs...)
}

// stop cancels the workflow run of a dispatch. One whose answer was lost is looked for, and
// there is none when GitHub has had the time to list it.
func (b *Bot) stop(ctx context.Context, r Run, d Dispatch) error {
	id := d.WorkflowRun
	if id == 0 {
		var err error
		if id, err = b.Forge.FindWorkflowRun(ctx, r.Repo, workflows.File, d.Nonce); err != nil && !errors.Is(err, ErrGone) {
			return err
		}
		if id == 0 && err == nil && b.unsettled(d) {
			return nil
		}
	}
	if id != 0 {
		if err := b.Forge.CancelWorkflowRun(ctx, r.Repo, id); err != nil && !errors.Is(err, ErrGone) {
			return err
		}
	}
	return b.note(ctx, r.ID, d.Nonce, func(d *Dispatch) { d.WorkflowRun, d.Stopped = id, true })
}

// stray reports whether nobody waits for what GitHub was asked to start, and it has not
// been ended.
func (r *Run) stray(d Dispatch) bool {
	sent := d.WorkflowRun != 0 || !d.TriedAt.IsZero()
	return sent && !d.Stopped && !r.busyIn(d) && r.abandoned(d)
}

// abandoned reports whether a dispatch holds an attempt that will not report.
func (r *Run) abandoned(d Dispatch) bool {
	for i, id := range d.Pieces {
		if p := r.Piece(id); p.Attempt != d.Attempts[i] || p.Reason != "" {
			return true
		}
	}
	return false
}

// finish shows the run, and closes it once everything final was shown, its machines are
// gone and its workflow runs are stopped.
func (b *Bot) finish(ctx context.Context, r Run) error {
	left, err := b.machines(ctx, r.ID)
	if err != nil {
		return err
	}
	shown, err := b.show(ctx, r, left)
	if err != nil || !shown || left > 0 || r.State != Ended {
		return err
	}
	// What still waits for a machine would wait for a day, and be shown as queued.
	if slices.ContainsFunc(r.Dispatch, r.stray) && b.Now().Sub(r.EndedAt) < patience {
		return nil
	}
	// Also a runner that nobody here knows of, since the answer to its making was lost.
	if len(r.Dispatch) > 0 {
		if _, err := b.Forge.RemoveRunners(ctx, r.Repo, r.runners()); err != nil && !final(err) {
			return err
		}
	}
	if err := b.learn(ctx, r); err != nil {
		return err
	}
	if err := b.advance(ctx, r.ID, Occurrence{Kind: Reported}); err != nil {
		return err
	}
	b.Log.Info("run closed", "run", r.ID)
	return nil
}

// machines counts the instances of a run that are not gone.
func (b *Bot) machines(ctx context.Context, run string) (int, error) {
	all, err := b.Instances.Instances(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, in := range all {
		if of, _, err := parseBucketID(in.Bucket); err == nil && of == run && in.State != runnerfleet.Gone {
			n++
		}
	}
	return n, nil
}

// update changes what is stored of a run but its states.
func (b *Bot) update(ctx context.Context, run string, change func(*Run) bool) error {
	_, err := b.Store.UpdateRun(ctx, run, change)
	return err
}
