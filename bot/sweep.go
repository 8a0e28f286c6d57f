package bot

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// overlap is how much of the time before a sweep's mark is looked at again:
// clocks differ, and GitHub lists what is new late.
const overlap = 2 * time.Minute

// born is the mark of the first sweep: what was written before is not for us.
const born = "born"

// Sweep reads what was written and pushed since the sweep before, as if its
// webhooks came now. What was handled already is handled no second time, so
// that webhooks only make everything sooner.
func (b *Bot) Sweep(ctx context.Context) error {
	began := b.Now()
	birth, err := b.Store.Mark(ctx, born)
	if err != nil {
		return err
	}
	if birth.IsZero() {
		return b.Store.SetMark(ctx, born, began)
	}
	repos, err := b.Forge.Repositories(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, repo := range repos {
		if err := b.sweepRepo(ctx, repo, birth); err != nil && !final(err) {
			errs = append(errs, fmt.Errorf("sweep %s: %w", repo, err))
		}
	}
	return errors.Join(append(errs, b.sweepStickies(ctx, began.Add(-stickyFor)))...)
}

// stickyFor is how long after its beginning a closed run's comment is looked
// for; those of live runs are found missing when they are written.
const stickyFor = 24 * time.Hour

// sweepStickies writes comments again that were deleted without a webhook.
func (b *Bot) sweepStickies(ctx context.Context, since time.Time) error {
	runs, err := b.Store.RunsSince(ctx, since)
	if err != nil {
		return err
	}
	newest := make(map[string]Run)
	for _, r := range runs {
		newest[fmt.Sprintf("%s#%d", r.Repo, r.Pull)] = r
	}
	var errs []error
	for pull, r := range newest {
		if r.State != Closed || r.Sticky == 0 {
			continue
		}
		id, err := b.findComment(ctx, r.Repo, r.Pull, time.Time{}, stickyMarker)
		if err == nil && id == 0 {
			err = b.restoreSticky(ctx, CommentEvent{Repo: r.Repo, Number: r.Pull, ID: r.Sticky})
		}
		if err != nil && !final(err) {
			errs = append(errs, fmt.Errorf("comment of %s: %w", pull, err))
		}
	}
	return errors.Join(errs...)
}

func (b *Bot) sweepRepo(ctx context.Context, repo Repo, birth time.Time) error {
	name, began := "sweep "+repo.String(), b.Now()
	// What was seen last, by GitHub's clock: ours may have been wrong in the meantime.
	seen := "seen " + repo.String()
	since, err := b.Store.Mark(ctx, seen)
	if err == nil && since.IsZero() { // an older version had the other mark alone
		since, err = b.Store.Mark(ctx, name)
	}
	if err != nil {
		return err
	}
	if since.Before(birth) {
		since = birth
	}
	newest := since
	heads, err := b.Forge.Heads(ctx, repo, since.Add(-overlap))
	if err != nil {
		return err
	}
	for _, h := range heads {
		newest = later(newest, h.At)
		if err := b.sweepHead(ctx, h); err != nil {
			return err
		}
	}
	texts, err := b.Forge.Texts(ctx, repo, since.Add(-overlap))
	if err != nil {
		return err
	}
	for _, c := range texts {
		newest = later(newest, c.At)
		if c.Created.Before(birth.Truncate(time.Second)) {
			continue
		}
		if _, err := b.handleComment(ctx, c); err != nil {
			return err
		}
	}
	if err := b.Store.SetMark(ctx, seen, newest); err != nil {
		return err
	}
	return b.Store.SetMark(ctx, name, began)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// sweepHead remembers a head that no webhook told of, as of now: when it was
// pushed is not known, and what was written before is not about it.
func (b *Bot) sweepHead(ctx context.Context, p PullEvent) error {
	known, err := b.Store.HeadAt(ctx, p.Repo, p.Number, b.Now().Add(time.Hour), p.Head)
	if err == nil && known.SHA == p.Head {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if p.At = b.Now(); errors.Is(err, ErrNotFound) {
		p.Action = "opened" // no push: nothing is superseded
	}
	return b.handlePull(ctx, p)
}
