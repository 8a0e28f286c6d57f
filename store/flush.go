package store

import (
	"errors"
	"os"
	"sync"
)

// flushes brings what was committed to the disk, outside of the commits: who
// commits does not wait for the disk, only who asks that it outlives the
// machine's power, and those that ask meanwhile share the next flush.
type flushes struct {
	turn sync.Mutex // of the one under way
	mu   sync.Mutex
	next *flush // which has not begun; nil: nobody asked for one
}

type flush struct {
	done chan struct{}
	err  error
}

// flush returns when everything that was committed before is on the disk.
func (q *flushes) flush(file string) error {
	q.mu.Lock()
	f, first := q.next, q.next == nil
	if first {
		f = &flush{done: make(chan struct{})}
		q.next = f
	}
	q.mu.Unlock()
	if !first {
		<-f.done
		return f.err
	}
	q.turn.Lock()
	defer q.turn.Unlock()
	q.mu.Lock()
	q.next = nil
	q.mu.Unlock()
	f.err = syncFile(file)
	close(f.done)
	return f.err
}

// syncFile opens the file each time, as SQLite makes a new one when it has closed it.
func syncFile(name string) (err error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}
