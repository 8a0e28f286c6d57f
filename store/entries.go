package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/runnerfleet"
)

// maxLog is the most bytes an entry's log may have. A longer one is refused,
// never cut: the agent cuts, and says so in the log.
const maxLog = runnerfleet.MaxLog

// What one attempt of a piece may hand over: an instance is assumed stolen, and
// must not fill the disk. The largest suite has some 400 files.
const (
	maxEntries = 5000
	maxLogs    = 1 << 30 // bytes, unpacked
)

// AddEntry stores an entry and its log, and the job that drives the run. What
// is stored stays: the same (run, piece, attempt, seq) again changes nothing,
// whatever it holds. bot.ErrNotFound when there is no such run.
func (s *Store) AddEntry(ctx context.Context, run string, e bot.StoredEntry) error {
	if err := s.addEntry(ctx, run, e); err != nil {
		return fmt.Errorf("add entry %d of piece %s, attempt %d, run %s: %w", e.Seq, e.Piece, e.Attempt, run, err)
	}
	return nil
}

func (s *Store) addEntry(ctx context.Context, run string, e bot.StoredEntry) error {
	if len(e.Log) > maxLog {
		return fmt.Errorf("its log has %d bytes, more than %d", len(e.Log), maxLog)
	}
	if !json.Valid(e.Meta) || !utf8.Valid(e.Meta) {
		return errors.New("it is not JSON in UTF-8")
	}
	// Packed before the transaction: it takes longer than all of the SQL.
	packed, err := pack(e.Log)
	if err != nil {
		return fmt.Errorf("compress log: %w", err)
	}
	sum := sha256.Sum256(e.Log)
	return s.write(ctx, func(tx *sql.Tx) error {
		id := number(run)
		var one int
		err := tx.QueryRowContext(ctx, `SELECT 1 FROM runs WHERE id = $1`, id).Scan(&one)
		if errors.Is(err, sql.ErrNoRows) {
			return bot.ErrNotFound
		}
		if err != nil {
			return err
		}
		var n, size int64
		const sums = `SELECT count(*), COALESCE(sum(size), 0) FROM entries WHERE run = $1 AND piece = $2 AND attempt = $3 AND seq <> $4`
		if err := tx.QueryRowContext(ctx, sums, id, e.Piece, e.Attempt, e.Seq).Scan(&n, &size); err != nil {
			return err
		}
		if n >= maxEntries || size+int64(len(e.Log)) > maxLogs {
			return fmt.Errorf("the attempt has %d entries and %d bytes of logs already: %w", n, size, runnerfleet.ErrInvalid)
		}
		const insert = `INSERT INTO entries (run, piece, attempt, seq, received_at, meta, log, size, sha256)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (run, piece, attempt, seq) DO NOTHING`
		fresh, err := changed(tx.ExecContext(ctx, insert, id, e.Piece, e.Attempt, e.Seq, micros(time.Now()), string(e.Meta), packed, len(e.Log), sum[:]))
		if err != nil || !fresh {
			return err
		}
		return s.pushDrive(ctx, tx, id)
	})
}

// Entries returns a piece's entries by attempt and seq. A log whose bytes are
// not those that were handed over is an error, not a log.
func (s *Store) Entries(ctx context.Context, run, piece string) ([]bot.StoredEntry, error) {
	const query = `SELECT piece, attempt, seq, meta, log, size, sha256 FROM entries WHERE run = $1 AND piece = $2 ORDER BY attempt, seq`
	all, err := collect(ctx, s.read, getEntry, query, number(run), piece)
	if err != nil {
		return nil, fmt.Errorf("read entries of piece %s, run %s: %w", piece, run, err)
	}
	return all, nil
}

// Metas returns all of a run's entries without their logs, by piece, attempt and seq.
func (s *Store) Metas(ctx context.Context, run string) ([]bot.StoredEntry, error) {
	const query = `SELECT piece, attempt, seq, meta FROM entries WHERE run = $1 ORDER BY piece, attempt, seq`
	all, err := collect(ctx, s.read, func(scan func(...any) error) (e bot.StoredEntry, err error) {
		var meta []byte
		err = scan(&e.Piece, &e.Attempt, &e.Seq, &meta)
		e.Meta = meta
		return e, err
	}, query, number(run))
	if err != nil {
		return nil, fmt.Errorf("read entries of run %s: %w", run, err)
	}
	return all, nil
}

func getEntry(scan func(...any) error) (bot.StoredEntry, error) {
	var e bot.StoredEntry
	var meta, packed, sum []byte
	var size int64
	if err := scan(&e.Piece, &e.Attempt, &e.Seq, &meta, &packed, &size, &sum); err != nil {
		return bot.StoredEntry{}, err
	}
	log, err := unpack(packed, size)
	if err != nil {
		return bot.StoredEntry{}, fmt.Errorf("unpack log of attempt %d, entry %d: %w", e.Attempt, e.Seq, err)
	}
	if got := sha256.Sum256(log); !bytes.Equal(got[:], sum) {
		return bot.StoredEntry{}, fmt.Errorf("log of attempt %d, entry %d is damaged: its SHA-256 is %x, not %x", e.Attempt, e.Seq, got, sum)
	}
	e.Meta, e.Log = json.RawMessage(meta), log
	return e, nil
}

func pack(log []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(log); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// unpack reads no more than the size that was stored, so that a damaged row
// cannot fill the memory.
func unpack(packed []byte, size int64) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	log, err := io.ReadAll(io.LimitReader(r, min(size, maxLog)+1))
	if err != nil {
		return nil, err
	}
	return log, r.Close()
}
