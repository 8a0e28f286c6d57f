package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
)

// mostCatalogs bounds how many revisions are held in memory beside the one in force.
const mostCatalogs = 8

// Keep stores the catalog that a run is planned with, before the run: what it
// means must not depend on what is in force when it is driven, or where. It may be repeated.
func (b *Bot) Keep(ctx context.Context, c *catalog.Catalog) error {
	b.mu.Lock()
	known := b.kept[c.Revision]
	b.mu.Unlock()
	if known {
		return nil
	}
	packed, err := c.Pack()
	if err != nil {
		return err
	}
	if err := b.Store.PutCatalog(ctx, c.Revision, packed); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept == nil {
		b.kept = make(map[string]bool)
	}
	b.kept[c.Revision] = true
	return nil
}

// catalogAt returns a revision: the one in force, one that is kept here, or one that
// a run was planned with. Else ErrNotFound.
func (b *Bot) catalogAt(ctx context.Context, revision string) (*catalog.Catalog, error) {
	if c := b.Catalog(); c.Revision == revision {
		return c, nil
	}
	b.mu.Lock()
	c := b.catalogs[revision]
	b.mu.Unlock()
	if c != nil {
		return c, nil
	}
	packed, err := b.Store.Catalog(ctx, revision)
	switch {
	case err == nil:
		c, err = catalog.Unpack(revision, packed)
	case errors.Is(err, ErrNotFound) && b.Kept != nil:
		c, err = b.Kept.Revision(revision)
		if unknown := (*catalog.UnknownError)(nil); errors.As(err, &unknown) {
			err = fmt.Errorf("catalog %.40q: %w", revision, ErrNotFound)
		}
	}
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.catalogs == nil || len(b.catalogs) >= mostCatalogs {
		b.catalogs = make(map[string]*catalog.Catalog)
	}
	b.catalogs[revision] = c
	return c, nil
}

// catalogOf returns the catalog that a run was planned with; of a run from before
// they were kept, the one in force.
func (b *Bot) catalogOf(ctx context.Context, r Run) (*catalog.Catalog, error) {
	c, err := b.catalogAt(ctx, r.Catalog)
	if errors.Is(err, ErrNotFound) {
		return b.Catalog(), nil
	}
	return c, err
}

// Core returns the nginx core that a run is planned for: the one that it names, or the
// newest of its own catalog, whatever is in force by now.
func (b *Bot) Core(ctx context.Context, r Run) (string, error) {
	if r.Plan.Options.Nginx != "" {
		return r.Plan.Options.Nginx, nil
	}
	c, err := b.catalogOf(ctx, r)
	if err != nil {
		return "", fmt.Errorf("nginx core of run %s: %w", r.ID, err)
	}
	return c.Core(""), nil
}

// packed is the catalog that goes to the jobs of a run with its pieces; nil where
// they are told of none.
func (b *Bot) packed(ctx context.Context, r Run) ([]byte, error) {
	packed, err := b.Store.Catalog(ctx, r.Catalog)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return packed, err
}

// chosen returns the catalog that a command is about, and the policy that it is held
// to: -b may name what the policy lists and, where that lists nothing, every revision
// that is known. All of them were in force here, and none is a pull request's.
func (b *Bot) chosen(ctx context.Context, req plan.Request, may plan.Policy) (*catalog.Catalog, plan.Policy, error) {
	name := req.Options.Revision
	if name == "" || len(may.Revisions) > 0 && !slices.Contains(may.Revisions, name) {
		return b.Catalog(), may, nil // the policy says what is wrong
	}
	c, err := b.catalogAt(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return nil, may, b.unknownRevision(name)
	}
	may.Revisions = []string{name}
	return c, may, err
}

func (b *Bot) unknownRevision(name string) error {
	known := []string{b.Catalog().Revision}
	if b.Kept != nil {
		all, err := b.Kept.All()
		if err != nil {
			return err
		}
		for _, r := range all {
			if !slices.Contains(known, r.Revision) {
				known = append(known, r.Revision)
			}
		}
	}
	if n := len(known); n > 6 { // the newest are the last
		known = append(known[:1:1], known[n-5:]...)
	}
	return &plan.UsageError{Word: "-b " + name, What: "is no revision of the catalog that is known here", Do: "choose one of " + strings.Join(known, ", ")}
}
