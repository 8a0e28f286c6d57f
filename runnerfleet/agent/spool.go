package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/runnerfleet"
)

// spool is where a job leaves its entries: entry N is 00000N.log, raw, and then
// 00000N.json, renamed into place. The job is hostile: nothing outside of the
// directory is read, and only regular files, each up to a bound.
type spool struct {
	root *os.Root
	next int
}

// entry is one entry as the job left it.
type entry struct {
	seq  int
	meta []byte
	log  []byte
}

// What makes an entry unusable before it is sent.
var (
	errNotRegular = errors.New("not a regular file")
	errTooLong    = errors.New("entry is too long")
)

func openSpool(dir string) (*spool, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	return &spool{root: root}, nil
}

func (s *spool) Close() error { return s.root.Close() }

// peek returns the next entry, and false while it is not there. An entry that
// cannot be handed over comes with an error, and counts as well.
func (s *spool) peek() (entry, bool, error) {
	e := entry{seq: s.next}
	meta, whole, err := s.read(fmt.Sprintf("%06d.json", s.next), runnerfleet.MaxMeta)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return e, false, nil
	case err != nil:
		return e, true, err
	case whole > int64(len(meta)):
		return e, true, fmt.Errorf("%w: %d bytes, at most %d are allowed", errTooLong, whole, runnerfleet.MaxMeta)
	}
	log, whole, err := s.read(fmt.Sprintf("%06d.log", s.next), runnerfleet.MaxLog-200)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return e, true, err
	}
	if whole > int64(len(log)) {
		log = fmt.Appendf(log, "\nortest: log cut here, after %d of %d bytes\n", len(log), whole)
	}
	e.meta, e.log = meta, log
	return e, true, nil
}

// done moves on to the next entry.
func (s *spool) done() { s.next++ }

// single reports whether a file is a regular one with no other name: the agent may
// read what the job may not, and a hard link would show it that.
func single(fi fs.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return fi.Mode().IsRegular() && ok && st.Nlink == 1
}

// read returns up to limit bytes of a file, and how many it has. A file that is
// swapped for something else while it is looked at still cannot lead out of the
// directory, nor hold the agent up.
func (s *spool) read(name string, limit int64) ([]byte, int64, error) {
	fi, err := s.root.Lstat(name)
	if err != nil {
		return nil, 0, err
	}
	if !single(fi) {
		return nil, 0, errNotRegular
	}
	f, err := s.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	if fi, err = f.Stat(); err != nil {
		return nil, 0, err
	}
	if !single(fi) {
		return nil, 0, errNotRegular
	}
	b, err := io.ReadAll(io.LimitReader(f, limit))
	return b, max(fi.Size(), int64(len(b))), err
}
