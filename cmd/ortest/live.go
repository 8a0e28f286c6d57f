package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ortest/ortest/bot"
	releases "github.com/ortest/ortest/bot/release"
	"github.com/ortest/ortest/bot/web"
	"github.com/ortest/ortest/plan/catalog"
)

// live is what may change while the server works: it is swapped whole, and only
// for something that is valid.
//
// The catalog in force is always a revision that is kept in data, and ortest
// catalog use or rollback changes it as well. A directory or a repository that
// the configuration names is where new revisions come from: each of its states is
// taken once, or refused once, so that a rollback holds until there is a newer one.
type live struct {
	path, data string
	server     string // of GitHub
	log        *slog.Logger
	file       liveConfig // as the configuration has it
	config     atomic.Pointer[liveConfig]
	catalog    atomic.Pointer[catalog.Catalog]
	fed        atomic.Pointer[feed]
	since      atomic.Pointer[time.Time]
	refused    atomic.Bool // the configuration that was saved last does not count
	seen       [3]string   // what configuration, kept revisions and directory looked like when they were read last
	fetched    time.Time
	nudge      chan struct{}
	// judged says on a commit what became of it; nil says nothing.
	judged func(ctx context.Context, url, commit, refused string) error
}

// How soon a change counts.
const (
	reloadEvery = 2 * time.Second
	fetchWithin = time.Minute
)

func openLive(path string, cfg serveConfig, log *slog.Logger) (*live, error) {
	l := &live{path: path, data: cfg.Data, server: cfg.GitHub.Server, log: log, file: cfg.Live, nudge: make(chan struct{}, 1)}
	f, err := readFeed(l.data)
	if err != nil {
		return nil, err
	}
	l.fed.Store(&f)
	if dir := cfg.Live.Catalog; dir != "" && f.State == "" {
		if _, err := readOverlay(dir); err != nil { // nothing else was ever in force here
			return nil, usage(fmt.Errorf("the catalog is not valid:\n%w", err))
		}
	}
	l.seen[1] = look(kept(l.data).Dir)
	if err := l.force(); err != nil {
		return nil, usage(fmt.Errorf("the catalog is not valid:\n%w", err))
	}
	l.seen[0] = look(path)
	l.feedDirectory()
	l.takeKept()
	return l, nil
}

// look tells whether anything at a path has changed, without reading it.
func look(path string) string {
	sum := sha256.New()
	err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(sum, name, info.Size(), info.ModTime().UnixNano(), info.Mode())
		return nil
	})
	return fmt.Sprintf("%x %v", sum.Sum(nil), err)
}

func (l *live) rules() []releases.Rule { return l.config.Load().Release }

func (l *live) settings() bot.Settings {
	c := l.config.Load()
	s := c.settings()
	from, err := url.Parse(c.Repository.URL)
	hub, hubErr := url.Parse(l.server)
	if err == nil && hubErr == nil && from.Hostname() != "" && strings.EqualFold(from.Hostname(), hub.Hostname()) {
		s.CatalogOf = nameOf(c.Repository.URL)
	}
	return s
}

// rollback puts a kept revision in force, as ortest catalog rollback does.
func (l *live) rollback(revision string) error {
	_, err := rollbackTo(l.data, revision)
	if err == nil {
		l.hurry()
	}
	return err
}

// rollbackTo puts a kept revision in force whose settings and expectations can be
// used as well. A catalog beside an error is in force all the same.
func rollbackTo(data, revision string) (*catalog.Catalog, error) {
	c, err := kept(data).Revision(revision)
	if err == nil {
		err = readExpectations(c)
	}
	if err != nil {
		return nil, err
	}
	return kept(data).Rollback(revision)
}

// shown is what the pages say of the catalog.
func (l *live) shown() web.Catalog {
	c, f := l.catalog.Load(), l.fed.Load()
	out := web.Catalog{Revision: c.Revision, Summary: c.Summary(), TakenAt: *l.since.Load(), Refused: f.Refused, RefusedAt: f.At}
	if f.Refused != "" {
		out.RefusedOf = f.From
	}
	if f.Revision == c.Revision {
		out.Source = f.From
	}
	return out
}

// force puts what is kept in force, with the settings beside it. Those that
// cannot be used leave the revision before in force; at a start there is none.
func (l *live) force() error {
	c, err := kept(l.data).Current()
	if err != nil {
		return err
	}
	was := l.catalog.Load()
	merged, err := mergeSettings(l.file, c)
	if err != nil {
		if was != nil && was.Revision != c.Revision {
			return err
		}
		merged = l.held(l.file, c, err)
	}
	l.catalog.Store(c)
	l.config.Store(&merged)
	if now := time.Now(); was == nil || was.Revision != c.Revision {
		l.since.Store(&now)
		if was != nil {
			l.log.Info("catalog taken", "revision", c.Revision, "before", was.Revision)
		}
	}
	return nil
}

