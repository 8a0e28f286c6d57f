package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// feed is what became of the newest state of a directory or repository.
type feed struct {
	From     string    `json:"from"`              // the directory, or repository and commit
	State    string    `json:"state"`             // names that state: a revision, a commit
	Revision string    `json:"revision"`          // the last one that came from there
	Refused  string    `json:"refused,omitempty"` // why the newest was not taken
	At       time.Time `json:"at"`
	Said     bool      `json:"said,omitempty"` // on the commit
}

func feedFile(data string) string { return filepath.Join(data, "catalog-source.json") }

// readFeed returns what is known; nothing is the zero value.
func readFeed(data string) (feed, error) {
	var f feed
	b, err := os.ReadFile(feedFile(data))
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		return f, fmt.Errorf("read what became of the catalog: %w; remove %s, and the newest is looked at again", err, feedFile(data))
	}
	return f, nil
}

func writeFeed(data string, f feed) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	next := feedFile(data) + ".new"
	if err := os.WriteFile(next, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, feedFile(data))
}

// repositoryConfig names a branch whose files are laid over the built-in catalog.
type repositoryConfig struct {
	URL    string        `yaml:"url"`
	Branch string        `yaml:"branch"`
	Path   string        `yaml:"path"`
	Every  time.Duration `yaml:"every"`
}

var branchName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}$`)

func (c repositoryConfig) validate(wrong func(is bool, format string, args ...any)) {
	if c.URL == "" {
		return
	}
	scheme, _, ok := strings.Cut(c.URL, "://")
	wrong(!ok || scheme != "https" && scheme != "ssh" && scheme != "http" && scheme != "file", "live.repository.url: %q is no https, ssh or file URL", c.URL)
	wrong(c.Branch != "" && (!branchName.MatchString(c.Branch) || strings.Contains(c.Branch, "..")), "live.repository.branch: %q is no branch", c.Branch)
	wrong(c.Path != "" && !filepath.IsLocal(c.Path), "live.repository.path: %q is not below the repository", c.Path)
	wrong(c.Every < 0, "live.repository.every: %s is no time to wait", c.Every)
}

func (c repositoryConfig) branch() string {
	if c.Branch == "" {
		return "main"
	}
	return c.Branch
}

// feedRepository fetches the branch when it is time, and takes a commit that is new.
func (l *live) feedRepository(ctx context.Context) {
	c := l.file.Repository
	every := c.Every
	if every == 0 {
		every = time.Minute
	}
	if c.URL == "" || time.Since(l.fetched) < every {
		return
	}
	l.fetched = time.Now()
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	git := bareRepository{filepath.Join(l.data, "catalog.git")}
	commit, err := git.fetch(ctx, c)
	if err != nil {
		if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			l.log.Warn("catalog's repository not fetched", "url", c.URL, "err", err)
		}
		return
	}
	if l.fed.Load().State != commit {
		dir, err := git.files(ctx, commit, c.Path)
		if err == nil {
			_, err = loadWhole(os.DirFS(dir))
		}
		l.feed(fmt.Sprintf("%s %s %.12s", c.URL, c.branch(), commit), commit, os.DirFS(dir), err)
		_ = os.RemoveAll(dir) // what was taken is kept elsewhere
		l.takeKept()
	}
	l.say(ctx, c, commit)
}

// say tells on the commit what became of it; what does not work is tried again.
func (l *live) say(ctx context.Context, c repositoryConfig, commit string) {
	f := *l.fed.Load()
	if l.judged == nil || f.Said || f.State != commit {
		return
	}
	if err := l.judged(ctx, c.URL, commit, f.Refused); err != nil {
		l.log.Warn("commit of the catalog has no check run", "commit", commit, "err", err)
		return
	}
	f.Said = true
	l.fed.Store(&f)
	if err := writeFeed(l.data, f); err != nil {
		l.log.Error("what became of a catalog is not kept", "err", err)
	}
}

// bareRepository is a bare repository of ours with one branch of another.
type bareRepository struct{ dir string }

func (g bareRepository) git(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"--git-dir", g.dir, "-c", "protocol.ext.allow=never", "-c", "core.hooksPath=/dev/null"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0")
	var says bytes.Buffer
	cmd.Stderr = &says
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(says.String()))
	}
	return out, nil
}

// fetch returns the branch's newest commit.
func (g bareRepository) fetch(ctx context.Context, c repositoryConfig) (string, error) {
	if _, err := os.Stat(g.dir); err != nil {
		if err := os.MkdirAll(filepath.Dir(g.dir), 0o700); err != nil {
			return "", err
		}
		if _, err := g.git(ctx, "init", "--bare", "--quiet"); err != nil {
			return "", err
		}
	}
	if _, err := g.git(ctx, "fetch", "--quiet", "--depth", "1", "--no-tags", "--end-of-options", c.URL, "+refs/heads/"+c.branch()+":refs/heads/catalog"); err != nil {
		return "", err
	}
	out, err := g.git(ctx, "rev-parse", "--verify", "refs/heads/catalog^{commit}")
	return strings.TrimSpace(string(out)), err
}

// Bounds on what a commit may hold; the catalog's own are tighter.
const (
	mostFeedFiles = 5000
	mostFeedBytes = 64 << 20
)

// files writes a commit's YAML files into a new directory. Links and whatever
// else is no file are left out: nothing of this machine is read through them.
func (g bareRepository) files(ctx context.Context, commit, below string) (dir string, err error) {
	tree := commit
	if below != "" {
		tree += ":" + filepath.ToSlash(filepath.Clean(below))
	}
	raw, err := g.git(ctx, "archive", "--format=tar", tree)
	if err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp("", "ortest-catalog-"); err != nil {
		return "", err
	}
	if len(raw) > mostFeedBytes {
		return dir, fmt.Errorf("commit %.12s: more than %d bytes", commit, mostFeedBytes)
	}
	in := tar.NewReader(bytes.NewReader(raw))
	for n := 0; ; n++ {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return dir, nil
		}
		if err != nil || n > mostFeedFiles {
			return dir, errors.Join(err, fmt.Errorf("commit %.12s cannot be read, or has more than %d files", commit, mostFeedFiles))
		}
		if h.Typeflag != tar.TypeReg || path.Ext(h.Name) != ".yaml" || !filepath.IsLocal(h.Name) {
			continue
		}
		to := filepath.Join(dir, filepath.FromSlash(h.Name))
		b, err := io.ReadAll(in)
		if err == nil {
			err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, b, 0o600))
		}
		if err != nil {
			return dir, fmt.Errorf("write %s: %w", h.Name, err)
		}
	}
}

// parseSettings lays settings.yaml over settings. Where catalogs come from it
// cannot say, whatever it lies over: what is valid by itself must be so beside
// every configuration.
func parseSettings(text []byte, over liveConfig) (liveConfig, error) {
	over.Catalog, over.Repository = "", repositoryConfig{}
	err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&over)
	if err != nil && !errors.Is(err, io.EOF) { // no key at all changes nothing
		return over, err
	}
	if over.Catalog != "" || over.Repository != (repositoryConfig{}) {
		return over, errors.New("catalog and repository belong in the server's own configuration, take them out")
	}
	return over, over.check()
}
