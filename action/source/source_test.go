package source

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/plan/recipe"
)

// git runs the real git, without the configuration of who tests.
func git(ctx context.Context, out io.Writer, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	return cmd.Run()
}

// mirror makes a folder with repositories; each version of a file is a commit.
func mirror(t *testing.T, repos map[string][]string) *Store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a mirror")
	run := func(dir string, args ...string) {
		var out bytes.Buffer
		if err := git(t.Context(), &out, dir, args...); err != nil {
			t.Fatalf("git %s: %v: %s", args, err, out.String())
		}
	}
	for name, versions := range repos {
		tree := t.TempDir()
		run(tree, "init", "-q", "-b", "master")
		for _, v := range versions {
			if err := os.WriteFile(filepath.Join(tree, "version"), []byte(v), 0o644); err != nil {
				t.Fatal(err)
			}
			run(tree, "add", "version")
			run(tree, "commit", "-q", "-m", v)
			// What comes after a version still has it.
			run(tree, "commit", "-q", "--allow-empty", "-m", "after "+v)
		}
		bare := filepath.Join(dir, filepath.FromSlash(name)+".git")
		if err := os.MkdirAll(filepath.Dir(bare), 0o755); err != nil {
			t.Fatal(err)
		}
		run(tree, "clone", "-q", "--bare", ".", bare)
	}
	return &Store{Dir: filepath.Join(t.TempDir(), "store"), Mirror: dir, Server: "https://example.org", Log: io.Discard, Git: git}
}

func TestAMissingRepositoryIsNamedByItsPath(t *testing.T) {
	s := mirror(t, map[string][]string{"vision5/ndk": {"1"}})
	_, err := s.First("https://github.com/openresty/none", []string{"https://github.com/other/none"})
	var missing *MissingError
	if !errors.As(err, &missing) || missing.Path != filepath.Join(s.Mirror, "openresty", "none.git") {
		t.Errorf("got %v", err)
	}
	if url, err := s.First("https://github.com/simpl/ndk", []string{"https://github.com/vision5/ndk"}); err != nil || !strings.HasSuffix(url, "/vision5/ndk.git") {
		t.Errorf("under its other owner: %s, %v", url, err)
	}
	network := &Store{Server: "https://github.com/"}
	if url, err := network.URL("https://github.com/a/b"); err != nil || url != "https://github.com/a/b.git" {
		t.Errorf("without a mirror: %s, %v", url, err)
	}
}

func TestCheckoutIsSharedAndWhole(t *testing.T) {
	s := mirror(t, map[string][]string{"a/b": {"1", "2"}})
	url, err := s.URL("https://github.com/a/b")
	if err != nil {
		t.Fatal(err)
	}
	commit, err := s.Head(t.Context(), url, "")
	if err != nil {
		t.Fatal(err)
	}
	if branch, err := s.Head(t.Context(), url, "master"); err != nil || branch != commit {
		t.Errorf("master is %s, %v; the default branch %s", branch, err, commit)
	}
	if _, err := s.Head(t.Context(), url, "none"); err == nil || !strings.Contains(err.Error(), "no branch or tag none") {
		t.Errorf("a branch that is not there: %v", err)
	}
	first, err := s.Checkout(t.Context(), url, commit)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Checkout(t.Context(), url, commit)
	if b, _ := os.ReadFile(filepath.Join(again, "version")); err != nil || again != first || string(b) != "2" {
		t.Errorf("again: %s with %q, %v; first %s", again, b, err, first)
	}
	if _, err := s.Checkout(t.Context(), url, strings.Repeat("0", 40)); err == nil {
		t.Error("a commit that is not there is checked out")
	}
}

func TestPair(t *testing.T) {
	here, there := recipe.Place{File: "version", Match: `needs ([0-9]+)`}, recipe.Place{File: "version", Match: `is ([0-9]+)`}
	pair := recipe.Pair{With: "module", Here: here, There: there}
	for _, tt := range []struct {
		name         string
		module, core []string
		firm, coreAt int // of the module, of the core
		got, bad     string
	}{
		{"what fits stays", []string{"is 1", "is 2"}, []string{"needs 2"}, 0, 0, "after is 2", ""},
		{"the module goes back to the last commit that fits", []string{"is 1", "is 2", "is 3"}, []string{"needs 2"}, 0, 0, "after is 2", ""},
		{"a module under test moves where the core cannot", []string{"is 2", "is 3"}, []string{"needs 2"}, 1, 0, "after is 2", ""},
		{"a module under test stays where the core can", []string{"is 2"}, []string{"needs 2", "needs 3"}, 1, 0, "after is 2", ""},
		{"what was asked for does not move", []string{"is 2", "is 3"}, []string{"needs 2"}, 2, 0, "", "no commit of either fits"},
		{"a version that nobody wrote down decides nothing", []string{"is 1"}, []string{"whatever"}, 2, 2, "after is 1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := mirror(t, map[string][]string{"a/module": tt.module, "a/core": tt.core})
			repo := func(name string, firm int) *Repo {
				r := &Repo{Firm: firm}
				r.Name = name
				var err error
				if r.URL, err = s.URL("https://github.com/a/" + name); err != nil {
					t.Fatal(err)
				}
				if r.Commit, err = s.Head(t.Context(), r.URL, ""); err != nil {
					t.Fatal(err)
				}
				return r
			}
			module, core := repo("module", tt.firm), repo("core", tt.coreAt)
			core.Pairs = []recipe.Pair{pair}
			_, err := s.Pair(t.Context(), []*Repo{module, core})
			if tt.bad != "" {
				if err == nil || !strings.Contains(err.Error(), tt.bad) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if err := git(t.Context(), &out, strings.TrimPrefix(module.URL, "file://"), "log", "-1", "--format=%s", module.Commit); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(out.String()); got != tt.got {
				t.Errorf("the module is at %q, want %q", got, tt.got)
			}
		})
	}
}

