package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
)

// branch is a repository with one branch that a test commits to.
type branch struct{ dir string }

func newBranch(t *testing.T) branch {
	t.Helper()
	b := branch{t.TempDir()}
	b.git(t, "init", "--quiet", "--initial-branch", "main")
	return b
}

func (b branch) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", b.dir, "-c", "user.name=x", "-c", "user.email=x@x"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v: %s", args[0], err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes a file and returns the commit's name.
func (b branch) commit(t *testing.T, name, text string) string {
	t.Helper()
	to := filepath.Join(b.dir, "our", name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
	b.git(t, "add", ".")
	b.git(t, "commit", "--quiet", "-m", name)
	return b.git(t, "rev-parse", "HEAD")
}

// liveOf opens what may change, with a live section.
func liveOf(t *testing.T, dir, section string, log io.Writer) *live {
	t.Helper()
	path := filepath.Join(dir, "ortest.yaml")
	text := "url: https://x.org\ndata: d\ngithub: {app_id: 1, key_file: k, webhook_secret_files: [s]}\nlive: " + section + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := readServeConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	l, err := openLive(path, cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestACatalogFromABranch(t *testing.T) {
	b, dir, log := newBranch(t), t.TempDir(), new(bytes.Buffer)
	l := liveOf(t, dir, "{repository: {url: 'file://"+b.dir+"', path: our}, time: 30}", log)
	builtIn := l.catalog.Load().Revision
	said := make(map[string]string)
	l.judged = func(_ context.Context, url, commit, refused string) error { said[commit] = refused; return nil }
	look := func() { l.fetched = time.Time{}; l.feedRepository(t.Context()) }

	look() // a branch without a commit is no catalog
	if l.catalog.Load().Revision != builtIn || !strings.Contains(log.String(), "not fetched") {
		t.Errorf("an empty repository: %s", log)
	}
	good := b.commit(t, "settings.yaml", "time: 90\nmaintenance: new disks\nbudgets: {day: {usd: 7}}\n")
	look()
	first := l.catalog.Load().Revision
	if got := l.settings(); first == builtIn || got.Limit != 90*time.Minute || got.Maintenance != "new disks" || got.Day.USD != 7 {
		t.Fatalf("after a commit: %s %+v; %s", first, got, log)
	}
	if why, ok := said[good]; !ok || why != "" {
		t.Errorf("nothing is said on the commit that was taken: %v", said)
	}
	for name, text := range map[string]string{
		"settings.yaml": "tiem: 1\n", "expectations/ngx_lua.yaml": "- [", "projects/x.yaml": "name: [",
	} {
		bad := b.commit(t, name, text)
		look()
		if l.catalog.Load().Revision != first || l.settings().Limit != 90*time.Minute {
			t.Errorf("a broken %s was taken", name)
		}
		if why := said[bad]; !strings.Contains(why, name) && !strings.Contains(why, strings.TrimSuffix(name, ".yaml")) {
			t.Errorf("%s is broken, and on the commit stands %q", name, why)
		}
		if shown := l.shown(); shown.Refused == "" || shown.Revision != first {
			t.Errorf("the page shows %+v", shown)
		}
		b.git(t, "revert", "--no-edit", "HEAD")
	}
	look()
	if l.shown().Refused != "" {
		t.Errorf("mended, and still %+v", l.shown())
	}
	if _, err := kept(l.data).Rollback(builtIn); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		look()
		l.reload()
	}
	if l.catalog.Load().Revision != builtIn || l.settings().Maintenance != "" {
		t.Errorf("the rollback did not hold: %s %+v", l.catalog.Load().Revision, l.settings())
	}
	again := liveOf(t, dir, "{repository: {url: 'file://"+b.dir+"', path: our}, time: 30}", log)
	again.feedRepository(t.Context())
	if again.catalog.Load().Revision != builtIn {
		t.Error("the rollback did not hold over a restart")
	}
	b.commit(t, "settings.yaml", "time: 45\n")
	look()
	if l.settings().Limit != 45*time.Minute {
		t.Errorf("a commit after a rollback is not taken: %+v", l.settings())
	}
}

func TestALinkInABranchLeadsNowhere(t *testing.T) {
	b := newBranch(t)
	b.commit(t, "settings.yaml", "time: 45\n")
	if err := os.Symlink("/etc/passwd", filepath.Join(b.dir, "our", "modes.yaml")); err != nil {
		t.Fatal(err)
	}
	b.git(t, "add", ".")
	b.git(t, "commit", "--quiet", "-m", "link")
	log := new(bytes.Buffer)
	l := liveOf(t, t.TempDir(), "{repository: {url: 'file://"+b.dir+"', path: our}}", log)
	l.feedRepository(t.Context())
	if l.settings().Limit != 45*time.Minute || strings.Contains(log.String(), "root:") {
		t.Errorf("%+v %s", l.settings(), log)
	}
}

// catalogHub is a forge that remembers check runs.
type catalogHub struct {
	on   map[string][]bot.CheckRun
	next int64
}

func (c *catalogHub) Repositories(context.Context) ([]bot.Repo, error) {
	return []bot.Repo{{Installation: 1, Owner: "Our", Name: "catalog"}}, nil
}

func (c *catalogHub) CheckRuns(_ context.Context, _ bot.Repo, sha string) ([]bot.CheckRun, error) {
	return c.on[sha], nil
}

func (c *catalogHub) CreateCheckRun(_ context.Context, _ bot.Repo, sha string, r bot.CheckRun) (int64, error) {
	c.next++
	r.ID = c.next
	c.on[sha] = append(c.on[sha], r)
	return r.ID, nil
}

func (c *catalogHub) UpdateCheckRun(_ context.Context, _ bot.Repo, r bot.CheckRun) error {
	for sha, all := range c.on {
		for i := range all {
			if all[i].ID == r.ID {
				c.on[sha][i] = r
			}
		}
	}
	return nil
}

func TestACommitOfTheCatalogIsJudged(t *testing.T) {
	c := &catalogHub{on: make(map[string][]bot.CheckRun)}
	say := catalogCheck(c)
	for _, tt := range []struct{ name, url, refused, want string }{
		{"taken", "https://github.com/our/catalog.git", "", "success"},
		{"refused, in place of what was said before", "https://github.com/our/catalog", "projects/x.yaml:1:2: no", "failure"},
		{"said again", "ssh://git@github.com/our/catalog", "projects/x.yaml:1:2: no\n```\n# evil", "failure"},
	} {
		if err := say(t.Context(), tt.url, "abc", tt.refused); err != nil {
			t.Fatal(err)
		}
		if got := c.on["abc"]; len(got) != 1 || got[0].Conclusion != tt.want || strings.Contains(got[0].Text, "\n#") {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
	if err := say(t.Context(), "https://github.com/other/catalog", "def", "x"); err != nil || len(c.on["def"]) > 0 {
		t.Errorf("a repository without the App: %v %v", err, c.on)
	}
}

// TestARunningServerTakesChanges starts ortest serve and changes what it was told.
func TestARunningServerTakesChanges(t *testing.T) {
	p := openDeaf(t, func(*systemConfig) {}).start(t)
	b, dir := newBranch(t), t.TempDir()
	b.commit(t, "settings.yaml", "maintenance: from the branch\n")
	for name, text := range map[string]string{"app.pem": string(p.cfg.GitHub.Key), "hook": "a webhook secret"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "ortest.yaml")
	save := func(live string) {
		t.Helper()
		text := fmt.Sprintf("listen: 127.0.0.1:0\nurl: http://127.0.0.1:1\ndata: data\nlog: json\nfleet: {runner: sh}\n"+
			"github: {app_id: %d, key_file: app.pem, webhook_secret_files: [hook], api: %s/api/v3, server: %s}\nlive: %s\n", demoAppID, p.url, p.url, live)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	repository := "{repository: {url: 'file://" + b.dir + "', path: our, every: 100ms}}"
	save(repository)
	server := exec.CommandContext(t.Context(), self(t), "serve", "--config", path)
	out, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt) // it may have ended
		_ = server.Wait()                       // and says so in the log
	})
	at := "http://" + servingAt(t, out)
	shows := func(page, text string) {
		t.Helper()
		p.await(t, func(ctx context.Context) (string, error) {
			resp, err := http.Get(at + page)
			if err != nil {
				return "", err
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || strings.Contains(string(body), text) {
				return "", err
			}
			return fmt.Sprintf("%s does not show %q", page, text), nil
		})
	}
	shows("/queue", "from the branch")
	bad := b.commit(t, "projects/x.yaml", "name: [")
	shows("/catalog", bad[:12])
	shows("/metrics", "ortest_catalog_refused 1\n")
	b.git(t, "rm", "--quiet", "our/projects/x.yaml")
	b.commit(t, "settings.yaml", "maintenance: mended\n")
	shows("/queue", "mended")
	shows("/metrics", "ortest_catalog_refused 0\n")
	save(strings.Replace(repository, "{repo", "{maintenance: by hand, repo", 1))
	shows("/queue", "by hand")
}

// servingAt reads where a server listens from its log, and the rest of that to nowhere.
func servingAt(t *testing.T, log io.Reader) string {
	t.Helper()
	var said strings.Builder
	b := make([]byte, 4096)
	for {
		n, err := log.Read(b)
		said.Write(b[:n])
		if _, after, ok := strings.Cut(said.String(), `"addr":"`); ok {
			if at, _, ok := strings.Cut(after, `"`); ok {
				go func() { _, _ = io.Copy(io.Discard, log) }()
				return at
			}
		}
		if err != nil {
			t.Fatalf("the server ended: %s", said.String())
		}
	}
}

// TestTheCatalogsOwnRepositoryIsOnThisGitHub, or nobody rolls it back by a comment.
func TestTheCatalogsOwnRepositoryIsOnThisGitHub(t *testing.T) {
	b, dir, log := newBranch(t), t.TempDir(), new(bytes.Buffer)
	l := liveOf(t, dir, "{repository: {url: 'file://"+b.dir+"', path: our}}", log)
	for _, tt := range []struct{ url, of string }{
		{"https://github.com/openresty/catalog", "openresty/catalog"},
		{"https://GitHub.com/openresty/catalog.git", "openresty/catalog"},
		{"ssh://git@github.com/openresty/catalog.git", "openresty/catalog"},
		{"https://gitlab.com/openresty/catalog", ""},
		{"file:///srv/openresty/catalog", ""},
		{"", ""},
	} {
		c := *l.config.Load()
		c.Repository.URL = tt.url
		l.config.Store(&c)
		if got := l.settings().CatalogOf; got != tt.of {
			t.Errorf("the catalog of %s is of %q, want %q", tt.url, got, tt.of)
		}
	}
	builtIn := l.catalog.Load().Revision
	b.commit(t, "settings.yaml", "time: 90\n")
	l.fetched = time.Time{}
	l.feedRepository(t.Context())
	if l.catalog.Load().Revision == builtIn {
		t.Fatalf("the commit was not taken: %s", log)
	}
	if err := l.rollback("nope"); err == nil {
		t.Error("a revision that there is not was put in force")
	}
	if err := l.rollback(builtIn); err != nil {
		t.Fatal(err)
	}
	l.reload()
	l.fetched = time.Time{}
	l.feedRepository(t.Context())
	if got := l.catalog.Load().Revision; got != builtIn {
		t.Errorf("after a rollback %s counts, want %s: a state counts once", got, builtIn)
	}
}
