package action

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ortest/ortest/report"
)

// spool leaves entries for the agent: entry N is 00000N.log, its raw bytes, and
// then 00000N.json, which is renamed into place. Who sees the second file can
// read the first.
//
// What is written to a spool belongs to the entry that is put next, and is
// printed as well.
type spool struct {
	dir   string // "" keeps nothing
	print io.Writer
	seq   int
	log   *os.File
	bytes int64

	masked masker // what is written passes it

	kept  *report.PieceEvidence // what was put, while it is no more than maxKept
	next  []byte
	total int
}

// maxKept bounds the logs that are kept in memory to be judged at the end.
const maxKept = 64 << 20

// openSpool refuses a folder that holds entries: those of two pieces would mix.
func openSpool(dir string, print io.Writer, secrets [][]byte) (*spool, error) {
	s := &spool{dir: dir, print: print, kept: new(report.PieceEvidence)}
	s.masked.secrets = secrets
	if dir == "" {
		return s, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	if _, err := os.Lstat(s.path("json")); err == nil {
		return nil, errors.New("open spool: it holds entries of another piece")
	}
	return s, nil
}

func (s *spool) path(ext string) string {
	return filepath.Join(s.dir, fmt.Sprintf("%06d.%s", s.seq, ext))
}

// Write appends to the log of the next entry, without the secrets.
func (s *spool) Write(b []byte) (int, error) {
	s.masked.w = writer(s.write)
	return s.masked.Write(b)
}

// writer is a function as an io.Writer.
type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// write takes what has no secrets. That nobody reads what is printed is no reason
// to stop.
func (s *spool) write(b []byte) (int, error) {
	_, _ = s.print.Write(b)
	s.keep(b)
	if s.dir == "" {
		s.bytes += int64(len(b))
		return len(b), nil
	}
	if s.log == nil {
		f, err := os.OpenFile(s.path("log"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return 0, fmt.Errorf("write spool: %w", err)
		}
		s.log = f
	}
	n, err := s.log.Write(b)
	s.bytes += int64(n)
	return n, err
}

// keep remembers a part of the next entry's log, as long as there is room.
func (s *spool) keep(b []byte) {
	if s.total += len(b); s.total > maxKept {
		s.kept, s.next = nil, nil
	}
	if s.kept != nil {
		s.next = append(s.next, b...)
	}
}

// put ends an entry and hands it over.
func (s *spool) put(e report.Entry) error {
	if err := s.masked.flush(); err != nil {
		return err
	}
	e.Seq, e.Bytes = s.seq, s.bytes
	if s.kept != nil {
		s.kept.Entries, s.kept.Logs, s.next = append(s.kept.Entries, e), append(s.kept.Logs, s.next), nil
	}
	if s.dir == "" {
		s.seq, s.bytes = s.seq+1, 0
		return nil
	}
	if _, err := s.write(nil); err != nil {
		return err
	}
	if err := s.close(); err != nil {
		return err
	}
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode entry %d: %w", e.Seq, err)
	}
	tmp := s.path("tmp")
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return fmt.Errorf("write entry %d: %w", e.Seq, err)
	}
	if err := os.Rename(tmp, s.path("json")); err != nil {
		return fmt.Errorf("hand over entry %d: %w", e.Seq, err)
	}
	s.seq, s.bytes = s.seq+1, 0
	return nil
}

func (s *spool) close() error {
	if s.log == nil {
		return nil
	}
	err := s.log.Close()
	s.log = nil
	if err != nil {
		return fmt.Errorf("close log of entry %d: %w", s.seq, err)
	}
	return nil
}

// ReadSpool reads what Run left in a spool, whole or not: entries up to the
// first that is missing, and with an error up to the first that is none. The caller
// judges.
func ReadSpool(dir string) (report.PieceEvidence, error) {
	var ev report.PieceEvidence
	s := &spool{dir: dir}
	for ; ; s.seq++ {
		b, err := os.ReadFile(s.path("json"))
		if errors.Is(err, os.ErrNotExist) {
			return ev, nil
		}
		if err != nil {
			return ev, fmt.Errorf("read spool: %w", err)
		}
		e, err := report.DecodeEntry(b)
		if err != nil {
			return ev, fmt.Errorf("read spool: %w", err)
		}
		log, err := os.ReadFile(s.path("log"))
		if err != nil && (e.Bytes > 0 || !errors.Is(err, os.ErrNotExist)) {
			return ev, fmt.Errorf("read spool: %w", err)
		}
		if e.Seq != s.seq {
			return ev, fmt.Errorf("read spool: entry %d says that it is %d", s.seq, e.Seq)
		}
		ev.Entries = append(ev.Entries, e)
		ev.Logs = append(ev.Logs, log)
	}
}