func TestNginx(t *testing.T) {
	const sum = "486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7" // of "world"
	archive := recipe.Archive{
		Name: "nginx", URL: "https://nginx.org/download/nginx-$VERSION.tar.gz", Version: "1.29.2", SHA256: map[string]string{"1.22.1": sum},
	}
	for _, tt := range []struct {
		name    string
		files   []string
		version string
		got     string
		note    bool
		bad     string
	}{
		{"the default", []string{"nginx-1.29.2.tar.gz", "nginx-1.31.0.tar.gz"}, "", "nginx-1.29.2.tar.gz", false, ""},
		{"the default as a tag's archive", []string{"release-1.29.2.tar.gz"}, "", "release-1.29.2.tar.gz", false, ""},
		{"without the default, Debian's, and it is said", []string{"nginx_1.22.1.orig.tar.gz"}, "", "nginx_1.22.1.orig.tar.gz", true, ""},
		{"without the default, the newest by number", []string{"nginx-1.9.15.tar.gz", "nginx-1.22.1.tar.gz", "notes.txt"}, "", "nginx-1.22.1.tar.gz", true, ""},
		{"what was asked for", []string{"nginx-1.29.2.tar.gz", "nginx-1.22.1.tar.gz"}, "1.22.1", "nginx-1.22.1.tar.gz", false, ""},
		{"what was asked for is not replaced", []string{"nginx-1.29.2.tar.gz"}, "1.27.1", "", false, "the mirror lacks"},
		{"nothing at all", nil, "", "", false, filepath.Join("files", "nginx-1.29.2.tar.gz") + ": https://"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &Store{Dir: t.TempDir(), Mirror: t.TempDir()}
			if err := os.Mkdir(filepath.Join(s.Mirror, "files"), 0o755); err != nil {
				t.Fatal(err)
			}
			for _, f := range tt.files {
				if err := os.WriteFile(filepath.Join(s.Mirror, "files", f), []byte("world"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := s.Nginx(t.Context(), archive, tt.version)
			if tt.bad != "" {
				if err == nil || !strings.Contains(err.Error(), tt.bad) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || filepath.Base(got.Path) != tt.got || (got.Note != "") != tt.note || got.SHA256 != sum {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	t.Run("a file that is not what the catalog says", func(t *testing.T) {
		s := &Store{Dir: t.TempDir(), Mirror: t.TempDir()}
		file := filepath.Join(s.Mirror, "files", "nginx-1.22.1.tar.gz")
		if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("damaged"), 0o644)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Nginx(t.Context(), archive, "1.22.1"); err == nil || !strings.Contains(err.Error(), "want "+sum) {
			t.Errorf("got %v", err)
		}
	})
}

func TestMake(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	began := time.Now().Add(-time.Minute)
	made := 0
	fill := func(fails bool) func(string) error {
		return func(out string) error {
			made++
			if _, err := os.Stat(filepath.Join(out, "x")); err == nil {
				t.Error("what was there before is still there")
			}
			if err := os.WriteFile(filepath.Join(out, "x"), nil, 0o644); err != nil {
				return err
			}
			if fails {
				return errors.New("no")
			}
			return nil
		}
	}
	for _, tt := range []struct {
		name  string
		since time.Time
		fails bool
		made  int
	}{
		{"a build that fails is not kept", time.Time{}, true, 1},
		{"the next one is made from the start", time.Time{}, false, 2},
		{"what is made is not made again", time.Time{}, false, 2},
		{"what is made since is neither", began, false, 2},
		{"what is older is", time.Now().Add(time.Hour), false, 3},
	} {
		out, err := s.Make(t.Context(), "tools", "t", tt.since, fill(tt.fails))
		if made != tt.made || (err != nil) != tt.fails || err == nil && filepath.Base(out) != "t" {
			t.Errorf("%s: made %d times, %s, %v", tt.name, made, out, err)
		}
	}
	other := &Store{Dir: s.Dir}
	if _, err := other.Make(t.Context(), "tools", "t", time.Time{}, fill(false)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Make(t.Context(), "tools", "t", time.Now().Add(time.Hour), fill(false)); err == nil || !strings.Contains(err.Error(), "is in use by another process and cannot be made again") || made != 3 {
		t.Errorf("what another run tests with was made again: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
}