// held are the settings beside a catalog whose own cannot be used. What those
// bounded is not known, so that nothing starts until they are mended.
func (l *live) held(file liveConfig, c *catalog.Catalog, err error) liveConfig {
	l.log.Error("settings beside the catalog cannot be used: no run starts until a newer or an earlier revision is in force", "revision", c.Revision, "err", err)
	file.Maintenance = cmp.Or(file.Maintenance, "settings.yaml of catalog "+c.Revision+" cannot be used, its maintainers are needed")
	return file
}

// run looks for changes until ctx ends.
func (l *live) run(ctx context.Context) error {
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		l.feedRepository(ctx)
		l.reload()
		select {
		case <-ctx.Done():
			return nil
		case <-l.nudge:
			l.fetched = time.Time{}
		case <-tick.C:
		}
	}
}

// hurry looks at the repository soon, since something was pushed somewhere.
func (l *live) hurry() {
	select {
	case l.nudge <- struct{}{}:
	default:
	}
}

// reload takes what has changed on this machine. What is not valid is said once and left.
func (l *live) reload() {
	if now := look(l.path); now != l.seen[0] {
		l.seen[0] = now
		l.takeFile()
	}
	l.feedDirectory()
	l.takeKept()
}

func (l *live) takeFile() {
	cfg, err := readServeConfig(l.path)
	if err != nil {
		l.refused.Store(true)
		l.log.Error("configuration refused, the one before still counts", "err", err)
		return
	}
	c := l.catalog.Load()
	merged, err := mergeSettings(cfg.Live, c)
	if err != nil {
		merged = l.held(cfg.Live, c, err)
	}
	l.file = cfg.Live
	l.config.Store(&merged)
	l.refused.Store(false)
	l.log.Info("configuration taken", "maintenance", merged.Maintenance != "", "kill", merged.Kill != "")
}

func (l *live) takeKept() {
	now := look(kept(l.data).Dir)
	if now == l.seen[1] {
		return
	}
	l.seen[1] = now
	if err := l.force(); err != nil {
		l.log.Error("catalog refused, the revision before still counts", "revision", l.catalog.Load().Revision, "err", err)
	}
}

// feedDirectory takes a new state of the directory.
func (l *live) feedDirectory() {
	dir := l.file.Catalog
	if dir == "" {
		l.seen[2] = ""
		return
	}
	now := look(dir)
	if now == l.seen[2] {
		return
	}
	l.seen[2] = now
	c, err := readOverlay(dir)
	state := now // of what cannot be read, there is no revision
	if err == nil {
		state = c.Revision
	}
	if l.fed.Load().State == state {
		return
	}
	l.feed(dir, state, os.DirFS(dir), err)
}

// feed puts a new state of a source in force, or remembers why not.
func (l *live) feed(from, state string, files fs.FS, err error) {
	f := feed{From: from, State: state, At: time.Now().UTC()}
	if err == nil {
		var c *catalog.Catalog
		if c, err = kept(l.data).Use(files); err == nil {
			f.Revision = c.Revision
		}
	}
	if err != nil {
		f.Refused, f.Revision = err.Error(), l.fed.Load().Revision
		l.log.Error("catalog refused, the revision before still counts", "from", from, "revision", l.catalog.Load().Revision, "err", err)
	}
	l.fed.Store(&f)
	if err := writeFeed(l.data, f); err != nil {
		l.log.Error("what became of a catalog is not kept", "err", err)
	}
}

// readOverlay reads a directory laid over the built-in catalog, with all that
// belongs to it.
func readOverlay(dir string) (*catalog.Catalog, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("live.catalog: %s is no directory", dir)
	}
	return loadWhole(os.DirFS(dir))
}

// loadWhole reads an overlay with the expectations and settings that it carries.
func loadWhole(files fs.FS) (*catalog.Catalog, error) {
	c, err := catalog.Load(files)
	if err != nil {
		return nil, err
	}
	return c, readExpectations(c)
}

// mergeSettings lays the settings beside a catalog over the configuration's.
// What ends or holds runs counts wherever it is said.
func mergeSettings(file liveConfig, c *catalog.Catalog) (liveConfig, error) {
	text, ok := c.Settings()
	if !ok {
		return file, nil
	}
	merged, err := parseSettings(text, file)
	merged.Maintenance, merged.Kill = cmp.Or(file.Maintenance, merged.Maintenance), cmp.Or(file.Kill, merged.Kill)
	merged.Catalog, merged.Repository = file.Catalog, file.Repository
	if err != nil {
		err = fmt.Errorf("settings.yaml: %w", err)
	}
	return merged, err
}
