package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ortest/ortest/bot"
)

// addAudit adds a line to the audit log, in the transaction of what it tells.
// The tables refuse every change of one and every removal.
func addAudit(ctx context.Context, tx *sql.Tx, a bot.Audit) error {
	const insert = `INSERT INTO audit (at, who, did, repo, pull, run, sha, note) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	_, err := tx.ExecContext(ctx, insert, micros(time.Now()), plain(a.Who), a.Did, a.Repo, a.Pull, a.Run, a.Commit, plain(a.Note))
	return err
}

// began is a run's first line.
func began(r bot.Run) bot.Audit {
	a := aboutRun(r, "run", r.Text)
	if r.Approved != "" && r.Approved != r.Author {
		a.Note += " (approved by " + r.Approved + ")"
	}
	return a
}

func answered(a bot.Answer) bot.Audit {
	did := "refuse"
	switch {
	case a.Offer != nil:
		did = "ask"
	case a.Understood:
		did = "answer"
	}
	return bot.Audit{Who: a.Author, Did: did, Repo: a.Repo.String(), Pull: a.Pull, Run: a.Run, Note: a.Text}
}

// wentOn tells those changes of a run that somebody decided, and its end.
func wentOn(was, is bot.Run) (lines []bot.Audit) {
	if was.Cancelled == "" && is.Cancelled != "" {
		a := aboutRun(is, "cancel", "")
		a.Who = is.Cancelled
		lines = append(lines, a)
	}
	if was.Stage != is.Stage {
		lines = append(lines, aboutRun(is, "stage", fmt.Sprintf("stage %d begins", is.Stage+1)))
	}
	if was.State != is.State && is.State == bot.Ended {
		gaveUp := slices.ContainsFunc(is.Pieces, func(p bot.Piece) bool { return p.Reason != "" })
		note := "every piece is complete"
		if gaveUp {
			note = "not every piece is complete"
		}
		lines = append(lines, aboutRun(is, "end", note))
	}
	if was.State != is.State && is.State == bot.Closed {
		lines = append(lines, aboutRun(is, "close", "reported, and no instance is left"))
	}
	return lines
}

func aboutRun(r bot.Run, did, note string) bot.Audit {
	return bot.Audit{Who: r.Author, Did: did, Repo: r.Repo.String(), Pull: r.Pull, Run: r.ID, Commit: r.Head, Note: note}
}

// auditColumns are what auditLine reads.
const auditColumns = "id, at, who, did, repo, pull, run, sha, note"

func auditLine(scan func(...any) error) (a bot.Audit, err error) {
	var at int64
	err = scan(&a.ID, &at, &a.Who, &a.Did, &a.Repo, &a.Pull, &a.Run, &a.Commit, &a.Note)
	a.At = fromMicros(at)
	return a, err
}

// AuditLog returns the lines after an id, oldest first, at most limit.
func (s *Store) AuditLog(ctx context.Context, after int64, limit int) ([]bot.Audit, error) {
	all, err := collect(ctx, s.read, auditLine, `SELECT `+auditColumns+` FROM audit WHERE id > $1 ORDER BY id LIMIT $2`, after, max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	return all, nil
}

// AddApproval lets anybody's commands run a commit; the first one stays.
func (s *Store) AddApproval(ctx context.Context, repo bot.Repo, pull int, h bot.Head, by string) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		const insert = `INSERT INTO approvals (repo, pull, sha, who, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (repo, pull, sha) DO NOTHING`
		fresh, err := changed(tx.ExecContext(ctx, insert, key(repo), pull, h.SHA, by, micros(h.At)))
		if err != nil || !fresh {
			return err
		}
		return addAudit(ctx, tx, bot.Audit{Who: by, Did: "approve", Repo: repo.String(), Pull: pull, Commit: h.SHA})
	})
	if err != nil {
		return fmt.Errorf("add approval of %s of %s#%d: %w", h.SHA, repo, pull, err)
	}
	return nil
}

// Approved returns who approved a commit, or "".
func (s *Store) Approved(ctx context.Context, repo bot.Repo, pull int, sha string) (by string, err error) {
	const query = `SELECT who FROM approvals WHERE repo = $1 AND pull = $2 AND sha = $3`
	err = s.read.QueryRowContext(ctx, query, key(repo), pull, sha).Scan(&by)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read approval of %s of %s#%d: %w", sha, repo, pull, err)
	}
	return by, nil
}

// Mark returns what SetMark kept under a name, or the zero time.
func (s *Store) Mark(ctx context.Context, name string) (time.Time, error) {
	var at int64
	err := s.read.QueryRowContext(ctx, `SELECT at FROM marks WHERE name = $1`, name).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, fmt.Errorf("read mark %s: %w", name, err)
	}
	return fromMicros(at), nil
}

// SetMark keeps a time under a name.
func (s *Store) SetMark(ctx context.Context, name string, t time.Time) error {
	const put = `INSERT INTO marks (name, at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET at = excluded.at`
	if _, err := s.execute(ctx, put, name, micros(t)); err != nil {
		return fmt.Errorf("set mark %s: %w", name, err)
	}
	return nil
}
