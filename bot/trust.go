package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// May returns what somebody is to a repository, and whether that lets them start
// and stop runs: by the role as GitHub names it, or by a team of the settings.
func (b *Bot) May(ctx context.Context, repo Repo, login string) (role string, may bool, err error) {
	if role, err = b.Forge.Permission(ctx, repo, login); err != nil {
		return "", false, fmt.Errorf("permission of %s: %w", login, err)
	}
	if mayWrite(role) {
		return role, true, nil
	}
	for _, team := range b.settings().Teams {
		is, err := b.Forge.Member(ctx, repo, team, login)
		if err != nil {
			return "", false, fmt.Errorf("membership of %s in %s: %w", login, team, err)
		}
		if is {
			return role + ", and is in " + team, true, nil
		}
	}
	return role, false, nil
}

// mayWrite says which roles may start and stop runs. A custom role is not
// known to carry write permission, so it is refused.
func mayWrite(role string) bool {
	return role == "admin" || role == "maintain" || role == "write"
}

// refuseRole answers somebody who may not write, or of whom GitHub does not
// tell; what may be known later is an error.
func (b *Bot) refuseRole(ctx context.Context, c comment, role string, err error) error {
	if final(err) {
		return b.answer(ctx, c, refusal("GitHub does not tell this bot what you may do here; ask who installed it to check its permissions"))
	}
	if err != nil {
		return err
	}
	return b.answer(ctx, c, stranger(c, role))
}

// commit is the pull request's head that a command means, and how that is known.
type commit struct {
	PullRequest
	how string
}

// fix returns the head as of the command; ok is false when the command was
// answered instead.
func (b *Bot) fix(ctx context.Context, c comment) (at commit, ok bool, err error) {
	pr, err := b.Forge.PullRequest(ctx, c.Repo, c.Number)
	if final(err) {
		return at, false, b.answer(ctx, c, refusal("GitHub does not show this bot the pull request; ask who installed it to check its permissions"))
	}
	if err != nil {
		return at, false, fmt.Errorf("pull request %s#%d: %w", c.Repo, c.Number, err)
	}
	if !pr.Open {
		return at, false, b.answer(ctx, c, refusal("the pull request is closed; open it again to run something on it"))
	}
	seen, err := b.Store.HeadAt(ctx, c.Repo, c.Number, c.At, pr.Head)
	switch {
	case errors.Is(err, ErrNotFound) && pr.Fork:
		// Somebody without any right may have pushed since; from now on it is known.
		if err := b.Store.AddHead(ctx, c.Repo, c.Number, Head{SHA: pr.Head, At: b.Now()}); err != nil {
			return at, false, err
		}
		return at, false, b.answer(ctx, c, unseen(c, pr.Head))
	case errors.Is(err, ErrNotFound):
		return commit{pr, "the head; no push was seen, and only people who may write can push to this branch"}, true, nil
	case err != nil:
		return at, false, err
	case seen.SHA != pr.Head:
		return at, false, b.answer(ctx, c, moved(c, seen.SHA, pr.Head))
	}
	if before, err := b.before(ctx, c, pr, seen); err != nil || before != "" {
		if err != nil {
			return at, false, err
		}
		return at, false, b.answer(ctx, c, moved(c, before, pr.Head))
	}
	return commit{pr, "the head as of the command, seen at " + clock(seen.At)}, true, nil
}

// before returns what a fork's head was before the second in which both a push
// and the command came, or "". Times are whole seconds: which of them was first
// nobody knows, and whoever pushes to a fork may have waited for the command.
func (b *Bot) before(ctx context.Context, c comment, pr PullRequest, seen Head) (sha string, err error) {
	second := c.At.Truncate(time.Second)
	if !pr.Fork || seen.At.Before(second) {
		return "", nil
	}
	was, err := b.Store.HeadAt(ctx, c.Repo, c.Number, second.Add(-time.Microsecond), pr.Head)
	if errors.Is(err, ErrNotFound) || err == nil && was.SHA == pr.Head {
		return "", nil // it was opened then, or pushed back to what it was
	}
	return was.SHA, err
}

// trusted reports who lets a command run a commit: its sender, who may write,
// or whoever approved the commit. The sentence says so; "" is nobody.
func (b *Bot) trusted(ctx context.Context, c comment, head string) (role, by, how string, err error) {
	role, may, err := b.May(ctx, c.Repo, c.Sender)
	if err != nil {
		return "", "", "", err
	}
	if may {
		return role, c.Sender, fmt.Sprintf("%s has the role %s", c.Sender, role), nil
	}
	if by, err = b.Store.Approved(ctx, c.Repo, c.Number, head); err != nil || by == "" {
		return role, "", "", err
	}
	return role, by, fmt.Sprintf("%s has the role %s; %s approved the commit", c.Sender, role, by), nil
}

// decideApprove lets anybody's commands run the head, and starts the newest
// one that waits for that. It takes the whole commit: two that begin alike are made in
// no time, and one is pushed for the other just before the command.
func (b *Bot) decideApprove(ctx context.Context, c comment, sha string) error {
	at, ok, err := b.fix(ctx, c)
	if err != nil || !ok {
		return err
	}
	if sha != at.Head {
		return b.answer(ctx, c, b.notTheHead(c.Repo, sha, at.Head))
	}
	if err := b.Store.AddApproval(ctx, c.Repo, c.Number, Head{SHA: at.Head, At: c.At}, c.Sender); err != nil {
		return err
	}
	all, err := b.waiting(ctx, c, at.Head, verbApprove)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return b.answer(ctx, c, understood(fmt.Sprintf("%s is approved: anybody's commands may run it. No command waits for that.", code(at.Head))))
	}
	o := all[0]
	s := start{at: at, words: o.Words, goals: o.Goals, of: o.Of, files: o.Files, author: o.Author, approved: c.Sender, grants: o.name}
	s.say("%s approved the commit that %s asked to run", c.Sender, o.Author)
	return b.start(ctx, c, s)
}

// notTheHead refuses to approve a commit that is another one than the head, or only the
// beginning of it, which is another one's as well.
func (b *Bot) notTheHead(repo Repo, sha, head string) Answer {
	why := "is not the head of this pull request, which is"
	if strings.HasPrefix(head, sha) {
		why = "is the beginning of many commits, and it takes all of the one that was read. The head is"
	}
	return refusal(fmt.Sprintf("%s %s %s. Look at [that commit](%s/%s/commit/%s) first: it may have been pushed since you read the pull request. If you let just that one run, write:\n\n%s",
		code(sha), why, code(head), b.Server, repo, head, fence(Prefix+" approve "+head)))
}
