package githubtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// A journal is the state's file: one line for each transaction, holding every
// row that it put or removed. A line cut short by a kill was never answered
// for, so it is dropped on opening.
type journal struct {
	file *os.File
}

// line is one transaction.
type line struct {
	Next int64   `json:"next"` // the next free id
	Rows []entry `json:"rows"`
}

// entry is one row put, or removed when V is absent.
type entry struct {
	K  string          `json:"k"`
	ID int64           `json:"id"`
	V  json.RawMessage `json:"v,omitempty"`
}

// openJournal reads the state of dir into st and opens a compacted journal.
func openJournal(dir string, st *state) (*journal, error) {
	path := filepath.Join(dir, "state.jsonl")
	if err := replay(path, st); err != nil {
		return nil, err
	}
	// Not a name of its own: what a kill left behind is written over.
	fresh, err := os.Create(path + ".new")
	if err != nil {
		return nil, fmt.Errorf("create journal: %w", err)
	}
	j := &journal{file: fresh}
	err = j.append(st.snapshot())
	if err == nil {
		err = fresh.Sync()
	}
	if err == nil {
		err = os.Rename(fresh.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("compact journal: %w", err), fresh.Close(), os.Remove(fresh.Name()))
	}
	return j, nil
}

// replay applies the lines of a journal; no file is an empty state.
func replay(path string, st *state) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	for r := bufio.NewReader(f); ; {
		raw, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		if err := applyLine(raw, st); err != nil {
			return err
		}
	}
}

func applyLine(raw []byte, st *state) error {
	var l line
	if err := json.Unmarshal(raw, &l); err != nil {
		return fmt.Errorf("parse journal: %w", err)
	}
	tables := st.tables()
	for _, e := range l.Rows {
		t, ok := tables[e.K]
		if !ok {
			return fmt.Errorf("parse journal: no table %q", e.K)
		}
		if err := t.load(e.ID, e.V); err != nil {
			return fmt.Errorf("parse journal: %s %d: %w", e.K, e.ID, err)
		}
	}
	st.next = l.Next
	return nil
}

// append writes one line. What the kernel has taken survives the process, and
// surviving the machine is not asked of a stand-in: no sync.
func (j *journal) append(l line) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(l); err != nil {
		return fmt.Errorf("encode journal: %w", err)
	}
	if _, err := j.file.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

func (j *journal) close() error { return j.file.Close() }

// table holds the rows of one kind. A row is never changed in place: it is
// copied, changed and put.
type table[T any] struct {
	kind string
	rows map[int64]T
}

// anyTable is a table as the journal sees it.
type anyTable interface {
	load(id int64, raw json.RawMessage) error
	dump() ([]entry, error)
}

func newTable[T any](kind string) table[T] {
	return table[T]{kind: kind, rows: make(map[int64]T)}
}

func (t *table[T]) get(id int64) (T, bool) {
	v, ok := t.rows[id]
	return v, ok
}

// find returns the row with the lowest id that matches.
func (t *table[T]) find(match func(T) bool) (T, bool) {
	for _, id := range slices.Sorted(maps.Keys(t.rows)) {
		if match(t.rows[id]) {
			return t.rows[id], true
		}
	}
	var none T
	return none, false
}

// filter returns the rows that match in order of id; nil matches all.
func (t *table[T]) filter(match func(T) bool) []T {
	var out []T
	for _, id := range slices.Sorted(maps.Keys(t.rows)) {
		if match == nil || match(t.rows[id]) {
			out = append(out, t.rows[id])
		}
	}
	return out
}

func (t *table[T]) put(x *tx, id int64, v T) {
	old, had := t.rows[id]
	x.undo = append(x.undo, func() { t.restore(id, old, had) })
	t.rows[id] = v
	x.record(t.kind, id, v)
}

func (t *table[T]) remove(x *tx, id int64) {
	old, had := t.rows[id]
	if !had {
		return
	}
	x.undo = append(x.undo, func() { t.restore(id, old, had) })
	delete(t.rows, id)
	x.rows = append(x.rows, entry{K: t.kind, ID: id})
}

func (t *table[T]) restore(id int64, v T, had bool) {
	if had {
		t.rows[id] = v
		return
	}
	delete(t.rows, id)
}

func (t *table[T]) load(id int64, raw json.RawMessage) error {
	if raw == nil {
		delete(t.rows, id)
		return nil
	}
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	t.rows[id] = v
	return nil
}

func (t *table[T]) dump() ([]entry, error) {
	var out []entry
	for _, id := range slices.Sorted(maps.Keys(t.rows)) {
		raw, err := json.Marshal(t.rows[id])
		if err != nil {
			return nil, err
		}
		out = append(out, entry{K: t.kind, ID: id, V: raw})
	}
	return out, nil
}

// tx is one transaction on the state: what it put, and how to take it back.
type tx struct {
	st   *state
	rows []entry
	undo []func()
	err  error
}

func (x *tx) record(kind string, id int64, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		x.err = errors.Join(x.err, fmt.Errorf("encode %s: %w", kind, err))
		return
	}
	x.rows = append(x.rows, entry{K: kind, ID: id, V: raw})
}

func (x *tx) rollback() {
	for _, undo := range slices.Backward(x.undo) {
		undo()
	}
}
