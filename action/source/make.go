package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Keep returns the folder of a name, which fill filled once. It is there
// wholly or not at all, however many ask for it at once, and stays until Close.
func (s *Store) Keep(ctx context.Context, kind, name string, fill func(tmp string) error) (string, error) {
	there := func(dir string) bool {
		_, err := os.Stat(dir)
		return err == nil
	}
	return s.once(ctx, filepath.Join(s.Dir, kind, name), there, func(dir string, _ *os.File) error { return whole(dir, fill) })
}

// Kept returns the folder that Keep filled since then, "" where there is none. An
// older one is removed, unless somebody uses it.
func (s *Store) Kept(kind, name string, since time.Time) (string, error) {
	dir := filepath.Join(s.Dir, kind, name)
	fi, err := os.Stat(dir)
	switch {
	case err != nil:
		return "", nil //nolint:nilerr // there is none
	case fi.ModTime().Before(since):
		var errs []error
		kept{dir: dir}.remove(&errs)
		return "", errors.Join(errs...)
	}
	if _, err := s.use(dir); err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err != nil {
		return "", nil //nolint:nilerr // it was cleared meanwhile
	}
	return dir, nil
}

// Make returns the folder of a name, which fill filled in place: what is built
// has its own path in it. What was left unfinished, or made before since, is made
// from the start. It stays until Close.
func (s *Store) Make(ctx context.Context, kind, name string, since time.Time, fill func(out string) error) (string, error) {
	done := func(dir string) string { return dir + ".done" }
	there := func(dir string) bool {
		fi, err := os.Stat(done(dir))
		return err == nil && !fi.ModTime().Before(since)
	}
	return s.once(ctx, filepath.Join(s.Dir, kind, name), there, func(dir string, used *os.File) error {
		if _, err := os.Stat(done(dir)); err == nil {
			if unix.Flock(int(used.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
				return fmt.Errorf("%s is in use by %s and cannot be made again: wait for that, or do without -f", dir, Holders(used.Name()))
			}
			defer func() { _ = unix.Flock(int(used.Fd()), unix.LOCK_SH) }()
		}
		if err := errors.Join(os.RemoveAll(done(dir)), os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
			return err
		}
		if err := fill(dir); err != nil {
			return err
		}
		return os.WriteFile(done(dir), nil, 0o644)
	})
}

// once returns a folder that is there, or that fill made: one at a time among all
// who share the store. What is used is held by the file that fill is given.
func (s *Store) once(ctx context.Context, dir string, there func(dir string) bool, fill func(dir string, used *os.File) error) (string, error) {
	used, err := s.use(dir)
	if err != nil {
		return "", err
	}
	if there(dir) {
		return dir, nil
	}
	unlock, err := s.lock(ctx, dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	if there(dir) {
		return dir, nil
	}
	if err := fill(dir, used); err != nil {
		return "", err
	}
	s.added()
	return dir, nil
}

// whole fills a folder beside its place and puts it there.
func whole(dir string, fill func(tmp string) error) error {
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := fill(tmp); err != nil {
		return err
	}
	return os.Rename(tmp, dir)
}

// lock takes the lock of a folder that is to be made. Who has to wait hears for whom.
func (s *Store) lock(ctx context.Context, dir string) (unlock func(), err error) {
	f, err := os.OpenFile(dir+".lock", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	fd := int(f.Fd())
	if err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		if s.Log != nil {
			fmt.Fprintf(s.Log, "ortest: waits for %s, which makes %s\n", Holders(f.Name()), dir)
		}
		got := make(chan error, 1)
		go func() { got <- unix.Flock(fd, unix.LOCK_EX) }()
		select {
		case err = <-got:
		case <-ctx.Done():
			go func() {
				<-got
				f.Close()
			}()
			return nil, context.Cause(ctx)
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { f.Close() }, nil
}
