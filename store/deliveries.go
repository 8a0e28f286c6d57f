package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
)

// keepDeliveries is how long a processed delivery is remembered: ten times as
// long as GitHub offers to send it again.
const keepDeliveries = 30 * 24 * time.Hour

// AddDelivery stores a delivery, which is then worked in this process if it works
// at all, or by a job. What is stored outlives the process; in the second before the
// machine loses its power it may be lost, and comes again as a webhook that was never
// sent does. It returns false only when the
// GUID was processed before; whoever sent it may be answered either way. ErrBusy
// comes at once when too many wait already.
func (s *Store) AddDelivery(ctx context.Context, d bot.Delivery) (fresh bool, err error) {
	if d.GUID == "" || d.Event == "" {
		return false, errors.New("add delivery: it has no GUID or no event")
	}
	if d.Payload == nil {
		d.Payload = []byte{}
	}
	fresh, err = s.receive(ctx, d)
	if err != nil {
		return false, fmt.Errorf("add delivery %s: %w", d.GUID, err)
	}
	return fresh, nil
}

// Delivery returns a stored delivery, or bot.ErrNotFound. One that this process took
// in a moment ago has no outcome yet, even where another process has just given it one.
func (s *Store) Delivery(ctx context.Context, guid string) (bot.Delivery, error) {
	if d, ok := s.nearby.Load(guid); ok {
		return d.(bot.Delivery), nil
	}
	d := bot.Delivery{GUID: guid}
	var at int64
	const query = `SELECT event, payload, received_at, outcome FROM deliveries WHERE guid = $1`
	err := s.read.QueryRowContext(ctx, query, guid).Scan(&d.Event, &d.Payload, &at, &d.Outcome)
	if errors.Is(err, sql.ErrNoRows) {
		err = bot.ErrNotFound
	}
	if err != nil {
		return bot.Delivery{}, fmt.Errorf("read delivery %s: %w", guid, err)
	}
	d.ReceivedAt = fromMicros(at)
	return d, nil
}

// FinishDelivery marks a delivery as processed. An empty outcome is an error,
// as it would leave it unprocessed. When the machine loses its power at once, the
// delivery may be processed again.
func (s *Store) FinishDelivery(ctx context.Context, guid, outcome string) error {
	if outcome == "" {
		return fmt.Errorf("finish delivery %s: no outcome given", guid)
	}
	if err := s.finish(ctx, guid, outcome); err != nil {
		return fmt.Errorf("finish delivery %s: %w", guid, err)
	}
	return nil
}

// openDeliveries returns the GUIDs received before t and not processed, oldest first. What
// was received by a clock that has been set back since is one of these.
func (s *Store) openDeliveries(ctx context.Context, tx *sql.Tx, t time.Time) ([]string, error) {
	const query = `SELECT guid FROM deliveries WHERE outcome = '' AND (received_at < $1 OR received_at > $2) ORDER BY received_at, guid`
	return collect(ctx, tx, text, query, micros(t), micros(time.Now().Add(time.Minute)))
}

// forgetDeliveries deletes those processed and received before t.
func (s *Store) forgetDeliveries(ctx context.Context, t time.Time) error {
	if _, err := s.execute(ctx, `DELETE FROM deliveries WHERE outcome <> '' AND received_at < $1`, micros(t)); err != nil {
		return fmt.Errorf("forget deliveries: %w", err)
	}
	return nil
}

// AddHead remembers a pull request's head. The same head at the same time again changes nothing.
func (s *Store) AddHead(ctx context.Context, repo bot.Repo, pull int, h bot.Head) error {
	const insert = `INSERT INTO heads (repo, pull, sha, at) VALUES ($1, $2, $3, $4) ON CONFLICT (repo, pull, at, sha) DO NOTHING`
	if _, err := s.execute(ctx, insert, key(repo), pull, h.SHA, micros(h.At)); err != nil {
		return fmt.Errorf("add head %s of %s#%d: %w", h.SHA, repo, pull, err)
	}
	return nil
}

// HeadAt returns the newest head that was one at t or before, or bot.ErrNotFound.
// Of several with the same time it is rather the one named, else the one stored last.
func (s *Store) HeadAt(ctx context.Context, repo bot.Repo, pull int, t time.Time, rather string) (bot.Head, error) {
	var h bot.Head
	var at int64
	const query = `SELECT sha, at FROM heads WHERE repo = $1 AND pull = $2 AND at <= $3 ORDER BY at DESC, sha = $4 DESC, id DESC LIMIT 1`
	err := s.read.QueryRowContext(ctx, query, key(repo), pull, micros(t), rather).Scan(&h.SHA, &at)
	if errors.Is(err, sql.ErrNoRows) {
		err = bot.ErrNotFound
	}
	if err != nil {
		return bot.Head{}, fmt.Errorf("read head of %s#%d: %w", repo, pull, err)
	}
	h.At = fromMicros(at)
	return h, nil
}

// key is a repository as the tables name it.
func key(r bot.Repo) string { return strings.ToLower(r.String()) }

func text(scan func(...any) error) (v string, err error) {
	err = scan(&v)
	return v, err
}
