package source

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxAge is how long what nobody used is kept: releases are further apart, but
	// then everything has changed.
	maxAge = 30 * 24 * time.Hour
	// maxSize is what all builds and sources may take together: those of the whole
	// catalog in all modes take a third of it.
	maxSize = 12 << 30
	// fresh is what is not cleared for its size: who got it may not yet hold it.
	fresh = time.Hour
)

func (s *Store) added() {
	s.mu.Lock()
	s.made = true
	s.mu.Unlock()
}

// use notes that a folder is needed until Close, which Clear respects.
func (s *Store) use(dir string) (*os.File, error) {
	path := dir + ".used"
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if f := s.holds(path); f != nil {
		return f, nil
	}
	for {
		f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		now := time.Now()
		_ = os.Chtimes(path, now, now) // another user's cannot be
		if same(f, path) {
			s.mu.Lock()
			s.held = append(s.held, f)
			s.mu.Unlock()
			return f, nil
		}
		f.Close() // it was cleared meanwhile
	}
}

// holds returns what is held already: two locks of one process shut each other out.
func (s *Store) holds(path string) *os.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.held {
		if f.Name() == path {
			return f
		}
	}
	return nil
}

func same(f *os.File, path string) bool {
	a, err := f.Stat()
	b, errNow := os.Stat(path)
	return err == nil && errNow == nil && os.SameFile(a, b)
}

// Close lets go of everything that was got. If something was made, what is old is
// cleared: folders that nobody uses and nobody used for a month, and where
// all take more than 12 GiB, those whose last use is the longest ago.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.held {
		f.Close()
	}
	s.held = nil
	if !s.made {
		return nil
	}
	s.made = false
	return s.clear(time.Now(), maxSize)
}

// kept is a folder of the store.
type kept struct {
	dir  string
	used time.Time
	size int64
}

func (s *Store) clear(now time.Time, size int64) error {
	all, err := s.kept()
	if err != nil {
		return fmt.Errorf("clear old builds: %w", err)
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Or(b.used.Compare(a.used), cmp.Compare(a.dir, b.dir)) })
	var total int64
	var errs []error
	for _, k := range all { // the last used first
		age := now.Sub(k.used)
		if age <= maxAge && (total+k.size <= size || age <= fresh) || !k.remove(&errs) {
			total += k.size
		}
	}
	return errors.Join(errs...)
}

// kinds are the folders of what may be cleared. The compiler's cache bounds itself,
// and histories are few and long.
var kinds = []string{"src", "core", "tools", "nginx", "services", "files", "project"}

// kept lists what is in the store.
func (s *Store) kept() ([]kept, error) {
	var all []kept
	for _, kind := range kinds {
		list, err := os.ReadDir(filepath.Join(s.Dir, kind))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, e := range list {
			fi, err := e.Info()
			if err != nil || !fi.IsDir() {
				continue
			}
			k := kept{dir: filepath.Join(s.Dir, kind, e.Name()), used: fi.ModTime()}
			if used, err := os.Stat(k.dir + ".used"); err == nil {
				k.used = used.ModTime()
			}
			k.size = sizeOf(k.dir)
			all = append(all, k)
		}
	}
	return all, nil
}

func sizeOf(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // what cannot be seen is not counted
		}
		if fi, err := d.Info(); err == nil && fi.Mode().IsRegular() {
			size += fi.Size()
		}
		return nil
	})
	return size
}

// remove removes a folder unless somebody uses it.
func (k kept) remove(errs *[]error) bool {
	f, err := os.OpenFile(k.dir+".used", os.O_RDONLY|os.O_CREATE, 0o644)
	if err != nil {
		*errs = append(*errs, err)
		return false
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return false
	}
	// That it is done goes first: half a build is none.
	for _, path := range []string{k.dir + ".done", k.dir, k.dir + ".lock", k.dir + ".used"} {
		if err := os.RemoveAll(path); err != nil {
			*errs = append(*errs, err)
			return false
		}
	}
	return true
}
