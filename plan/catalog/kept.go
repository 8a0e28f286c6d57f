package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Kept holds the catalog's revisions in a directory, each whole and under its
// name, and says which one is in force. Nothing is put in force, and nothing is
// kept, that is not valid as a whole; the zero value's directory is the current one.
type Kept struct{ Dir string }

// KeptRevision is one line of what is kept.
type KeptRevision struct {
	Revision string    `json:"revision"`
	At       time.Time `json:"at,omitzero"` // when it was first put in force; zero for the built-in one
	InForce  bool      `json:"in_force"`
	BuiltIn  bool      `json:"built_in"`
}

// current is the file that names the revision in force. Without it that is the
// built-in catalog.
const current = "current"

// Current returns the catalog in force. When its files were changed or no longer
// are valid, the error says so and nothing is returned.
func (k Kept) Current() (*Catalog, error) {
	b, err := os.ReadFile(filepath.Join(k.Dir, current))
	if errors.Is(err, fs.ErrNotExist) {
		return Default()
	}
	if err != nil {
		return nil, fmt.Errorf("read catalog in force: %w", err)
	}
	return k.load(strings.TrimSpace(string(b)))
}

// Revision returns a revision that is kept, or the built-in one. *UnknownError
// has the nearest when there is none of that name.
func (k Kept) Revision(name string) (*Catalog, error) {
	c, err := Default()
	if err != nil || c.Revision == name {
		return c, err
	}
	known, err := k.All()
	if err != nil {
		return nil, err
	}
	names := namesOf(known, func(r KeptRevision) string { return r.Revision })
	if !slices.Contains(names, name) {
		return nil, &UnknownError{Name: clip(name), What: fmt.Sprintf("no catalog revision %q is kept; there are %s", clip(name), strings.Join(names, " "))}
	}
	return k.load(name)
}

// load reads a kept revision, which must still be what its name says.
func (k Kept) load(name string) (*Catalog, error) {
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("catalog revision %q is no name", clip(name))
	}
	files, err := gather([]fs.FS{os.DirFS(filepath.Join(k.Dir, name))})
	if err != nil {
		return nil, fmt.Errorf("catalog revision %s: %w", name, err)
	}
	c, err := build(files)
	if err != nil {
		return nil, fmt.Errorf("catalog revision %s:\n%w", name, err)
	}
	if c.Revision != name {
		return nil, fmt.Errorf("catalog revision %s: its files were changed after it was kept; they are %s now", name, c.Revision)
	}
	return c, nil
}

// Use lays files over the built-in catalog, keeps the result and puts it in
// force. What is not valid leaves everything as it was; the error names file,
// line and column.
func (k Kept) Use(overlay fs.FS) (*Catalog, error) {
	files, err := gather([]fs.FS{embedded, overlay})
	if err != nil {
		return nil, err
	}
	c, err := build(files)
	if err != nil {
		return nil, err
	}
	if err := k.keep(c.Revision, files); err != nil {
		return nil, fmt.Errorf("keep catalog %s: %w", c.Revision, err)
	}
	return c, k.force(c.Revision)
}

// Rollback puts a revision in force that was in force before, or the built-in
// one. It is validated again: a later program may no longer take it.
func (k Kept) Rollback(name string) (*Catalog, error) {
	c, err := k.Revision(name)
	if err != nil {
		return nil, err
	}
	return c, k.force(name)
}

// keep writes a revision's files beside the others and then gives them their
// name, so that an interruption leaves no half of one under it.
func (k Kept) keep(name string, files map[string][]byte) error {
	dir := filepath.Join(k.Dir, name)
	if _, err := os.Stat(dir); err == nil {
		if _, err := k.load(name); err == nil {
			return nil
		}
		// Somebody changed what was kept: the files in hand are right.
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(k.Dir, 0o700); err != nil {
		return err
	}
	next, err := os.MkdirTemp(k.Dir, "new-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(next)
	for _, file := range slices.Sorted(maps.Keys(files)) {
		to := filepath.Join(next, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, files[file], 0o600); err != nil {
			return err
		}
	}
	err = os.Rename(next, dir)
	if _, kept := k.load(name); kept == nil {
		return nil // somebody else was faster
	}
	return err
}

// force names the revision in force, in one step. The built-in one has no name
// there: whoever goes back to it gets that of a later program too.
func (k Kept) force(name string) error {
	if c, err := Default(); err == nil && c.Revision == name {
		err := os.Remove(filepath.Join(k.Dir, current))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("put catalog %s in force: %w", name, err)
		}
		return nil
	}
	if err := os.MkdirAll(k.Dir, 0o700); err != nil {
		return fmt.Errorf("put catalog %s in force: %w", name, err)
	}
	next, err := os.CreateTemp(k.Dir, "new-*")
	if err != nil {
		return fmt.Errorf("put catalog %s in force: %w", name, err)
	}
	defer os.Remove(next.Name())
	_, err = next.WriteString(name + "\n")
	if err = errors.Join(err, next.Sync(), next.Close()); err == nil {
		err = os.Rename(next.Name(), filepath.Join(k.Dir, current))
	}
	if err != nil {
		return fmt.Errorf("put catalog %s in force: %w", name, err)
	}
	return nil
}

// All returns what can be rolled back to: the built-in revision, and those kept,
// the oldest first.
func (k Kept) All() ([]KeptRevision, error) {
	builtIn, err := Default()
	if err != nil {
		return nil, err
	}
	inForce, err := os.ReadFile(filepath.Join(k.Dir, current))
	if errors.Is(err, fs.ErrNotExist) {
		inForce, err = []byte(builtIn.Revision), nil
	}
	if err != nil {
		return nil, fmt.Errorf("list catalog revisions: %w", err)
	}
	entries, err := os.ReadDir(k.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list catalog revisions: %w", err)
	}
	all := []KeptRevision{{Revision: builtIn.Revision, BuiltIn: true}}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), "new-") || e.Name() == builtIn.Revision {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("list catalog revisions: %w", err)
		}
		all = append(all, KeptRevision{Revision: e.Name(), At: info.ModTime().UTC()})
	}
	slices.SortStableFunc(all, func(a, b KeptRevision) int { return a.At.Compare(b.At) })
	for i := range all {
		all[i].InForce = all[i].Revision == string(bytes.TrimSpace(inForce))
	}
	return all, nil
}
