package local

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/action"
	"github.com/ortest/ortest/action/source"
	"github.com/ortest/ortest/report"
)

// The two runs of a file that may be on record.
const (
	recordLast   = "last"   // the one that counts
	recordBeside = "beside" // one that failed beside others
)

// records are what of a goal has ended, in a folder of its own: for each run of
// a file its log, and then its result, which is renamed into place.
type records struct {
	dir  string
	head []byte // log up to the first test file
}

// record is one run of a file.
type record struct {
	File report.FileResult
	Log  []byte
}

// keyOf names a goal's records: those of another commit, or of other options,
// are another run's.
func keyOf(c action.Config, m report.Manifest) string {
	options := c.Piece.Options
	options.Force, options.InstanceType = false, ""
	b, err := json.Marshal([]any{m.Goal, m.Repo, m.Commit, m.Arch, m.Versions, options})
	if err != nil {
		return m.Goal // no value of these types is unknown to JSON
	}
	sum := sha256.Sum256(b)
	return m.Goal + "-" + hex.EncodeToString(sum[:8])
}

// hold is what a run has for itself of a goal: its place in the work folder,
// and a temporary folder that the next run removes if this one cannot.
type hold struct {
	lock *os.File
	temp string
}

// takeHold makes sure that no other run has a goal: the two would work in one
// folder, and mix their records. The lock ends with the process, however that ends.
func takeHold(work, goal string) (*hold, error) {
	dir := filepath.Join(work, "unfinished")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("lock goal: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, goal+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock goal: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("another ortest run tests it in the same --work folder: %s; wait for it, or choose another folder", source.Holders(lock.Name()))
	}
	h := &hold{lock: lock}
	if err := h.makeTemp(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("make temporary folder: %w; TMPDIR can name another place", err)
	}
	return h, nil
}

const tempPrefix = "ortest-run-"

// makeTemp removes the folder of a run that was killed, which the lock names,
// and makes one for this run.
func (h *hold) makeTemp() error {
	b, err := io.ReadAll(h.lock)
	if err != nil {
		return err
	}
	if old := string(b); strings.HasPrefix(filepath.Base(old), tempPrefix) {
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	if h.temp, err = os.MkdirTemp("", tempPrefix); err != nil {
		return err
	}
	if err := h.lock.Truncate(0); err != nil {
		return err
	}
	_, err = h.lock.WriteAt([]byte(h.temp), 0)
	return err
}

func (h *hold) close() {
	_ = os.RemoveAll(h.temp) // the next run tries again
	h.lock.Close()
}

// openRecords opens the records of a goal.
func openRecords(work, key string, fresh bool) (*records, error) {
	r := &records{dir: filepath.Join(work, "unfinished", key)}
	if fresh {
		if err := os.RemoveAll(r.dir); err != nil {
			return nil, fmt.Errorf("remove records: %w", err)
		}
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return nil, fmt.Errorf("open records: %w", err)
	}
	return r, nil
}

func (r *records) path(file, which, ext string) string {
	sum := sha256.Sum256([]byte(file))
	return filepath.Join(r.dir, hex.EncodeToString(sum[:8])+"."+which+"."+ext)
}

// ended reports whether the run that counts is on record.
func (r *records) ended(file string) bool { return r.one(file, recordLast) != nil }

// besides reports whether a file has failed beside others.
func (r *records) besides(file string) bool { return r.one(file, recordBeside) != nil }

// stored is what of a record is JSON.
type stored struct {
	File  report.FileResult `json:"file"`
	Bytes int               `json:"bytes"` // of the log
}

func (r *records) write(which string, f report.FileResult, log []byte) error {
	b, err := json.Marshal(stored{f, len(log)})
	if err != nil {
		return fmt.Errorf("record %s: %w", f.Path, err)
	}
	if err := os.WriteFile(r.path(f.Path, which, "log"), log, 0o644); err != nil {
		return fmt.Errorf("record %s: %w", f.Path, err)
	}
	tmp := r.path(f.Path, which, "tmp")
	if err := os.WriteFile(tmp, b, 0o644); err != nil {
		return fmt.Errorf("record %s: %w", f.Path, err)
	}
	if err := os.Rename(tmp, r.path(f.Path, which, "json")); err != nil {
		return fmt.Errorf("record %s: %w", f.Path, err)
	}
	return nil
}

// read returns the runs of a file that are on record, nil for none.
func (r *records) read(file string) (last *record, beside *Beside) {
	last = r.one(file, recordLast)
	if b := r.one(file, recordBeside); b != nil {
		beside = &Beside{b.File, b.Log}
	}
	return last, beside
}

// one reads a record. One that is damaged, as by a disk that was full or a machine that
// lost its power, is none: the file runs again.
func (r *records) one(file, which string) *record {
	b, err := os.ReadFile(r.path(file, which, "json"))
	if err != nil {
		return nil
	}
	var s stored
	if err := json.Unmarshal(b, &s); err != nil || s.File.Path != file {
		return nil
	}
	log, err := os.ReadFile(r.path(file, which, "log"))
	if err != nil || len(log) != s.Bytes {
		return nil
	}
	return &record{s.File, log}
}

func (r *records) remove() error {
	if err := os.RemoveAll(r.dir); err != nil {
		return fmt.Errorf("remove records: %w", err)
	}
	return nil
}

// buffer keeps a log, and passes it on where that is wanted.
type buffer struct {
	mu   sync.Mutex
	b    bytes.Buffer
	also io.Writer
}

func (b *buffer) over(w io.Writer) *buffer {
	b.also = w
	return b
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.also != nil {
		_, _ = b.also.Write(p)
	}
	return b.b.Write(p)
}

func (b *buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Bytes()
}
